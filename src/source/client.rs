//! One client for URLs of the configuration: verified, bounded in time and size, and led astray by nobody.

use std::error::Error;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::header::{
    AGE, AUTHORIZATION, CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, LOCATION, RETRY_AFTER, USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use rustls::CertificateError;

use super::connector::{Connector, Peer};
use super::url::Url;
use crate::cause;
use crate::trust::{self, TrustError};

/// Answers that only name another place.
const REDIRECTS: usize = 3;
/// Connections that wait for the next request, and how long.
const IDLE_CONNECTIONS: usize = 4;
const IDLE_TIME: Duration = Duration::from_secs(15);
/// The head of an answer must fit.
const BUFFER: usize = 64 * 1024;
const AGENT: &str = concat!("samlgate/", env!("CARGO_PKG_VERSION"));

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// For a connection, with its TLS.
    pub connect: Duration,
    /// For everything together, redirects and the body included.
    pub total: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), total: Duration::from_secs(30) }
    }
}

/// A client and its connections.
#[derive(Debug, Clone)]
pub struct Client {
    inner: legacy::Client<Connector, Full<Bytes>>,
    bounds: Bounds,
}

/// What is asked.
#[derive(Clone)]
pub struct Ask {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    bytes: usize,
}

/// A form may hold a secret, and a header a token.
impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ask({} {})", self.method, self.url)
    }
}

impl Ask {
    /// Asks for a document, of which at most so many bytes are taken.
    pub fn get(url: Url, bytes: usize) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new(), bytes }
    }

    /// Posts a form that is encoded already.
    pub fn post_form(url: Url, form: Vec<u8>, bytes: usize) -> Self {
        let ask = Self { method: Method::POST, url, headers: HeaderMap::new(), body: form.into(), bytes };
        ask.header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Only if it is another document than the one that came with these.
    #[must_use]
    pub fn unless(self, etag: Option<&HeaderValue>, last_modified: Option<&HeaderValue>) -> Self {
        let known = [(IF_NONE_MATCH, etag), (IF_MODIFIED_SINCE, last_modified)];
        known
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .fold(self, |ask, (name, value)| ask.header(name, value.clone()))
    }

    /// Whether it may be led elsewhere: what holds a secret is for nobody else.
    fn follows(&self) -> bool {
        self.method == Method::GET && !self.headers.contains_key(AUTHORIZATION)
    }
}

/// What was answered, whatever the status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Names the document.
    pub etag: Option<HeaderValue>,
    /// Dates the document.
    pub last_modified: Option<HeaderValue>,
    /// The clock of the server now, however long the answer lay in between.
    pub date: Option<Timestamp>,
    /// When to ask again.
    pub retry_after: Option<RetryAfter>,
    /// Whom the connection led to; none without TLS.
    pub peer: Option<Peer>,
    /// The document.
    pub body: Bytes,
}

/// When to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// After so long.
    Wait(Duration),
    /// At that time.
    At(Timestamp),
}

impl RetryAfter {
    /// How long that is from now on.
    pub fn from_now(self, now: Timestamp) -> Duration {
        match self {
            Self::Wait(wait) => wait,
            Self::At(then) => Duration::try_from(then.duration_since(now)).unwrap_or_default(),
        }
    }
}

impl Client {
    /// A client that takes the word of this machine's roots and of these, in DER.
    ///
    /// # Errors
    /// There is nobody to vouch for servers.
    pub fn new(extra_roots: &[Vec<u8>], bounds: Bounds) -> Result<Self, TrustError> {
        let connector = Connector::new(trust::client(extra_roots)?, bounds.connect);
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_max_buf_size(BUFFER)
            .timer(TokioTimer::new())
            .build(connector);
        Ok(Self { inner, bounds })
    }

    /// Asks, and takes the whole answer.
    ///
    /// # Errors
    /// There is none, or none that may be taken.
    pub async fn ask(&self, ask: Ask) -> Result<Answer, Failure> {
        let late = |_| Failure::Late(self.bounds.total);
        tokio::time::timeout(self.bounds.total, self.follow(ask)).await.map_err(late)?
    }

    async fn follow(&self, mut ask: Ask) -> Result<Answer, Failure> {
        for _ in 0..=REDIRECTS {
            let response = self.send(&ask).await?;
            let to = response.headers().get(LOCATION).filter(|_| leads_on(response.status()));
            let Some(to) = to else { return take(response, ask.bytes).await };
            if !ask.follows() {
                return Err(Failure::Led("expected an answer, for a request that is meant for nobody else".to_owned()));
            }
            let to = to.to_str().unwrap_or_default();
            ask.url = ask.url.join(to).map_err(|error| Failure::Led(error.to_string()))?;
        }
        Err(Failure::Led(format!("expected at most {REDIRECTS} redirects, got more")))
    }

    async fn send(&self, ask: &Ask) -> Result<Response<hyper::body::Incoming>, Failure> {
        let mut request = Request::new(Full::new(ask.body.clone()));
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = ask.url.uri().clone();
        *request.headers_mut() = ask.headers.clone();
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        self.inner.request(request).await.map_err(|error| Failure::of(&error))
    }
}

fn leads_on(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

async fn take(response: Response<hyper::body::Incoming>, bytes: usize) -> Result<Answer, Failure> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, bytes).collect().await.map_err(|error| match error.is::<LengthLimitError>() {
        true => Failure::TooLarge(bytes),
        false => Failure::Broken(cause::chain(error.as_ref())),
    })?;
    let text = |name: &HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
    let retry_after = text(&RETRY_AFTER).and_then(|text| match text.parse() {
        Ok(seconds) => Some(RetryAfter::Wait(Duration::from_secs(seconds))),
        Err(_) => instant(text).map(RetryAfter::At),
    });
    let lain = text(&AGE).and_then(|age| age.parse().ok()).unwrap_or(0);
    Ok(Answer {
        status: head.status,
        etag: head.headers.get(&ETAG).cloned(),
        last_modified: head.headers.get(&LAST_MODIFIED).cloned(),
        date: text(&DATE).and_then(instant).and_then(|date| date.checked_add(SignedDuration::from_secs(lain)).ok()),
        retry_after,
        peer: head.extensions.get().copied(),
        body: body.to_bytes(),
    })
}

/// A date of HTTP.
fn instant(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No connection.
    #[error("{0}")]
    Connect(String),
    /// A connection, and nobody who vouches for its other end.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The other end speaks TLS 1.1 or older alone.
    #[error("expected TLS 1.2 or 1.3, got an older one")]
    OldTls,
    /// Not in time.
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
    /// More than was to be taken.
    #[error("expected at most {0} bytes, got more")]
    TooLarge(usize),
    /// The answer leads where nobody follows.
    #[error("the answer leads elsewhere: {0}")]
    Led(String),
    /// The connection broke, or what came was no HTTP.
    #[error("{0}")]
    Broken(String),
}

impl Failure {
    fn of(error: &legacy::Error) -> Self {
        let mut below: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = below {
            if let Some(tls) = error.downcast_ref::<rustls::Error>() {
                return Self::of_tls(tls);
            }
            below = cause::beneath(error);
        }
        let text = cause::chain(error);
        if error.is_connect() { Self::Connect(text) } else { Self::Broken(text) }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        use rustls::{AlertDescription, Error, PeerIncompatible};
        match error {
            Error::AlertReceived(AlertDescription::ProtocolVersion)
            | Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => Self::OldTls,
            Error::InvalidCertificate(wrong) => Self::Tls(in_words(wrong)),
            other => Self::Tls(other.to_string()),
        }
    }
}

/// What is wrong with the certificate of a server.
fn in_words(wrong: &CertificateError) -> String {
    match wrong {
        // the second: somebody of the name of one who is trusted
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate comes from nobody who is trusted here".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name".to_owned()
        }
        // the library has no word of its own for it
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "its certificate is that of a CA, which no server may show for itself".to_owned()
        }
        other => format!("its certificate cannot be trusted: {other}"),
    }
}
