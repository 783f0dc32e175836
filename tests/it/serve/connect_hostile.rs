//! Requests to the explicit proxy that want out by another door: none is opened.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;

use super::bench::{Bench, panicking, raw_at};
use super::connect::opened;

/// Counts who comes, and hangs up.
async fn counting(address: &str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::AcqRel);
        }
    });
    (address, count)
}

/// A CONNECT that names the target twice, as it should be.
fn connect(target: &str) -> String {
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_and_no_other_request_opens_anything() {
    let (there, visits) = counting("127.0.0.1:0").await;
    let port = there.port();
    let settings = format!("[intercept]\ntunnel = [\"authentik.company:{port}={there}\"]\n");
    let bench = Bench::explicit(&settings, "", panicking()).await;
    let own = bench.connect();
    let admin = bench.admin_address();
    let host = "login.microsoftonline.com";
    let targets = [
        // other places
        "example.com:443".to_owned(),
        "login.microsoftonline.com.example.com:443".to_owned(),
        "xlogin.microsoftonline.com:443".to_owned(),
        "microsoftonline.com:443".to_owned(),
        "device.login.microsoftonline.com:443".to_owned(),
        // this machine, in every spelling
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("127.1:{port}"),
        format!("2130706433:{port}"),
        format!("0x7f000001:{port}"),
        format!("0:{port}"),
        own.to_string(),
        admin.to_string(),
        "169.254.169.254:80".to_owned(),
        // the right host, otherwise
        format!("{host}:80"),
        format!("{host}:8443"),
        format!("{host}:0443"),
        format!("{host}:+443"),
        format!("{host}:"),
        host.to_owned(),
        format!("{host}.:443"),
        format!("user@{host}:443"),
        format!("user:{port}@{host}:443"),
        format!("{host}:443@authentik.company:{port}"),
        format!("authentik.company:443@{host}:{port}"),
        "login%2emicrosoftonline.com:443".to_owned(),
        format!("{host}%00.example.com:443"),
        format!("{host}:443/"),
        format!("{host}:443?x"),
        format!("{host}:443#x"),
        format!("https://{host}:443"),
        format!("//{host}:443"),
        "*".to_owned(),
        "/".to_owned(),
        format!("{host}:443:443"),
        format!("[{host}]:443"),
        format!("{host}:443 example.com:443"),
        // the listed place, otherwise
        format!("authentik.company.:{port}"),
        format!("sub.authentik.company:{port}"),
        "authentik.company:443".to_owned(),
        format!("authentik.company:{port}={there}"),
        format!("a\u{130}.company:{port}"),
    ];
    let mut requests: Vec<String> = targets.iter().map(|target| connect(target)).collect();
    let right = format!("authentik.company:{port}");
    requests.extend([
        // not CONNECT
        format!("GET http://{right}/ HTTP/1.1\r\nHost: {right}\r\n\r\n"),
        format!("GET https://{right}/ HTTP/1.1\r\nHost: {right}\r\n\r\n"),
        format!("GET http://{there}/ HTTP/1.1\r\nHost: {there}\r\n\r\n"),
        format!("POST http://{host}/login.srf HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n\r\nabc"),
        format!("GET ftp://{right}/ HTTP/1.1\r\nHost: {right}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {right}\r\n\r\n"),
        format!("OPTIONS * HTTP/1.1\r\nHost: {right}\r\n\r\n"),
        format!("connect {right} HTTP/1.1\r\nHost: {right}\r\n\r\n"),
        format!("GET {right} HTTP/1.1\r\nHost: {right}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {right}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "\u{5}\u{1}\0".to_owned() + "\r\n\r\n",
        // CONNECT, and something is wrong with it
        format!("CONNECT {right} HTTP/1.1\r\n\r\n"),
        format!("CONNECT {right} HTTP/1.1\r\nHost: {right}\r\nHost: {right}\r\n\r\n"),
        format!("CONNECT {right} HTTP/1.1\r\nHost: {right}\r\nHost: example.com\r\n\r\n"),
        format!("CONNECT {right} HTTP/1.1\r\nHost: example.com:443\r\n\r\n"),
        format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {right}\r\n\r\n"),
        format!("CONNECT {right} HTTP/1.1\r\nHost: {right}\r\nContent-Length: 3\r\n\r\nabc"),
        format!("CONNECT {right} HTTP/1.1\r\nHost: {right}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("CONNECT {right} HTTP/1.1\r\nHost: {right}\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        // what follows a refusal is not heard
        format!("{}{}", connect("example.com:443"), connect(&right)),
        format!("POST http://x/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde{}", connect(&right)),
    ]);
    assert!(requests.len() >= 60);
    for request in &requests {
        let answer = raw_at(own, request).await;
        // some are no HTTP at all
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(matches!(status, "" | "400" | "403" | "405" | "421"), "{request}{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), usize::from(!status.is_empty()), "{request}{answer}");
    }
    assert_eq!(visits.load(Ordering::Acquire), 0);
    assert!(bench.seen().is_empty());
    let metrics = bench.metrics();
    for line in [
        "samlgate_tunnels_open 0",
        "samlgate_tunnel_bytes_total{direction=\"up\"} 0",
        "samlgate_requests_total{listener=\"connect\",route=\"intercept\",status_class=\"2xx\"} 0",
        "samlgate_requests_total{listener=\"connect\",route=\"tunnel\",status_class=\"2xx\"} 0",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line}\n{metrics}");
    }
    // and the door itself is one
    drop(opened(own, &right, "").await);
    bench.stop().await;
    assert_eq!(visits.load(Ordering::Acquire), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_name_leads_neither_to_this_machine_nor_back_to_us() {
    let (there, visits) = counting("127.0.0.1:0").await;
    let (named, port) = (format!("localhost:{}", there.port()), there.port());
    // the ports of our own listeners are known when they are bound: one is chosen here
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = format!(
        "[intercept]\ntunnel = [\"{named}\", \"back.company:443={free}\", \"nobody.invalid:443\", \"meant.company:{port}={there}\"]\n"
    );
    let bench = Bench::listening_at(&settings, free, panicking()).await;
    for (target, status) in [(named.as_str(), "403"), ("back.company:443", "403"), ("nobody.invalid:443", "502")] {
        let answer = raw_at(bench.connect(), &connect(target)).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{target}: {answer}");
    }
    for reason in ["forbidden", "loop", "resolve"] {
        bench.until(&format!("samlgate_tunnel_errors_total{{reason=\"{reason}\"}} 1")).await;
    }
    assert_eq!(visits.load(Ordering::Acquire), 0);
    drop(opened(bench.connect(), &format!("meant.company:{port}"), "").await);
    bench.stop().await;
}
