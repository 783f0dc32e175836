//! The budget of all bodies that are held: it grows when a reload asks for more, and never shrinks.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// One permit a byte.
pub(super) struct Budget {
    permits: Arc<Semaphore>,
    bytes: Mutex<usize>,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let bytes = bytes.min(Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(bytes)), bytes: Mutex::new(bytes) }
    }

    pub(super) fn permits(&self) -> &Arc<Semaphore> {
        &self.permits
    }

    /// Grows to so many bytes, if it has fewer.
    pub(super) fn at_least(&self, bytes: usize) {
        let mut known = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = bytes.min(Semaphore::MAX_PERMITS);
        self.permits.add_permits(bytes.saturating_sub(*known));
        *known = bytes.max(*known);
    }
}
