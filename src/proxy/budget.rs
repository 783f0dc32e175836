//! The room for all bodies that are held: three quarters of it are for the small ones alone.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that each body takes beside its own, for all that is held with it.
const EACH: usize = 1024;
/// Bytes of a small body: sign-ins have some 10 kB, and with many groups twice as much.
const SMALL: u64 = 32 * 1024;

/// One permit a byte.
pub(super) struct Budget {
    all: Arc<Semaphore>,
    /// What bodies that are not known to be small may take of it: whoever floods us with large ones must not keep out the
    /// sign-ins of everybody else.
    large: Arc<Semaphore>,
    /// How much room there is in either, taken or not.
    sizes: Mutex<[usize; 2]>,
}

impl Budget {
    /// So many bytes; two bodies of the largest size find room among the large ones, if there is so much.
    pub(super) fn new(bytes: usize, body_bytes: usize) -> Self {
        let bytes = bytes.min(Semaphore::MAX_PERMITS);
        let large = (bytes / 4).max(2 * body_bytes.saturating_add(EACH)).min(bytes);
        let sizes = Mutex::new([bytes, large]);
        Self { all: Arc::new(Semaphore::new(bytes)), large: Arc::new(Semaphore::new(large)), sizes }
    }

    /// Grows to so many bytes in either, where there are fewer: a reload may ask for larger bodies. It never shrinks.
    pub(super) fn at_least(&self, bytes: usize) {
        let bytes = bytes.min(Semaphore::MAX_PERMITS);
        // a panic while the lock was held leaves two numbers behind, and both are sound
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        for (room, size) in [&self.all, &self.large].into_iter().zip(sizes.iter_mut()) {
            room.add_permits(bytes.saturating_sub(*size));
            *size = bytes.max(*size);
        }
    }

    /// Room for a body that has at most so many bytes, none of which are there yet. There must be room for all of them at this moment, and
    /// is taken as they come: who says much and brings nothing keeps nobody out. A body of unknown length may be large: browsers say
    /// how long a form is.
    pub(super) fn room(&self, at_most: Option<u64>) -> Option<Room> {
        let is_large = at_most.is_none_or(|length| length > SMALL);
        let least = if is_large { &self.large } else { &self.all };
        if at_most.is_some_and(|length| length > least.available_permits() as u64) {
            return None;
        }
        let large = if is_large { Some(take(&self.large, EACH)?) } else { None };
        Some(Room { all: take(&self.all, EACH)?, large })
    }
}

/// The room that a body takes.
pub(super) struct Room {
    all: OwnedSemaphorePermit,
    large: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Takes more room, if there is any.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        if let Some(large) = &mut self.large {
            let Some(more) = take(large.semaphore(), bytes) else { return false };
            large.merge(more);
        }
        let Some(more) = take(self.all.semaphore(), bytes) else { return false };
        self.all.merge(more);
        true
    }
}

fn take(room: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    Arc::clone(room).try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_leave_three_quarters_to_the_small_ones() {
        let budget = Budget::new(800 * 1024, 100 * 1024);
        let mut held = Vec::new();
        while let Some(mut room) = budget.room(None).filter(|_| held.len() < 100) {
            if !room.grow(99 * 1024) {
                break;
            }
            held.push(room);
        }
        assert_eq!(held.len(), 2);
        let mut small: Vec<Room> = (0..18).map(|_| budget.room(Some(SMALL)).unwrap()).collect();
        assert!(small.iter_mut().all(|room| room.grow(31 * 1024)));
        assert!(budget.room(Some(SMALL + 1)).is_none_or(|mut room| !room.grow(32 * 1024)));
        // the small ones have no more than all
        assert!(budget.room(Some(SMALL)).is_none());
        assert!(!budget.room(Some(1024)).unwrap().grow(64 * 1024));
        held.pop();
        assert!(budget.room(None).unwrap().grow(99 * 1024));
    }

    #[test]
    fn two_bodies_of_the_largest_size_have_room() {
        let budget = Budget::new(302 * 1024, 100 * 1024);
        let mut held = [0, 1].map(|_| budget.room(Some(100 * 1024)).unwrap());
        assert!(held.iter_mut().all(|room| room.grow(100 * 1024)));
        assert!(budget.room(None).is_none());
        assert!(Budget::new(164 * 1024, 100 * 1024).room(None).unwrap().grow(100 * 1024));
    }
}
