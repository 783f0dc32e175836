//! The lines that wait for the disk: bounded in number and bytes, never waited for by who puts one in.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Lost;

/// Lines that wait: some seconds of a busy proxy.
const LINES: usize = 8 * 1024;
/// Their bytes; as many may be with the writer. A body of the usual bound is some 1.4 MB in base64.
const BYTES: usize = 8 * 1024 * 1024;

/// A line on its way to the disk.
pub(super) struct Entry {
    pub(super) line: Vec<u8>,
    /// Told when the line is on disk, or cannot be.
    pub(super) written: Option<oneshot::Sender<bool>>,
}

/// Everything that waited.
pub(super) struct Taken {
    pub(super) entries: VecDeque<Entry>,
    /// Nothing more will come.
    pub(super) closed: bool,
    /// Lines that there was no room for since the last time.
    pub(super) overflowed: u64,
}

pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    lost: Lost,
    overflowed: AtomicU64,
}

#[derive(Default)]
struct State {
    entries: VecDeque<Entry>,
    bytes: usize,
    closed: bool,
}

impl Queue {
    pub(super) fn new(lost: Lost) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), lost, overflowed: AtomicU64::new(0) }
    }

    /// Puts a line in, or loses it for want of room.
    pub(super) fn put(&self, entry: Entry) {
        let mut state = self.state();
        let bytes = state.bytes.saturating_add(entry.line.len());
        if state.closed || state.entries.len() >= LINES || bytes > BYTES {
            drop(state);
            self.overflowed.fetch_add(1, Ordering::Relaxed);
            self.lose(1);
            // who waits for it is told by the end of the sender
            return;
        }
        state.bytes = bytes;
        state.entries.push_back(entry);
        drop(state);
        self.filled.notify_one();
    }

    /// Waits a while for lines, and takes all that there are.
    pub(super) fn take(&self, patience: Duration) -> Taken {
        let empty = |state: &mut State| state.entries.is_empty() && !state.closed;
        let waited = self.filled.wait_timeout_while(self.state(), patience, empty);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.bytes = 0;
        Taken {
            entries: std::mem::take(&mut state.entries),
            closed: state.closed,
            overflowed: self.overflowed.swap(0, Ordering::Relaxed),
        }
    }

    /// Counts lines that are lost.
    pub(super) fn lose(&self, lines: u64) {
        (self.lost)(lines);
    }

    pub(super) fn close(&self) {
        self.state().closed = true;
        self.filled.notify_one();
    }

    /// A panic while the lock was held leaves a sound queue behind.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn line(bytes: usize) -> Entry {
        Entry { line: vec![b'x'; bytes], written: None }
    }

    #[test]
    fn what_there_is_no_room_for_is_lost_and_counted() {
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        let queue = Queue::new(Box::new(move |lines| _ = counted.fetch_add(lines, Ordering::Relaxed)));
        (0..9).for_each(|_| queue.put(line(1 << 20)));
        assert_eq!(lost.load(Ordering::Relaxed), 1);
        let taken = queue.take(Duration::ZERO);
        assert_eq!((taken.entries.len(), taken.overflowed, taken.closed), (8, 1, false));

        (0..LINES + 2).for_each(|_| queue.put(line(1)));
        assert_eq!(lost.load(Ordering::Relaxed), 3);
        queue.close();
        queue.put(line(1));
        let taken = queue.take(Duration::MAX);
        assert_eq!((taken.entries.len(), taken.overflowed, taken.closed), (LINES, 3, true));
    }
}
