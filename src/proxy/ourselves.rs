//! Where this program listens itself: no place to forward or to tunnel to.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

/// The listeners of this program.
#[derive(Debug, Clone, Default)]
pub struct Ourselves(Arc<[SocketAddr]>);

impl Ourselves {
    /// Bound at these addresses.
    pub fn new(listeners: Vec<SocketAddr>) -> Self {
        Self(listeners.into())
    }

    /// Whether whoever connects there comes back to us.
    pub(super) fn are_at(&self, address: SocketAddr) -> bool {
        self.0.iter().filter(|ours| ours.port() == address.port()).any(|ours| {
            let (ours, address) = (ours.ip().to_canonical(), address.ip().to_canonical());
            ours == address || ((ours.is_unspecified() || address.is_unspecified()) && is_of_this_machine(address))
        })
    }
}

/// The system lets a socket be bound to its own addresses alone. Nothing is sent.
pub(super) fn is_of_this_machine(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified() || UdpSocket::bind((address, 0)).is_ok()
}
