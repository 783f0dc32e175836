//! The requests of one connection: its TLS, the HTTP that is spoken inside, and its end.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::header::CONNECTION;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;

use super::Bounds;
use super::body::DISCARDING;
use super::crowd::Present;
use super::frames::WINDOW;
use super::gulps::Gulps;
use super::headers;
use super::pieces::Pieces;
use super::route::Refusal;
use super::seldom::Seldom;
use super::service::Proxy;
use super::spoken::TwoLengths;
use super::watched::Watched;
use crate::observe::Listener;

/// Streams of one HTTP/2 connection at one time: as many as clients take for granted before they are told ([RFC 9113 6.5.2]), and fewer for those
/// that come when there are many connections. Each takes some memory, even when it is refused.
const STREAMS: std::ops::RangeInclusive<usize> = 8..=100;
/// Streams of all connections, as long as that leaves enough for each.
const ALL_STREAMS: usize = 1600;
/// Bytes of all headers of one request; cookies of sign-ins are long.
pub(super) const HEAD_BYTES: u32 = 64 * 1024;
/// Bytes of one HTTP/2 answer that wait for a client that does not take them.
const SEND_BYTES: usize = 64 * 1024;
/// Connections that are no crowd. What spares memory and costs time, or a client its connection, is for those that come when there are more.
const FEW: usize = 128;
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
    let connection = {
        // on the heap, and gone when it is through: the connection lives much longer
        let Some(stream) = Box::pin(handshake(stream, &proxy, &present, &mut stop)).await else { return };
        let http = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Http::Two,
            _ => Http::One,
        };
        requests(stream, http, listener, proxy, present, stop)
    };
    connection.await;
}

async fn handshake<S>(
    stream: S,
    proxy: &Proxy,
    present: &Present,
    stop: &mut watch::Receiver<bool>,
) -> Option<TlsStream<Gulps<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // that of this moment: a reload changes it for connections to come
    let acceptor = proxy.acceptor()?;
    let stream = tokio::select! {
        stream = tokio::time::timeout(proxy.bounds().head, acceptor.accept(Gulps::new(stream))) => stream,
        () = present.member.asked_to_leave() => return None,
        // nothing was asked yet
        _ = stop.wait_for(|stop| *stop) => return None,
    };
    let Ok(Ok(mut stream)) = stream else {
        tracing::debug!("a TLS handshake failed");
        return None;
    };
    // that was the handshake, long as it may have been
    stream.get_mut().0.used();
    Some(stream)
}

/// Answers the requests of one connection.
pub(super) fn requests<S>(
    stream: S,
    http: Http,
    listener: Listener,
    proxy: Arc<Proxy>,
    present: Present,
    stop: watch::Receiver<bool>,
) -> Pin<Box<dyn Future<Output = ()> + Send>>
where
    S: Pieces + AsyncWrite + Unpin + Send + 'static,
{
    let (bounds, among) = (*proxy.bounds(), present.among);
    let member = Arc::clone(&present.member);
    let two_lengths = TwoLengths::default();
    let stream = Watched::new(stream, http == Http::One, two_lengths.clone(), proxy.uploads().enter());
    let stream = TokioIo::new(stream);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (proxy, open) = (Arc::clone(&proxy), member.open());
        let refusal = match two_lengths.seen() {
            true => Some(Refusal::LengthAmbiguous),
            false => open.is_too_many().then_some(Refusal::TooMany),
        };
        if http == Http::One && !request.body().is_end_stream() && (among > FEW || proxy.reads(&request)) {
            // now: the library reads of the body before anybody asks
            headers::detach(&mut request);
        }
        let answering = proxy.answer(listener, request, refusal);
        async move {
            let response = answering.await;
            // which says nothing there; and whoever breaks a stream off has the others still
            let closes = response.headers().contains_key(CONNECTION) && response.status() != StatusCode::BAD_REQUEST;
            if http == Http::Two && closes && among > FEW {
                open.close();
            }
            Ok::<_, Infallible>(response.map(|body| open.until_through(body)))
        }
    });
    // on the heap, each by itself: a future that is given another one holds it twice
    match http {
        Http::One => {
            let connection = Box::pin(http1(&bounds).serve_connection(stream, service));
            Box::pin(served(connection, bounds.idle, bounds.stalled, present, stop))
        }
        Http::Two => {
            let connection = Box::pin(http2(&bounds, among).serve_connection(stream, service));
            Box::pin(served(connection, bounds.idle, bounds.stalled, present, stop))
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

fn streams(among: usize) -> u32 {
    let each = (ALL_STREAMS / among.max(1)).clamp(*STREAMS.start(), *STREAMS.end());
    u32::try_from(each).unwrap_or(u32::MAX)
}

fn http2(bounds: &Bounds, among: usize) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(streams(among))
        .max_header_list_size(HEAD_BYTES)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(SEND_BYTES)
        .keep_alive_interval(bounds.idle / 2)
        .keep_alive_timeout(bounds.head);
    builder
}

/// Serves a connection to its end.
async fn served<C>(
    mut connection: Pin<Box<C>>,
    idle: Duration,
    stalled: Duration,
    present: Present,
    mut stop: watch::Receiver<bool>,
) where
    C: GracefulConnection<Error = hyper::Error>,
{
    let member = &present.member;
    let end = Seldom::new(async {
        tokio::select! {
            () = member.asked_to_leave() => End::Now,
            () = member.quiet(idle, stalled) => End::InPeace,
            () = member.closes() => End::Through,
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
    let patience = match end {
        End::Now => return,
        End::InPeace => FAREWELL,
        // what was answered may still be on its way to a client that is slow, or has more to say before it listens
        End::Through => DISCARDING + FAREWELL,
    };
    // what is being answered ends; whoever then says nothing, not even good-bye, is cut off
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        // there is nobody left to tell
        _ = connection => {}
        () = member.quiet(patience, stalled) => {}
    }
}

/// How a connection ends that does not end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Now,
    InPeace,
    /// In the middle of its requests: it is to take its further ones elsewhere.
    Through,
}

#[cfg(test)]
mod tests {
    use super::streams;

    #[test]
    fn a_connection_in_a_crowd_has_fewer_streams() {
        assert_eq!([0, 1, 16, 32, 100, 4096].map(streams), [100, 100, 100, 50, 16, 8]);
    }
}
