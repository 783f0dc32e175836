//! The admin listener: metrics and health, for this machine alone unless told otherwise.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::observe::{Listener, Metrics, Route};

/// Connections at one time.
const CONNECTIONS: usize = 64;
/// For the head of a request, and the wait for it.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// For one connection: whoever does not read what was asked for must not keep its place.
const LIFE: Duration = Duration::from_secs(600);
const TEXT: &str = "text/plain; charset=utf-8";
/// The text format that the library writes.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves metrics and health until `stop` turns true.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = async {
            let room = Arc::clone(&room).acquire_owned().await;
            (room, listener.accept().await)
        };
        let (room, stream) = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = accepted => accepted,
        };
        let Ok((stream, _)) = stream else {
            // out of descriptors, most likely: asking again at once would burn a core
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (metrics, stop) = (Arc::clone(&metrics), stop.clone());
        tokio::spawn(async move {
            connection(stream, metrics, stop).await;
            drop(room);
        });
    }
}

async fn connection(stream: TcpStream, metrics: Arc<Metrics>, mut stop: watch::Receiver<bool>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&request, &metrics);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // what breaks here is the connection of somebody who looks on
        _ = tokio::time::timeout(LIFE, connection) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

fn answer(request: &Request<Incoming>, metrics: &Metrics) -> Response<Full<Bytes>> {
    let _in_flight = metrics.in_flight(Listener::Admin);
    let response = if matches!(*request.method(), Method::GET | Method::HEAD) {
        page(request.uri().path(), metrics)
    } else {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        response
    };
    metrics.request(Listener::Admin, Route::Admin, response.status().as_u16());
    response
}

fn page(path: &str, metrics: &Metrics) -> Response<Full<Bytes>> {
    match path {
        "/metrics" => match metrics.render() {
            Ok(families) => with(StatusCode::OK, METRICS, families.into()),
            Err(error) => {
                tracing::error!(%error, "metrics could not be written");
                text(StatusCode::INTERNAL_SERVER_ERROR, "Metrics could not be written.\n")
            }
        },
        "/healthz" => text(StatusCode::OK, "alive\n"),
        "/readyz" if metrics.is_ready() => text(StatusCode::OK, "ready\n"),
        "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        _ => text(StatusCode::NOT_FOUND, "Here are /metrics, /healthz and /readyz.\n"),
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    with(status, TEXT, Bytes::from_static(text.as_bytes()))
}

fn with(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
