//! The admin listener: metrics, health, the last verdicts and what to do, for this machine alone unless told otherwise.

mod guard;
mod pac;
mod page;
mod routes;
mod runbook;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::door;
use crate::observe::{Metrics, Recent};
use guard::Ends;

/// Connections at one time.
const CONNECTIONS: usize = 64;
/// For the head of a request, and the wait for it.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// For one connection: whoever does not read what was asked for must not keep its place.
const LIFE: Duration = Duration::from_secs(600);

/// What is shown, and the clock by which it is.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Metrics, readiness and what is in force.
    pub metrics: Arc<Metrics>,
    /// The last verdicts.
    pub recent: Arc<Recent>,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// The explicit proxy, where there is one.
    pub explicit: Option<Explicit>,
}

/// The explicit proxy, for browsers that ask where it is.
#[derive(Clone)]
pub struct Explicit {
    /// Where it listens.
    pub address: SocketAddr,
    /// What goes there, as `host:port`, at this moment.
    pub targets: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
}

impl std::fmt::Debug for Explicit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Explicit({})", self.address)
    }
}

/// Serves until `stop` turns true.
pub async fn serve(listener: TcpListener, shown: Shown, stop: watch::Receiver<bool>) {
    door::serve(listener, CONNECTIONS, stop, |stream| connection(stream, shown.clone())).await;
}

async fn connection(stream: TcpStream, shown: Shown) {
    // a connection that is gone already
    let (Ok(bound), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else { return };
    let ends = Ends { own: bound.ip().to_canonical(), peer: peer.ip().to_canonical() };
    let service = service_fn(move |request: Request<Incoming>| {
        let shown = shown.clone();
        async move { Ok::<_, Infallible>(routes::answer(request, ends, &shown).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service);
    // what breaks here is the connection of somebody who looks on
    let _ = tokio::time::timeout(LIFE, connection).await;
}
