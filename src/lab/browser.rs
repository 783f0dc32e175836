//! A browser as far as sign-ins go: fetches pages over TLS, and posts the form that a page holds.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn;
use hyper::header::{ACCEPT_ENCODING, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::html::unescaped;

/// Bytes of a page.
const PAGE: usize = 4 * 1024 * 1024;
/// For one page.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser that trusts one certificate authority.
#[derive(Clone)]
pub struct Browser {
    tls: TlsConnector,
    address: SocketAddr,
}

impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Browser({})", self.address)
    }
}

/// A page that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The status.
    pub status: StatusCode,
    /// Its body, packed if the server packed it: [`Browser::get`] does not ask for that.
    pub body: Vec<u8>,
}

/// A form, ready to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Where it goes.
    pub action: String,
    /// Its fields, in order.
    pub fields: Vec<(String, String)>,
}

impl Browser {
    /// A browser that trusts this certificate (DER) alone, and finds every name that comes without a port at `address`.
    ///
    /// # Errors
    /// When the certificate cannot be one of an authority.
    pub fn new(trusted: &[u8], address: SocketAddr) -> Result<Self, BrowserError> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(trusted).into_owned())?;
        let mut tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { tls: Arc::new(tls).into(), address })
    }

    /// Fetches a page as it is.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn get(&self, url: &str) -> Result<Fetched, BrowserError> {
        self.send(Request::builder().method(Method::GET).uri(url).body(Full::default())?).await
    }

    /// Posts a form. The answer may come packed, as browsers allow.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn post(&self, form: &Form) -> Result<Fetched, BrowserError> {
        let fields: Vec<_> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = Request::builder()
            .method(Method::POST)
            .uri(&form.action)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT_ENCODING, "gzip");
        self.send(request.body(Full::new(Bytes::from(crate::mint::urlencoded(&fields))))?).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Fetched, BrowserError> {
        tokio::time::timeout(PATIENCE, self.sent(request)).await.map_err(|_| BrowserError::Late)?
    }

    async fn sent(&self, request: Request<Full<Bytes>>) -> Result<Fetched, BrowserError> {
        let uri = request.uri().clone();
        let no_address = || BrowserError::NoAddress(uri.to_string());
        let host = uri.host().ok_or_else(no_address)?;
        let address = match uri.port_u16() {
            None => self.address,
            // every name is this machine's
            Some(port) => SocketAddr::new(host.parse().unwrap_or(Ipv4Addr::LOCALHOST.into()), port),
        };
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let response = if uri.scheme_str() == Some("https") {
            let name = ServerName::try_from(host.to_owned()).map_err(|_| no_address())?;
            let stream = self.tls.connect(name, stream).await?;
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            if h2 { over_h2(stream, request).await } else { over_h1(stream, request).await }
        } else {
            over_h1(stream, request).await
        };
        let response = response?;
        let status = response.status();
        let body = Limited::new(response.into_body(), PAGE).collect().await;
        let body = body.map_err(|error| BrowserError::Broken(error.to_string()))?;
        Ok(Fetched { status, body: body.to_bytes().to_vec() })
    }
}

async fn over_h2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, BrowserError> {
    let (mut sender, connection) = conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    // what goes wrong with it is told by the answer
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

async fn over_h1(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, BrowserError> {
    let authority = request.uri().authority().map_or("", |authority| authority.as_str()).to_owned();
    request.headers_mut().insert(HOST, HeaderValue::from_str(&authority).map_err(hyper::http::Error::from)?);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse::<Uri>().map_err(hyper::http::Error::from)?;
    let (mut sender, connection) = conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

impl Fetched {
    /// The form of the page, if it holds one.
    pub fn form(&self) -> Option<Form> {
        let html = std::str::from_utf8(&self.body).ok()?;
        let (_, form) = html.split_once("<form ")?;
        let (form, _) = form.split_once("</form>")?;
        let inputs = form.split("<input ").skip(1);
        let fields = inputs.filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)));
        Some(Form { action: attribute(form, "action")?, fields: fields.collect() })
    }
}

/// The value of an attribute of the tag that this text begins in.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (tag, _) = tag.split_once('>')?;
    let (_, value) = tag.split_once(&format!("{name}=\""))?;
    let (value, _) = value.split_once('"')?;
    Some(unescaped(value))
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// TLS cannot be spoken so.
    #[error("{0}")]
    Tls(#[from] rustls::Error),
    /// No URL.
    #[error("expected a URL with a host, got `{0}`")]
    NoAddress(String),
    /// What cannot be asked.
    #[error("the request cannot be made: {0}")]
    Request(#[from] hyper::http::Error),
    /// Nobody there, or somebody else.
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    /// No HTTP.
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    /// An answer without an end.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// An answer that does not come.
    #[error("expected an answer within {} s, got none", PATIENCE.as_secs())]
    Late,
}
