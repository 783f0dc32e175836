//! Where the upstream is: one address or what a resolver says, never ourselves.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hyper::Uri;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::TokioIo;
use tower_service::Service;

use super::Upstream;
use super::ourselves::Ourselves;
use super::stream::Stream;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Pending<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// How long a DNS server is waited for, each time that it is asked.
const DNS_PATIENCE: Duration = Duration::from_secs(2);

/// The way to the one upstream, whatever host a request names.
#[derive(Clone, Debug)]
pub(super) struct Place(Arc<Known>);

/// What is known of it. The connector is cloned for each request, and hardly ever asked.
#[derive(Debug)]
struct Known {
    tcp: HttpConnector<Names>,
    names: Names,
    target: Uri,
    /// For the name and the connection together.
    patience: Duration,
    ours: Ourselves,
}

impl Place {
    /// The place of an upstream; `ours` is where this proxy listens itself.
    pub(super) fn new(upstream: &Upstream, ours: Ourselves, patience: Duration) -> Result<Self, PlaceError> {
        let names = match upstream.dns {
            Some(server) => Names::asking(server)?,
            None => Names::System(GaiResolver::new()),
        };
        let mut tcp = HttpConnector::new_with_resolver(names.clone());
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(patience));
        Ok(Self(Arc::new(Known { tcp, names, target: target(upstream)?, patience, ours })))
    }

    /// Whether any address of the upstream is this proxy itself, which is no place to forward to.
    ///
    /// An upstream that cannot be found just now is none of that: it is waited for.
    pub(super) async fn loops(&self) -> Option<SocketAddr> {
        let Known { names, target, patience, ours, .. } = &*self.0;
        let (host, port) = (target.host()?.trim_matches(['[', ']']), target.port_u16()?);
        if let Ok(ip) = host.parse() {
            return Some(SocketAddr::new(ip, port)).filter(|address| ours.are_at(*address));
        }
        let resolved = tokio::time::timeout(*patience, names.clone().call(host.parse().ok()?)).await;
        match resolved.map_err(|_| io::Error::from(io::ErrorKind::TimedOut)).flatten() {
            Ok(mut found) => {
                found.find_map(|found| Some(SocketAddr::new(found.ip(), port)).filter(|found| ours.are_at(*found)))
            }
            Err(error) => {
                tracing::warn!(host, %error, "the upstream's name cannot be resolved just now");
                None
            }
        }
    }
}

fn target(upstream: &Upstream) -> Result<Uri, PlaceError> {
    let name = || PlaceError::Name(upstream.host.clone());
    let authority = match upstream.address {
        Some(address) => address.to_string(),
        None if upstream.host.contains(':') => format!("[{}]:{}", upstream.host, upstream.port),
        None => format!("{}:{}", upstream.host, upstream.port),
    };
    let mut parts = hyper::http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(Authority::try_from(authority).map_err(|_| name())?);
    parts.path_and_query = Some(PathAndQuery::from_static("/"));
    Uri::from_parts(parts).map_err(|_| name())
}

impl Service<Uri> for Place {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = Pending<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // neither the connector nor those who know names are ever busy
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let place = Arc::clone(&self.0);
        Box::pin(async move {
            let connecting = place.tcp.clone().call(place.target.clone());
            let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
            let stream = tokio::time::timeout(place.patience, connecting).await.map_err(late)??;
            match stream.inner().peer_addr() {
                Ok(address) if place.ours.are_at(address) => Err(BoxError::from(Loop(address))),
                _ => Ok(TokioIo::new(Stream(stream.into_inner()))),
            }
        })
    }
}

/// Who is asked for the upstream's name.
#[derive(Clone, Debug)]
enum Names {
    /// The machine's own resolver.
    System(GaiResolver),
    /// This server, and never the hosts file: both may point the name at this proxy.
    Server(Arc<TokioResolver>),
}

impl Names {
    fn asking(server: SocketAddr) -> Result<Self, PlaceError> {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        let server = NameServerConfig::new(server.ip(), true, connections.into());
        let config = ResolverConfig::from_name_servers(vec![server]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        builder.options_mut().timeout = DNS_PATIENCE;
        let resolver = builder.build().map_err(|error| PlaceError::Dns(error.to_string()))?;
        Ok(Self::Server(Arc::new(resolver)))
    }
}

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pending<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // both answer at any time
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        match self {
            Self::System(system) => {
                let looking = system.call(name);
                Box::pin(async move { Ok(looking.await?.collect::<Vec<_>>().into_iter()) })
            }
            Self::Server(server) => {
                let server = Arc::clone(server);
                Box::pin(async move {
                    // the dot at the end: no search list is tried
                    let name = format!("{}.", name.as_str().trim_end_matches('.'));
                    let found = server.lookup_ip(name).await.map_err(io::Error::other)?;
                    // the connector puts the port in
                    let addresses: Vec<_> = found.iter().map(|address| SocketAddr::new(address, 0)).collect();
                    Ok(addresses.into_iter())
                })
            }
        }
    }
}

/// The upstream turned out to be this proxy.
#[derive(Debug, thiserror::Error)]
#[error(
    "the upstream is at {0}, where this proxy listens itself: set `upstream.address`, or `upstream.dns` to a server that knows the true address"
)]
pub(super) struct Loop(pub(super) SocketAddr);

/// Why there is no way to the upstream.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceError {
    #[error("expected a host name for the upstream, got `{0}`")]
    Name(String),
    #[error("the DNS server cannot be asked: {0}")]
    Dns(String),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn place(upstream: &str, ours: &str) -> Place {
        let upstream: SocketAddr = upstream.parse().unwrap();
        let (host, port) = ("login.microsoftonline.com".to_owned(), 443);
        let upstream = Upstream {
            tls: false,
            http2: true,
            host,
            port,
            address: Some(upstream),
            dns: None,
            extra_roots: Vec::new(),
        };
        Place::new(&upstream, Ourselves::new(vec![ours.parse().unwrap()]), Duration::from_secs(1)).unwrap()
    }

    #[tokio::test]
    async fn our_own_address_is_known_in_every_spelling() {
        for (upstream, ours, loops) in [
            ("127.0.0.1:8443", "127.0.0.1:8443", true),
            ("[::ffff:127.0.0.1]:8443", "127.0.0.1:8443", true),
            ("127.0.0.1:8443", "0.0.0.0:8443", true),
            ("[::1]:8443", "[::]:8443", true),
            ("127.0.0.1:8444", "127.0.0.1:8443", false),
            ("127.0.0.2:8443", "127.0.0.1:8443", false),
            ("203.0.113.7:8443", "0.0.0.0:8443", false),
        ] {
            assert_eq!(place(upstream, ours).loops().await.is_some(), loops, "{upstream} {ours}");
        }
    }
}
