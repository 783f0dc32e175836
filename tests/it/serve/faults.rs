//! Upstreams that fail and clients that stall, before a proxy whose patience is short.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use samlgate::inspect::MessageKind;
use samlgate::observe::{Metrics, Recent, Vocabulary};
use samlgate::proxy::{Bounds, Connect, Intercept, Mode, Ourselves, Proxy, Reverse, Settings, Tunnelled, Upstream};
use samlgate::replay::Remembered;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::bench::{FORM, HOST_NAME, PATIENCE, Record, judge, upstream};

/// A proxy without TLS, with bounds of the test's own.
pub(super) struct Gate {
    pub(super) address: SocketAddr,
    metrics: Arc<Metrics>,
    _stop: watch::Sender<bool>,
    _grace: watch::Sender<Duration>,
}

impl Gate {
    async fn before(upstream: SocketAddr, mode: Mode, body_bytes: usize, bounds: Bounds) -> Self {
        Self::with(settings(upstream, mode, body_bytes, bounds), |listener, proxy, stops, graces| {
            Box::pin(Reverse { listener, tls: false, proxy }.serve(stops, graces))
        })
        .await
    }

    /// An explicit proxy that tunnels to one place.
    pub(super) async fn explicit(tunnel: &str, bounds: Bounds) -> Self {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        let tunnels = vec![Tunnelled::parse(tunnel).unwrap()];
        let settings = Settings { tunnels, ..settings(nowhere, Mode::Observe, 1024, bounds) };
        Self::with(settings, |listener, proxy, stops, graces| {
            Box::pin(Connect { listener, proxy }.serve(stops, graces))
        })
        .await
    }

    async fn with(settings: Settings, serve: impl FnOnce(TcpListener, Arc<Proxy>, Stops, Graces) -> Serving) -> Self {
        let kinds = MessageKind::ALL.map(MessageKind::as_str).to_vec();
        let metrics = Arc::new(Metrics::new(&Vocabulary { kinds }).unwrap());
        metrics.federation("domain.company").unwrap();
        let judge = judge(MessageKind::SamlResponse, true, None);
        let remembered = Arc::new(Remembered::default());
        let clock = || Timestamp::UNIX_EPOCH;
        let recent = Arc::new(Recent::default());
        let proxy = Proxy::new(settings, judge, remembered, clock, Arc::clone(&metrics), recent, None).unwrap();
        let proxy = Arc::new(proxy);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ((stop, stops), (grace, graces)) = (watch::channel(false), watch::channel(PATIENCE));
        tokio::spawn(serve(listener, proxy, stops, graces));
        Self { address, metrics, _stop: stop, _grace: grace }
    }

    async fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // a connection that is cut instead of closed has given its answer all the same
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn counted(&self, line: &str) -> bool {
        self.metrics.render().unwrap().lines().any(|known| known == line)
    }

    pub(super) async fn until(&self, line: &str) {
        let there = async {
            while !self.counted(line) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, there).await.unwrap();
    }
}

type Stops = watch::Receiver<bool>;
type Graces = watch::Receiver<Duration>;
type Serving = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn settings(upstream: SocketAddr, mode: Mode, body_bytes: usize, bounds: Bounds) -> Settings {
    Settings {
        mode,
        pass_unjudged: true,
        intercept: Intercept::new([HOST_NAME.to_owned()], vec!["/login.srf".to_owned()]),
        tunnels: Vec::new(),
        users: None,
        upstream: Upstream {
            tls: false,
            host: upstream.ip().to_string(),
            port: upstream.port(),
            http2: false,
            address: None,
            dns: None,
            extra_roots: Vec::new(),
        },
        ours: Ourselves::default(),
        certificate: None,
        body_bytes,
        bounds,
    }
}

fn post(fields: &str) -> String {
    format!(
        "POST /login.srf HTTP/1.1\r\nHost: {HOST_NAME}\r\nContent-Type: {FORM}\r\nConnection: close\r\n{fields}\r\n"
    )
}

/// An upstream that reads a request, says this, and then resets the connection.
async fn resetting(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let read = stream.read(&mut [0; 4096]).await;
            // the other side may have gone
            let _ = (read, stream.write_all(answer).await, stream.flush().await);
            stream.set_zero_linger().unwrap();
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_hangs_is_a_504_and_counted() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bounds = Bounds { answer: Duration::from_millis(100), ..Bounds::default() };
    let gate = Gate::before(silent.local_addr().unwrap(), Mode::Observe, 1024, bounds).await;
    let answer = gate.ask(&(post("Content-Length: 3\r\nx-request-id: of-the-test\r\n") + "a=b")).await;
    assert!(answer.starts_with("HTTP/1.1 504 ") && answer.contains("Request: of-the-test"), "{answer}");
    assert!(gate.counted("samlgate_upstream_errors_total{reason=\"timeout\"} 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_rest_never_comes_is_cut_off_and_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bounds = Bounds { answer: Duration::from_millis(100), ..Bounds::default() };
    let gate = Gate::before(listener.local_addr().unwrap(), Mode::Observe, 1024, bounds).await;
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let read = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc").await.unwrap();
        (stream, read)
    });
    let answer = gate.ask(&(post("Content-Length: 3\r\n") + "a=b")).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nabc"), "{answer}");
    gate.until("samlgate_upstream_errors_total{reason=\"broken\"} 1").await;
    drop(upstream.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_resets_the_connection_is_a_502_or_a_cut_answer() {
    let at_once = Gate::before(resetting(b"").await, Mode::Observe, 1024, Bounds::default()).await;
    let answer = at_once.ask(&(post("Content-Length: 3\r\n") + "a=b")).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    let metrics = at_once.metrics.render().unwrap();
    assert!(at_once.counted("samlgate_upstream_errors_total{reason=\"broken\"} 1"), "{metrics}");

    // the reset may overtake what was said before it, at the proxy or on the way out of it
    let midway = resetting(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc").await;
    let midway = Gate::before(midway, Mode::Observe, 1024, Bounds::default()).await;
    let answer = midway.ask(&(post("Content-Length: 3\r\n") + "a=b")).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.1 502 "),
        "{answer}"
    );
    midway.until("samlgate_upstream_errors_total{reason=\"broken\"} 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_is_a_408() {
    let upstream = upstream(Record::default(), None).await;
    let bounds = Bounds { body: Duration::from_millis(100), ..Bounds::default() };
    let gate = Gate::before(upstream, Mode::Observe, 1024, bounds).await;
    let answer = gate.ask(&(post("Content-Length: 10\r\n") + "a=b")).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let answer = gate.ask(&(post("Transfer-Encoding: chunked\r\n") + "3\r\na=b\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_large_bodies_leaves_room_for_sign_ins() {
    let upstream = upstream(Record::default(), None).await;
    let bounds = Bounds { buffered_bytes: 256 * 1024, ..Bounds::default() };
    let gate = Gate::before(upstream, Mode::Enforce, 100 * 1024, bounds).await;
    // as many as find room, each with a kilobyte of it before its first byte has come
    let mut flood = Vec::new();
    let all_welcome = || gate.counted("samlgate_bodies_unjudged_total{reason=\"budget\"} 0");
    while all_welcome() {
        let mut stream = TcpStream::connect(gate.address).await.unwrap();
        stream.write_all(post("Content-Length: 90000\r\n").as_bytes()).await.unwrap();
        flood.push(stream);
        let taken = format!("samlgate_requests_in_flight{{listener=\"reverse\"}} {}", flood.len());
        let taken_or_refused = async {
            while !gate.counted(&taken) && all_welcome() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, taken_or_refused).await.unwrap();
        assert!(flood.len() < 300);
    }
    let answer = gate.ask(&(post("Content-Length: 14\r\n") + "SAMLResponse=a")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
