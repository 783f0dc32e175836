//! The requests of one connection: its TLS, the HTTP that is spoken inside, and its end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::Bounds;
use super::crowd::{Member, Present};
use super::gulps::Gulps;
use super::pieces::Pieces;
use super::seldom::Seldom;
use super::service::Proxy;
use super::watched::{TwoLengths, Watched};
use crate::observe::Listener;

/// Streams of one HTTP/2 connection at one time: a browser needs few, and each may hold a body.
const STREAMS: u32 = 100;
/// Bytes of all headers of one request; cookies of sign-ins are long.
pub(super) const HEAD_BYTES: u32 = 64 * 1024;
/// Bytes of the HTTP/2 bodies of a connection that may come before they are asked for: no fewer may be allowed.
const WINDOW: u32 = 64 * 1024;
/// Bytes of one HTTP/2 answer that wait for a client that does not take them.
const SEND_BYTES: usize = 64 * 1024;
/// For a client to close a connection that has ended.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// The HTTP that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Http {
    One,
    Two,
}

/// Speaks TLS as the intercepted hosts, and answers what is asked inside.
pub(super) async fn secured<S>(
    stream: S,
    listener: Listener,
    proxy: Arc<Proxy>,
    present: Present,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // that of this moment: a reload changes it for connections to come
    let Some(acceptor) = proxy.acceptor() else { return };
    let head = proxy.bounds().head;
    let stream = tokio::select! {
        stream = tokio::time::timeout(head, acceptor.accept(Gulps::new(stream))) => stream,
        () = present.member.asked_to_leave() => return,
        // nothing was asked yet
        _ = stop.wait_for(|stop| *stop) => return,
    };
    let Ok(Ok(mut stream)) = stream else {
        tracing::debug!("a TLS handshake failed");
        return;
    };
    // that was the handshake, long as it may have been
    stream.get_mut().0.used();
    let http = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Http::Two,
        _ => Http::One,
    };
    requests(stream, http, listener, proxy, present, stop).await;
}

/// Answers the requests of one connection.
pub(super) async fn requests<S>(
    stream: S,
    http: Http,
    listener: Listener,
    proxy: Arc<Proxy>,
    present: Present,
    stop: watch::Receiver<bool>,
) where
    S: Pieces + AsyncWrite + Unpin + Send + 'static,
{
    let bounds = *proxy.bounds();
    let member = Arc::clone(&present.member);
    let two_lengths = TwoLengths::default();
    let stream = Watched::new(stream, http == Http::One, two_lengths.clone(), proxy.uploads().enter());
    let service = service_fn(move |request: Request<Incoming>| {
        let (proxy, open) = (Arc::clone(&proxy), member.open());
        let two_lengths = two_lengths.seen();
        async move {
            let response = proxy.answer(listener, request, two_lengths).await;
            Ok::<_, Infallible>(response.map(|body| open.until_through(body)))
        }
    });
    // on the heap: a connection takes as much as its own HTTP does, and not as the larger one
    match http {
        Http::One => {
            let connection = http1(&bounds).serve_connection(TokioIo::new(stream), service);
            Box::pin(served(connection, &bounds, &present.member, stop)).await;
        }
        Http::Two => {
            let connection = http2(&bounds).serve_connection(TokioIo::new(stream), service);
            Box::pin(served(connection, &bounds, &present.member, stop)).await;
        }
    }
}

fn http1(bounds: &Bounds) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_buf_size(HEAD_BYTES as usize)
        // who has said everything may stop speaking, and still wants to hear
        .half_close(true);
    builder
}

fn http2(bounds: &Bounds) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(SEND_BYTES)
        .keep_alive_interval(bounds.idle / 2)
        .keep_alive_timeout(bounds.head);
    builder
}

/// Serves a connection to its end.
async fn served<C>(connection: C, bounds: &Bounds, member: &Member, mut stop: watch::Receiver<bool>)
where
    C: GracefulConnection<Error = hyper::Error>,
{
    tokio::pin!(connection);
    let end = Seldom::new(async {
        tokio::select! {
            () = member.asked_to_leave() => End::Now,
            () = member.quiet(bounds.idle, bounds.stalled) => End::InPeace,
            _ = stop.wait_for(|stop| *stop) => End::InPeace,
        }
    });
    let end = tokio::select! {
        biased;
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke");
            }
            return;
        }
        end = end => end,
    };
    if end == End::Now {
        return;
    }
    // what is being answered ends; whoever then says nothing, not even good-bye, is cut off
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        // there is nobody left to tell
        _ = connection => {}
        () = member.quiet(FAREWELL, bounds.stalled) => {}
    }
}

/// How a connection ends that does not end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Now,
    InPeace,
}
