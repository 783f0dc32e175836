//! Why the service does not start.

use std::net::SocketAddr;

use crate::capture::CaptureError;
use crate::config::ConfigError;
use crate::proxy::UpstreamError;
use crate::replay::SharedError;
use crate::trust::TrustError;

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// `serve` needs more than `verify` does.
    #[error("`serve` needs more than this configuration says:\n{}", .0.iter().map(|key| format!("  {key}")).collect::<Vec<_>>().join("\n"))]
    Missing(Vec<&'static str>),
    /// An address that cannot be had.
    #[error("`{key}`: {address} cannot be listened on: {source}")]
    Bind {
        /// The key that names it.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The capture cannot be written.
    #[error("`capture.file`: {0}")]
    Capture(#[from] CaptureError),
    /// The store that proxies share cannot be used.
    #[error("`replay.store`: {0}")]
    Replay(#[from] SharedError),
    /// Nobody vouches for the store that proxies share.
    #[error("`replay.store`: {0}")]
    ReplayTrust(#[from] TrustError),
    /// The upstream cannot be used.
    #[error("`upstream`: {0}")]
    Upstream(#[from] UpstreamError),
    /// The metrics cannot be made.
    #[error("the metrics cannot be made: {0}")]
    Metrics(prometheus::Error),
    /// The system refuses threads or signals.
    #[error("the runtime cannot be made: {0}")]
    Runtime(std::io::Error),
}
