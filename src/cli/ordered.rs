//! Work on all cores, handed back in order, with a bounded number of results waiting.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Results that may wait for their turn, for each worker.
const WINDOW: usize = 64;

struct State<R> {
    /// The next item that nobody works on.
    next: usize,
    /// The item whose result is handed back next.
    turn: usize,
    /// Results from `turn` on.
    waiting: VecDeque<Option<Result<R, Panicked>>>,
    /// Whether nobody wants any more.
    stopped: bool,
}

/// The work on an item panicked: a fault of this program, which must not cost the other items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Panicked;

/// Works on every item and hands the results back in the order of the items, until `each` breaks.
pub(super) fn each_in_order<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut each: impl FnMut(&T, Result<R, Panicked>) -> ControlFlow<()>,
) {
    let attempt = |item: &T| catch_unwind(AssertUnwindSafe(|| work(item))).map_err(|_| Panicked);
    let workers = thread::available_parallelism().map_or(1, usize::from).min(items.len());
    if workers <= 1 {
        for item in items {
            if each(item, attempt(item)).is_break() {
                return;
            }
        }
        return;
    }
    let state = State { next: 0, turn: 0, waiting: VecDeque::new(), stopped: false };
    let (state, changed) = (Mutex::new(state), Condvar::new());
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    let wait = |guard: MutexGuard<'_, _>| drop(changed.wait(guard).unwrap_or_else(PoisonError::into_inner));
    let worker = || {
        loop {
            let mut guard = lock();
            if guard.stopped {
                return;
            }
            let index = guard.next;
            let Some(item) = items.get(index) else { return };
            if index >= guard.turn + workers * WINDOW {
                wait(guard);
                continue;
            }
            guard.next += 1;
            guard.waiting.push_back(None);
            drop(guard);
            let result = attempt(item);
            let mut guard = lock();
            let place = index - guard.turn;
            if let Some(slot) = guard.waiting.get_mut(place) {
                *slot = Some(result);
            }
            drop(guard);
            changed.notify_all();
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(worker);
        }
        for item in items {
            let result = loop {
                let mut guard = lock();
                if let Some(result) = guard.waiting.front_mut().and_then(Option::take) {
                    guard.waiting.pop_front();
                    guard.turn += 1;
                    break result;
                }
                wait(guard);
            };
            changed.notify_all();
            if each(item, result).is_break() {
                break;
            }
        }
        lock().stopped = true;
        changed.notify_all();
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items_however_long_each_takes() {
        let items: Vec<u64> = (0..2_000).collect();
        let mut seen = Vec::new();
        each_in_order(
            &items,
            |item| {
                if item % 97 == 0 {
                    thread::yield_now();
                }
                item * 2
            },
            |_, result| {
                seen.extend(result.ok());
                ControlFlow::Continue(())
            },
        );
        assert!(seen.iter().copied().eq(items.iter().map(|item| item * 2)));
    }

    #[test]
    fn no_more_than_a_window_is_worked_on_ahead_of_the_reader() {
        let items: Vec<usize> = (0..5_000).collect();
        let done = AtomicUsize::new(0);
        let mut read = 0;
        let bound = WINDOW * thread::available_parallelism().map_or(1, usize::from) + 1;
        each_in_order(
            &items,
            |_| done.fetch_add(1, Ordering::SeqCst),
            |_, _| {
                read += 1;
                assert!(done.load(Ordering::SeqCst) <= read + bound);
                if read == 3_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        assert_eq!(read, 3_000);
    }

    #[test]
    fn a_panic_costs_one_item_alone() {
        let items = [1, 2, 3];
        let mut seen = Vec::new();
        each_in_order(
            &items,
            |item| {
                assert_ne!(*item, 2, "this panic is part of the test");
                *item
            },
            |_, result| {
                seen.push(result);
                ControlFlow::Continue(())
            },
        );
        assert_eq!(seen, [Ok(1), Err(Panicked), Ok(3)]);
    }
}
