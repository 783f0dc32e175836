//! A load on its way: threads that sign, threads that send, a clock, and one who adds up what they count.

mod admin;
mod connection;
mod counted;
mod pacer;
mod signer;
mod target;
mod worker;

pub use signer::Minting;
pub use target::{Reach, Target, TargetError};

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::MissedTickBehavior;

use crate::load::{Case, Plan, Tally, Timeline, exposition};
use signer::{Numbers, Work};
use worker::{Answered, Counting, STREAMS, Ways, Worker};

/// From the last look at the signers to the first request.
const ASIDE: Duration = Duration::from_millis(20);
/// Between two reports of a worker.
const SECOND: Duration = Duration::from_secs(1);

/// How requests come.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// When they are meant to.
    Open(Plan),
    /// When the one before is through, until this time is over.
    Closed(Option<Duration>),
}

/// A whole load, or a shard of it.
#[derive(Debug)]
pub struct Job {
    /// Where it goes.
    pub target: Target,
    /// What it is made of.
    pub minting: Minting,
    /// How requests come; of all shards together.
    pub model: Model,
    /// Requests of all shards together, at most.
    pub requests: Option<u64>,
    /// Connections of this generator.
    pub connections: usize,
    /// Forms of this generator that are signed ahead.
    pub pool: usize,
    /// Threads that send.
    pub threads: usize,
    /// For one answer.
    pub timeout: Duration,
    /// The beginning, of which times do not count.
    pub warm_up: Duration,
    /// Where metrics are served while it runs.
    pub admin: Option<SocketAddr>,
}

/// What is going on.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// Metrics are served there.
    Listening(SocketAddr),
    /// So many of these are signed.
    Signing(u64, u64),
    /// A second is over.
    Second {
        /// Which one.
        second: u64,
        /// When it all began.
        begun: Timestamp,
        /// What was counted in it.
        counted: &'a Tally,
        /// What was counted since the start.
        so_far: &'a Tally,
        /// Requests whose answers are not there.
        in_flight: u64,
    },
}

/// What came of it.
#[derive(Debug)]
pub struct Driven {
    /// When the first request was meant to start.
    pub begun: Timestamp,
    /// Until the last answer.
    pub took: Duration,
    /// Until the last request began, or the plan was over.
    pub sending: Duration,
    /// Everything that was counted.
    pub tally: Tally,
    /// What happened when.
    pub timeline: Timeline,
    /// Microseconds that it took to make a response.
    pub signing_micros: f64,
    /// Whether it was told to stop.
    pub interrupted: bool,
}

/// Why there is no load.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The system gives no threads.
    #[error("a thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
    /// The place for metrics is taken.
    #[error("{0} cannot be listened on: {1}")]
    Admin(SocketAddr, std::io::Error),
}

/// Makes a load; blocks until it is over, or until SIGINT. `told` is called by the way.
///
/// # Errors
/// It cannot be begun.
pub fn drive(job: Job, told: impl FnMut(&Progress<'_>)) -> Result<Driven, DriveError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Driver::new(job)?.run(told))
}

/// A second of one worker; or all that was left when it ended.
struct Counted {
    tally: Tally,
    ended: bool,
}

struct Driver {
    job: Job,
    minting: Arc<Minting>,
    work: Arc<Work>,
    stop: Arc<AtomicBool>,
    limit: u64,
    supplies: Vec<(Numbers, mpsc::Receiver<signer::Signed>)>,
    shown: admin::Shown,
    answered: Answered,
}

impl Driver {
    fn new(job: Job) -> Result<Self, DriveError> {
        let planned = match &job.model {
            Model::Open(plan) => plan.total(),
            Model::Closed(_) => u64::MAX,
        };
        let whole = job.requests.unwrap_or(u64::MAX).min(planned);
        let limit = job.minting.shard.part(whole);
        let minting = Arc::new(job.minting.clone());
        let work = Arc::new(Work::default());
        let workers = job.threads.max(1);
        let signers = std::thread::available_parallelism().map_or(1, usize::from).div_ceil(workers);
        let mut supplies = Vec::new();
        for worker in 0..workers {
            let numbers = Numbers { worker: worker as u64, workers: workers as u64, limit };
            // a few are always ready, so that a request does not wait for a thread to wake up
            let ahead = (job.pool / workers).max(2 * signers);
            supplies.push((numbers, signer::start(&minting, numbers, signers, ahead, &work)?));
        }
        let answered = minting.script.cases().contains(&Case::Replayed).then(Arc::default);
        Ok(Self { answered, job, minting, work, stop: Arc::default(), limit, supplies, shown: admin::Shown::default() })
    }

    async fn run(mut self, mut told: impl FnMut(&Progress<'_>)) -> Result<Driven, DriveError> {
        if let Some(address) = self.job.admin {
            self.show(&Tally::default(), 0);
            let served = admin::serve(address, self.shown.clone()).await;
            told(&Progress::Listening(served.map_err(|error| DriveError::Admin(address, error))?));
        }
        let filled = self.fill(&mut told).await;
        let start = Instant::now() + ASIDE;
        let begun = Timestamp::now() + ASIDE;
        let (sender, counted) = mpsc::unbounded_channel();
        let mut workers = Vec::new();
        for (numbers, supply) in std::mem::take(&mut self.supplies) {
            workers.push(self.worker(numbers, supply, start, sender.clone())?);
        }
        drop(sender);
        if !filled {
            self.stop.store(true, Ordering::Relaxed);
        }
        let (tally, timeline) = self.collect(counted, &workers, (start, begun), &mut told).await;
        let took = start.elapsed();
        let last = workers.iter().map(|worker| worker.counted.last_start.load(Ordering::Relaxed)).max();
        let last = Duration::from_nanos(last.unwrap_or_default());
        let sending = match &self.job.model {
            Model::Open(plan) => match plan.at(self.minting.shard.whole(self.limit)) {
                // fewer than the plan holds were asked for
                Some(at) => at.max(last),
                None => plan.duration().max(last),
            },
            Model::Closed(_) => took,
        };
        let interrupted = self.stop.load(Ordering::Relaxed);
        let sending = if interrupted { took.min(sending) } else { sending };
        Ok(Driven { begun, took, sending, tally, timeline, signing_micros: self.work.micros(), interrupted })
    }

    /// Shows to Prometheus what was counted.
    fn show(&self, so_far: &Tally, in_flight: u64) {
        if self.job.admin.is_some() {
            let cases: Vec<_> = self.minting.script.cases().into_iter().map(Case::as_str).collect();
            self.shown.set(exposition(so_far, &cases, in_flight));
        }
    }

    /// Waits until as much is signed as was asked for; false when it was told to stop.
    async fn fill(&self, told: &mut impl FnMut(&Progress<'_>)) -> bool {
        let wanted = (self.job.pool as u64).min(self.limit);
        let mut look = tokio::time::interval(Duration::from_millis(50));
        let interrupt = tokio::signal::ctrl_c();
        tokio::pin!(interrupt);
        loop {
            tokio::select! {
                _ = look.tick() => {}
                _ = &mut interrupt => return false,
            }
            let full = self.supplies.iter().all(|(numbers, supply)| {
                let room = supply.max_capacity() as u64;
                supply.len() as u64 >= room.min(numbers.count())
            });
            if full {
                return true;
            }
            if wanted > 0 {
                told(&Progress::Signing(self.work.signed.load(Ordering::Relaxed).min(wanted), wanted));
            }
        }
    }

    fn worker(
        &self,
        numbers: Numbers,
        supply: mpsc::Receiver<signer::Signed>,
        start: Instant,
        counted: mpsc::UnboundedSender<Counted>,
    ) -> Result<Arc<Worker>, DriveError> {
        let job = &self.job;
        let connections = Numbers { limit: job.connections.max(1) as u64, ..numbers }.count().max(1);
        let connections = usize::try_from(connections).unwrap_or(1);
        let room = if job.target.http2 { connections * STREAMS } else { connections };
        let worker = Arc::new(Worker {
            target: job.target.clone(),
            minting: Arc::clone(&self.minting),
            timeout: job.timeout,
            warm: start + job.warm_up,
            start,
            room: Arc::new(Semaphore::new(room)),
            stop: Arc::clone(&self.stop),
            ways: Ways::new(connections, job.target.http2),
            counted: Counting::default(),
            answered: self.answered.clone(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (own, model, stop) = (Arc::clone(&worker), job.model.clone(), Arc::clone(&self.stop));
        let shard = self.minting.shard;
        let send = move || {
            runtime.block_on(async {
                let telling = tokio::spawn(tell(Arc::clone(&own), start, counted.clone()));
                match model {
                    Model::Open(plan) => {
                        let not_sent = Arc::clone(&own.counted.not_sent);
                        match pacer::start(plan, (shard, numbers), start, stop, not_sent) {
                            Ok(dues) => own.open(dues, supply).await,
                            Err(error) => tracing::error!(%error, "there is no clock"),
                        }
                        own.settle(room).await;
                    }
                    Model::Closed(duration) => {
                        tokio::time::sleep_until(start.into()).await;
                        own.closed(connections, supply, duration.map(|duration| start + duration)).await;
                    }
                }
                telling.abort();
                // when nobody listens any more there is nobody to tell
                let _ = counted.send(Counted { tally: own.taken(), ended: true });
            });
        };
        std::thread::Builder::new().name("sender".to_owned()).spawn(send)?;
        Ok(worker)
    }

    /// Adds up what the workers count, second by second, until they have all ended.
    async fn collect(
        &self,
        mut counted: mpsc::UnboundedReceiver<Counted>,
        workers: &[Arc<Worker>],
        (start, begun): (Instant, Timestamp),
        told: &mut impl FnMut(&Progress<'_>),
    ) -> (Tally, Timeline) {
        let (mut so_far, mut timeline) = (Tally::default(), Timeline::default());
        let (mut second, mut running) = (0, workers.len());
        // the workers tell of a second when it is over
        let mut over = tokio::time::interval_at((start + SECOND + SECOND / 4).into(), SECOND);
        over.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut pending = Tally::default();
        loop {
            let ended = tokio::select! {
                _ = over.tick() => false,
                one = counted.recv() => {
                    let Some(one) = one else { break };
                    pending.add(&one.tally);
                    running -= usize::from(one.ended);
                    if running > 0 {
                        continue;
                    }
                    true
                }
                _ = tokio::signal::ctrl_c() => {
                    // the second time nobody waits for what was begun
                    let again = self.stop.swap(true, Ordering::Relaxed);
                    if !again {
                        continue;
                    }
                    true
                }
            };
            second = if ended { second } else { start.elapsed().as_secs().saturating_sub(1) };
            so_far.add(&pending);
            timeline.add(second, &pending);
            let in_flight = workers.iter().map(|worker| worker.counted.in_flight.load(Ordering::Relaxed)).sum();
            self.show(&so_far, in_flight);
            told(&Progress::Second { second, begun, counted: &pending, so_far: &so_far, in_flight });
            pending = Tally::default();
            second += 1;
            if ended {
                break;
            }
        }
        (so_far, timeline)
    }
}

async fn tell(worker: Arc<Worker>, start: Instant, counted: mpsc::UnboundedSender<Counted>) {
    let mut over = tokio::time::interval_at((start + SECOND).into(), SECOND);
    over.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        over.tick().await;
        if counted.send(Counted { tally: worker.taken(), ended: false }).is_err() {
            return;
        }
    }
}
