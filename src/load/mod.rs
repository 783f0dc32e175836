//! Load with ground truth: what is sent when, what must come back for it, what is counted, and what is said of it.
//!
//! Nothing here sends anything: that is the room above.

mod baseline;
mod case;
mod chance;
mod chart;
mod exposition;
mod got;
mod html;
mod latencies;
mod merge;
mod mix;
mod people;
mod plan;
mod recording;
mod report;
mod script;
mod shard;
mod tally;
mod threshold;
mod timeline;

pub use baseline::{Change, Kind, compare, differences};
pub use case::{Case, Expected};
pub use exposition::exposition;
pub use got::{Failure, Got, Received, Relay, Weighed, read, relay, relay_state, token};
pub use html::page;
pub use latencies::{Figures, Latencies, Packed};
pub use merge::MergeError;
pub use mix::{Mix, MixError};
pub use people::{Picker, Spread};
pub use plan::{MOST, Plan, PlanError, Stretch, duration_of};
pub use recording::Recording;
pub use report::{FORMAT, Report, Settings};
pub use script::Script;
pub use shard::Shard;
pub use tally::{Connections, Counts, Differing, HeldUp, RelayCounts, Tally, Through, Totals};
pub use threshold::{Held, Threshold, ThresholdError, Unit};
pub use timeline::{Point, Timeline};
