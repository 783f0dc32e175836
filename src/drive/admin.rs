//! The metrics of a load, for Prometheus, while it runs.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::door;

/// Connections at one time.
const CONNECTIONS: usize = 16;
/// For one connection.
const LIFE: Duration = Duration::from_secs(60);

/// What is shown.
#[derive(Clone, Default)]
pub(super) struct Shown(Arc<Mutex<Bytes>>);

impl Shown {
    pub(super) fn set(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text.into();
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let body = match request.uri().path() {
            "/metrics" => Some(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()),
            "/healthz" => Some(Bytes::from_static(b"ok\n")),
            _ => None,
        };
        let known = body.is_some();
        let mut response = Response::new(Full::new(body.unwrap_or_default()));
        if !known {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
        response
    }
}

/// Listens there, as long as the runtime runs; says where that is.
pub(super) async fn serve(address: SocketAddr, shown: Shown) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let (running, stop) = watch::channel(false);
    tokio::spawn(async move {
        door::serve(listener, CONNECTIONS, stop, |stream| connection(stream, shown.clone())).await;
        drop(running);
    });
    Ok(address)
}

async fn connection(stream: TcpStream, shown: Shown) {
    let service = service_fn(move |request| {
        let answer = shown.answer(&request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new());
    // what breaks here is the connection of somebody who looks on
    let _ = tokio::time::timeout(LIFE, builder.serve_connection(TokioIo::new(stream), service)).await;
}
