//! What the running service tells: one event a happening, which is a log line and its metrics.

mod event;
mod label;
mod log;
mod metrics;
mod predictions;
mod stderr;

pub use event::{Answered, Judged};
pub use label::{Listener, Route, Unjudged, UpstreamFailure};
pub use log::{LogFormat, LogLevel, install};
pub use metrics::{InFlight, Metrics, Vocabulary};
pub use stderr::flush;
