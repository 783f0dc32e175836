//! Clients and upstreams that do not keep to the rules: the proxy goes on, and says whose fault it was.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use hyper::{Request, StatusCode};
use samlgate::inspect::{Effort, MessageKind};
use samlgate::proxy::{Bounds, Inspector};
use samlgate::verdict::Code;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::bench::{
    Answer, Bench, Body, Client, FORM, HOST_NAME, PATIENCE, Record, Speak, chunks, full, judge, panicking, raw, unread,
};
use super::{POSTED, metric, post};

/// The head of a post to an intercepted path, with further fields.
fn head(path: &str, fields: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: {HOST_NAME}\r\nContent-Type: {FORM}\r\nConnection: close\r\n{fields}\r\n")
}

fn status(answer: &str) -> Option<&str> {
    answer.split(' ').nth(1)
}

fn accepting() -> Inspector {
    judge(MessageKind::SamlResponse, true, None)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_does_not_speak_http_is_a_502_and_counted() {
    let garbage: &[u8] = b"\x00\xff no HTTP at all\r\n\r\n";
    let switching: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let too_long: &[u8] =
        Box::leak(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(300_000)).into_bytes().into_boxed_slice());
    for answer in [garbage, switching, too_long, b""] {
        let bench = Bench::with_raw_upstream(answer, accepting()).await;
        let answer = bench.client(Speak::Http2).await.send(post("/login.srf"), full(POSTED)).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
        assert!(metric(&bench, "samlgate_upstream_errors_total{reason=\"broken\"} 1"));
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_ends_too_early_is_cut_off_and_counted() {
    let bench = Bench::with_raw_upstream(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", accepting()).await;
    let answer = raw(&bench, &head("/a", "Content-Length: 0\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nabc"), "{answer}");
    bench.until("samlgate_upstream_errors_total{reason=\"broken\"} 1").await;
    bench.until("samlgate_requests_in_flight{listener=\"reverse\"} 0").await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ends_too_early_is_the_fault_of_the_client() {
    for path in ["/login.srf", "/other"] {
        let bench = Bench::start("", panicking()).await;
        let mut stream = bench.tls(Speak::Http1).await;
        stream.write_all(format!("{}abc", head(path, "Content-Length: 10\r\n")).as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        // a connection that is cut instead of closed has given its answer all the same
        let _ = stream.read_to_string(&mut answer).await;
        assert_eq!(status(&answer), Some("400"), "{answer}");
        assert!(metric(&bench, "samlgate_upstream_errors_total{reason=\"broken\"} 0"));
        assert!(bench.seen().is_empty());
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_crumbs_arrives_whole() {
    let bench = Bench::start("", accepting()).await;
    let crumbs: String = POSTED.chars().map(|letter| format!("1\r\n{letter}\r\n")).collect();
    let mut stream = bench.tls(Speak::Http1).await;
    let request = format!("{}{crumbs}0\r\nTrailer: x\r\n\r\n", head("/login.srf", "Transfer-Encoding: chunked\r\n"));
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(status(&answer), Some("200"), "{answer}");
    assert_eq!(bench.seen()[0].body, POSTED.as_bytes());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_beyond_all_bounds_are_refused_and_the_next_connection_is_served() {
    let bench = Bench::start("", accepting()).await;
    for fields in [format!("X: {}\r\n", "x".repeat(200_000)), "X: x\r\n".repeat(1_000), " folded: x\r\n".to_owned()] {
        let answer = raw(&bench, &head("/a", &fields)).await;
        // who is still writing when the connection is closed may miss what is answered
        assert!(matches!(status(&answer), None | Some("400" | "431")), "{answer}");
    }
    let twice = format!("{}abc", head("/login.srf", "Content-Length: 3\r\nContent-Length: 3\r\n"));
    assert_eq!(status(&raw(&bench, &twice).await), Some("200"));
    let seen = bench.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].headers.get_all("content-length").iter().collect::<Vec<_>>(), ["3"]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_much_is_told_so_even_while_sending() {
    let bench = Bench::start("mode = \"enforce\"\n", panicking()).await;
    let large = format!("SAMLResponse={}", "A".repeat(3 << 20));
    let crumbs: Vec<&str> = large.as_bytes().chunks(50_000).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
    for speak in [Speak::Http1, Speak::Http2] {
        for body in [full(&large), chunks(&crumbs)] {
            let answer = bench.client(speak).await.send(post("/login.srf"), body).await;
            assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        }
    }
    // and who asks before sending is not invited
    let asking = raw(&bench, &head("/login.srf", "Content-Length: 3000000\r\nExpect: 100-continue\r\n")).await;
    assert!(asking.starts_with("HTTP/1.1 413 "), "{asking}");
    assert!(bench.seen().is_empty());
    bench.stop().await;
}

/// Signs in while the turns of large bodies are held by those who say nothing.
async fn nobody_waits_long(bench: &Bench, speak: Speak) {
    // those who say less do not wait at all
    let asked = Instant::now();
    let mut client = bench.client(speak).await;
    assert_eq!(client.send(post("/login.srf"), full(POSTED)).await.status, StatusCode::OK);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    // and each of the silent ones that is in the way is cut off after a while
    let large = format!("{POSTED}&x={}", "a".repeat(100_000));
    assert_eq!(client.send(post("/login.srf"), full(&large)).await.status, StatusCode::OK);
    // long before the time of their bodies is over
    assert!(asked.elapsed() < Bounds::default().body / 2, "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_large_bodies_and_goes_on_with_none_keeps_nobody_out() {
    let bench = Bench::start("", accepting()).await;
    let begun = format!("{}a", head("/login.srf", "Content-Length: 200000\r\n"));
    let mut silent = Vec::new();
    // more than may come in at one time
    for _ in 0..Bounds::default().uploads / 4 {
        let mut stream = bench.tls(Speak::Http1).await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    nobody_waits_long(&bench, Speak::Http1).await;
    drop(silent);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_small_bodies_and_goes_on_with_none_keeps_nobody_out() {
    let bench = Bench::start("", accepting()).await;
    let begun = format!("{}a", head("/login.srf", "Content-Length: 10000\r\n"));
    let mut silent = Vec::new();
    for _ in 0..Bounds::default().small_uploads {
        let mut stream = bench.tls(Speak::Http1).await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    // one that comes in pieces has to wait for one of them, and not for long
    let asked = Instant::now();
    let in_pieces = chunks(&["SAMLResponse=", "PHg+"]);
    let answer = bench.client(Speak::Http2).await.send(post("/login.srf"), in_pieces).await;
    assert_eq!(answer.status, StatusCode::OK);
    let mut stream = bench.tls(Speak::Http1).await;
    let length = format!("Content-Length: {}\r\n", POSTED.len());
    for piece in [&head("/login.srf", &length), POSTED] {
        stream.write_all(piece.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(status(&answer), Some("200"));
    assert!(asked.elapsed() < Bounds::default().body / 2, "{:?}", asked.elapsed());
    drop(silent);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_greets_at_length_and_says_nothing_keeps_nobody_out() {
    let bench = Bench::start("", accepting()).await;
    let mut silent = Vec::new();
    for _ in 0..Bounds::default().small_uploads {
        silent.push(bench.tls_at_length(8_000).await);
    }
    // one whose request comes in one long record
    let asked = Instant::now();
    let body = format!("{POSTED}&x={}", "a".repeat(10_000));
    let mut stream = bench.tls(Speak::Http1).await;
    let request = head("/login.srf", &format!("Content-Length: {}\r\n", body.len())) + &body;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(status(&answer), Some("200"));
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    drop(silent);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_bodies_over_http2_and_goes_on_with_none_keeps_nobody_out() {
    let bench = Bench::start("", accepting()).await;
    // POST, https, and the two fields as they are ([RFC 7541 6.1], [RFC 7541 6.2.2])
    let host = [&[0x01, u8::try_from(HOST_NAME.len()).unwrap()], HOST_NAME.as_bytes()].concat();
    let fields = [b"\x83\x87\x04\x0a/login.srf", host.as_slice()].concat();
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let mut begun = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(4, 0, 0, &[]).as_slice()].concat();
    for stream in [1, 3, 5] {
        begun.extend(frame(1, 4, stream, &fields));
        begun.extend(frame(0, 0, stream, &[b'a'; 10_000]));
    }
    let mut silent = Vec::new();
    for _ in 0..Bounds::default().uploads / 4 {
        let mut stream = bench.tls(Speak::Http2).await;
        stream.write_all(&begun).await.unwrap();
        silent.push(stream);
    }
    nobody_waits_long(&bench, Speak::Http2).await;
    drop(silent);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_a_hundred_things_at_one_time_keeps_nobody_out() {
    const CONNECTIONS: usize = 2;
    // it accepts, and answers nobody
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("url = \"http://{}\"", silent.local_addr().unwrap());
    let bench = Bench::before("", &url, accepting(), Record::default(), |_| {}).await;
    let mut answers = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let Client::Http2(sender) = bench.client(Speak::Http2).await else { unreachable!() };
        for _ in 0..100 {
            let request = Request::get(format!("https://{HOST_NAME}/")).body(full("")).unwrap();
            answers.spawn(sender.clone().send_request(request));
        }
    }
    let too_many = CONNECTIONS * 99 - Bounds::default().requests_beside;
    for _ in 0..too_many {
        let answer = tokio::time::timeout(PATIENCE, answers.join_next()).await.unwrap().unwrap();
        let answer = Answer::of(answer.unwrap().unwrap()).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.body.contains("Too many requests"), "{}", answer.body);
    }
    assert!(tokio::time::timeout(Duration::from_millis(200), answers.join_next()).await.is_err());
    // each connection has one, whatever the others have
    let elsewhere = raw(&bench, "GET / HTTP/1.1\r\nHost: domain.company\r\nConnection: close\r\n\r\n").await;
    assert_eq!(status(&elsewhere), Some("421"), "{elsewhere}");
    let refused = "samlgate_requests_total{listener=\"reverse\",route=\"refuse\",status_class=\"5xx\"}";
    bench.until(&format!("{refused} {too_many}")).await;
    drop(answers);
    bench.stop().await;
}

/// Who is refused in a crowd is to come again on another connection; a browser that goes elsewhere in the middle of a post has its other requests still.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_crowd_a_connection_that_was_refused_takes_no_more() {
    async fn asks(sender: &hyper::client::conn::http2::SendRequest<Body>) -> Result<StatusCode, hyper::Error> {
        let request = Request::get(format!("https://{HOST_NAME}/")).body(full("")).unwrap();
        Ok(sender.clone().send_request(request).await?.status())
    }
    let bench = Bench::start("", accepting()).await;
    let connect = async || match bench.client(Speak::Http2).await {
        Client::Http2(sender) => sender,
        Client::Http1(_) => unreachable!(),
    };
    let first = connect().await;
    let mut crowd = Vec::new();
    for _ in 0..128 {
        crowd.push(bench.tcp().await);
    }
    let (last, breaking) = (connect().await, connect().await);
    for sender in [&first, &last] {
        let (_never, body) = unread();
        let elsewhere = Request::post("https://domain.company/").body(body).unwrap();
        let answer = tokio::time::timeout(PATIENCE, sender.clone().send_request(elsewhere)).await.unwrap();
        assert_eq!(answer.unwrap().status(), StatusCode::MISDIRECTED_REQUEST);
    }
    let (_never, body) = unread();
    let begun = breaking.clone().send_request(post("/login.srf").body(body).unwrap());
    assert!(tokio::time::timeout(Duration::from_millis(100), begun).await.is_err());
    let refused = async {
        while asks(&last).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    bench.until("samlgate_requests_total{listener=\"reverse\",route=\"inspect\",status_class=\"4xx\"} 1").await;
    for _ in 0..2 {
        assert_eq!(asks(&first).await.unwrap(), StatusCode::OK);
        assert_eq!(asks(&breaking).await.unwrap(), StatusCode::OK);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop(crowd);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_does_not_wait_for_those_who_asked_nothing() {
    let bench = Bench::start("", panicking()).await;
    let silent = bench.tcp().await;
    let mut half = bench.tls(Speak::Http1).await;
    half.write_all(b"GET / HT").await.unwrap();
    let idle = bench.client(Speak::Http2).await;
    let start = Instant::now();
    bench.stop().await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    drop((silent, half, idle));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_waits_for_the_verdict_on_what_was_taken_in() {
    let (gate, told) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
    let (accepting, waits, tells) = (accepting(), Arc::clone(&gate), Arc::clone(&told));
    let inspector: Inspector = Arc::new(move |posted, now, effort| {
        waits.wait();
        tells.fetch_add(1, Ordering::AcqRel);
        accepting(posted, now, effort)
    });
    let bench = Bench::start("", inspector).await;
    // answered before it is judged
    assert_eq!(bench.client(Speak::Http1).await.send(post("/login.srf"), full(POSTED)).await.status, StatusCode::OK);
    let stopped = tokio::spawn(bench.stop());
    tokio::task::spawn_blocking(move || gate.wait()).await.unwrap();
    stopped.await.unwrap();
    assert_eq!(told.load(Ordering::Acquire), 1);
}

/// Bad signatures cost a verdict each, and only so many of them a look at what was done to the document.
#[tokio::test(flavor = "multi_thread")]
async fn many_bad_signatures_buy_no_more_than_twenty_diagnoses_a_second() {
    const POSTS: usize = 400;
    let (verdicts, diagnoses) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (cheap, dear) = (Arc::clone(&verdicts), Arc::clone(&diagnoses));
    let broken = samlgate::verdict::Finding::fail(Code::SignatureInvalid, "no key verifies it");
    let accepting = accepting();
    let inspector: Inspector = Arc::new(move |posted, now, effort| {
        match effort {
            Effort::Outcome | Effort::Verdict => cheap.fetch_add(1, Ordering::AcqRel),
            Effort::Diagnose => dear.fetch_add(1, Ordering::AcqRel),
        };
        let mut inspection = accepting(posted, now, effort);
        inspection.verdict.accepted = false;
        for check in &mut inspection.verdict.checks {
            if check.id == samlgate::verdict::CheckId::Signature {
                *check = samlgate::verdict::Check::from_findings(check.id, vec![broken.clone()]);
            }
        }
        inspection
    });
    let bench = Bench::start("", inspector).await;
    let start = Instant::now();
    let mut client = bench.client(Speak::Http1).await;
    for _ in 0..POSTS {
        assert_eq!(client.send(post("/login.srf"), full(POSTED)).await.status, StatusCode::OK);
    }
    bench
        .until(&format!("samlgate_responses_total{{federation=\"domain.company\",verdict=\"rejected\"}} {POSTS}"))
        .await;
    let seconds = start.elapsed().as_secs_f64();
    let (verdicts, diagnoses) = (verdicts.load(Ordering::Acquire), diagnoses.load(Ordering::Acquire));
    assert_eq!(verdicts, POSTS);
    // the bucket is full at the start
    assert!(diagnoses >= 20 && diagnoses as f64 <= 20.0 + 20.0 * seconds + 1.0, "{diagnoses} in {seconds} s");
    bench.stop().await;
}
