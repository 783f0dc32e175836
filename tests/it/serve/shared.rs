//! Assertions that two proxies remember together: in a store that speaks Redis, that is slow, that is away, that comes back.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::{Response, StatusCode};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use samlgate::replay::{QUESTIONS, Settings, SharedStore};

use super::bench::{Bench, Speak, full, posted};
use super::post;

/// As much of Redis as is asked for. While it is `silent`, it takes questions and answers none.
#[derive(Clone, Default)]
struct Fake {
    keys: Arc<Mutex<HashSet<String>>>,
    silent: Arc<AtomicBool>,
    /// How long it thinks about each question.
    slow: Duration,
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
        // takes many questions at a time, and answers them in their order
        let (answers, mut due) = tokio::sync::mpsc::unbounded_channel::<(tokio::time::Instant, &str)>();
        tokio::spawn(async move {
            while let Some((at, answer)) = due.recv().await {
                tokio::time::sleep_until(at).await;
                if write.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
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
            let is_question = words[0] == "SET";
            if is_question {
                self.asked.lock().unwrap().push(words);
            }
            if !self.silent.load(Ordering::Acquire) {
                let thinks = if is_question { self.slow } else { Duration::ZERO };
                answers.send((tokio::time::Instant::now() + thinks, answer)).ok()?;
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
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

async fn proxy(store: SocketAddr, more: &str) -> Bench {
    proxy_at(&format!("redis://{store}/0"), more).await
}

/// A proxy that lets nobody sign in twice, with this store and more of `[replay]`.
pub(super) async fn proxy_at(store: &str, more: &str) -> Bench {
    let timeout = TIMEOUT.as_millis();
    let settings = format!(
        "mode = \"enforce\"\n[policy]\nreplay = \"reject\"\n[replay]\nstore = \"{store}\"\ntimeout = \"{timeout}ms\"\n{more}"
    );
    Bench::judging(&settings, Arc::new(|_| Response::new(full("")))).await
}

pub(super) async fn sign_in(bench: &Bench, story: &str) -> StatusCode {
    bench.client(Speak::Http1).await.send(post("/login.srf"), full(&posted(story))).await.status
}

pub(super) const REPLAY: &str = "samlgate_checks_total{check=\"replay\",federation=\"domain.company\"";

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

/// Sound sign-ins of the fixtures, each with another assertion.
fn sound() -> Vec<String> {
    let folders = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/responses")).unwrap();
    let sound = folders.filter_map(|folder| {
        let folder = folder.unwrap().path();
        let case = std::fs::read_to_string(folder.join("case.toml")).unwrap();
        let is = |line: &str| case.lines().any(|known| known == line);
        let sound = is("verdict = \"accepted\"") && is("tenant = \"default\"") && is("input = \"response.xml\"");
        (sound && is("now = \"2026-11-23T12:00:00Z\""))
            .then(|| folder.file_name().unwrap().to_str().unwrap().to_owned())
    });
    sound.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_those_who_wait_for_a_slow_store() {
    let fake = Fake { slow: TIMEOUT * 9 / 20, ..Fake::default() };
    let bench = proxy(fake.start().await, "").await;
    let stories = sound();
    assert!(stories.len() > 70, "{}", stories.len());
    let mut clients = Vec::new();
    for story in &stories {
        clients.push((bench.client(Speak::Http1).await, posted(story)));
    }
    let begun = Instant::now();
    let all = clients.into_iter().map(|(mut client, body)| {
        tokio::spawn(async move { client.send(post("/login.srf"), full(&body)).await.status })
    });
    let mut passed = 0;
    for one in all.collect::<Vec<_>>() {
        passed += usize::from(one.await.unwrap() == StatusCode::OK);
    }
    assert!(begun.elapsed() < TIMEOUT, "{:?} for {} sign-ins", begun.elapsed(), stories.len());
    // two of the fixtures are one assertion
    assert!(passed + 1 >= stories.len(), "{passed} of {}", stories.len());
    assert_eq!(fake.asked.lock().unwrap().len(), passed);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_wait_for_the_store_and_the_next_one_hears_so_at_once() {
    let fake = Fake::default();
    fake.silent.store(true, Ordering::Release);
    let url = format!("redis://{}/0", fake.start().await);
    let settings = Settings { url, timeout: TIMEOUT, closed: false, extra_roots: Vec::new() };
    let store = Arc::new(SharedStore::new(&settings, None).unwrap());
    let now = jiff::Timestamp::UNIX_EPOCH;
    let ask = |store: Arc<SharedStore>, id: String| async move {
        store.first_use("issuer", &id, now + jiff::SignedDuration::from_secs(60), now).await
    };
    let all: Vec<_> = (0..=QUESTIONS).map(|n| tokio::spawn(ask(Arc::clone(&store), n.to_string()))).collect();
    let too_many = format!("the store of used assertions: {QUESTIONS} others wait for it");
    let mut refused = 0;
    for one in all {
        refused += u32::from(one.await.unwrap().unwrap_err().to_string() == too_many);
    }
    assert_eq!(refused, 1);
}
