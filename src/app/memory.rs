//! What is remembered between two messages, with its metrics.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::runtime::Handle;

use super::AppError;
use crate::check::{Memory, Seen, Use};
use crate::observe::Metrics;
use crate::proxy::Bounds;
use crate::replay::{QUESTIONS, Remembered, Settings, SharedStore};
use crate::trust;

/// The memory that the judge asks.
#[derive(Clone)]
pub(super) struct CountedMemory {
    pub(super) remembered: Arc<Remembered>,
    pub(super) shared: Option<Arc<Shared>>,
    pub(super) metrics: Arc<Metrics>,
}

/// What other proxies remember, too. Whoever asks for it waits, and so must not be a thread that moves bytes.
pub(super) struct Shared {
    pub(super) store: SharedStore,
    /// Whether a sign-in is rejected when the store cannot be asked.
    pub(super) closed: bool,
    pub(super) runtime: Handle,
}

impl Shared {
    pub(super) fn new(settings: &Settings) -> Result<Self, AppError> {
        let roots = if SharedStore::is_secure(settings)? { Some(trust::pem(&settings.extra_roots)?) } else { None };
        let store = SharedStore::new(settings, roots.as_deref())?;
        Ok(Self { store, closed: settings.closed, runtime: Handle::current() })
    }
}

/// Bounds for a judge that waits for others: it does so away from the threads that move bytes, and while as many as may wait do wait,
/// each core still has room for one that does not: nobody waits for those who wait.
pub(super) fn waiting(bounds: Bounds) -> Bounds {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Bounds { judged_at_once: 0, judged_a_core: QUESTIONS.div_ceil(cores) + 1, ..bounds }
}

impl Memory for CountedMemory {
    fn assertion(&self, issuer: &str, id: &str, until: Timestamp, now: Timestamp) -> Use {
        let used = self.remembered.assertion(issuer, id, until, now);
        if used == Use::Unknown {
            self.metrics.replay_full();
            tracing::warn!("the memory of used assertions is full: one was not remembered");
        }
        // what was used here needs no other witness
        let Some(shared) = self.shared.as_ref().filter(|_| used != Use::Again) else { return used };
        match shared.runtime.block_on(shared.store.first_use(issuer, id, until, now)) {
            Ok(true) => Use::First,
            Ok(false) => Use::Again,
            Err(error) => {
                self.metrics.replay_store_error();
                tracing::warn!(%error, "an assertion was not asked for");
                if shared.closed { Use::Refused } else { Use::Unasked }
            }
        }
    }

    fn request(&self, id: &str, answered: bool, now: Timestamp) -> Seen {
        self.remembered.request(id, answered, now)
    }
}
