//! Traces: spans of a request, of its verdict and of the upstream, for a collector of OpenTelemetry.
//!
//! Without the feature `otlp` all of this is empty, and costs nothing. With it, nothing is traced unless the environment names an
//! endpoint. A span bears no query, no path that was not configured, no body, and nothing about a person.

#[cfg(feature = "otlp")]
mod context;
#[cfg(feature = "otlp")]
mod export;
#[cfg(not(feature = "otlp"))]
mod nothing;
#[cfg(feature = "otlp")]
mod spans;

#[cfg(feature = "otlp")]
pub use export::{Traces, begin};
#[cfg(not(feature = "otlp"))]
pub use nothing::{JudgeSpan, RequestSpan, Traces, UpstreamSpan, Within, begin};
#[cfg(feature = "otlp")]
pub use spans::{JudgeSpan, RequestSpan, UpstreamSpan, Within};
