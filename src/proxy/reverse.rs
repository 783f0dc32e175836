//! The reverse listener: accepts connections, bounds them, and lets them end in peace.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::framing::{TwoLengths, Watched};
use super::service::Proxy;
use super::tls::ServerCertificate;

/// Streams of one HTTP/2 connection at one time: a browser needs few, and each may hold a body.
const STREAMS: u32 = 100;
/// Bytes of all headers of one request; cookies of sign-ins are long.
const HEAD_BYTES: u32 = 64 * 1024;

/// A listener that stands in for the intercepted hosts.
#[derive(Debug)]
pub struct Reverse {
    /// Where connections come in.
    pub listener: TcpListener,
    /// The certificate to show, or none where somebody else ends TLS.
    pub certificate: Option<ServerCertificate>,
    /// What answers.
    pub proxy: Arc<Proxy>,
}

impl Reverse {
    /// Serves until `stop` turns true, then gives what is being answered `grace` to end.
    pub async fn serve(self, mut stop: watch::Receiver<bool>, grace: watch::Receiver<Duration>) {
        let acceptor = self.certificate.as_ref().map(ServerCertificate::acceptor);
        let room = Arc::new(Semaphore::new(self.proxy.bounds().connections));
        let mut connections = JoinSet::new();
        loop {
            let accepted = async {
                let room = Arc::clone(&room).acquire_owned().await;
                (room, self.listener.accept().await)
            };
            let (room, stream) = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                Some(_) = connections.join_next() => continue,
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
            let (proxy, acceptor, stop) = (Arc::clone(&self.proxy), acceptor.clone(), stop.clone());
            connections.spawn(async move {
                connection(stream, acceptor, proxy, stop).await;
                drop(room);
            });
        }
        drop(self.listener);
        let grace = *grace.borrow();
        let all = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!(connections = connections.len(), "connections were cut off: they did not end in time");
        }
    }
}

async fn connection(stream: TcpStream, acceptor: Option<TlsAcceptor>, proxy: Arc<Proxy>, stop: watch::Receiver<bool>) {
    // a refusal only costs latency
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else {
        // without TLS nothing says which HTTP it is: HTTP/1.1 is what balancers speak
        return requests(stream, auto::Builder::new(TokioExecutor::new()).http1_only(), proxy, stop).await;
    };
    let head = proxy.bounds().head;
    let Ok(Ok(stream)) = tokio::time::timeout(head, acceptor.accept(stream)).await else {
        tracing::debug!("a TLS handshake failed");
        return;
    };
    let builder = auto::Builder::new(TokioExecutor::new());
    let builder = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => builder.http2_only(),
        _ => builder.http1_only(),
    };
    requests(stream, builder, proxy, stop).await;
}

/// Answers the requests of one connection.
async fn requests<S>(
    stream: S,
    mut builder: auto::Builder<TokioExecutor>,
    proxy: Arc<Proxy>,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let bounds = *proxy.bounds();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(bounds.head).max_buf_size(HEAD_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES)
        .keep_alive_interval(bounds.idle / 2)
        .keep_alive_timeout(bounds.head);

    let idle = Arc::new(Idle::default());
    let (counted, two_lengths) = (Arc::clone(&idle), TwoLengths::default());
    let stream = Watched::new(stream, builder.is_http1_available(), two_lengths.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let (proxy, busy) = (Arc::clone(&proxy), Busy::new(&counted));
        let two_lengths = two_lengths.seen();
        async move {
            let response = proxy.answer(request, two_lengths).await;
            drop(busy);
            Ok::<_, Infallible>(response)
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let (mut stopping, idle) = (false, idle.longer_than(bounds.idle));
    tokio::pin!(idle);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection broke");
                }
                return;
            }
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = idle.as_mut(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// How many requests of a connection are being answered.
#[derive(Default)]
struct Idle {
    busy: AtomicUsize,
    changed: Notify,
}

impl Idle {
    /// Ends when there was no request for so long.
    async fn longer_than(self: Arc<Self>, time: Duration) {
        loop {
            let changed = self.changed.notified();
            if self.busy.load(Ordering::Acquire) > 0 {
                changed.await;
            } else if tokio::time::timeout(time, changed).await.is_err() {
                return;
            }
        }
    }
}

/// One request being answered.
struct Busy(Arc<Idle>);

impl Busy {
    fn new(idle: &Arc<Idle>) -> Self {
        idle.busy.fetch_add(1, Ordering::AcqRel);
        idle.changed.notify_one();
        Self(Arc::clone(idle))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_one();
    }
}
