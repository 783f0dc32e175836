//! What ten thousand clients cost: resident memory, with all of them silent, and with all of them in the middle of a post.
//!
//! `cargo test --release --test it crowd -- --ignored --nocapture` takes some minutes, and as many open files as there are clients.

#![expect(clippy::print_stdout, reason = "figures")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{Either, Empty};
use hyper::Request;
use hyper::body::{Bytes, Frame};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use super::bench::{FORM, HOST_NAME, Speak, client};
use super::process::Process;

/// Bytes of the largest body that is judged.
const LARGEST: usize = 1 << 20;
/// Bytes that a client sends at once.
const PIECE: usize = 16 * 1024;
/// Connections that are being opened at one time.
const DOORS: usize = 64;
/// Nothing more comes in when nothing came in for so long.
const CALM: Duration = Duration::from_secs(3);

/// Reads all that is sent, and answers nothing: those who post stay where they are.
async fn swallowing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut room = vec![0; 16 * 1024];
                while stream.read(&mut room).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    address
}

pub(super) fn many_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

/// What one client does once it is connected.
async fn visit<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, visit: Visit, progress: &AtomicUsize) {
    progress.fetch_add(1, Ordering::AcqRel);
    if let Visit::Post(said) | Visit::Whole(said) | Visit::OneRecord(said) = visit {
        let head = format!(
            "POST /login.srf HTTP/1.1\r\nHost: {HOST_NAME}\r\nContent-Type: {FORM}\r\nContent-Length: {said}\r\n\r\n"
        );
        let piece = [b'a'; PIECE];
        let (first, mut left) = match visit {
            Visit::OneRecord(_) => (head + &"a".repeat(PIECE - 256), 0),
            Visit::Whole(_) => (head, said),
            _ => (head, said - 1),
        };
        let mut written = stream.write_all(first.as_bytes()).await;
        while left > 0 && written.is_ok() {
            let now = left.min(PIECE);
            written = stream.write_all(&piece[..now]).await;
            left -= now;
            progress.fetch_add(1, Ordering::AcqRel);
        }
    }
    // until the other side has had enough
    let _ = stream.read(&mut [0; 1]).await;
}

/// The same over HTTP/2, so many requests at one time.
async fn visit_by_streams<S>(stream: S, requests: usize, has_body: bool, progress: &Arc<AtomicUsize>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    progress.fetch_add(1, Ordering::AcqRel);
    let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let Ok((mut sender, connection)) = made else { return };
    let mut answers = Vec::new();
    for _ in 0..requests {
        let body = AllButTheLast { left: LARGEST / PIECE - 1, progress: Arc::clone(progress) };
        let request = Request::post(format!("https://{HOST_NAME}/login.srf")).header("content-type", FORM);
        let request = match has_body {
            true => request.header("content-length", LARGEST).body(Either::Left(body)),
            false => request.body(Either::Right(Empty::new())),
        };
        answers.push(sender.send_request(request.unwrap()));
    }
    // until the other side has had enough
    let _ = connection.await;
    drop(answers);
}

/// A body whose last piece never comes.
struct AllButTheLast {
    left: usize,
    progress: Arc<AtomicUsize>,
}

impl hyper::body::Body for AllButTheLast {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.left.checked_sub(1) else { return Poll::Pending };
        self.left = left;
        self.progress.fetch_add(1, Ordering::AcqRel);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'a'; PIECE])))))
    }
}

/// What the clients of a crowd do.
#[derive(Clone, Copy, Debug)]
enum Visit {
    Silent,
    /// Of so many bytes, of which the last does not come.
    Post(usize),
    /// Of so many bytes, all of them.
    Whole(usize),
    /// The head of a post of so many bytes, in one TLS record with the first of them; no more of them comes.
    OneRecord(usize),
    /// So many posts at one time, over HTTP/2.
    Streams(usize),
    /// The same, without bodies.
    Bodiless(usize),
}

async fn peak(clients: usize, visiting: Visit, mode: &str) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed([HOST_NAME.to_owned()]).unwrap();
    std::fs::write(folder.path().join("proxy.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("proxy.key"), made.signing_key.serialize_pem()).unwrap();
    let tls = "[tls]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n";
    let settings = format!("mode = \"{mode}\"\n[capture]\nfile = \"verdicts.jsonl\"\nraw = true\n");
    let settings = settings + "[limits]\nbody_bytes = \"1MiB\"\n";
    let process = Process::start_with(folder.path(), &settings, tls, swallowing().await);
    let speak = match visiting {
        Visit::Streams(_) | Visit::Bodiless(_) => Speak::Http2,
        _ => Speak::Http1,
    };
    let connector = TlsConnector::from(Arc::new(client(speak, &[made.cert.der().clone()])));
    let address = process.reverse;
    let (doors, progress) = (Arc::new(Semaphore::new(DOORS)), Arc::new(AtomicUsize::new(0)));
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (connector, doors, progress) = (connector.clone(), Arc::clone(&doors), Arc::clone(&progress));
        crowd.spawn(async move {
            let door = doors.acquire_owned().await;
            let Ok(stream) = TcpStream::connect(address).await else { return };
            let name = ServerName::try_from(HOST_NAME).unwrap();
            let Ok(stream) = connector.connect(name, stream).await else { return };
            drop(door);
            match visiting {
                Visit::Streams(posts) => visit_by_streams(stream, posts, true, &progress).await,
                Visit::Bodiless(posts) => visit_by_streams(stream, posts, false, &progress).await,
                _ => visit(stream, visiting, &progress).await,
            }
        });
    }
    let (mut most, mut before) = (process.resident(), usize::MAX);
    let mut calm_since = std::time::Instant::now();
    while calm_since.elapsed() < CALM {
        tokio::time::sleep(Duration::from_millis(50)).await;
        most = most.max(process.resident());
        let now = progress.load(Ordering::Acquire);
        if now != before {
            (before, calm_since) = (now, std::time::Instant::now());
        }
    }
    println!("{clients} clients, {visiting:?}, {mode}: {most:.1} MB at most, {} left at the end", crowd.len());
    most
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes, and ten thousand open files"]
async fn memory_stays_bounded_in_a_crowd() {
    many_files();
    let mut worst = 0.0_f64;
    for (clients, most) in [(1_000, 64.0), (10_000, 400.0)] {
        for (visiting, mode) in [
            (Visit::Silent, "observe"),
            (Visit::Post(PIECE), "observe"),
            (Visit::Post(LARGEST), "observe"),
            (Visit::Post(LARGEST), "enforce"),
            (Visit::OneRecord(PIECE), "observe"),
            (Visit::OneRecord(LARGEST), "observe"),
            (Visit::Whole(8_000), "observe"),
            (Visit::Whole(60_000), "observe"),
            (Visit::Whole(60_000), "enforce"),
            (Visit::Streams(0), "observe"),
            (Visit::Streams(1), "observe"),
            (Visit::Streams(8), "observe"),
            (Visit::Streams(8), "enforce"),
            (Visit::Bodiless(1), "observe"),
            (Visit::Bodiless(100), "observe"),
        ] {
            let peak = peak(clients, visiting, mode).await;
            println!("  goal {most} MB{}", if peak <= most { "" } else { ": MISSED" });
            worst = worst.max(peak / most);
        }
    }
    assert!(worst <= 1.0, "{worst:.1} times the goal");
}
