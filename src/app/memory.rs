//! What is remembered between two messages, with its metrics.

use std::sync::Arc;

use jiff::Timestamp;

use crate::check::{Memory, Seen, Use};
use crate::observe::Metrics;
use crate::replay::Remembered;

/// The memory that the judge asks.
#[derive(Clone)]
pub(super) struct CountedMemory {
    pub(super) remembered: Arc<Remembered>,
    pub(super) metrics: Arc<Metrics>,
}

impl Memory for CountedMemory {
    fn assertion(&self, issuer: &str, id: &str, until: Timestamp, now: Timestamp) -> Use {
        let used = self.remembered.assertion(issuer, id, until, now);
        if used == Use::Unknown {
            self.metrics.replay_full();
            tracing::warn!("the memory of used assertions is full: one was not remembered");
        }
        used
    }

    fn request(&self, id: &str, answered: bool, now: Timestamp) -> Seen {
        self.remembered.request(id, answered, now)
    }
}
