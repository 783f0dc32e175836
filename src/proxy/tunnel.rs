//! A tunnel: one place that was asked for by name, bytes copied blindly, and an end to each.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf, copy_bidirectional_with_sizes};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::crowd::{Open, Present};
use super::ourselves::{Ourselves, is_of_this_machine};
use super::requests::FAREWELL;
use super::service::Proxy;
use super::target::Tunnelled;
use crate::observe::{Direction, Metrics, TunnelFailure, TunnelOpen};

/// Bytes that are copied at once, either way.
const PIECE: usize = 8 * 1024;

/// Names that are asked for at one time: each keeps a thread, and whoever judges needs some as well.
const LOOKUPS: usize = 16;

/// The room that there is for tunnels.
pub(super) struct Tunnels {
    /// One permit a tunnel.
    room: Arc<Semaphore>,
    /// One permit a question, until it is answered, whether or not somebody still waits for that.
    lookups: Arc<Semaphore>,
}

impl Tunnels {
    pub(super) fn new(tunnels: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(tunnels)), lookups: Arc::new(Semaphore::new(LOOKUPS)) }
    }

    fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_owned().ok()
    }

    async fn look_up(&self, (host, port): (&str, u16)) -> Option<Vec<SocketAddr>> {
        let asking = Arc::clone(&self.lookups).acquire_owned().await.ok()?;
        let host = host.to_owned();
        let asked = tokio::spawn(async move {
            let found = tokio::net::lookup_host((host, port)).await;
            drop(asking);
            found.map(Iterator::collect)
        });
        asked.await.ok()?.ok()
    }
}

/// A tunnel that is open on its far side.
pub(super) struct Tunnel {
    far: TcpStream,
    counted: TunnelOpen,
    _room: OwnedSemaphorePermit,
}

/// Opens the far side.
pub(super) async fn open(to: &Tunnelled, proxy: &Proxy) -> Result<Tunnel, TunnelFailure> {
    let metrics = proxy.metrics();
    let opened = async {
        let room = proxy.tunnels().room().ok_or(TunnelFailure::Full)?;
        let patience = proxy.bounds().connect;
        let ours = &proxy.terms().settings.ours;
        let far = tokio::time::timeout(patience, connect(to, proxy.tunnels(), ours, patience)).await;
        Ok((far.unwrap_or(Err(TunnelFailure::Timeout))?, room))
    };
    match opened.await {
        Ok((far, room)) => Ok(Tunnel { far, counted: metrics.tunnel_opens(), _room: room }),
        Err(failure) => {
            metrics.tunnel_failed(failure);
            tracing::warn!(to = to.authority(), reason = failure.as_str(), "no tunnel was opened: {}", hint(failure));
            Err(failure)
        }
    }
}

fn hint(failure: TunnelFailure) -> &'static str {
    match failure {
        TunnelFailure::Forbidden => {
            "the name resolves to this machine or to a neighbour without a router between: write `host:port=address:port` if that is meant"
        }
        TunnelFailure::Full => "too many are open",
        TunnelFailure::Loop => "this program listens there itself",
        TunnelFailure::Resolve => "the name is not known",
        TunnelFailure::Connect => "nobody answers there",
        TunnelFailure::Timeout => "nobody answers there in time",
    }
}

/// Asks for the name once, looks at every address of the answer, and connects to those that it looked at.
async fn connect(
    to: &Tunnelled,
    tunnels: &Tunnels,
    ours: &Ourselves,
    patience: Duration,
) -> Result<TcpStream, TunnelFailure> {
    let addresses: Vec<SocketAddr> = match to.address() {
        // what the operator wrote is meant, be it this machine
        Some(address) => vec![address],
        None => {
            let found = tunnels.look_up(to.place()).await.ok_or(TunnelFailure::Resolve)?;
            // one such address among others is a trick, not a way round
            if found.iter().any(|found| is_forbidden(found.ip())) {
                return Err(TunnelFailure::Forbidden);
            }
            found
        }
    };
    if addresses.iter().any(|address| ours.are_at(*address)) {
        return Err(TunnelFailure::Loop);
    }
    let each = patience / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut failure = TunnelFailure::Resolve;
    for address in addresses {
        failure = match tokio::time::timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // a refusal only costs latency
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(_)) => TunnelFailure::Connect,
            Err(_) => TunnelFailure::Timeout,
        };
    }
    Err(failure)
}

/// Whether a name must not lead there: this machine, and neighbours without a router between. A network of one's own is no
/// secret: identity providers are there.
fn is_forbidden(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let special = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.octets().starts_with(&[0]),
        // addresses that carry one of version 4 inside reach it through a translator
        IpAddr::V6(v6) => {
            let inner = |v4: [u8; 4]| is_forbidden(IpAddr::from(v4));
            v6.is_unicast_link_local()
                || match v6.octets() {
                    [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d]
                    | [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => inner([a, b, c, d]),
                    [0x20, 0x02, a, b, c, d, ..] => inner([a, b, c, d]),
                    _ => false,
                }
        }
    };
    special || address.is_multicast() || is_of_this_machine(address)
}

impl Tunnel {
    /// Copies both ways until both sides have said everything, nothing moves any more, or it was enough.
    pub(super) async fn carry(self, near: Upgraded, proxy: &Proxy, present: Present, mut stop: watch::Receiver<bool>) {
        let bounds = *proxy.bounds();
        let member = Arc::clone(&present.member);
        let Ok(near) = near.downcast::<TokioIo<TcpStream>>() else { return };
        let (mut near, early) = (near.io.into_inner(), near.read_buf);
        let mut far = Counted {
            stream: self.far,
            metrics: Arc::clone(proxy.metrics()),
            open: member.open(),
            left: bounds.tunnel_bytes,
        };
        let copying = async {
            // what came in one breath with the CONNECT
            far.write_all(&early).await?;
            drop(early);
            copy_bidirectional_with_sizes(&mut near, &mut far, PIECE, PIECE).await
        };
        tokio::pin!(copying);
        tokio::select! {
            ended = copying.as_mut() => return told(ended),
            () = member.quiet(bounds.idle, bounds.tunnel_idle) => {
                return tracing::debug!("a tunnel was closed: nothing moved in it");
            }
            _ = stop.wait_for(|stop| *stop) => {}
        }
        // whoever is in the middle of something ends it
        tokio::select! {
            ended = copying => told(ended),
            () = member.quiet(FAREWELL, FAREWELL) => {}
        }
        drop(self.counted);
    }
}

fn told(ended: io::Result<(u64, u64)>) {
    match ended {
        Ok((up, down)) => tracing::debug!(up, down, "a tunnel ended"),
        Err(error) => tracing::debug!(%error, "a tunnel broke"),
    }
}

/// The far side of a tunnel, whose bytes are counted and bounded.
struct Counted {
    stream: TcpStream,
    metrics: Arc<Metrics>,
    open: Open,
    left: u64,
}

impl Counted {
    fn moved(&mut self, direction: Direction, bytes: usize) -> io::Result<()> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.open.moved();
        self.metrics.tunnelled(direction, bytes);
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(io::Error::other("more bytes went through than a tunnel carries")),
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let read = buf.filled().len().saturating_sub(before);
        Poll::Ready(self.moved(Direction::Down, read))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        Poll::Ready(self.moved(Direction::Up, written).map(|()| written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_to_this_machine_or_next_to_it() {
        for address in [
            "127.0.0.1",
            "127.9.8.7",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:169.254.1.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(address.parse().is_ok_and(is_forbidden), "{address}");
        }
        for address in ["203.0.113.7", "192.0.2.1", "2001:db8::1", "64:ff9b::cb00:7107"] {
            assert!(address.parse().is_ok_and(|address| !is_forbidden(address)), "{address}");
        }
    }
}
