//! The turns of bodies: so many are read at one time, and none for long while others wait.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Sleep;

use super::permits::{Line, Permits, Pool};

/// Bytes of a small body: sign-ins have some 10 kB.
pub(super) const SMALL: u64 = 16 * 1024;
/// Bytes of the largest body that takes one permit to be read; a larger one, and one of unknown length, takes [`FOR_HUGE`]. Browsers say
/// how long a form is.
pub(super) const LARGE: u64 = 64 * 1024;
/// Permits that the largest bodies take.
pub(super) const FOR_HUGE: u32 = 8;
/// How long a turn is while others wait; whoever has more to say then waits for the next one.
const TURN: Duration = Duration::from_secs(2);
/// Bytes that a large body brings in its turn. Whoever brings less while others wait is cut off: a few clients that say nothing, or a byte
/// now and then, must not keep out the bodies of everybody else. Of a small one a byte is enough: it has hardly more.
const BROUGHT: usize = 16 * 1024;
/// Turns that one takes for whom nobody reads: its own other side is slow, or it takes no answers. Who is read ends its turn itself.
const OVERDUE: u32 = 2;

/// What it takes to read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needs {
    Nothing,
    /// A turn among the small bodies: large ones keep no sign-in waiting.
    Small,
    /// So many permits of the large ones.
    Large(u32),
}

/// How a turn ends in which nothing more is at hand, while others wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// Hardly anything came: nothing more is to be read.
    CutOff,
    /// The rest waits for the next turn.
    PassOn,
}

/// The turns of all connections.
pub(super) struct Uploads {
    small: Arc<Pool>,
    large: Arc<Pool>,
    turn: Duration,
}

impl Uploads {
    /// So many small bodies, and so many permits of large ones; one of any size comes in at least.
    pub(super) fn new(small: usize, large: usize) -> Self {
        Self::of(small, large, TURN)
    }

    /// The same with turns that are not as long as those of the proxy.
    pub(super) fn of(small: usize, large: usize, turn: Duration) -> Self {
        let pool = |permits| Arc::new(Pool::new(permits, turn * OVERDUE));
        Self { small: pool(small.max(1)), large: pool(large.max(FOR_HUGE as usize)), turn }
    }

    /// The turns of one more connection.
    pub(super) fn enter(&self) -> Turns {
        Turns { small: Line::new(&self.small), large: Line::new(&self.large), turn: self.turn, held: None }
    }
}

/// The turns of one connection, one after the other.
pub(super) struct Turns {
    small: Line,
    large: Line,
    turn: Duration,
    held: Option<Held>,
}

/// A turn that was begun.
struct Held {
    permits: Permits,
    of: Needs,
    brought: usize,
    /// Wakes at the end of the turn whoever waits for bytes.
    end: Option<Pin<Box<Sleep>>>,
}

impl Turns {
    /// Waits for the turn that it takes to read on, where this is not it.
    pub(super) fn poll_turn(&mut self, needs: Needs, cx: &mut Context<'_>) -> Poll<()> {
        let (is_small, permits) = match needs {
            Needs::Nothing => return Poll::Ready(()),
            Needs::Small => (true, 1),
            Needs::Large(permits) => (false, permits),
        };
        if self.held.as_ref().is_some_and(|held| held.of >= needs && held.permits.are_there()) {
            return Poll::Ready(());
        }
        self.held = None;
        let (line, other) =
            if is_small { (&mut self.small, &mut self.large) } else { (&mut self.large, &mut self.small) };
        other.leave();
        let permits = ready!(line.poll(permits, cx));
        self.held = permits.map(|permits| Held { permits, of: needs, brought: 0, end: None });
        Poll::Ready(())
    }

    /// Bytes came in. Where the turn has ended and others wait, the rest waits for the next one.
    pub(super) fn came(&mut self, bytes: usize) {
        let Some(held) = &mut self.held else { return };
        held.brought = held.brought.saturating_add(bytes);
        if held.permits.since().elapsed() >= self.turn {
            if held.permits.others_wait() {
                self.held = None;
            } else {
                held.again();
            }
        }
    }

    /// No bytes are there. Ready when the turn has ended, and others wait.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Ends> {
        let Some(held) = &mut self.held else { return Poll::Pending };
        loop {
            let since = held.permits.since();
            let end = held.end.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(since + self.turn)));
            ready!(end.as_mut().poll(cx));
            if held.permits.others_wait() {
                let least = if held.of == Needs::Small { 1 } else { BROUGHT };
                let ends = if held.brought < least { Ends::CutOff } else { Ends::PassOn };
                self.end();
                return Poll::Ready(ends);
            }
            held.again();
        }
    }

    /// Nothing more is to come. Says whether a turn ends by it.
    pub(super) fn end(&mut self) -> bool {
        self.leave();
        self.held.take().is_some()
    }

    /// Waits for no turn any more.
    pub(super) fn leave(&mut self) {
        self.small.leave();
        self.large.leave();
    }
}

impl Held {
    /// The turn begins again.
    fn again(&mut self) {
        self.permits.renew();
        (self.brought, self.end) = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(5);
    const ONE: Needs = Needs::Large(1);
    const HUGE: Needs = Needs::Large(FOR_HUGE);

    async fn begins(turns: &mut Turns, needs: Needs) {
        poll_fn(|cx| turns.poll_turn(needs, cx)).await;
    }

    async fn waits(turns: &mut Turns, needs: Needs) -> bool {
        poll_fn(|cx| Poll::Ready(turns.poll_turn(needs, cx).is_pending())).await
    }

    async fn ends(turns: &mut Turns) -> Ends {
        poll_fn(|cx| turns.poll_end(cx)).await
    }

    #[tokio::test]
    async fn the_end_of_one_is_the_turn_of_the_next_in_their_order() {
        let uploads = Uploads::of(0, 0, LONG);
        let [mut one, mut small, mut other, mut third] = [(); 4].map(|()| uploads.enter());
        begins(&mut one, HUGE).await;
        assert!(!waits(&mut small, Needs::Nothing).await);
        assert!(waits(&mut other, HUGE).await && waits(&mut third, ONE).await);
        one.end();
        begins(&mut other, HUGE).await;
        assert!(waits(&mut third, ONE).await);
        drop(other);
        begins(&mut third, ONE).await;
        assert!(!uploads.large.others_wait());
    }

    #[tokio::test]
    async fn who_brings_nothing_while_others_wait_is_cut_off() {
        let uploads = Uploads::of(0, 0, SHORT);
        let [mut silent, mut other] = [(); 2].map(|()| uploads.enter());
        begins(&mut silent, HUGE).await;
        // a byte now and then is nothing
        silent.came(1);
        assert!(tokio::time::timeout(4 * SHORT, ends(&mut silent)).await.is_err());
        assert!(waits(&mut other, HUGE).await);
        silent.came(1);
        assert_eq!(ends(&mut silent).await, Ends::CutOff);
        begins(&mut other, HUGE).await;
    }

    #[tokio::test]
    async fn who_brings_much_waits_for_another_turn() {
        let uploads = Uploads::of(0, 0, SHORT);
        let [mut busy, mut other] = [(); 2].map(|()| uploads.enter());
        begins(&mut busy, HUGE).await;
        tokio::time::sleep(SHORT).await;
        busy.came(BROUGHT);
        // nobody waited
        assert!(!waits(&mut busy, HUGE).await);
        assert!(waits(&mut other, HUGE).await);
        tokio::time::sleep(SHORT).await;
        busy.came(BROUGHT);
        assert!(waits(&mut busy, HUGE).await);
        begins(&mut other, HUGE).await;
        assert!(uploads.large.others_wait());
        other.end();
        begins(&mut busy, HUGE).await;
        // and so where nothing is at hand at the end of it
        busy.came(BROUGHT);
        assert!(waits(&mut other, HUGE).await);
        assert_eq!(ends(&mut busy).await, Ends::PassOn);
        begins(&mut other, HUGE).await;
    }

    #[tokio::test]
    async fn of_a_small_body_a_byte_is_enough() {
        let uploads = Uploads::of(1, 0, SHORT);
        let [mut slow, mut other] = [(); 2].map(|()| uploads.enter());
        for (brought, how) in [(1, Ends::PassOn), (0, Ends::CutOff)] {
            begins(&mut slow, Needs::Small).await;
            slow.came(brought);
            assert!(waits(&mut other, Needs::Small).await);
            assert_eq!(ends(&mut slow).await, how);
            begins(&mut other, Needs::Small).await;
            other.end();
        }
    }

    #[tokio::test]
    async fn who_is_not_read_any_more_loses_its_turn_to_those_who_wait() {
        let uploads = Uploads::of(1, 0, SHORT);
        let [mut stuck, mut other] = [(); 2].map(|()| uploads.enter());
        begins(&mut stuck, Needs::Small).await;
        tokio::time::sleep(4 * SHORT).await;
        // as long as nobody waits it may stay
        assert!(!waits(&mut stuck, Needs::Small).await);
        begins(&mut other, Needs::Small).await;
        assert!(waits(&mut stuck, Needs::Small).await);
        drop(other);
        begins(&mut stuck, Needs::Small).await;
        assert!(uploads.small.taken() == 1 && !uploads.small.others_wait());
    }

    #[tokio::test]
    async fn who_waits_and_asks_no_more_takes_nothing_from_those_behind() {
        let uploads = Uploads::of(1, 0, SHORT);
        let [mut first, mut stuck, mut other] = [(); 3].map(|()| uploads.enter());
        begins(&mut first, Needs::Small).await;
        assert!(waits(&mut stuck, Needs::Small).await);
        first.end();
        // it is the turn of the one, which does not come for it
        begins(&mut other, Needs::Small).await;
        assert!(!uploads.small.others_wait());
        // and may still come
        assert!(waits(&mut stuck, Needs::Small).await && uploads.small.others_wait());
        other.end();
        begins(&mut stuck, Needs::Small).await;
        assert!(!uploads.small.others_wait());
    }

    #[tokio::test]
    async fn small_bodies_have_turns_of_their_own() {
        let uploads = Uploads::of(1, 0, LONG);
        let [mut large, mut small, mut other, mut third] = [(); 4].map(|()| uploads.enter());
        begins(&mut large, HUGE).await;
        begins(&mut small, Needs::Small).await;
        assert!(waits(&mut other, Needs::Small).await && waits(&mut third, Needs::Small).await);
        // one of them turns out to be large, and waits there
        assert!(waits(&mut small, HUGE).await);
        begins(&mut other, Needs::Small).await;
        // who waits for nothing any more takes nothing from those behind
        small.end();
        drop(other);
        drop(large);
        begins(&mut third, Needs::Small).await;
        begins(&mut third, HUGE).await;
        assert!(![&uploads.small, &uploads.large].iter().any(|pool| pool.others_wait()));
    }
}
