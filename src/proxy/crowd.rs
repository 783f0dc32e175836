//! The connections of all listeners: which of them are quiet, which goes when there is one too many, and how many requests they have at
//! one time.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Bytes, Frame, SizeHint};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::body::{Body, BodyError};
use super::lock::lock;

/// For a connection that is asked to go, before another one is asked.
const TO_LEAVE: Duration = Duration::from_millis(100);

/// All connections, and the room that there is for them.
pub(super) struct Crowd {
    room: Arc<Semaphore>,
    /// For the requests that a connection has beside its first one.
    beside: Arc<Semaphore>,
    members: Arc<Mutex<Vec<Arc<Member>>>>,
}

impl Crowd {
    /// Room for so many connections, and for so many requests beside one of each.
    pub(super) fn new(connections: usize, beside: usize) -> Self {
        let [room, beside] = [connections, beside].map(|permits| Arc::new(Semaphore::new(permits)));
        Self { room, beside, members: Arc::default() }
    }

    /// Room for one more connection. When there is none, the connection that has been quiet for longest is asked to go: whoever
    /// opens connections and says nothing must not keep others out.
    pub(super) async fn room(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(room) = Arc::clone(&self.room).try_acquire_owned() {
                return room;
            }
            if let Some(member) = self.quietest() {
                member.touch();
                member.leave.notify_one();
            }
            // everybody may be busy: then whoever ends first makes room
            if let Ok(Ok(room)) = tokio::time::timeout(TO_LEAVE, Arc::clone(&self.room).acquire_owned()).await {
                return room;
            }
        }
    }

    fn quietest(&self) -> Option<Arc<Member>> {
        lock(&self.members).iter().filter(|member| member.is_quiet()).min_by_key(|member| member.since()).cloned()
    }

    /// Enters a connection that has room, until the guard is dropped.
    pub(super) fn enter(&self, room: OwnedSemaphorePermit) -> Present {
        let member = Arc::new(Member {
            open: AtomicUsize::new(0),
            beside: Arc::clone(&self.beside),
            since: Mutex::new(Instant::now()),
            leave: Notify::new(),
            close: Notify::new(),
        });
        let mut members = lock(&self.members);
        members.push(Arc::clone(&member));
        let among = members.len();
        drop(members);
        Present { member, among, members: Arc::clone(&self.members), _room: room }
    }
}

/// A connection that is there.
pub(super) struct Present {
    pub(super) member: Arc<Member>,
    /// How many there were when it came, itself among them.
    pub(super) among: usize,
    members: Arc<Mutex<Vec<Arc<Member>>>>,
    _room: OwnedSemaphorePermit,
}

impl Drop for Present {
    fn drop(&mut self) {
        lock(&self.members).retain(|member| !Arc::ptr_eq(member, &self.member));
    }
}

/// What is known of one connection.
pub(super) struct Member {
    /// Requests whose answers are not through.
    open: AtomicUsize,
    beside: Arc<Semaphore>,
    /// When a request last began or ended, or a piece of an answer was taken.
    since: Mutex<Instant>,
    leave: Notify,
    close: Notify,
}

impl Member {
    /// Notes that a request begins, until the guard is dropped.
    pub(super) fn open(self: &Arc<Self>) -> Open {
        let room = match self.open.fetch_add(1, Ordering::AcqRel) {
            0 => Room::OfConnection,
            _ => Arc::clone(&self.beside).try_acquire_owned().map_or(Room::None, Room::Beside),
        };
        self.touch();
        Open { member: Arc::clone(self), room }
    }

    /// Ends when from now on there was no request for as long as `idle`, or there is one and nothing came of it for as long as
    /// `stalled`.
    pub(super) async fn quiet(&self, idle: Duration, stalled: Duration) {
        let began = Instant::now();
        loop {
            let since = self.since();
            let end = if self.is_quiet() { since.max(began) + idle } else { since + stalled };
            let now = Instant::now();
            if now >= end {
                return;
            }
            // nobody notifies this: whatever begins or ends from now on is not over sooner than the shorter of the two
            tokio::time::sleep_until(end.min(now + idle.min(stalled))).await;
        }
    }

    /// Ends when this connection is to make room for another one.
    pub(super) async fn asked_to_leave(&self) {
        loop {
            self.leave.notified().await;
            if self.is_quiet() {
                return;
            }
        }
    }

    /// Ends when this connection is to take its further requests elsewhere.
    pub(super) async fn closes(&self) {
        self.close.notified().await;
    }

    fn is_quiet(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    fn since(&self) -> Instant {
        *lock(&self.since)
    }

    fn touch(&self) {
        *lock(&self.since) = Instant::now();
    }
}

/// A request whose answer is not through.
pub(super) struct Open {
    member: Arc<Member>,
    room: Room,
}

/// The room that a request has.
enum Room {
    OfConnection,
    Beside(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit),
    None,
}

impl Open {
    /// Whether it is one too many.
    pub(super) fn is_too_many(&self) -> bool {
        matches!(self.room, Room::None)
    }

    /// Its connection is to take its further requests elsewhere.
    pub(super) fn close(&self) {
        self.member.close.notify_one();
    }

    /// Notes that something moved.
    pub(super) fn moved(&self) {
        self.member.touch();
    }

    /// Stays open until the body of the answer is through.
    pub(super) fn until_through(self, body: Body) -> Answering {
        Answering { body, open: self }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.member.open.fetch_sub(1, Ordering::AcqRel);
        self.member.touch();
    }
}

/// The body of an answer, whose progress is noted.
pub(super) struct Answering {
    body: Body,
    open: Open,
}

impl hyper::body::Body for Answering {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        // the end is noted by the guard
        if matches!(frame, Poll::Ready(Some(_))) {
            self.open.moved();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn the_connection_that_is_quiet_for_longest_makes_room() {
        let crowd = Crowd::new(3, 0);
        let busy = crowd.enter(crowd.room().await);
        let open = busy.member.open();
        let oldest = crowd.enter(crowd.room().await);
        tokio::time::sleep(SHORT).await;
        let newest = crowd.enter(crowd.room().await);
        let leaving = tokio::spawn(async move {
            oldest.member.asked_to_leave().await;
            drop(oldest);
        });
        let room = crowd.room().await;
        leaving.await.unwrap();
        for present in [&newest, &busy] {
            assert!(tokio::time::timeout(SHORT, present.member.asked_to_leave()).await.is_err());
        }
        drop((room, open));
    }

    #[tokio::test]
    async fn a_connection_is_quiet_without_requests_and_stalled_without_progress() {
        let crowd = Crowd::new(1, 0);
        let present = crowd.enter(crowd.room().await);
        present.member.quiet(SHORT, LONG).await;

        let open = present.member.open();
        assert!(tokio::time::timeout(SHORT * 3, present.member.quiet(SHORT, LONG)).await.is_err());
        present.member.quiet(LONG, SHORT).await;
        // and stays stalled
        assert!(tokio::time::timeout(Duration::ZERO, present.member.quiet(LONG, SHORT)).await.is_ok());

        // the end of a request is noticed by whoever waits already
        let start = Instant::now();
        let ended = async {
            tokio::time::sleep(SHORT).await;
            drop(open);
        };
        tokio::join!(present.member.quiet(SHORT, LONG), ended);
        assert!(start.elapsed() >= SHORT * 2);
    }

    #[tokio::test]
    async fn each_connection_has_one_request_and_all_of_them_so_many_more() {
        let crowd = Crowd::new(2, 1);
        let [one, other] = [crowd.enter(crowd.room().await), crowd.enter(crowd.room().await)];
        let first = one.member.open();
        let second = one.member.open();
        assert!(!first.is_too_many() && !second.is_too_many());
        assert!(one.member.open().is_too_many());
        let theirs = other.member.open();
        assert!(!theirs.is_too_many() && other.member.open().is_too_many());
        drop(second);
        assert!(!other.member.open().is_too_many());
    }
}
