//! Locks on values that are never written in two steps.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The value behind the lock. A panic while it was held leaves a sound one behind.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
