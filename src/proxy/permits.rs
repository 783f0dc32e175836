//! Permits that are taken and waited for, and come back from those who use them no more, nor ask for them.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::PollSemaphore;

use super::lock::lock;

/// So many permits.
pub(super) struct Pool {
    permits: Arc<Semaphore>,
    /// Those who wait.
    line: Shared<Place>,
    taken: Shared<Taken>,
    /// How long one has them while others wait.
    overdue: Duration,
    /// When those two were last looked through.
    swept: Mutex<Instant>,
}

/// What is seen of all who use a pool.
type Shared<T> = Mutex<Vec<Arc<Mutex<T>>>>;

/// A place in the line.
struct Place {
    /// They come to whoever is next, be it asked for them or not.
    permits: PollSemaphore,
    /// When they were last asked for.
    looked: Instant,
}

/// Permits that were taken.
struct Taken {
    /// None where they were taken back.
    permits: Option<OwnedSemaphorePermit>,
    since: Instant,
}

impl Pool {
    pub(super) fn new(permits: usize, overdue: Duration) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(permits)),
            line: Mutex::default(),
            taken: Mutex::default(),
            overdue,
            swept: Mutex::new(Instant::now()),
        }
    }

    /// Whether somebody waits.
    pub(super) fn others_wait(&self) -> bool {
        !lock(&self.line).is_empty()
    }

    /// How many have permits.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        lock(&self.taken).len()
    }

    fn enter(&self) -> Arc<Mutex<Place>> {
        let permits = PollSemaphore::new(Arc::clone(&self.permits));
        let place = Arc::new(Mutex::new(Place { permits, looked: Instant::now() }));
        lock(&self.line).push(Arc::clone(&place));
        place
    }

    /// Takes back what was taken for too long, and the places of those who did not ask for twice as long: whoever waits and is read asks
    /// as often as this is called.
    fn take_back(&self) {
        {
            // each of thousands who wait calls this, and one of them is enough
            let mut swept = lock(&self.swept);
            if swept.elapsed() < self.overdue / 4 {
                return;
            }
            *swept = Instant::now();
        }
        lock(&self.line).retain(|place| {
            let mut place = lock(place);
            let asks = place.looked.elapsed() < 2 * self.overdue;
            if !asks {
                place.permits = PollSemaphore::new(Arc::clone(&self.permits));
            }
            asks
        });
        lock(&self.taken).retain(|taken| {
            let mut taken = lock(taken);
            if taken.since.elapsed() >= self.overdue {
                taken.permits = None;
            }
            taken.permits.is_some()
        });
    }
}

/// The way of one connection to the permits of a pool.
pub(super) struct Line {
    pool: Arc<Pool>,
    waits: Option<Waits>,
}

impl Line {
    pub(super) fn new(pool: &Arc<Pool>) -> Self {
        Self { pool: Arc::clone(pool), waits: None }
    }

    /// Waits for so many permits.
    pub(super) fn poll(&mut self, permits: u32, cx: &mut Context<'_>) -> Poll<Option<Permits>> {
        if self.waits.is_none()
            && let Ok(permits) = Arc::clone(&self.pool.permits).try_acquire_many_owned(permits)
        {
            return Poll::Ready(Some(Permits::new(&self.pool, permits)));
        }
        let waits = self.waits.get_or_insert_with(|| Waits::new(&self.pool));
        if let Poll::Ready(permits) = waits.poll(permits, cx) {
            self.waits = None;
            return Poll::Ready(permits.map(|permits| Permits::new(&self.pool, permits)));
        }
        while waits.overdue.as_mut().poll(cx).is_ready() {
            // whoever they are for is woken
            self.pool.take_back();
            waits.overdue.as_mut().reset(Instant::now() + self.pool.overdue);
        }
        Poll::Pending
    }

    /// Waits no longer. Permits that come to one who has gone on would be lost to all.
    pub(super) fn leave(&mut self) {
        self.waits = None;
    }
}

/// One that waits, and looks now and then for what nobody uses.
struct Waits {
    pool: Arc<Pool>,
    place: Arc<Mutex<Place>>,
    overdue: Pin<Box<Sleep>>,
}

impl Waits {
    fn new(pool: &Arc<Pool>) -> Self {
        let overdue = Box::pin(tokio::time::sleep(pool.overdue));
        Self { pool: Arc::clone(pool), place: pool.enter(), overdue }
    }

    fn poll(&mut self, permits: u32, cx: &mut Context<'_>) -> Poll<Option<OwnedSemaphorePermit>> {
        if Arc::strong_count(&self.place) == 1 {
            // it was taken back: at the end of the line
            self.place = self.pool.enter();
        }
        let mut place = lock(&self.place);
        place.looked = Instant::now();
        place.permits.poll_acquire_many(cx, permits)
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        lock(&self.pool.line).retain(|place| !Arc::ptr_eq(place, &self.place));
    }
}

/// Permits of a pool, until they are dropped or taken back.
pub(super) struct Permits {
    pool: Arc<Pool>,
    taken: Arc<Mutex<Taken>>,
}

impl Permits {
    fn new(pool: &Arc<Pool>, permits: OwnedSemaphorePermit) -> Self {
        let taken = Arc::new(Mutex::new(Taken { permits: Some(permits), since: Instant::now() }));
        lock(&pool.taken).push(Arc::clone(&taken));
        Self { pool: Arc::clone(pool), taken }
    }

    /// Whether nobody has taken them back.
    pub(super) fn are_there(&self) -> bool {
        lock(&self.taken).permits.is_some()
    }

    /// Since when they are used.
    pub(super) fn since(&self) -> Instant {
        lock(&self.taken).since
    }

    /// They are used from now on.
    pub(super) fn renew(&self) {
        lock(&self.taken).since = Instant::now();
    }

    /// Whether somebody waits for permits of this pool.
    pub(super) fn others_wait(&self) -> bool {
        self.pool.others_wait()
    }
}

impl Drop for Permits {
    fn drop(&mut self) {
        lock(&self.pool.taken).retain(|taken| !Arc::ptr_eq(taken, &self.taken));
    }
}
