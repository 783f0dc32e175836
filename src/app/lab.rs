//! One fake end alone, until SIGTERM or SIGINT.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::AppError;
use super::listeners::bind;
use super::signals::Signals;
use crate::lab::{End, serve};
use crate::proxy::ServerCertificate;

/// Serves a fake end; blocks, on a runtime of its own. `ready` is told where it listens.
///
/// # Errors
/// What keeps it from starting.
pub fn lab(
    address: SocketAddr,
    certificate: Option<ServerCertificate>,
    end: Arc<dyn End>,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), AppError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(AppError::Runtime)?;
    let served = runtime.block_on(async {
        let mut signals = Signals::new().map_err(AppError::Runtime)?;
        let (listener, address) = bind("--listen", address).await?;
        let (stop, stops) = watch::channel(false);
        let serving = tokio::spawn(serve(listener, certificate.map(|certificate| certificate.config()), end, stops));
        ready(address);
        signals.stop().await;
        stop.send_replace(true);
        if let Err(error) = serving.await {
            tracing::error!(%error, "the fake end failed");
        }
        Ok(())
    });
    runtime.shutdown_background();
    served
}
