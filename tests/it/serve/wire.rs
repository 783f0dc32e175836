//! What goes over the wire: every byte as it came, in whatever way it came, until the very end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use samlgate::inspect::MessageKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::bench::{Bench, Body, FORM, HOST_NAME, PATIENCE, Speak, chunks, full, judge, panicking, raw};
use super::{POSTED, post};

/// Numbers that look random and are the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }

    fn word(&mut self, letters: &[u8], longest: usize) -> String {
        let length = self.up_to(longest);
        (0..length).map(|_| char::from(letters[self.up_to(letters.len())])).collect()
    }

    fn bytes(&mut self, longest: usize) -> Vec<u8> {
        let length = self.up_to(longest);
        (0..length).map(|_| u8::try_from(self.up_to(256)).unwrap()).collect()
    }
}

/// A body in pieces of chance, or whole.
fn body(dice: &mut Dice, bytes: &[u8]) -> Body {
    if dice.up_to(2) == 0 {
        return Full::new(Bytes::copy_from_slice(bytes)).boxed();
    }
    let mut rest = bytes;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(1 + dice.up_to(rest.len()));
        frames.push(Bytes::copy_from_slice(piece));
        rest = after;
    }
    super::bench::pieces(frames)
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_random_requests_arrive_as_they_were_sent() {
    const REQUESTS: usize = 1_200;
    for (speak, seed) in [(Speak::Http1, 0x5eed), (Speak::Http2, 0xfeed)] {
        let bench = Bench::start("", judge(MessageKind::SamlResponse, true, None)).await;
        let mut client = bench.client(speak).await;
        let mut dice = Dice(seed);
        let mut sent = Vec::new();
        for _ in 0..REQUESTS {
            let method = [Method::POST, Method::POST, Method::PUT, Method::GET, Method::DELETE, Method::PATCH]
                [dice.up_to(6)]
            .clone();
            let path =
                ["/login.srf", "/login.srf", "/LOGIN.SRF/", "/common/oauth2/authorize", "/a%2fb/../c//"][dice.up_to(5)];
            let target = format!("{path}?{}", dice.word(b"ab=&%20+;:@/?!$'()*,~._-", 60));
            let longest = if dice.up_to(20) == 0 { 100_000 } else { 3_000 };
            let bytes = if method == Method::GET { Vec::new() } else { dice.bytes(longest) };
            let value = dice.word(b"abcXYZ019 ;=,\"()\t", 40).trim().to_owned();
            let cookie = dice.word(b"abcXYZ019=", 40);
            let mut request = Request::builder()
                .method(method.clone())
                .uri(&target)
                .header(HOST, HOST_NAME)
                .header("x-first", &value)
                .header("x-first", "second")
                .header("cookie", &cookie);
            if dice.up_to(4) > 0 {
                request = request.header(CONTENT_TYPE, FORM);
            }
            let answer = client.send(request, body(&mut dice, &bytes)).await;
            assert_eq!(answer.status, StatusCode::OK, "{method} {target}");
            sent.push((method.to_string(), target, value, cookie, bytes));
        }
        let seen = bench.seen();
        assert_eq!(seen.len(), REQUESTS);
        for (seen, (method, target, value, cookie, bytes)) in seen.iter().zip(&sent) {
            assert_eq!((&seen.method, &seen.target), (method, target));
            assert!(seen.body == *bytes, "{method} {target}: other bytes");
            let values: Vec<_> = seen.headers.get_all("x-first").iter().map(|value| value.to_str().unwrap()).collect();
            assert_eq!(values, [value.as_str(), "second"]);
            assert_eq!(seen.headers["cookie"], cookie.as_str());
        }
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_said_everything_and_shuts_down_still_hears_the_answer() {
    let bench = Bench::start("", judge(MessageKind::SamlResponse, true, None)).await;
    let requests = [
        format!("GET /a HTTP/1.1\r\nHost: {HOST_NAME}\r\n\r\n"),
        format!(
            "POST /login.srf HTTP/1.1\r\nHost: {HOST_NAME}\r\nContent-Type: {FORM}\r\nContent-Length: {}\r\n\r\n{POSTED}",
            POSTED.len()
        ),
    ];
    for request in requests {
        let mut stream = bench.tls(Speak::Http1).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("from the upstream"), "{answer}");
    }
    assert_eq!(bench.seen()[1].body, POSTED.as_bytes());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_one_breath_are_answered_in_their_order() {
    let bench = Bench::start("", judge(MessageKind::SamlResponse, true, None)).await;
    let get = |path: &str, fields: &str| format!("GET {path} HTTP/1.1\r\nHost: {HOST_NAME}\r\n{fields}\r\n");
    let post = format!(
        "POST /login.srf HTTP/1.1\r\nHost: {HOST_NAME}\r\nContent-Type: {FORM}\r\nContent-Length: 14\r\n\r\nSAMLResponse=a"
    );
    let answer = raw(&bench, &(get("/1", "") + &post + &get("/3", "Connection: close\r\n"))).await;
    assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 3, "{answer}");
    let targets: Vec<_> = bench.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/1", "/login.srf", "/3"]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_the_own_host_in_it_is_that_path() {
    let bench = Bench::start("", panicking()).await;
    let request = format!("GET https://{HOST_NAME}/a?b HTTP/1.1\r\nHost: {HOST_NAME}\r\nConnection: close\r\n\r\n");
    let answer = raw(&bench, &request).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(bench.seen()[0].target, "/a?b");
    assert_eq!(bench.seen()[0].headers[HOST], HOST_NAME);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_far_too_much_over_http2_always_hears_so() {
    let bench = Bench::start("mode = \"enforce\"\n", panicking()).await;
    let crumb = "A".repeat(64 * 1024);
    for count in [32, 320] {
        for _ in 0..5 {
            let body = chunks(&vec![crumb.as_str(); count]);
            let answer = bench.client(Speak::Http2).await.send(post("/login.srf"), body).await;
            assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
            assert!(answer.body.contains("too large"), "{}", answer.body);
        }
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_under_load_loses_nothing() {
    const CLIENTS: usize = 8;
    let bench = Bench::start("", judge(MessageKind::SamlResponse, true, None)).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let io = TokioIo::new(bench.tls(Speak::Http1).await);
        let (mut sender, connection) = hyper::client::conn::http1::handshake::<_, Body>(io).await.unwrap();
        tokio::spawn(connection);
        let answered = Arc::clone(&answered);
        clients.push(tokio::spawn(async move {
            // until the connection is closed, which is between two requests
            while sender.ready().await.is_ok() {
                let request = post("/login.srf").body(full(POSTED)).unwrap();
                let Ok(response) = sender.send_request(request).await else { return };
                assert_eq!(response.status(), StatusCode::OK);
                assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "from the upstream");
                answered.fetch_add(1, Ordering::AcqRel);
            }
        }));
    }
    let begun = async {
        while answered.load(Ordering::Acquire) < 20 * CLIENTS {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.unwrap();
    let seen = bench.seen_later();
    bench.stop().await;
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(seen.lock().unwrap().len(), answered.load(Ordering::Acquire));
}
