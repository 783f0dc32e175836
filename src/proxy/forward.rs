//! The way to the upstream: one place, connections kept, HTTP/1.1.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Request, Response, Uri, Version};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls_pki_types::ServerName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::body::{Body, RequestBroken};
use super::tls::{self, TlsError};
use super::{Bounds, Upstream};
use crate::observe::UpstreamFailure;

/// Connections that wait for the next request.
const IDLE_CONNECTIONS: usize = 64;
/// Shorter than what servers and balancers keep, so that they do not close under a request.
const IDLE_TIME: Duration = Duration::from_secs(15);
/// Bytes of one connection that wait to be sent or read; the head of an answer must fit.
const BUFFER: usize = 64 * 1024;

/// The one upstream, and the connections to it.
#[derive(Debug, Clone)]
pub(super) struct Forward {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    scheme: Scheme,
    /// Where to connect: requests differ in their `Host` alone.
    authority: Authority,
    answer: Duration,
    /// One permit a request at the upstream.
    room: Arc<Semaphore>,
}

/// An answer of the upstream, with its room among all that are forwarded: to be kept until the body is through.
pub(super) type Answered = (Response<Incoming>, OwnedSemaphorePermit);

impl Forward {
    pub(super) fn new(upstream: &Upstream, bounds: &Bounds) -> Result<Self, UpstreamError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(bounds.connect));
        let name = || UpstreamError::Name(upstream.host.clone());
        let server_name = ServerName::try_from(upstream.host.clone()).map_err(|_| name())?;
        let config = if upstream.tls { tls::client(&upstream.extra_roots)? } else { without_roots()? };
        // HTTP/1.1 alone: the address is then no part of the message, and `Host` goes through as it came
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .with_server_name_resolver(FixedServerNameResolver::new(server_name))
            .enable_http1()
            .wrap_connector(tcp);
        let authority = match upstream.address {
            Some(address) => address.to_string(),
            None => format!("{}:{}", upstream.host, upstream.port),
        };
        Ok(Self {
            client: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_TIME)
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .http1_max_buf_size(BUFFER)
                .build(connector),
            scheme: if upstream.tls { Scheme::HTTPS } else { Scheme::HTTP },
            authority: authority.parse().map_err(|_| name())?,
            answer: bounds.answer,
            room: Arc::new(Semaphore::new(bounds.forwarded)),
        })
    }

    /// Sends a request whose headers are ready, and waits for the head of the answer.
    pub(super) async fn send(&self, mut parts: Parts, body: Body) -> Result<Answered, Failure> {
        let mut target = hyper::http::uri::Parts::default();
        target.scheme = Some(self.scheme.clone());
        target.authority = Some(self.authority.clone());
        target.path_and_query =
            Some(parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
        parts.uri = Uri::from_parts(target).map_err(|error| Failure::broken(error.to_string()))?;
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        let answered = async {
            // a semaphore that nobody closes
            let Ok(room) = Arc::clone(&self.room).acquire_owned().await else { return std::future::pending().await };
            let response = self.client.request(Request::from_parts(parts, body)).await.map_err(|e| Failure::of(&e))?;
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

/// A connector needs a TLS configuration even where none is spoken; this one trusts nobody.
fn without_roots() -> Result<ClientConfig, TlsError> {
    Ok(ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Rustls)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn reason(error: &hyper_util::client::legacy::Error) -> Option<UpstreamFailure> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut timed_out = false;
    while let Some(error) = cause {
        if error.is::<RequestBroken>() {
            return None;
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

/// An error and everything beneath it, in one sentence.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut texts = vec![error.to_string()];
    let mut cause = beneath(error);
    while let Some(error) = cause {
        let text = error.to_string();
        // what wraps an I/O error often repeats it
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        cause = beneath(error);
    }
    texts.join(": ")
}

/// What an error wraps; an I/O error hides it from `source`.
fn beneath<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// Why no upstream can be used.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// A name that nothing can have.
    #[error("expected a host name for the upstream, got `{0}`")]
    Name(String),
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
}
