//! Assertions that were used, each until it ends. Where there is no room for one more, that is said, and nothing is forgotten.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::expiring::{Expiring, key};
use crate::check::Use;

/// Assertions that are remembered: at ten minutes each, 1,700 sign-ins a second. Some 80 bytes each.
const CAPACITY: usize = 1 << 20;

/// The store.
#[derive(Debug)]
pub struct ReplayStore {
    used: Mutex<Expiring<()>>,
    capacity: usize,
}

impl Default for ReplayStore {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl ReplayStore {
    /// A store for so many assertions at one time.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { used: Mutex::default(), capacity }
    }

    /// Whether this assertion comes for the first time; remembered `until` then. Of several that ask at one time, one is first.
    pub fn first_use(&self, issuer: &str, id: &str, until: Timestamp, now: Timestamp) -> Use {
        let key = key(&[issuer, id]);
        let mut used = self.locked();
        used.expire(now);
        if used.member(&key).is_some() {
            return Use::Again;
        }
        if used.len() >= self.capacity {
            return Use::Unknown;
        }
        used.add(key, (), until);
        Use::First
    }

    /// Assertions that are remembered now.
    pub fn entries(&self, now: Timestamp) -> usize {
        let mut used = self.locked();
        used.expire(now);
        used.len()
    }

    fn locked(&self) -> MutexGuard<'_, Expiring<()>> {
        // whatever panicked did not do so halfway through a change
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_assertion_is_new_once_until_it_ends() {
        let store = ReplayStore::default();
        assert_eq!(store.first_use("issuer", "_1", at(100), at(0)), Use::First);
        assert_eq!(store.first_use("issuer", "_1", at(500), at(99)), Use::Again);
        assert_eq!(store.first_use("other", "_1", at(100), at(0)), Use::First);
        // neither part runs into the other
        assert_eq!(store.first_use("issue", "r_1", at(100), at(0)), Use::First);
        assert_eq!((store.entries(at(99)), store.entries(at(100))), (3, 0));
        assert_eq!(store.first_use("issuer", "_1", at(200), at(100)), Use::First);
    }

    #[test]
    fn a_full_store_says_so_and_forgets_nobody() {
        let store = ReplayStore::with_capacity(2);
        assert_eq!(store.first_use("i", "_1", at(100), at(0)), Use::First);
        assert_eq!(store.first_use("i", "_2", at(50), at(0)), Use::First);
        assert_eq!(store.first_use("i", "_3", at(100), at(0)), Use::Unknown);
        assert_eq!(store.first_use("i", "_1", at(100), at(0)), Use::Again);
        assert_eq!(store.first_use("i", "_3", at(100), at(50)), Use::First);
    }

    #[test]
    fn of_many_at_one_time_one_is_first() {
        let (store, first) = (ReplayStore::default(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for number in 0..500 {
                        if store.first_use("i", &number.to_string(), at(100), at(0)) == Use::First {
                            first.fetch_add(1, Ordering::AcqRel);
                        }
                    }
                });
            }
        });
        assert_eq!(first.load(Ordering::Acquire), 500);
    }
}
