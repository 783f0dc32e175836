//! The reverse listener: accepts connections, bounds them, and lets them end in peace.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::crowd::{Crowd, Present};
use super::framing::{TwoLengths, Watched};
use super::service::Proxy;

/// Streams of one HTTP/2 connection at one time: a browser needs few, and each may hold a body.
const STREAMS: u32 = 100;
/// Bytes of all headers of one request; cookies of sign-ins are long.
const HEAD_BYTES: u32 = 64 * 1024;
/// Bytes of one HTTP/2 body that may come before they are asked for; twice that for all bodies of a connection.
const WINDOW: u32 = 256 * 1024;
/// Bytes of one HTTP/2 answer that wait for a client that does not take them.
const SEND_BYTES: usize = 64 * 1024;
/// For a client to close a connection that has ended.
const FAREWELL: Duration = Duration::from_secs(1);

/// A listener that stands in for the intercepted hosts.
#[derive(Debug)]
pub struct Reverse {
    /// Where connections come in.
    pub listener: TcpListener,
    /// Whether TLS is spoken, or ended by somebody else.
    pub tls: bool,
    /// What answers.
    pub proxy: Arc<Proxy>,
}

impl Reverse {
    /// Serves until `stop` turns true, then gives what is being answered `grace` to end.
    pub async fn serve(self, mut stop: watch::Receiver<bool>, grace: watch::Receiver<Duration>) {
        let crowd = Crowd::new(self.proxy.bounds().connections);
        let mut connections = JoinSet::new();
        loop {
            let accepted = async {
                let room = crowd.room().await;
                (room, self.listener.accept().await)
            };
            let (room, stream) = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                Some(ended) = connections.join_next() => {
                    if ended.is_err_and(|error| error.is_panic()) {
                        self.proxy.panicked();
                    }
                    continue;
                }
                accepted = accepted => accepted,
            };
            let stream = match stream {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // out of descriptors, most likely: asking again at once would burn a core
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            let present = crowd.enter(room);
            connections.spawn(connection(stream, self.tls, Arc::clone(&self.proxy), present, stop.clone()));
        }
        drop(self.listener);
        let grace = *grace.borrow();
        let all = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!(connections = connections.len(), "connections were cut off: they did not end in time");
        }
    }
}

/// One connection, from its first byte to its last.
async fn connection(
    stream: TcpStream,
    tls: bool,
    proxy: Arc<Proxy>,
    present: Present,
    mut stop: watch::Receiver<bool>,
) {
    // a refusal only costs latency
    let _ = stream.set_nodelay(true);
    if !tls {
        // without TLS nothing says which HTTP it is: HTTP/1.1 is what balancers speak
        return requests(stream, auto::Builder::new(TokioExecutor::new()).http1_only(), proxy, present, stop).await;
    }
    // that of this moment: a reload changes it for connections to come
    let Some(acceptor) = proxy.acceptor() else { return };
    let head = proxy.bounds().head;
    let stream = tokio::select! {
        stream = tokio::time::timeout(head, acceptor.accept(stream)) => stream,
        () = present.member.asked_to_leave() => return,
        // nothing was asked yet
        _ = stop.wait_for(|stop| *stop) => return,
    };
    let Ok(Ok(stream)) = stream else {
        tracing::debug!("a TLS handshake failed");
        return;
    };
    let builder = auto::Builder::new(TokioExecutor::new());
    let builder = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => builder.http2_only(),
        _ => builder.http1_only(),
    };
    requests(stream, builder, proxy, present, stop).await;
}

/// Answers the requests of one connection.
async fn requests<S>(
    stream: S,
    mut builder: auto::Builder<TokioExecutor>,
    proxy: Arc<Proxy>,
    present: Present,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let bounds = *proxy.bounds();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_buf_size(HEAD_BYTES as usize)
        // who has said everything may stop speaking, and still wants to hear
        .half_close(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW * 2)
        .max_send_buf_size(SEND_BYTES)
        .keep_alive_interval(bounds.idle / 2)
        .keep_alive_timeout(bounds.head);

    let member = Arc::clone(&present.member);
    let two_lengths = TwoLengths::default();
    let stream = Watched::new(stream, builder.is_http1_available(), two_lengths.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let (proxy, open) = (Arc::clone(&proxy), member.open());
        let two_lengths = two_lengths.seen();
        async move {
            let response = proxy.answer(request, two_lengths).await;
            Ok::<_, Infallible>(response.map(|body| open.until_through(body)))
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke");
            }
            return;
        }
        () = present.member.asked_to_leave() => return,
        () = present.member.quiet(bounds.idle, bounds.stalled) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    // what is being answered ends; whoever then says nothing, not even good-bye, is cut off
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        // there is nobody left to tell
        _ = connection => {}
        () = present.member.quiet(FAREWELL, bounds.stalled) => {}
    }
}
