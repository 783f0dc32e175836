//! The test bench: an upstream that records, a proxy on free ports, clients that speak each protocol.

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use samlgate::app::{Published, Running, start_at, start_with};
use samlgate::config::Config;
use samlgate::inspect::{Inspection, MessageKind};
use samlgate::proxy::Inspector;
use samlgate::source::{Bounds, Pace};
use samlgate::verdict::{Check, CheckId, Code, Finding, Outcome, Provenance, Verdict};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub(crate) const HOST_NAME: &str = "login.microsoftonline.com";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// Longer than anything here takes; a test that waits so long has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) type Body = BoxBody<Bytes, Infallible>;

pub(super) fn full(text: &str) -> Body {
    Full::new(Bytes::copy_from_slice(text.as_bytes())).boxed()
}

/// A body of unknown length, in these pieces.
pub(super) fn chunks(pieces: &[&str]) -> Body {
    let mut pieces: Vec<_> = pieces.iter().rev().map(|piece| Bytes::copy_from_slice(piece.as_bytes())).collect();
    Stream(Box::new(move |_| std::task::Poll::Ready(pieces.pop()))).boxed()
}

/// The same, of any bytes.
pub(super) fn pieces(mut pieces: Vec<Bytes>) -> Body {
    pieces.reverse();
    Stream(Box::new(move |_| std::task::Poll::Ready(pieces.pop()))).boxed()
}

/// A body that comes when it is sent.
pub(super) fn unread() -> (oneshot::Sender<&'static str>, Body) {
    let (sender, mut receiver) = oneshot::channel::<&'static str>();
    let mut done = false;
    let body = Stream(Box::new(move |cx| {
        if done {
            return std::task::Poll::Ready(None);
        }
        std::pin::Pin::new(&mut receiver).poll(cx).map(|sent| {
            done = true;
            sent.ok().map(|text| Bytes::from_static(text.as_bytes()))
        })
    }));
    (sender, body.boxed())
}

type Next = dyn FnMut(&mut std::task::Context<'_>) -> std::task::Poll<Option<Bytes>> + Send + Sync;

struct Stream(Box<Next>);

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        (self.0)(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// A judge that always says this.
pub(super) fn judge(kind: MessageKind, accepted: bool, predicted: Option<Code>) -> Inspector {
    Arc::new(move |_, now, _| {
        assert_eq!(now, clock());
        let check = |id| match predicted.filter(|_| id == CheckId::ImmutableId) {
            Some(code) => Check::from_findings(id, vec![Finding::fail(code, "no such user")]),
            None => Check::silent(id, Outcome::Pass),
        };
        let verdict = Verdict {
            checks: CheckId::ALL.into_iter().map(check).collect(),
            accepted,
            predicted,
            provenance: Provenance::Signed,
            claims: None,
            signature: None,
        };
        Inspection { kind, federation: Some(0), issued: None, verdict }
    })
}

/// A judge that must not be asked, or one that is broken.
#[expect(clippy::panic, reason = "that is what it is for")]
pub(super) fn panicking() -> Inspector {
    Arc::new(|_, _, _| panic!("the judge of this test panics"))
}

fn clock() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// What the upstream was sent.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

pub(crate) type Record = Arc<Mutex<Vec<Seen>>>;
/// What an upstream says to a request.
pub(crate) type Reply = Arc<dyn Fn(&Seen) -> Response<Body> + Send + Sync>;

/// The instant of most fixtures.
fn clock_of_fixtures() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// A fixture as a browser posts it.
pub(super) fn posted(fixture: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/responses").join(fixture).join("response.xml");
    let encoded = base64::engine::general_purpose::STANDARD.encode(std::fs::read(path).unwrap());
    let escaped = encoded.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("SAMLResponse={escaped}&RelayState=")
}

/// A configuration with these sections, and the folder that holds its files. A listener needs all of `listen`.
pub(super) fn config(sections: &str, listen: &str) -> (Config, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed([HOST_NAME.to_owned()]).unwrap();
    std::fs::write(folder.path().join("proxy.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("proxy.key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.path().join("secret"), "secret").unwrap();
    let text = format!(
        "{sections}\n{listen}\n[[federation]]\ndomain = \"domain.company\"\nissuer = \"https://authentik.company/\"\n\
         certificates = [\"proxy.pem\"]\n"
    );
    let config = Config::parse(&text, &folder.path().join("samlgate.toml")).unwrap();
    (config, folder)
}

/// What a configuration says of listeners and upstream.
fn ends(upstream: std::net::SocketAddr) -> String {
    format!(
        "[listen]\nreverse = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[upstream]\nurl = \"http://{upstream}\"\n\
         [tls]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n"
    )
}

/// A proxy before an upstream.
pub(super) struct Bench {
    running: Running,
    record: Record,
    folder: TempDir,
}

impl Bench {
    /// `settings` come first in the configuration.
    pub(super) async fn start(settings: &str, inspector: Inspector) -> Self {
        let record = Record::default();
        let upstream = upstream(Arc::clone(&record), None).await;
        Self::before(settings, &format!("url = \"http://{upstream}\""), inspector, record, |_| {}).await
    }

    /// The same as an explicit proxy as well; `listen` goes into that section.
    pub(super) async fn explicit(settings: &str, listen: &str, inspector: Inspector) -> Self {
        let record = Record::default();
        let upstream = upstream(Arc::clone(&record), None).await;
        let listen = format!("connect = \"127.0.0.1:0\"\n{listen}");
        let upstream = format!("url = \"http://{upstream}\"");
        Self::listening(settings, &listen, &upstream, inspector, record, |_| {}).await
    }

    /// An explicit proxy at this address.
    pub(super) async fn listening_at(settings: &str, address: std::net::SocketAddr, inspector: Inspector) -> Self {
        let listen = format!("connect = \"{address}\"\n");
        Self::listening(settings, &listen, "url = \"http://127.0.0.1:9\"", inspector, Record::default(), |_| {}).await
    }

    /// An explicit proxy that knows these users by name and password.
    pub(super) async fn with_users(users: &[(&str, &str)]) -> Self {
        let line = |(name, password): &(&str, &str)| {
            let credentials = format!("{name}:{password}");
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, credentials.as_bytes());
            let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{name}:{hex}\n")
        };
        let file: String = users.iter().map(line).collect();
        let listen = "connect = \"127.0.0.1:0\"\nconnect_users = \"users\"\n";
        Self::listening("", listen, "url = \"http://127.0.0.1:9\"", panicking(), Record::default(), |folder| {
            std::fs::write(folder.path().join("users"), file).unwrap();
        })
        .await
    }

    /// Before an upstream that says this.
    pub(super) async fn replying(settings: &str, inspector: Inspector, reply: Reply) -> Self {
        let record = Record::default();
        let upstream = upstream_replying(Arc::clone(&record), None, reply).await;
        Self::before(settings, &format!("url = \"http://{upstream}\""), inspector, record, |_| {}).await
    }

    /// The real judge, with the default tenant of the fixtures, before an upstream that says this.
    pub(super) async fn judging(settings: &str, reply: Reply) -> Self {
        Self::judging_at(settings, "", reply).await
    }

    /// The same as an explicit proxy as well.
    pub(super) async fn judging_explicit(reply: Reply) -> Self {
        Self::judging_at("", "connect = \"127.0.0.1:0\"\n", reply).await
    }

    async fn judging_at(settings: &str, listen: &str, reply: Reply) -> Self {
        let record = Record::default();
        let upstream = upstream_replying(Arc::clone(&record), None, reply).await;
        let (_, folder) = config("", "");
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let text = format!(
            "environment = \"test\"\n{settings}\n[listen]\nreverse = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n{listen}\
             [tls]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n[upstream]\nurl = \"http://{upstream}\"\n\
             [[federation]]\ndomain = \"domain.company\"\nissuer = \"https://authentik.company/application/saml/m365/metadata/\"\n\
             certificates = [{current:?}]\nusers = {users:?}\nmfa_behavior = \"acceptIfMfaDoneByFederatedIdp\"\n",
            current = fixtures.join("certificates/current.cer"),
            users = fixtures.join("tenants/users.csv"),
        );
        let config = Config::parse(&text, &folder.path().join("samlgate.toml")).unwrap();
        let running = start_at(config, clock_of_fixtures).await.unwrap();
        Self { running, record, folder }
    }

    /// The real judge before an upstream, with a configuration on disk that is followed, looked at so often. `write` puts it into
    /// a folder that holds `proxy.pem` and `proxy.key`; the file is `samlgate.toml`, and what it says of listeners and upstream is
    /// handed in.
    pub(super) async fn following(every: Duration, write: impl FnOnce(&Path, &str)) -> Self {
        let record = Record::default();
        let upstream = upstream(Arc::clone(&record), None).await;
        let (_, folder) = config("", "");
        write(folder.path(), &ends(upstream));
        let path = folder.path().join("samlgate.toml");
        let mut running = start_at(Config::load(&path).unwrap(), clock_of_fixtures).await.unwrap();
        running.follow(path, every);
        Self { running, record, folder }
    }

    /// The same with what the configuration names by URL, asked for at this pace and within these bounds.
    pub(super) async fn publishing(pace: Pace, bounds: Bounds, write: impl FnOnce(&Path, &str)) -> Self {
        let record = Record::default();
        let upstream = upstream(Arc::clone(&record), None).await;
        let (_, folder) = config("", "");
        write(folder.path(), &ends(upstream));
        let path = folder.path().join("samlgate.toml");
        let published = Published::of(&path, bounds).await;
        let config = Config::load_with(&path, published.documents()).unwrap();
        let mut running = start_at(config, clock_of_fixtures).await.unwrap();
        running.follow_published(path, Duration::from_secs(3600), published, pace, bounds);
        Self { running, record, folder }
    }

    pub(super) fn reload(&self) {
        self.running.reload();
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) async fn without_upstream(inspector: Inspector) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        Self::before("", &format!("url = \"http://{address}\""), inspector, Record::default(), |_| {}).await
    }

    /// Before an upstream that waits for something to be sent, answers these bytes whatever it was, and closes.
    pub(super) async fn with_raw_upstream(answer: &'static [u8], inspector: Inspector) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let read = stream.read(&mut [0; 4096]).await;
                    // the other side may have gone
                    let _ = (read, stream.write_all(answer).await, stream.shutdown().await);
                });
            }
        });
        Self::before("", &format!("url = \"http://{address}\""), inspector, Record::default(), |_| {}).await
    }

    /// Before an upstream that speaks TLS, and is trusted or not; `also` goes into its section.
    pub(super) async fn with_tls_upstream(trusted: bool, also: &str) -> Self {
        let record = Record::default();
        let made = rcgen::generate_simple_self_signed([HOST_NAME.to_owned()]).unwrap();
        let (pem, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let address = upstream(Arc::clone(&record), Some(acceptor(&pem, &key))).await;
        // the name is asked nowhere: the address is given
        let url = format!("url = \"https://{HOST_NAME}\"\naddress = \"{address}\"\nca = \"root.pem\"\n{also}");
        let other = rcgen::generate_simple_self_signed([HOST_NAME.to_owned()]).unwrap().cert.pem();
        let root = if trusted { pem } else { other };
        Self::before("", &url, panicking(), record, |folder| {
            std::fs::write(folder.path().join("root.pem"), root).unwrap();
        })
        .await
    }

    pub(super) async fn before(
        settings: &str,
        upstream: &str,
        inspector: Inspector,
        record: Record,
        prepare: impl FnOnce(&TempDir),
    ) -> Self {
        Self::listening(settings, "", upstream, inspector, record, prepare).await
    }

    pub(super) async fn listening(
        settings: &str,
        listen: &str,
        upstream: &str,
        inspector: Inspector,
        record: Record,
        prepare: impl FnOnce(&TempDir),
    ) -> Self {
        let (_, folder) = config("", "");
        prepare(&folder);
        let text = format!(
            "environment = \"test\"\n{settings}\n[listen]\nreverse = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n{listen}\n\
             [tls]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n[upstream]\n{upstream}\n\
             [[federation]]\ndomain = \"domain.company\"\nissuer = \"https://authentik.company/\"\ncertificates = [\"proxy.pem\"]\n"
        );
        let config = Config::parse(&text, &folder.path().join("samlgate.toml")).unwrap();
        let running = start_with(config, inspector, clock).await.unwrap();
        Self { running, record, folder }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.record.lock().unwrap().clone()
    }

    pub(super) fn seen_later(&self) -> Record {
        Arc::clone(&self.record)
    }

    pub(super) fn metrics(&self) -> String {
        self.running.metrics().render().unwrap()
    }

    /// Waits until the metrics have this line.
    pub(super) async fn until(&self, line: &str) {
        let there = async {
            while !self.metrics().lines().any(|known| known == line) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, there).await.map_err(|_| format!("{line}\n{}", self.metrics())).unwrap();
    }

    pub(super) async fn stop(self) {
        tokio::time::timeout(PATIENCE, self.running.stop(PATIENCE)).await.unwrap();
    }

    pub(super) async fn client(&self, speak: Speak) -> Client {
        Client::over(self.tls(speak).await, speak).await
    }

    pub(super) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.reverse()).await.unwrap()
    }

    pub(super) async fn tls(&self, speak: Speak) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        let root = CertificateDer::from_pem_file(self.folder.path().join("proxy.pem")).unwrap();
        tls_to(self.reverse(), speak, &[root]).await.unwrap()
    }

    /// The same by a client that offers much.
    pub(super) async fn tls_at_length(&self, bytes: usize) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        let root = CertificateDer::from_pem_file(self.folder.path().join("proxy.pem")).unwrap();
        let mut config = client(Speak::Http1, &[root]);
        config.alpn_protocols.extend((0..bytes / 200).map(|_| vec![b'a'; 200]));
        let stream = TcpStream::connect(self.reverse()).await.unwrap();
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(HOST_NAME).unwrap(), stream).await.unwrap()
    }

    pub(super) fn reverse(&self) -> std::net::SocketAddr {
        self.running.addresses().reverse.unwrap()
    }

    /// Where the explicit proxy listens.
    pub(super) fn connect(&self) -> std::net::SocketAddr {
        self.running.addresses().connect.unwrap()
    }

    pub(super) fn admin_address(&self) -> std::net::SocketAddr {
        self.running.addresses().admin
    }

    pub(super) async fn admin(&self, path: &str) -> Answer {
        self.admin_asked(Request::get(path).header("host", "localhost"), "").await
    }

    pub(super) async fn admin_asked(&self, request: hyper::http::request::Builder, body: &str) -> Answer {
        let stream = TcpStream::connect(self.running.addresses().admin).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Answer::of(sender.send_request(request.body(full(body)).unwrap()).await.unwrap()).await
    }
}

/// A connection to this listener, which shows one of these certificates.
pub(super) async fn tls_to(
    address: std::net::SocketAddr,
    speak: Speak,
    trusted: &[CertificateDer<'static>],
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    // bodies in pieces would wait for acknowledgements
    stream.set_nodelay(true)?;
    tls_over(stream, HOST_NAME, speak, trusted).await
}

/// TLS with this host over a connection that is there.
pub(super) async fn tls_over(
    stream: TcpStream,
    host: &'static str,
    speak: Speak,
    trusted: &[CertificateDer<'static>],
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let config = Arc::new(client(speak, trusted));
    TlsConnector::from(config).connect(ServerName::try_from(host).unwrap(), stream).await
}

/// A client that trusts these certificates.
pub(super) fn client(speak: Speak, trusted: &[CertificateDer<'static>]) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    trusted.iter().for_each(|root| roots.add(root.clone()).unwrap());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = match speak {
        Speak::Http1 => vec![b"http/1.1".to_vec()],
        Speak::Http2 => vec![b"h2".to_vec()],
    };
    config
}

/// What a client speaks.
#[derive(Clone, Copy)]
pub(super) enum Speak {
    Http1,
    Http2,
}

pub(super) enum Client {
    Http1(hyper::client::conn::http1::SendRequest<Body>),
    Http2(hyper::client::conn::http2::SendRequest<Body>),
}

impl Client {
    pub(super) async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, speak: Speak) -> Self {
        match speak {
            Speak::Http1 => {
                let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
                tokio::spawn(connection);
                Self::Http1(sender)
            }
            Speak::Http2 => {
                let io = TokioIo::new(stream);
                let (sender, connection) =
                    hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
                tokio::spawn(connection);
                Self::Http2(sender)
            }
        }
    }

    pub(super) async fn send(&mut self, request: hyper::http::request::Builder, body: Body) -> Answer {
        let mut request = request.body(body).unwrap();
        let response = match self {
            Self::Http1(sender) => {
                sender.ready().await.unwrap();
                sender.send_request(request).await
            }
            Self::Http2(sender) => {
                let target = request.uri().path_and_query().unwrap();
                *request.uri_mut() = format!("https://{HOST_NAME}{target}").parse().unwrap();
                request.headers_mut().remove("host");
                sender.send_request(request).await
            }
        };
        Answer::of(response.unwrap()).await
    }
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Bytes,
    /// The same as text, as far as it is any.
    pub(super) body: String,
}

impl Answer {
    pub(super) async fn of(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        Self { status: parts.status, headers: parts.headers, bytes: body, body: text }
    }
}

/// Sends these bytes and reads until the other side closes.
pub(super) async fn raw(bench: &Bench, request: &str) -> String {
    exchange(bench.tls(Speak::Http1).await, request).await
}

/// The same without TLS, to a listener anywhere.
pub(super) async fn raw_at(address: std::net::SocketAddr, request: &str) -> String {
    exchange(TcpStream::connect(address).await.unwrap(), request).await
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    let mut answer = Vec::new();
    // a connection that is cut instead of closed has given its answer all the same
    let _ = stream.write_all(request.as_bytes()).await;
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn acceptor(pem: &str, key: &str) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// An upstream that records what it is sent.
pub(crate) async fn upstream(record: Record, tls: Option<TlsAcceptor>) -> std::net::SocketAddr {
    let reply: Reply = Arc::new(|_| {
        let response = Response::builder().header("x-upstream", "yes").header("keep-alive", "timeout=5");
        response.body(full("from the upstream")).unwrap()
    });
    upstream_replying(record, tls, reply).await
}

/// The same, with words of the test's own.
pub(crate) async fn upstream_replying(record: Record, tls: Option<TlsAcceptor>, reply: Reply) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (record, tls, reply) = (Arc::clone(&record), tls.clone(), Arc::clone(&reply));
            stream.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                match tls {
                    None => answer_all(stream, record, reply).await,
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            answer_all(stream, record, reply).await;
                        }
                    }
                }
            });
        }
    });
    address
}

async fn answer_all<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, record: Record, reply: Reply) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (record, reply) = (Arc::clone(&record), Arc::clone(&reply));
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes().to_vec();
            let seen = Seen {
                method: parts.method.to_string(),
                target: parts.uri.to_string(),
                version: parts.version,
                headers: parts.headers,
                body,
            };
            let response = reply(&seen);
            record.lock().unwrap().push(seen);
            Ok::<_, hyper::Error>(response)
        }
    });
    // clients of a test go away when they have seen enough
    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}
