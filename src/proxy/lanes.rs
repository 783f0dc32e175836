//! Short work beside the traffic: on the threads that move bytes, and a little at a time, so that what moves hardly waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// How long work is done in one go: five judgements or so. Letting others by has its price: the next judgement finds its code and its data
/// in no cache, and whoever is asked less often has to be woken more often. In half the time judging costs some tenth more, in several
/// times as much hardly less.
const ONE_GO: Duration = Duration::from_micros(400);
/// Work that waits, for each core. Whoever has more waits, too: where messages come faster than they can be judged, those who post
/// them are slowed down, and nobody else.
const WAITING: usize = 64;

type Work = Box<dyn FnOnce() + Send>;

/// One lane for each core.
pub(super) struct Lanes {
    lanes: Vec<mpsc::Sender<Work>>,
    next: AtomicUsize,
}

impl Lanes {
    /// So many lanes, within a runtime. What waits when they are dropped is still done.
    pub(super) fn new(count: usize) -> Self {
        let lane = |_| {
            let (sender, works) = mpsc::channel(WAITING);
            tokio::spawn(work(works));
            sender
        };
        Self { lanes: (0..count.max(1)).map(lane).collect(), next: AtomicUsize::new(0) }
    }

    /// Has this done soon; waits until there is room for it.
    pub(super) async fn take(&self, work: impl FnOnce() + Send + 'static) {
        if let Some(lane) = self.lane() {
            // a lane ends when the runtime goes down
            let _ = lane.send(Box::new(work)).await;
        }
    }

    /// Has this done soon; whoever gives it waits for nothing.
    pub(super) fn take_now(&self, work: impl FnOnce() + Send + 'static) {
        let Some(lane) = self.lane() else { return };
        if let Err(TrySendError::Full(work)) = lane.try_send(Box::new(work)) {
            let lane = lane.clone();
            // where the runtime has gone down there is nobody to do it
            let _ = Handle::try_current().map(|runtime| runtime.spawn(async move { lane.send(work).await }));
        }
    }

    fn lane(&self) -> Option<&mpsc::Sender<Work>> {
        self.lanes.get(self.next.fetch_add(1, Ordering::Relaxed) % self.lanes.len().max(1))
    }
}

async fn work(mut works: mpsc::Receiver<Work>) {
    while let Some(first) = works.recv().await {
        // first everything that can go on its way
        tokio::task::yield_now().await;
        let begun = Instant::now();
        done(first);
        while begun.elapsed() < ONE_GO {
            let Ok(next) = works.try_recv() else { break };
            done(next);
        }
    }
}

/// Does it; a fault in it ends no lane. Whoever waits for what comes of it hears that nothing does.
fn done(work: Work) {
    // the hook has told where
    let _ = catch_unwind(AssertUnwindSafe(work));
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn others_go_first_and_between_and_all_is_done_in_order() {
        let lanes = Lanes::new(1);
        let (done, told) =
            (Arc::new(Mutex::new(Vec::new())), |done: &Arc<Mutex<Vec<usize>>>| done.lock().unwrap().len());
        for number in 0..3 {
            let done = Arc::clone(&done);
            let work = move || {
                std::thread::sleep(ONE_GO);
                done.lock().unwrap().push(number);
            };
            lanes.take_now(work);
        }
        let mut seen = vec![told(&done)];
        while told(&done) < 3 {
            tokio::task::yield_now().await;
            seen.push(told(&done));
        }
        seen.dedup();
        assert_eq!(seen, [0, 1, 2, 3]);
        assert!(done.lock().unwrap().is_sorted());
    }

    #[tokio::test]
    async fn a_fault_ends_no_lane() {
        let (lanes, done) = (Lanes::new(1), Arc::new(AtomicUsize::new(0)));
        lanes.take(|| panic!("the work of this test panics")).await;
        let told = Arc::clone(&done);
        lanes.take(move || _ = told.fetch_add(1, Ordering::AcqRel)).await;
        while done.load(Ordering::Acquire) == 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn whoever_has_too_much_waits_and_nothing_is_lost() {
        let (lanes, done) = (Lanes::new(1), Arc::new(AtomicUsize::new(0)));
        let take = || {
            let done = Arc::clone(&done);
            lanes.take(move || _ = done.fetch_add(1, Ordering::AcqRel))
        };
        for _ in 0..WAITING {
            take().await;
        }
        // nobody has worked so far
        assert_eq!(done.load(Ordering::Acquire), 0);
        let mut one_more = Box::pin(take());
        assert!(std::future::poll_fn(|cx| Poll::Ready(one_more.as_mut().poll(cx).is_pending())).await);
        let told = Arc::clone(&done);
        lanes.take_now(move || _ = told.fetch_add(1, Ordering::AcqRel));
        one_more.await;
        drop(lanes);
        while done.load(Ordering::Acquire) < WAITING + 2 {
            tokio::task::yield_now().await;
        }
    }
}
