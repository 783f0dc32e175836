//! The listener of a fake end: HTTP or TLS, each request read whole and answered with a page.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::cut::Cut;
use super::page::{Asked, Page};
use crate::door;

/// A body, or the beginning of one.
type Told = Either<Full<Bytes>, Cut>;

/// Bytes of a posted body.
const BODY: usize = 2 * 1024 * 1024;
/// Connections at one time.
const CONNECTIONS: usize = 1024;
/// For a handshake, the head of a request, and its body.
const PATIENCE: Duration = Duration::from_secs(30);

/// A fake end: answers one request.
pub trait End: Send + Sync + 'static {
    /// The page for this request.
    fn answer(&self, asked: &Asked) -> Page;
}

/// Serves a fake end until `stop` turns true.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    end: Arc<dyn End>,
    stop: watch::Receiver<bool>,
) {
    let acceptor = tls.map(TlsAcceptor::from);
    door::serve(listener, CONNECTIONS, stop, |stream| connection(stream, acceptor.clone(), Arc::clone(&end))).await;
}

async fn connection(stream: TcpStream, acceptor: Option<TlsAcceptor>, end: Arc<dyn End>) {
    // a refusal only costs latency
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => requests(stream, end).await,
        Some(acceptor) => match tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => requests(stream, end).await,
            _ => tracing::debug!("a TLS handshake failed"),
        },
    }
}

async fn requests<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, end: Arc<dyn End>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let end = Arc::clone(&end);
        async move { Ok::<_, Infallible>(answer(request, end).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder.http2().timer(TokioTimer::new());
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn answer(request: Request<Incoming>, end: Arc<dyn End>) -> Response<Told> {
    let (head, body) = request.into_parts();
    let body = match tokio::time::timeout(PATIENCE, Limited::new(body, BODY).collect()).await {
        Ok(Ok(body)) => body.to_bytes().to_vec(),
        _ => return plain(StatusCode::BAD_REQUEST),
    };
    let asked = Asked { head, body };
    // verifying and signing are work, which would hold up the other connections
    match tokio::task::spawn_blocking(move || response(end.answer(&asked))).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a fake end failed");
            plain(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

fn plain(status: StatusCode) -> Response<Told> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::new())));
    *response.status_mut() = status;
    response
}

fn response(page: Page) -> Response<Told> {
    let packed = if page.gzip { gzip(&page.html) } else { None };
    let is_packed = packed.is_some();
    let body = Bytes::from(packed.unwrap_or_else(|| page.html.into_bytes()));
    let body = if page.cut { Either::Right(Cut::new(&body)) } else { Either::Left(Full::new(body)) };
    let mut response = Response::new(body);
    *response.status_mut() = page.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-cache"));
    if is_packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    for (name, value) in page.headers {
        let Ok(value) = HeaderValue::from_str(&value) else { continue };
        if name == CONTENT_TYPE.as_str() {
            headers.insert(CONTENT_TYPE, value);
        } else {
            headers.append(name, value);
        }
    }
    response
}

fn gzip(text: &str) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).ok()?;
    encoder.finish().ok()
}
