//! The way to the upstream: one place, connections kept, HTTP/1.1 or 2.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Request, Response, Uri, Version};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls_pki_types::ServerName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::body::{Body, RequestBroken};
use super::ourselves::Ourselves;
use super::place::{Loop, Place, PlaceError};
use super::tls::TlsError;
use super::{Bounds, Upstream};
use crate::cause::{beneath, chain};
use crate::observe::UpstreamFailure;
use crate::trust;

/// Connections that wait for the next request.
const IDLE_CONNECTIONS: usize = 64;
/// Shorter than what servers and balancers keep, so that they do not close under a request.
const IDLE_TIME: Duration = Duration::from_secs(15);
/// Bytes of one connection that wait to be sent or read; the head of an answer must fit.
const BUFFER: usize = 64 * 1024;
/// How often a connection that carries requests by HTTP/2 is asked whether it still lives.
const HTTP2_PING: Duration = Duration::from_secs(20);

/// The one upstream, and the connections to it.
#[derive(Debug, Clone)]
pub(super) struct Forward {
    client: Client<HttpsConnector<Place>, Body>,
    scheme: Scheme,
    place: Place,
    answer: Duration,
    /// One permit a request at the upstream.
    room: Arc<Semaphore>,
}

/// An answer of the upstream, with its room among all that are forwarded: to be kept until the body is through.
pub(super) type Answered = (Response<Incoming>, OwnedSemaphorePermit);

impl Forward {
    /// The way to an upstream; `ours` is where this proxy listens itself.
    pub(super) fn new(upstream: &Upstream, ours: Ourselves, bounds: &Bounds) -> Result<Self, UpstreamError> {
        let place = Place::new(upstream, ours, bounds.connect)?;
        let server_name = ServerName::try_from(upstream.host.clone());
        let server_name = server_name.map_err(|_| PlaceError::Name(upstream.host.clone()))?;
        let config = if upstream.tls { trust::client(&upstream.extra_roots) } else { trust::nobody() };
        let config = config.map_err(TlsError::Trust)?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .with_server_name_resolver(FixedServerNameResolver::new(server_name))
            .enable_http1();
        // without TLS nothing tells whether the other side speaks HTTP/2
        let connector = match upstream.tls && upstream.http2 {
            true => connector.enable_http2().wrap_connector(place.clone()),
            false => connector.wrap_connector(place.clone()),
        };
        Ok(Self {
            client: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_TIME)
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .http1_max_buf_size(BUFFER)
                .timer(TokioTimer::new())
                .http2_keep_alive_interval(HTTP2_PING)
                .http2_adaptive_window(true)
                .build(connector),
            scheme: if upstream.tls { Scheme::HTTPS } else { Scheme::HTTP },
            place,
            answer: bounds.answer,
            room: Arc::new(Semaphore::new(bounds.forwarded)),
        })
    }

    /// Whether requests would come back to us.
    ///
    /// # Errors
    /// The address at which they would.
    pub(super) async fn leads_elsewhere(&self) -> Result<(), UpstreamError> {
        self.place.loops().await.map_or(Ok(()), |address| Err(UpstreamError::Loop(Loop(address).to_string())))
    }

    /// Sends a request whose headers are ready to this host, and waits for the head of the answer.
    pub(super) fn send(
        &self,
        parts: Parts,
        host: Authority,
        body: Body,
    ) -> impl Future<Output = Result<Answered, Failure>> {
        // on the heap: it may wait for its place, and a future holds whatever it is given twice
        let request = self.request(parts, host, body).map(Box::new);
        async move {
            let request = request?;
            let answered = async {
                let room = Arc::clone(&self.room).acquire_owned();
                // a semaphore that nobody closes
                let Ok(room) = room.await else { return std::future::pending().await };
                let response = self.client.request(*request).await.map_err(|error| Failure::of(&error))?;
                if response.status().is_informational() {
                    return Err(Failure::broken(format!(
                        "the upstream went over to another protocol: {}",
                        response.status()
                    )));
                }
                Ok((response, room))
            };
            let late = || Failure {
                reason: Some(UpstreamFailure::Timeout),
                error: format!("no answer within {} s", self.answer.as_secs()),
            };
            tokio::time::timeout(self.answer, answered).await.unwrap_or_else(|_| Err(late()))
        }
    }

    fn request(&self, mut parts: Parts, host: Authority, body: Body) -> Result<Request<Body>, Failure> {
        let mut target = hyper::http::uri::Parts::default();
        target.scheme = Some(self.scheme.clone());
        // the connector knows the way: the name is for HTTP/2, where it is part of the message
        target.authority = Some(host);
        target.path_and_query =
            Some(parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
        parts.uri = Uri::from_parts(target).map_err(|error| Failure::broken(error.to_string()))?;
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        Ok(Request::from_parts(parts, body))
    }
}

/// Why there is no answer.
pub(super) struct Failure {
    /// For the metrics; none when the client is at fault.
    pub(super) reason: Option<UpstreamFailure>,
    /// For the operator.
    pub(super) error: String,
}

impl Failure {
    fn broken(error: String) -> Self {
        Self { reason: Some(UpstreamFailure::Broken), error }
    }

    fn of(error: &hyper_util::client::legacy::Error) -> Self {
        Self { reason: reason(error), error: chain(error) }
    }
}

fn reason(error: &hyper_util::client::legacy::Error) -> Option<UpstreamFailure> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut timed_out = false;
    while let Some(error) = cause {
        if error.is::<RequestBroken>() {
            return None;
        }
        if error.is::<Loop>() {
            return Some(UpstreamFailure::Loop);
        }
        if error.is::<rustls::Error>() {
            return Some(UpstreamFailure::Tls);
        }
        timed_out |=
            error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut);
        cause = beneath(error);
    }
    Some(match (timed_out, error.is_connect()) {
        (true, _) => UpstreamFailure::Timeout,
        (false, true) => UpstreamFailure::Connect,
        (false, false) => UpstreamFailure::Broken,
    })
}

/// Why no upstream can be used.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// A name that nothing can have, or a DNS server that cannot be asked.
    #[error("{0}")]
    Place(String),
    /// It is this proxy itself.
    #[error("{0}")]
    Loop(String),
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl From<PlaceError> for UpstreamError {
    fn from(error: PlaceError) -> Self {
        Self::Place(error.to_string())
    }
}
