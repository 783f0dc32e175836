//! The way to the upstream: HTTP/2, a DNS server of its own, and never back to the proxy itself.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::header::HOST;
use hyper::{StatusCode, Version};
use samlgate::app::start;
use samlgate::config::Config;
use samlgate::inspect::MessageKind;
use tokio::net::{TcpListener, UdpSocket};

use super::bench::{Bench, HOST_NAME, Record, Speak, config, full, judge, upstream};
use super::{POSTED, metric, post};

#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_spoken_where_the_upstream_does_and_nothing_of_a_request_changes() {
    for (also, version) in [("", Version::HTTP_2), ("http2 = false", Version::HTTP_11)] {
        let bench = Bench::with_tls_upstream(true, also).await;
        for speak in [Speak::Http1, Speak::Http2] {
            let request = post("/a?b=c").header("x-two", "1").header("x-two", "2").header("cookie", "a=b; c=d");
            let answer = bench.client(speak).await.send(request, full(POSTED)).await;
            assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "from the upstream"));
        }
        for seen in bench.seen() {
            assert_eq!(seen.version, version);
            assert_eq!(seen.body, POSTED.as_bytes());
            assert!(seen.target.ends_with("/a?b=c"), "{}", seen.target);
            assert_eq!(seen.headers[HOST], HOST_NAME);
            assert_eq!(seen.headers.get_all("x-two").iter().collect::<Vec<_>>(), ["1", "2"]);
            assert_eq!(seen.headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=b; c=d"]);
        }
        assert!(metric(&bench, "samlgate_upstream_duration_seconds_count{outcome=\"2xx\"} 2"));
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_dns_server_is_asked_for_the_name_and_not_this_machine() {
    let record = Record::default();
    let there = upstream(Arc::clone(&record), None).await;
    let (dns, _) = dns_server(Ipv4Addr::LOCALHOST).await;
    let section = format!("url = \"http://{HOST_NAME}:{}\"\ndns = \"{dns}\"", there.port());
    let judge = judge(MessageKind::SamlResponse, true, None);
    let bench = Bench::before("", &section, judge, record, |_| {}).await;
    assert_eq!(bench.client(Speak::Http1).await.send(post("/a"), full("x")).await.status, StatusCode::OK);
    assert_eq!(bench.seen()[0].headers[HOST], HOST_NAME);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_its_own_upstream_does_not_start() {
    let ours = free_address().await;
    for listens in [ours, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), ours.port())] {
        let sections = format!(
            "environment = \"test\"\n[listen]\nreverse = \"{listens}\"\ntls = false\nadmin = \"127.0.0.1:0\"\n\
             [upstream]\naddress = \"{ours}\""
        );
        let (config, _folder) = config(&sections, "");
        let error = start(config).await.unwrap_err().to_string();
        assert!(error.contains(&format!("the upstream is at {ours}, where this proxy listens itself")), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_comes_to_mean_the_proxy_itself_is_not_followed() {
    let ours = free_address().await;
    // at first it is somebody else
    let (dns, flip) = dns_server(Ipv4Addr::new(127, 0, 0, 2)).await;
    let sections = format!(
        "environment = \"test\"\n[listen]\nreverse = \"{ours}\"\ntls = false\nadmin = \"127.0.0.1:0\"\n\
         [upstream]\nurl = \"http://{HOST_NAME}:{}\"\ndns = \"{dns}\"",
        ours.port()
    );
    let (config, _folder): (Config, _) = config(&sections, "");
    let running = start(config).await.unwrap();
    flip.store(true, Ordering::Relaxed);
    let request = format!("GET /a HTTP/1.1\r\nHost: {HOST_NAME}\r\nConnection: close\r\n\r\n");
    let answer = super::bench::raw_at(ours, &request).await;
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("The upstream is this proxy itself."), "{answer}");
    let metrics = running.metrics().render().unwrap();
    assert!(metrics.contains("samlgate_upstream_errors_total{reason=\"loop\"} 1\n"), "{metrics}");
    assert!(metrics.contains("samlgate_upstream_duration_seconds_count{outcome=\"error\"} 1\n"), "{metrics}");
    running.stop(super::bench::PATIENCE).await;
}

async fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// A DNS server that answers every question for an address with `first`, and with 127.0.0.1 once it is told to; nothing is to
/// be remembered.
async fn dns_server(first: Ipv4Addr) -> (SocketAddr, Arc<AtomicBool>) {
    const TYPE_A: [u8; 2] = [0, 1];
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let flip = Arc::new(AtomicBool::new(false));
    let flipped = Arc::clone(&flip);
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let query = &buffer[..length];
            let name_end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
            let question = &query[12..name_end + 4];
            let is_a = question.ends_with(&[TYPE_A, [0, 1]].concat());
            // id, an answer without fault, one question, an answer or none
            let mut answer = [&query[..2], &[0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0], question].concat();
            if is_a {
                let ip = if flipped.load(Ordering::Relaxed) { Ipv4Addr::LOCALHOST } else { first };
                // the name of the question, type, class, no time to live, four bytes
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
                answer.extend(ip.octets());
            }
            // who asked may have gone
            let _ = socket.send_to(&answer, from).await;
        }
    });
    (address, flip)
}
