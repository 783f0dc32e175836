//! Assertions that two proxies remember together: in a store that speaks Redis, that is slow, that is away, that comes back.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::{Response, StatusCode};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::bench::{Bench, Speak, full, posted};
use super::post;

/// As much of Redis as is asked for. While it is `silent`, it takes questions and answers none.
#[derive(Clone, Default)]
struct Fake {
    keys: Arc<Mutex<HashSet<String>>>,
    silent: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Fake {
    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, fake) = (listener.local_addr().unwrap(), self.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let fake = fake.clone();
                tokio::spawn(async move { fake.serve(stream).await });
            }
        });
        address
    }

    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        loop {
            let mut words = Vec::new();
            for _ in 0..number(&mut read, '*').await? {
                let mut word = vec![0; number(&mut read, '$').await? + 2];
                read.read_exact(&mut word).await.ok()?;
                words.push(String::from_utf8(word).unwrap().trim_end().to_owned());
            }
            let answer = match words.first().map(String::as_str) {
                Some("SET") if self.keys.lock().unwrap().insert(words[1].clone()) => "+OK\r\n",
                Some("SET") => "$-1\r\n",
                _ => "+OK\r\n",
            };
            if words[0] == "SET" {
                self.asked.lock().unwrap().push(words);
            }
            if !self.silent.load(Ordering::Acquire) {
                write.write_all(answer.as_bytes()).await.ok()?;
            }
        }
    }
}

async fn number<R: tokio::io::AsyncBufRead + Unpin>(read: &mut R, sign: char) -> Option<usize> {
    let mut line = String::new();
    read.read_line(&mut line).await.ok()?;
    line.trim_end().strip_prefix(sign)?.parse().ok()
}

/// For one question.
const TIMEOUT: Duration = Duration::from_secs(2);

async fn proxy(store: SocketAddr, more: &str) -> Bench {
    let timeout = TIMEOUT.as_millis();
    let settings = format!(
        "mode = \"enforce\"\n[policy]\nreplay = \"reject\"\n[replay]\nstore = \"redis://{store}/0\"\ntimeout = \"{timeout}ms\"\n{more}"
    );
    Bench::judging(&settings, Arc::new(|_| Response::new(full("")))).await
}

async fn sign_in(bench: &Bench, story: &str) -> StatusCode {
    bench.client(Speak::Http1).await.send(post("/login.srf"), full(&posted(story))).await.status
}

const REPLAY: &str = "samlgate_checks_total{check=\"replay\",federation=\"domain.company\"";

#[tokio::test(flavor = "multi_thread")]
async fn what_one_proxy_let_through_the_other_refuses() {
    let fake = Fake::default();
    let store = fake.start().await;
    let (one, other) = (proxy(store, "").await, proxy(store, "").await);
    assert_eq!(sign_in(&one, "in_response_to_present").await, StatusCode::OK);
    assert_eq!(sign_in(&other, "in_response_to_present").await, StatusCode::FORBIDDEN);
    // whoever has seen it asks nobody
    assert_eq!(sign_in(&one, "in_response_to_present").await, StatusCode::FORBIDDEN);
    let asked = fake.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 2, "{asked:?}");
    // until the assertion ends and the clocks agree, and nothing of the message
    let [_, name, value, rest @ ..] = asked[0].as_slice() else { unreachable!() };
    assert!(name.starts_with("samlgate:used:") && name.len() == "samlgate:used:".len() + 32, "{name}");
    assert!(value.is_empty() && rest.contains(&"NX".to_owned()) && rest.contains(&"PX".to_owned()), "{asked:?}");
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_holds_up_nobody_and_is_asked_again() {
    let fake = Fake::default();
    fake.silent.store(true, Ordering::Release);
    let bench = proxy(fake.start().await, "").await;
    let begun = Instant::now();
    assert_eq!(sign_in(&bench, "in_response_to_present").await, StatusCode::OK);
    bench.until(&format!("{REPLAY},outcome=\"skip\"}} 1")).await;
    bench.until("samlgate_replay_store_errors_total 1").await;
    assert!(begun.elapsed() >= TIMEOUT);
    // while the store is left alone, nobody waits for it
    let begun = Instant::now();
    assert_eq!(sign_in(&bench, "comment_in_the_assertion").await, StatusCode::OK);
    assert!(begun.elapsed() < TIMEOUT);
    bench.until("samlgate_replay_store_errors_total 2").await;
    fake.silent.store(false, Ordering::Release);
    // what was used here is known without the store; a new one is asked for as soon as the pause is over
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(sign_in(&bench, "in_response_to_present").await, StatusCode::FORBIDDEN);
    assert_eq!(sign_in(&bench, "destination_absent").await, StatusCode::OK);
    bench.until(&format!("{REPLAY},outcome=\"pass\"}} 1")).await;
    bench.until("samlgate_replay_store_errors_total 2").await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_operator_says_so_nobody_passes_unasked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = listener.local_addr().unwrap();
    drop(listener);
    let bench = proxy(nowhere, "on_error = \"fail_closed\"\n").await;
    assert_eq!(sign_in(&bench, "in_response_to_present").await, StatusCode::FORBIDDEN);
    bench.until(&format!("{REPLAY},outcome=\"fail\"}} 1")).await;
    bench.until("samlgate_replay_store_errors_total 1").await;
    assert!(bench.seen().is_empty());
    bench.stop().await;
}

/// A Redis of this test's own, on a port that nobody has.
#[cfg(feature = "oracles")]
struct Redis(std::process::Child);

#[cfg(feature = "oracles")]
impl Drop for Redis {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[cfg(feature = "oracles")]
async fn redis(address: SocketAddr) -> Redis {
    let started = std::process::Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", "", "--appendonly", "no"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("redis-server is installed (Debian: redis-server)");
    let redis = Redis(started);
    while TcpStream::connect(address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    redis
}

/// The first use is one, however many ask at one time; and a store that was away is used again, though it has forgotten everything.
#[cfg(feature = "oracles")]
#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_two_proxies_one_is_first_by_redis() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let store = redis(address).await;
    let proxies = [Arc::new(proxy(address, "").await), Arc::new(proxy(address, "").await)];
    for story in ["in_response_to_present", "destination_absent", "comment_in_the_assertion"] {
        let mut tasks = tokio::task::JoinSet::new();
        for proxy in proxies.iter().cycle().take(20) {
            let proxy = Arc::clone(proxy);
            tasks.spawn(async move { sign_in(&proxy, story).await });
        }
        let answers = tasks.join_all().await;
        assert_eq!(answers.iter().filter(|status| **status == StatusCode::OK).count(), 1, "{story}: {answers:?}");
    }
    drop(store);
    let [one, other] = &proxies;
    assert_eq!(sign_in(one, "conditions_without_not_before").await, StatusCode::OK);
    one.until("samlgate_replay_store_errors_total 1").await;
    let _store = redis(address).await;
    // it is found again, and what one proxy learns then the other one knows
    let stories = ["byte_order_mark", "made_by_lasso", "made_by_pysaml2", "made_by_simplesamlphp", "no_key_info"];
    for story in stories {
        // both leave it alone for a second after each failure
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        if sign_in(one, story).await == StatusCode::OK && sign_in(other, story).await == StatusCode::FORBIDDEN {
            return;
        }
    }
    panic!("the store is not found again");
}
