//! What the running service tells: one event a happening, which is a log line and its metrics.

mod event;
mod family;
mod federations;
mod json;
mod label;
mod log;
mod metrics;
mod predictions;
mod recent;
mod requests;
mod setup;
mod signers;
mod sources;
mod stderr;

pub use event::{Answered, Judged};
pub use label::{Direction, Listener, Reload, Role, Route, Source, TunnelFailure, Unjudged, UpstreamFailure};
pub use log::{LogFormat, LogLevel, install, level, set_level};
pub use metrics::{Metrics, Vocabulary};
pub use recent::{Recent, RecentCheck, RecentVerdict};
pub use requests::{InFlight, TunnelOpen};
pub use setup::{KnownCertificate, KnownFederation, Setup};
pub use sources::Failing;
pub use stderr::flush;
