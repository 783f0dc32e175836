//! The sockets that the service listens on, bound before anything else is begun.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::AppError;
use crate::config::Listen;
use crate::proxy::Ourselves;

/// Where the listeners of a service are bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// As the intercepted hosts.
    pub reverse: Option<SocketAddr>,
    /// As an explicit proxy.
    pub connect: Option<SocketAddr>,
    /// For metrics and health.
    pub admin: SocketAddr,
}

/// The sockets themselves.
pub(super) struct Listeners {
    pub(super) reverse: Option<TcpListener>,
    pub(super) connect: Option<TcpListener>,
    pub(super) admin: TcpListener,
    pub(super) addresses: Bound,
}

impl Listeners {
    pub(super) async fn bind(listen: &Listen) -> Result<Self, AppError> {
        let (reverse, at_reverse) = maybe("listen.reverse", listen.reverse).await?;
        let (connect, at_connect) = maybe("listen.connect", listen.connect).await?;
        let (admin, at_admin) = bind("listen.admin", listen.admin).await?;
        let addresses = Bound { reverse: at_reverse, connect: at_connect, admin: at_admin };
        Ok(Self { reverse, connect, admin, addresses })
    }

    /// Where nothing is forwarded or tunnelled to.
    pub(super) fn ours(&self) -> Ourselves {
        let Bound { reverse, connect, admin } = self.addresses;
        Ourselves::new(reverse.into_iter().chain(connect).chain([admin]).collect())
    }
}

async fn maybe(
    key: &'static str,
    address: Option<SocketAddr>,
) -> Result<(Option<TcpListener>, Option<SocketAddr>), AppError> {
    let Some(address) = address else { return Ok((None, None)) };
    let (listener, bound) = bind(key, address).await?;
    Ok((Some(listener), Some(bound)))
}

/// Binds one, and says where it is.
pub(super) async fn bind(key: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), AppError> {
    let failed = |source| AppError::Bind { key, address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}
