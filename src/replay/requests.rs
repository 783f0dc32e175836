//! Requests that passed on their way to the identity provider, until they are answered and for a while after.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::expiring::{Expiring, key};
use crate::check::Seen;

/// Requests that are remembered; for one more, the oldest is forgotten, and its response is then one whose request was not seen.
const CAPACITY: usize = 1 << 16;
/// Longer than anybody looks at a sign-in page.
const LIFE: SignedDuration = SignedDuration::from_hours(2);

/// The requests.
#[derive(Debug)]
pub struct Requests {
    passed: Mutex<Expiring<bool>>,
    capacity: usize,
}

impl Default for Requests {
    fn default() -> Self {
        Self { passed: Mutex::default(), capacity: CAPACITY }
    }
}

impl Requests {
    /// A request passes.
    pub fn learn(&self, id: &str, now: Timestamp) {
        let mut passed = self.locked();
        passed.expire(now);
        let key = key(&[id]);
        if passed.member(&key).is_none() && passed.len() >= self.capacity {
            passed.forget_first();
        }
        passed.add(key, false, now.saturating_add(LIFE).unwrap_or(Timestamp::MAX));
    }

    /// What is known of a request.
    pub fn seen(&self, id: &str, now: Timestamp) -> Seen {
        let mut passed = self.locked();
        passed.expire(now);
        match passed.member(&key(&[id])) {
            None => Seen::Never,
            Some(false) => Seen::Open,
            Some(true) => Seen::Answered,
        }
    }

    /// The same, and from now on it is answered.
    pub fn answered(&self, id: &str, now: Timestamp) -> Seen {
        let mut passed = self.locked();
        passed.expire(now);
        match passed.member(&key(&[id])).map(|answered| std::mem::replace(answered, true)) {
            None => Seen::Never,
            Some(false) => Seen::Open,
            Some(true) => Seen::Answered,
        }
    }

    fn locked(&self) -> MutexGuard<'_, Expiring<bool>> {
        // whatever panicked did not do so halfway through a change
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_open_then_answered_then_forgotten() {
        let requests = Requests::default();
        let start = Timestamp::from_second(0).unwrap();
        assert_eq!(requests.answered("_1", start), Seen::Never);
        requests.learn("_1", start);
        assert_eq!((requests.seen("_1", start), requests.answered("_1", start)), (Seen::Open, Seen::Open));
        // a page that is loaded again brings the same request, which stays answered
        requests.learn("_1", start);
        assert_eq!(requests.answered("_1", start), Seen::Answered);
        assert_eq!(requests.seen("_1", start.checked_add(LIFE).unwrap()), Seen::Never);
    }

    #[test]
    fn the_oldest_makes_room() {
        let requests = Requests { capacity: 2, ..Requests::default() };
        for (second, id) in ["_1", "_2", "_3"].into_iter().enumerate() {
            requests.learn(id, Timestamp::from_second(i64::try_from(second).unwrap()).unwrap());
        }
        let now = Timestamp::from_second(3).unwrap();
        assert_eq!(["_1", "_2", "_3"].map(|id| requests.seen(id, now)), [Seen::Never, Seen::Open, Seen::Open]);
    }
}
