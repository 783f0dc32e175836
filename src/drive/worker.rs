//! One of the threads that send: its connections, its requests, and what it counts. It shares nothing with the others.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, HeaderName, LOCATION, SET_COOKIE};
use tokio::sync::{Mutex as AsyncMutex, Semaphore, mpsc};

use super::connection::{self, Broken, Sender, Whole};
use super::counted::Traffic;
use super::signer::{Minting, Signed};
use super::target::Target;
use crate::answer::Answer;
use crate::limits::Limits;
use crate::load::{self, Case, Differing, Expected, Failure, Got, Received, Relay, Tally, Through};

/// Requests that one connection of HTTP/2 carries at a time.
pub(super) const STREAMS: usize = 100;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A thread that sends.
pub(super) struct Worker {
    pub(super) target: Target,
    pub(super) minting: Arc<Minting>,
    pub(super) timeout: Duration,
    /// Until when times do not count.
    pub(super) warm: Instant,
    pub(super) start: Instant,
    /// Room for requests at one time.
    pub(super) room: Arc<Semaphore>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) ways: Ways,
    pub(super) counted: Counting,
    pub(super) answered: Answered,
}

/// The last sound response that was let in, with its token, of all workers; none where nothing is replayed.
pub(super) type Answered = Option<Arc<Mutex<Option<(Bytes, Arc<str>)>>>>;

/// Connections that are open.
pub(super) struct Ways {
    idle: Mutex<Vec<Sender>>,
    /// Of HTTP/2, which are shared.
    shared: Vec<AsyncMutex<Option<Sender>>>,
    next: AtomicUsize,
}

/// What is counted.
#[derive(Default)]
pub(super) struct Counting {
    pub(super) tally: Mutex<Tally>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) not_sent: Arc<AtomicU64>,
    pub(super) in_flight: AtomicU64,
    /// Nanoseconds after the start at which the last request began.
    pub(super) last_start: AtomicU64,
}

impl Ways {
    pub(super) fn new(connections: usize, http2: bool) -> Self {
        let shared = if http2 { connections } else { 0 };
        let shared = (0..shared).map(|_| AsyncMutex::new(None)).collect();
        Self { idle: Mutex::default(), shared, next: AtomicUsize::new(0) }
    }
}

impl Worker {
    /// Sends each request when it is due, whatever became of those before it.
    pub(super) async fn open(self: &Arc<Self>, mut dues: mpsc::Receiver<Instant>, mut supply: mpsc::Receiver<Signed>) {
        while let Some(due) = dues.recv().await {
            let room = match Arc::clone(&self.room).try_acquire_owned() {
                Ok(room) => room,
                Err(_) => {
                    self.tally().held_up.by_connections += 1;
                    // a semaphore that nobody closes
                    let Ok(room) = Arc::clone(&self.room).acquire_owned().await else { break };
                    room
                }
            };
            let signed = match supply.try_recv() {
                Ok(signed) => Some(signed),
                Err(mpsc::error::TryRecvError::Empty) => {
                    self.tally().held_up.by_signing += 1;
                    supply.recv().await
                }
                Err(mpsc::error::TryRecvError::Disconnected) => None,
            };
            let Some(signed) = signed else { break };
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let worker = Arc::clone(self);
            tokio::spawn(async move {
                worker.one(signed, Some(due)).await;
                drop(room);
            });
        }
    }

    /// Sends one request after the other over so many connections, until `end`.
    pub(super) async fn closed(self: &Arc<Self>, users: usize, supply: mpsc::Receiver<Signed>, end: Option<Instant>) {
        let supply = Arc::new(AsyncMutex::new(supply));
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..users {
            let (worker, supply) = (Arc::clone(self), Arc::clone(&supply));
            all.spawn(async move {
                let over = || end.is_some_and(|end| Instant::now() >= end) || worker.stop.load(Ordering::Relaxed);
                while !over() {
                    let mut next = supply.lock().await;
                    let signed = match next.try_recv() {
                        Err(mpsc::error::TryRecvError::Empty) => {
                            worker.tally().held_up.by_signing += 1;
                            next.recv().await
                        }
                        ready => ready.ok(),
                    };
                    drop(next);
                    let Some(signed) = signed else { return };
                    worker.one(signed, None).await;
                }
            });
        }
        all.join_all().await;
    }

    /// Waits until every request is through.
    pub(super) async fn settle(&self, room: usize) {
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        let _ = self.room.acquire_many(room).await;
    }

    async fn one(&self, signed: Signed, due: Option<Instant>) {
        let number = signed.number;
        let (case, expected, form, token) = self.as_sent(signed).await;
        let begun = Instant::now();
        let since = u64::try_from(begun.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX);
        self.counted.last_start.fetch_max(since, Ordering::Relaxed);
        self.counted.in_flight.fetch_add(1, Ordering::Relaxed);
        let answered = tokio::time::timeout(self.timeout, self.exchange(form.clone())).await;
        self.counted.in_flight.fetch_sub(1, Ordering::Relaxed);
        let service = begun.elapsed();
        let late = || Broken::new(Failure::Timeout, format!("no answer within {:?}", self.timeout));
        let answered = answered.unwrap_or_else(|_| Err(late()));
        let (got, status, relay, request_id) = match &answered {
            Ok(whole) => read(whole, &token),
            Err(broken) => (Got::Failed(broken.failure), None, None, None),
        };
        if case == Case::Sound
            && got == Got::Accepted
            && let Some(answered) = &self.answered
        {
            *lock(answered) = Some((form, token));
        }
        let mut tally = self.tally();
        if let Err(broken) = &answered {
            tally.say(broken.failure, &broken.text);
        }
        let late = due.map(|due| begun.saturating_duration_since(due));
        let warm_up = due.unwrap_or(begun) < self.warm;
        let weighed = tally.count(&Through { case, expected, got, status, relay, late, service, warm_up });
        if weighed.differs() {
            let code = expected.code.map(|code| code.to_string());
            tally.keep(Differing {
                case: case.as_str().to_owned(),
                expected: code.unwrap_or_else(|| expected.word().to_owned()),
                got: got.name(),
                number,
                request_id,
            });
        }
    }

    /// What is sent for a form: itself, or for a replay what was answered before. Where nothing was answered yet, it is sound.
    async fn as_sent(&self, signed: Signed) -> (Case, Expected, Bytes, Arc<str>) {
        let signed = match signed.is_fresh() {
            true => signed,
            false => {
                self.tally().held_up.signed_again += 1;
                let (minting, number) = (Arc::clone(&self.minting), signed.number);
                match tokio::task::spawn_blocking(move || minting.make(number)).await {
                    Ok(Ok(again)) => again,
                    // as good as before, if not as young
                    _ => signed,
                }
            }
        };
        let Signed { number, case, expected, form, token, .. } = signed;
        if case != Case::Replayed {
            return (case, expected, form, token);
        }
        match self.answered.as_ref().and_then(|answered| lock(answered).clone()) {
            Some((form, token)) => (case, expected, form, token),
            None => (Case::Sound, self.minting.expected_of_sound(number), form, token),
        }
    }

    async fn exchange(&self, form: Bytes) -> Result<Whole, Broken> {
        if !self.ways.shared.is_empty() {
            return self.shared().await?.post(&self.target, form).await;
        }
        let mut sender = self.idle().await?;
        let whole = sender.post(&self.target, form).await?;
        if self.target.keep_alive {
            lock(&self.ways.idle).push(sender);
        }
        Ok(whole)
    }

    /// A connection that nobody uses.
    async fn idle(&self) -> Result<Sender, Broken> {
        loop {
            let Some(mut sender) = lock(&self.ways.idle).pop() else { return self.connect().await };
            if sender.is_ready().await {
                return Ok(sender);
            }
        }
    }

    /// A connection that others use as well.
    async fn shared(&self) -> Result<Sender, Broken> {
        if !self.target.keep_alive {
            return self.connect().await;
        }
        let place = self.ways.next.fetch_add(1, Ordering::Relaxed) % self.ways.shared.len().max(1);
        let Some(place) = self.ways.shared.get(place) else { return self.connect().await };
        let mut known = place.lock().await;
        if let Some(Sender::H2(sender)) = &*known
            && !sender.is_closed()
        {
            return Ok(Sender::H2(sender.clone()));
        }
        let opened = self.connect().await?;
        if let Sender::H2(sender) = &opened {
            *known = Some(Sender::H2(sender.clone()));
        }
        Ok(opened)
    }

    async fn connect(&self) -> Result<Sender, Broken> {
        let opened = connection::open(&self.target, &self.counted.traffic).await?;
        let mut tally = self.tally();
        tally.connections.opened += 1;
        tally.connect.record(opened.connect);
        if let Some((took, resumed)) = opened.tls {
            tally.tls.record(took);
            match resumed {
                true => tally.connections.resumed += 1,
                false => tally.connections.full_handshakes += 1,
            }
        }
        Ok(opened.sender)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.counted.tally)
    }

    /// What was counted since it was last asked.
    pub(super) fn taken(&self) -> Tally {
        let mut tally = std::mem::take(&mut *self.tally());
        let Counting { traffic, not_sent, .. } = &self.counted;
        tally.connections.sent_bytes = traffic.sent.swap(0, Ordering::Relaxed);
        tally.connections.received_bytes = traffic.received.swap(0, Ordering::Relaxed);
        tally.held_up.not_sent = not_sent.swap(0, Ordering::Relaxed);
        tally
    }
}

type Understood = (Got, Option<u16>, Option<Relay>, Option<String>);

fn read(whole: &Whole, token: &str) -> Understood {
    let headers = whole.head.headers();
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let cookies: Vec<&str> = headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()).collect();
    let received = Received {
        status: whole.head.status().as_u16(),
        location: text(&LOCATION).unwrap_or_default().as_bytes(),
        answer: Answer { codings: text(&CONTENT_ENCODING).unwrap_or_default(), cookies: &cookies, body: &whole.body },
    };
    let got = load::read(&received, &Limits::default());
    let request_id = text(&REQUEST_ID).map(|id| id.chars().take(64).collect());
    (got, Some(received.status), Some(load::relay(&received, token)), request_id)
}

/// A panic while such a lock was held leaves sound values behind: none is written in two steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
