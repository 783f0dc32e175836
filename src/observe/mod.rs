//! What the running service tells: one event a happening, which is a log line and its metrics.

mod event;
mod log;
mod metrics;

pub use event::Judged;
pub use log::{LogFormat, LogLevel, install};
pub use metrics::{InFlight, Listener, Metrics, Route, Unjudged, UpstreamFailure, Vocabulary};
