//! Tunnels: blind, counted, bounded, and with an end.

use std::net::SocketAddr;
use std::time::Duration;

use samlgate::proxy::Bounds;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::bench::{Bench, Client, PATIENCE, Speak, acceptor, full, panicking, raw_at, tls_over, upstream};
use super::connect::opened;

const IDP: &str = "authentik.company:443";

fn to(address: SocketAddr) -> String {
    format!("[intercept]\ntunnel = [\"{IDP}={address}\"]\n")
}

/// Sends back what it is sent, and ends when it has heard everything.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_goes_through_unopened() {
    let made = rcgen::generate_simple_self_signed(["authentik.company".to_owned()]).unwrap();
    let tls = acceptor(&made.cert.pem(), &made.signing_key.serialize_pem());
    let record = super::bench::Record::default();
    let idp = upstream(std::sync::Arc::clone(&record), Some(tls)).await;
    let bench = Bench::explicit(&to(idp), "", panicking()).await;
    for speak in [Speak::Http1, Speak::Http2] {
        let stream = opened(bench.connect(), IDP, "").await;
        // the certificate is the far side's own
        let stream = tls_over(stream, "authentik.company", speak, &[made.cert.der().clone()]).await.unwrap();
        let request = hyper::Request::post("/login.srf").header("host", "authentik.company");
        let answer = Client::over(stream, speak).await.send(request, full("password=secret")).await;
        assert_eq!(answer.body, "from the upstream");
    }
    assert_eq!(record.lock().unwrap().len(), 2);
    assert!(bench.seen().is_empty());
    bench.until("samlgate_tunnels_open 0").await;
    let lines = bench.metrics();
    let line = "samlgate_requests_total{listener=\"connect\",route=\"tunnel\",status_class=\"2xx\"} 2";
    assert!(lines.lines().any(|known| known == line), "{lines}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_arrives_and_is_counted_and_either_side_may_end_first() {
    let bench = Bench::explicit(&to(echo().await), "", panicking()).await;
    // what comes in one breath with the CONNECT is for the far side
    let mut stream = TcpStream::connect(bench.connect()).await.unwrap();
    let early = format!("CONNECT {IDP} HTTP/1.1\r\nHost: {IDP}\r\n\r\nearly");
    stream.write_all(early.as_bytes()).await.unwrap();
    let sent: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect();
    let (mut read, mut write) = stream.split();
    let writing = async {
        write.write_all(&sent).await.unwrap();
        // half of the connection: the echo still comes
        write.shutdown().await.unwrap();
    };
    let reading = async {
        let mut all = Vec::new();
        read.read_to_end(&mut all).await.unwrap();
        all
    };
    let ((), all) = tokio::time::timeout(PATIENCE, async { tokio::join!(writing, reading) }).await.unwrap();
    let head = all.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(all[head..].starts_with(b"early") && all[head + 5..] == sent, "{} bytes", all.len());
    for direction in ["up", "down"] {
        bench.until(&format!("samlgate_tunnel_bytes_total{{direction=\"{direction}\"}} 3000005")).await;
    }
    bench.until("samlgate_tunnels_open 0").await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_far_side_that_ends_first_still_hears() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bench = Bench::explicit(&to(listener.local_addr().unwrap()), "", panicking()).await;
    let (mut near, far) = tokio::join!(opened(bench.connect(), IDP, ""), listener.accept());
    let (mut far, _) = far.unwrap();
    far.write_all(b"all that I have").await.unwrap();
    far.shutdown().await.unwrap();
    let mut heard = String::new();
    near.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "all that I have");
    near.write_all(b"thanks").await.unwrap();
    drop(near);
    let mut heard = String::new();
    far.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "thanks");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_a_502_and_nothing_is_open() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let bench = Bench::explicit(&to(free), "", panicking()).await;
    let answer = raw_at(bench.connect(), &format!("CONNECT {IDP} HTTP/1.1\r\nHost: {IDP}\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("could not be reached"), "{answer}");
    bench.until("samlgate_tunnel_errors_total{reason=\"connect\"} 1").await;
    bench.until("samlgate_requests_total{listener=\"connect\",route=\"tunnel\",status_class=\"5xx\"} 1").await;
    bench.stop().await;
}

/// Opens so many at once, says something in each, and leaves them open.
async fn many(count: usize, look: impl FnOnce()) {
    let bench = Bench::explicit(&to(echo().await), "", panicking()).await;
    let proxy = bench.connect();
    let mut opening = JoinSet::new();
    for number in 0..count {
        opening.spawn(async move {
            let mut stream = opened(proxy, IDP, "").await;
            let said = u64::try_from(number).unwrap();
            stream.write_u64(said).await.unwrap();
            assert_eq!(stream.read_u64().await.unwrap(), said);
            stream
        });
    }
    let streams = tokio::time::timeout(PATIENCE * 3, opening.join_all()).await.unwrap();
    bench.until(&format!("samlgate_tunnels_open {count}")).await;
    look();
    drop(streams);
    bench.until("samlgate_tunnels_open 0").await;
    bench.stop().await;
}

/// Megabytes of this process, which is both ends of the test as well.
#[cfg(target_os = "linux")]
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1e3
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_at_once() {
    many(200, || {}).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes some 8,000 open files"]
#[expect(clippy::print_stdout, reason = "figures")]
async fn two_thousand_at_once_within_bounded_memory() {
    super::crowd::many_files();
    let before = resident();
    let mut with = before;
    many(2_000, || with = resident()).await;
    println!("{before:.0} MB before, {with:.0} MB with 2,000 tunnels, both ends of the test included");
    assert!(with - before < 256.0, "{before} MB before, {with} MB with them");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_may_end_and_what_is_silent_is_cut_off_when_the_service_stops() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bench = Bench::explicit(&to(listener.local_addr().unwrap()), "", panicking()).await;
    let proxy = bench.connect();
    let (mut silent, far) = tokio::join!(opened(proxy, IDP, ""), listener.accept());
    let _far_of_silent = far.unwrap();
    let (mut busy, far) = tokio::join!(opened(proxy, IDP, ""), listener.accept());
    let (mut far, _) = far.unwrap();
    let stopping = tokio::spawn(bench.stop());
    // nobody new, as soon as it is known
    let closed = async {
        while TcpStream::connect(proxy).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.unwrap();
    for _ in 0..50 {
        far.write_all(b"piece").await.unwrap();
        let mut piece = [0; 5];
        busy.read_exact(&mut piece).await.unwrap();
    }
    far.shutdown().await.unwrap();
    drop(far);
    let mut rest = Vec::new();
    assert_eq!(busy.read_to_end(&mut rest).await.unwrap(), 0);
    drop(busy);
    let _ = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty());
    tokio::time::timeout(Duration::from_secs(8), stopping).await.unwrap().unwrap();
}

/// Bounds that are reached within a test.
#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_has_an_end_and_there_are_so_many_of_them() {
    let bounds = Bounds {
        tunnels: 1,
        tunnel_bytes: 1_000,
        tunnel_idle: Duration::from_millis(200),
        idle: Duration::from_millis(50),
        ..Bounds::default()
    };
    let gate = super::faults::Gate::explicit(&format!("{IDP}={}", echo().await), bounds).await;
    let mut first = opened(gate.address, IDP, "").await;
    let answer = raw_at(gate.address, &format!("CONNECT {IDP} HTTP/1.1\r\nHost: {IDP}\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    // silence is the end of it
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, first.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty());
    // so is too much
    gate.until("samlgate_tunnels_open 0").await;
    let mut second = opened(gate.address, IDP, "").await;
    let _ = second.write_all(&[b'a'; 900]).await;
    let _ = tokio::time::timeout(PATIENCE, second.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.len() < 900, "{} bytes came back", rest.len());
    gate.until("samlgate_tunnels_open 0").await;
}
