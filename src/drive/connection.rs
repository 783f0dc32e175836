//! One connection to the target: opened with what it took, and one request on it.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::HandshakeKind;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::counted::{Counted, Traffic};
use super::target::Target;
use crate::cause::chain;
use crate::load::Failure;

/// Bytes of an answer.
const ANSWER: usize = 1024 * 1024;

/// What posts over a connection.
pub(super) enum Sender {
    H1(http1::SendRequest<Full<Bytes>>),
    H2(http2::SendRequest<Full<Bytes>>),
}

/// A connection that is open, and what it took.
pub(super) struct Opened {
    pub(super) sender: Sender,
    pub(super) connect: Duration,
    pub(super) tls: Option<(Duration, bool)>,
}

/// Why there is no answer, with what is said of it.
pub(super) struct Broken {
    pub(super) failure: Failure,
    pub(super) text: String,
}

impl Broken {
    pub(super) fn new(failure: Failure, text: impl Into<String>) -> Self {
        Self { failure, text: text.into() }
    }
}

/// An answer with all of its body.
pub(super) struct Whole {
    pub(super) head: Response<()>,
    pub(super) body: Bytes,
}

/// Opens a connection.
pub(super) async fn open(target: &Target, traffic: &Arc<Traffic>) -> Result<Opened, Broken> {
    let begun = Instant::now();
    let stream = TcpStream::connect(&target.place).await.map_err(|error| {
        // what the resolver says has no number of the system
        let failure = if error.raw_os_error().is_none() { Failure::Name } else { Failure::Connect };
        Broken::new(failure, format!("{}: {error}", target.place))
    })?;
    // a refusal only costs latency
    let _ = stream.set_nodelay(true);
    let connect = begun.elapsed();
    let stream = Counted::new(stream, Arc::clone(traffic));
    let Some((config, name)) = &target.tls else {
        return Ok(Opened { sender: agreed(target, stream).await?, connect, tls: None });
    };
    let begun = Instant::now();
    let stream = TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream).await;
    let stream = stream.map_err(|error| Broken::new(Failure::Tls, chain(&error)))?;
    let session = stream.get_ref().1;
    let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
    if target.http2 && session.alpn_protocol() != Some(b"h2") {
        return Err(Broken::new(Failure::Protocol, "the target does not speak HTTP/2"));
    }
    let tls = Some((begun.elapsed(), resumed));
    Ok(Opened { sender: agreed(target, stream).await?, connect, tls })
}

async fn agreed(
    target: &Target,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Sender, Broken> {
    let broken = |error: hyper::Error| Broken::new(Failure::Protocol, chain(&error));
    // what goes wrong with a connection is told by its answers
    if target.http2 {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(broken)?;
        tokio::spawn(connection);
        return Ok(Sender::H2(sender));
    }
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    Ok(Sender::H1(sender))
}

impl Sender {
    /// Whether it may post once more, after waiting for what is left of the answer before.
    pub(super) async fn is_ready(&mut self) -> bool {
        match self {
            Self::H1(sender) => sender.ready().await.is_ok(),
            Self::H2(sender) => sender.ready().await.is_ok(),
        }
    }

    /// Posts a form and waits for all of the answer.
    pub(super) async fn post(&mut self, target: &Target, form: Bytes) -> Result<Whole, Broken> {
        let mut request = Request::new(Full::new(form));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.asked.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let answered = match self {
            Self::H1(sender) => {
                headers.insert(HOST, target.host.clone());
                sender.send_request(request).await
            }
            Self::H2(sender) => sender.send_request(request).await,
        };
        whole(answered.map_err(|error| Broken::new(Failure::Broken, chain(&error)))?).await
    }
}

async fn whole(answer: Response<Incoming>) -> Result<Whole, Broken> {
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER).collect().await.map_err(|error| {
        let error: &(dyn Error + 'static) = &*error;
        match error.is::<LengthLimitError>() {
            true => Broken::new(Failure::TooLong, format!("more than {ANSWER} bytes")),
            false => Broken::new(Failure::Broken, chain(error)),
        }
    })?;
    Ok(Whole { head: Response::from_parts(parts, ()), body: body.to_bytes() })
}
