//! The turns of large bodies: so many are read at one time, and none for long while others wait.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::PollSemaphore;

/// Permits that the largest bodies take.
pub(super) const FOR_HUGE: u32 = 8;
/// How long a turn is while others wait; whoever has more to say then waits for the next one.
const TURN: Duration = Duration::from_secs(2);
/// Bytes that a body brings in its turn. Whoever brings less while others wait is cut off: a few clients that say nothing, or a byte now
/// and then, must not keep out the bodies of everybody else.
const BROUGHT: usize = 16 * 1024;

/// The turns of all connections.
pub(super) struct Uploads {
    permits: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    turn: Duration,
}

impl Uploads {
    /// So many permits; one body of any size comes in at least.
    pub(super) fn new(permits: usize) -> Self {
        Self::of(permits, TURN)
    }

    fn of(permits: usize, turn: Duration) -> Self {
        Self { permits: Arc::new(Semaphore::new(permits.max(FOR_HUGE as usize))), waiting: Arc::default(), turn }
    }

    /// The turns of one more connection.
    pub(super) fn enter(&self) -> Turns {
        let (permits, waiting) = (PollSemaphore::new(Arc::clone(&self.permits)), Arc::clone(&self.waiting));
        Turns { permits, waiting, turn: self.turn, waits: None, held: None }
    }
}

/// The turns of one connection, one after the other.
pub(super) struct Turns {
    permits: PollSemaphore,
    waiting: Arc<AtomicUsize>,
    turn: Duration,
    waits: Option<Waits>,
    held: Option<Held>,
}

/// One that waits is counted.
struct Waits(Arc<AtomicUsize>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A turn that was begun.
struct Held {
    _permits: OwnedSemaphorePermit,
    since: Instant,
    brought: usize,
    /// Wakes at the end of the turn whoever waits for bytes.
    end: Option<Pin<Box<Sleep>>>,
}

impl Turns {
    /// Waits for a turn of so many permits, where there is none and any are needed.
    pub(super) fn poll_turn(&mut self, permits: u32, cx: &mut Context<'_>) -> Poll<()> {
        if permits == 0 || self.held.is_some() {
            return Poll::Ready(());
        }
        let Poll::Ready(permits) = self.permits.poll_acquire_many(cx, permits) else {
            self.waits.get_or_insert_with(|| {
                self.waiting.fetch_add(1, Ordering::AcqRel);
                Waits(Arc::clone(&self.waiting))
            });
            return Poll::Pending;
        };
        self.waits = None;
        self.held = permits.map(|permits| Held { _permits: permits, since: Instant::now(), brought: 0, end: None });
        Poll::Ready(())
    }

    /// Bytes came in. Where the turn has ended and others wait, the rest waits for the next one.
    pub(super) fn came(&mut self, bytes: usize) {
        let Some(held) = &mut self.held else { return };
        held.brought = held.brought.saturating_add(bytes);
        if held.since.elapsed() >= self.turn {
            if self.waiting.load(Ordering::Acquire) > 0 {
                self.held = None;
            } else {
                held.again();
            }
        }
    }

    /// No bytes are there. Ready when the turn has ended, hardly anything came, and others wait: then nothing more is to be read.
    pub(super) fn poll_cut_off(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(held) = &mut self.held else { return Poll::Pending };
        loop {
            let end = held.end.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(held.since + self.turn)));
            ready!(end.as_mut().poll(cx));
            if held.brought < BROUGHT && self.waiting.load(Ordering::Acquire) > 0 {
                return Poll::Ready(());
            }
            held.again();
        }
    }

    /// The body is through.
    pub(super) fn end(&mut self) {
        self.held = None;
    }
}

impl Held {
    /// The turn begins again.
    fn again(&mut self) {
        (self.since, self.brought, self.end) = (Instant::now(), 0, None);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(5);

    async fn begins(turns: &mut Turns, permits: u32) {
        poll_fn(|cx| turns.poll_turn(permits, cx)).await;
    }

    async fn waits(turns: &mut Turns, permits: u32) -> bool {
        poll_fn(|cx| Poll::Ready(turns.poll_turn(permits, cx).is_pending())).await
    }

    async fn cut_off(turns: &mut Turns) {
        poll_fn(|cx| turns.poll_cut_off(cx)).await;
    }

    #[tokio::test]
    async fn the_end_of_one_is_the_turn_of_the_next_in_their_order() {
        let uploads = Uploads::of(0, LONG);
        let [mut one, mut small, mut other, mut third] = [(); 4].map(|()| uploads.enter());
        begins(&mut one, FOR_HUGE).await;
        assert!(!waits(&mut small, 0).await);
        assert!(waits(&mut other, FOR_HUGE).await && waits(&mut third, 1).await);
        one.end();
        begins(&mut other, FOR_HUGE).await;
        assert!(waits(&mut third, 1).await);
        drop(other);
        begins(&mut third, 1).await;
        assert_eq!(uploads.waiting.load(Ordering::Acquire), 0);
    }

    #[tokio::test]
    async fn who_brings_nothing_while_others_wait_is_cut_off() {
        let uploads = Uploads::of(0, SHORT);
        let [mut silent, mut other] = [(); 2].map(|()| uploads.enter());
        begins(&mut silent, FOR_HUGE).await;
        // a byte now and then is nothing
        silent.came(1);
        assert!(tokio::time::timeout(4 * SHORT, cut_off(&mut silent)).await.is_err());
        assert!(waits(&mut other, FOR_HUGE).await);
        cut_off(&mut silent).await;
        drop(silent);
        begins(&mut other, FOR_HUGE).await;
    }

    #[tokio::test]
    async fn who_brings_much_waits_for_another_turn() {
        let uploads = Uploads::of(0, SHORT);
        let [mut busy, mut other] = [(); 2].map(|()| uploads.enter());
        begins(&mut busy, FOR_HUGE).await;
        tokio::time::sleep(SHORT).await;
        busy.came(BROUGHT);
        // nobody waited
        assert!(!waits(&mut busy, FOR_HUGE).await);
        assert!(waits(&mut other, FOR_HUGE).await);
        tokio::time::sleep(SHORT).await;
        busy.came(BROUGHT);
        assert!(waits(&mut busy, FOR_HUGE).await);
        begins(&mut other, FOR_HUGE).await;
        assert!(uploads.waiting.load(Ordering::Acquire) == 1);
        other.end();
        begins(&mut busy, FOR_HUGE).await;
    }
}
