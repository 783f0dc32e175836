//! The explicit proxy: what goes through it is dealt with as at the reverse listener, and nobody else is let in or out.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hyper::{Request, StatusCode};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use samlgate::config::Config;
use samlgate::inspect::MessageKind;
use samlgate::verdict::Code;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::bench::{Bench, Client, HOST_NAME, PATIENCE, Speak, full, judge, panicking, posted, raw_at, tls_over};
use super::{POSTED, metric, post};

/// The way to a host through the proxy, as soon as it is open.
pub(super) async fn opened(proxy: SocketAddr, target: &str, fields: &str) -> TcpStream {
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{fields}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = head_of(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(!answer.contains("content-length") && !answer.contains("transfer-encoding"), "{answer}");
    assert!(answer.contains("x-request-id: "), "{answer}");
    stream
}

/// Reads to the end of a head, and no further.
async fn head_of(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tokio::time::timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn client(bench: &Bench, speak: Speak) -> Client {
    let stream = opened(bench.connect(), &format!("{HOST_NAME}:443"), "").await;
    let root = CertificateDer::from_pem_file(bench.folder().join("proxy.pem")).unwrap();
    Client::over(tls_over(stream, HOST_NAME, speak, &[root]).await.unwrap(), speak).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_through_is_judged_forwarded_and_counted_for_itself() {
    for speak in [Speak::Http1, Speak::Http2] {
        let bench = Bench::explicit("", "", judge(MessageKind::SamlResponse, true, None)).await;
        let mut client = client(&bench, speak).await;
        assert_eq!(client.send(post("/login.srf?wa=1"), full(POSTED)).await.status, StatusCode::OK);
        let page = Request::get("/common").header("host", HOST_NAME);
        assert_eq!(client.send(page, full("")).await.body, "from the upstream");
        assert_eq!(bench.seen()[0].body, POSTED.as_bytes());
        bench.until("samlgate_responses_total{federation=\"domain.company\",verdict=\"accepted\"} 1").await;
        for (route, class, count) in [("intercept", "2xx", 1), ("inspect", "2xx", 1), ("pass", "2xx", 1)] {
            let line = format!(
                "samlgate_requests_total{{listener=\"connect\",route=\"{route}\",status_class=\"{class}\"}} {count}"
            );
            assert!(metric(&bench, &line), "{line}\n{}", bench.metrics());
        }
        let reverse = "samlgate_requests_total{listener=\"reverse\",route=\"inspect\",status_class=\"2xx\"} 0";
        assert!(metric(&bench, reverse));
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn enforce_holds_back_what_is_rejected() {
    let rejecting = judge(MessageKind::SamlResponse, false, Some(Code::UserUnknown));
    let bench = Bench::explicit("mode = \"enforce\"\n", "", rejecting).await;
    let answer = client(&bench, Speak::Http2).await.send(post("/login.srf"), full(POSTED)).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains("AADSTS51004"), "{}", answer.body);
    assert!(bench.seen().is_empty());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_there_is_one_host_and_no_further_tunnel() {
    let bench = Bench::explicit("", "", panicking()).await;
    let mut client = client(&bench, Speak::Http1).await;
    let other = Request::get("/").header("host", "other.example");
    assert_eq!(client.send(other, full("")).await.status, StatusCode::MISDIRECTED_REQUEST);
    let further = Request::builder().method("CONNECT").uri(format!("{HOST_NAME}:443")).header("host", HOST_NAME);
    assert_eq!(client.send(further, full("")).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(bench.seen().is_empty());
    let line = "samlgate_requests_total{listener=\"connect\",route=\"refuse\",status_class=\"4xx\"} 2";
    assert!(metric(&bench, line));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_have_two_cases_and_a_host_may_stand_without_its_port() {
    let bench = Bench::explicit("", "", panicking()).await;
    for head in [
        "CONNECT LOGIN.MicrosoftOnline.com:443 HTTP/1.1\r\nHost: login.microsoftonline.com:443\r\n\r\n",
        "CONNECT login.microsoftonline.com:443 HTTP/1.1\r\nHost: login.microsoftonline.com\r\nContent-Length: 0\r\n\r\n",
        "CONNECT login.microsoftonline.com:443 HTTP/1.0\r\nHost: login.microsoftonline.com:443\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(bench.connect()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = head_of(&mut stream).await;
        assert!(answer.contains(" 200 "), "{head}{answer}");
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_never_ends_the_handshake_keeps_nobody_out_and_holds_up_no_end() {
    let bench = Bench::explicit("", "", judge(MessageKind::SamlResponse, true, None)).await;
    let target = format!("{HOST_NAME}:443");
    let silent = opened(bench.connect(), &target, "").await;
    let mut half = opened(bench.connect(), &target, "").await;
    // the beginning of a ClientHello
    half.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.unwrap();
    let mut plain = opened(bench.connect(), &target, "").await;
    plain.write_all(b"GET / HTTP/1.1\r\nHost: login.microsoftonline.com\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    // an alert at most
    let _ = tokio::time::timeout(PATIENCE, plain.read_to_end(&mut rest)).await.unwrap();
    assert!(!rest.starts_with(b"HTTP"), "{rest:?}");
    let asking = TcpStream::connect(bench.connect()).await.unwrap();
    assert_eq!(client(&bench, Speak::Http1).await.send(post("/login.srf"), full(POSTED)).await.status, StatusCode::OK);
    tokio::time::timeout(Duration::from_secs(5), bench.stop()).await.unwrap();
    drop((silent, half, asking));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_in_the_file_are_let_in() {
    let bench = Bench::with_users(&[("tester", "correct horse")]).await;
    let target = format!("{HOST_NAME}:443");
    let basic = |credentials: &str| {
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, credentials);
        format!("Proxy-Authorization: Basic {encoded}\r\n")
    };
    for fields in
        ["".to_owned(), basic("tester:wrong horse"), basic("tester"), "Proxy-Authorization: Basic ?\r\n".to_owned()]
    {
        for head in
            [format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"), "GET / HTTP/1.1\r\nHost: x\r\n".to_owned()]
        {
            let answer = raw_at(bench.connect(), &format!("{head}{fields}\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 407 "), "{fields}{answer}");
            assert!(answer.to_lowercase().contains("proxy-authenticate: basic "), "{answer}");
        }
    }
    drop(opened(bench.connect(), &target, &basic("tester:correct horse")).await);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_judge_says_of_a_sign_in_what_it_says_anywhere() {
    let reply = std::sync::Arc::new(|_: &_| hyper::Response::new(full("from the upstream")));
    let bench = Bench::judging_explicit(reply).await;
    let mut client = client(&bench, Speak::Http2).await;
    for fixture in ["sound_and_strict", "immutable_id_is_the_mail_address"] {
        assert_eq!(client.send(post("/login.srf"), full(&posted(fixture))).await.status, StatusCode::OK);
    }
    bench.until("samlgate_responses_total{federation=\"domain.company\",verdict=\"accepted\"} 1").await;
    bench.until("samlgate_responses_total{federation=\"domain.company\",verdict=\"rejected\"} 1").await;
    bench.until("samlgate_predictions_total{actual=\"unknown\",predicted=\"51004\"} 1").await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_told_what_to_send_here() {
    let settings = "[intercept]\ntunnel = [\"Authentik.Company:443=127.0.0.1:9\", \"authentik.company:8443\"]\n";
    let bench = Bench::explicit(settings, "", panicking()).await;
    let pac = bench.admin("/proxy.pac").await;
    assert_eq!(pac.status, StatusCode::OK);
    assert_eq!(pac.headers["content-type"], "application/x-ns-proxy-autoconfig");
    let targets =
        "{\"authentik.company:443\":true,\"authentik.company:8443\":true,\"login.microsoftonline.com:443\":true}";
    assert!(pac.body.contains(targets), "{}", pac.body);
    assert!(pac.body.contains(&format!("\"PROXY {}\"", bench.connect())), "{}", pac.body);
    let stranger = bench.admin_asked(Request::get("/proxy.pac").header("host", "stranger.example"), "").await;
    assert_eq!(stranger.status, StatusCode::FORBIDDEN);
    bench.stop().await;
    let bench = Bench::start("", panicking()).await;
    assert_eq!(bench.admin("/proxy.pac").await.status, StatusCode::NOT_FOUND);
    bench.stop().await;
}

fn problems(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("users"), "tester:password").unwrap();
    std::fs::write(folder.path().join("known"), format!("tester:{}", "0".repeat(64))).unwrap();
    let current = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/certificates/current.cer");
    let text = format!(
        "{text}\n[[federation]]\ndomain = \"domain.company\"\nissuer = \"https://authentik.company/\"\ncertificates = [{current:?}]\n"
    );
    Config::parse(&text, &folder.path().join("samlgate.toml")).map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn a_proxy_for_the_network_needs_to_know_its_users() {
    for (listen, problem) in [
        ("connect = \"0.0.0.0:3128\"", "can be reached by others"),
        ("connect = \"192.0.2.7:3128\"", "can be reached by others"),
        ("connect = \"[::]:3128\"", "can be reached by others"),
        ("connect = \"here\"", "expected an address and a port"),
        ("connect_users = \"known\"", "needs `listen.connect`"),
        ("connect = \"127.0.0.1:3128\"\nconnect_users = \"users\"", "in line 1"),
        ("connect = \"127.0.0.1:3128\"\nconnect_users = \"nobody\"", "cannot be read"),
        ("connect = \"127.0.0.1:3128\"", ""),
        ("connect = \"[::1]:3128\"", ""),
        ("connect = \"[::ffff:127.0.0.1]:3128\"", ""),
        ("connect = \"0.0.0.0:3128\"\nconnect_users = \"known\"", ""),
    ] {
        let said = problems(&format!("[listen]\n{listen}\n"));
        assert!(said.contains(problem) && said.is_empty() == problem.is_empty(), "{listen}: {said}");
    }
    for (tunnel, problem) in [
        ("authentik.company", "expected a host and a port"),
        ("Login.MicrosoftOnline.com:443", "is intercepted"),
        ("a.company:443\", \"A.company:443", "is there twice"),
        ("login.microsoftonline.com:8443", ""),
    ] {
        let said = problems(&format!("listen.connect = \"127.0.0.1:1\"\n[intercept]\ntunnel = [\"{tunnel}\"]\n"));
        assert!(said.contains(problem) && said.is_empty() == problem.is_empty(), "{tunnel}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_changes_targets_and_users_and_not_that_there_are_any() {
    let write = |folder: &Path, ends: &str, listen: &str, tunnel: &str| {
        let current = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/certificates/current.cer");
        let text = format!(
            "environment = \"test\"\nlisten.connect = \"127.0.0.1:0\"\n{listen}\nintercept.tunnel = [\"{tunnel}\"]\n{ends}\n[[federation]]\n\
             domain = \"domain.company\"\nissuer = \"https://authentik.company/\"\ncertificates = [{current:?}]\n"
        );
        // the table of listeners stands further down as well
        let text = text.replace("[listen]\nreverse", "listen.reverse").replace("\nadmin", "\nlisten.admin");
        std::fs::write(folder.join("samlgate.toml"), text).unwrap();
    };
    let digest = |credentials: &str| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, credentials.as_bytes());
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let users = "listen.connect_users = \"users\"";
    let mut ends = String::new();
    let bench = Bench::following(Duration::from_secs(3600), |folder, told| {
        std::fs::write(folder.join("users"), format!("tester:{}", digest("tester:first"))).unwrap();
        write(folder, told, users, "a.company:443=127.0.0.1:9");
        told.clone_into(&mut ends);
    })
    .await;
    let asked = async |target: &str, password: &str| {
        let credentials =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("tester:{password}"));
        let head =
            format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic {credentials}\r\n\r\n");
        let answer = raw_at(bench.connect(), &head).await;
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(asked("a.company:443", "first").await, "502");
    assert_eq!(asked("b.company:443", "first").await, "403");
    let reloaded = async |count: usize| {
        bench.reload();
        bench.until(&format!("samlgate_config_reloads_total{{result=\"ok\"}} {count}")).await;
    };
    std::fs::write(bench.folder().join("users"), format!("tester:{}", digest("tester:second"))).unwrap();
    write(bench.folder(), &ends, users, "b.company:443=127.0.0.1:9");
    reloaded(1).await;
    assert_eq!(asked("a.company:443", "first").await, "407");
    assert_eq!(asked("a.company:443", "second").await, "403");
    assert_eq!(asked("b.company:443", "second").await, "502");
    write(bench.folder(), &ends, "", "b.company:443=127.0.0.1:9");
    reloaded(2).await;
    assert_eq!(asked("b.company:443", "first").await, "407");
    assert_eq!(asked("b.company:443", "second").await, "502");
    assert!(bench.admin("/proxy.pac").await.body.contains("{\"b.company:443\":true,"));
    bench.stop().await;
}
