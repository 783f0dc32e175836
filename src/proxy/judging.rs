//! Judging away from the sockets: bounded, panics caught, each verdict told.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::header::HeaderValue;
use jiff::Timestamp;
use std::sync::{Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Bounds;
use super::lanes::Lanes;
use crate::capture::{self, Capture, Receipt};
use crate::inspect::{Effort, Inspection, MessageKind, Posted};
use crate::observe::{Judged, Metrics, Recent};
use crate::trace::Within;
use crate::verdict::{CheckId, Code, Outcome};

/// What judges: [`crate::inspect::Judge::inspect`], or a stand-in for a test.
pub type Inspector = Arc<dyn Fn(Posted<'_>, Timestamp, Effort) -> Inspection + Send + Sync>;

/// Broken signatures that are looked into, a second: an attacker who sends nothing else must not buy ten times the work.
const DIAGNOSES_A_SECOND: u32 = 20;

/// What is to be done with a message, in `enforce`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Accepted(Option<Code>),
    Rejected(Option<Code>),
    /// No sign-in response.
    NotJudged,
    /// The judge itself failed.
    Panicked,
    /// There is a verdict, and it could not be written down where it had to be.
    Unrecorded,
}

impl Decision {
    /// What was predicted; none of a message that has no verdict.
    pub(super) fn predicted(self) -> Option<Option<Code>> {
        match self {
            Self::Accepted(predicted) | Self::Rejected(predicted) => Some(predicted),
            Self::NotJudged | Self::Panicked | Self::Unrecorded => None,
        }
    }
}

/// The judge, and what bounds it.
pub(super) struct Judging {
    now: fn() -> Timestamp,
    metrics: Arc<Metrics>,
    recent: Arc<Recent>,
    pub(super) capture: Option<Arc<Capture>>,
    /// Large messages are judged on other threads than those that move bytes, as many at one time as there is room.
    room: Arc<Semaphore>,
    /// Bytes of a message that is judged on those threads.
    at_once: usize,
    lanes: Lanes,
    /// What is to be done before the service stops.
    waiting: TaskTracker,
    diagnoses: Mutex<Bucket>,
}

impl Judging {
    pub(super) fn new(
        now: fn() -> Timestamp,
        metrics: Arc<Metrics>,
        recent: Arc<Recent>,
        capture: Option<Arc<Capture>>,
        bounds: &Bounds,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            now,
            metrics,
            recent,
            capture,
            room: Arc::new(Semaphore::new(cores * bounds.judged_a_core)),
            at_once: bounds.judged_at_once,
            lanes: Lanes::new(cores),
            waiting: TaskTracker::new(),
            diagnoses: Mutex::new(Bucket { tokens: DIAGNOSES_A_SECOND.into(), filled: Instant::now() }),
        }
    }

    /// Takes a form post in, to judge it and to tell of it, and then to do this with what was decided, unless the judge panics. Waits
    /// until there is room for it, and no longer.
    pub(super) async fn judge(
        self: &Arc<Self>,
        inspector: Inspector,
        body: Bytes,
        request_id: HeaderValue,
        within: Within,
        then: impl FnOnce(Decision, Option<Receipt>) + Send + 'static,
    ) {
        let (judging, waiting, bytes) = (Arc::clone(self), self.waiting(), body.len());
        let work = self.guarded(request_id.clone(), move || {
            let (decision, receipt) = judging.inspect(&inspector, &body, &request_id, &within);
            then(decision, receipt);
            drop(waiting);
        });
        if bytes < self.at_once {
            self.lanes.take(work).await;
        } else {
            self.aside(work);
        }
    }

    /// Takes a form post in, and waits for what is decided: until it is on disk, where that was asked for.
    pub(super) async fn decide(
        self: &Arc<Self>,
        inspector: Inspector,
        body: Bytes,
        request_id: HeaderValue,
        within: Within,
    ) -> Decision {
        let (sender, decided) = oneshot::channel();
        // whoever asked may have gone
        let then = move |decision, receipt| _ = sender.send((decision, receipt));
        self.judge(inspector, body, request_id, within, then).await;
        let Ok((decision, receipt)) = decided.await else { return Decision::Panicked };
        let recorded = match receipt {
            Some(receipt) => receipt.recorded().await,
            None => true,
        };
        if recorded { decision } else { Decision::Unrecorded }
    }

    /// Has work on so many bytes done soon, and waits for nothing.
    pub(super) fn soon(&self, request_id: HeaderValue, bytes: usize, work: impl FnOnce() + Send + 'static) {
        let work = self.guarded(request_id, work);
        if bytes < self.at_once {
            self.lanes.take_now(work);
        } else {
            self.aside(work);
        }
    }

    /// Has work on so many bytes done by whoever judges, who does it at once where it is short.
    pub(super) fn further(&self, request_id: HeaderValue, bytes: usize, work: impl FnOnce() + Send + 'static) {
        if bytes < self.at_once {
            work();
        } else {
            self.aside(self.guarded(request_id, work));
        }
    }

    /// Has work done that takes a while: on a thread that moves no bytes, when a core is free for it.
    fn aside(&self, work: impl FnOnce() + Send + 'static) {
        // where the service has gone down there is nobody to do it
        let Ok(runtime) = Handle::try_current() else { return };
        let room = Arc::clone(&self.room);
        runtime.spawn(async move {
            // a semaphore that nobody closes
            let Ok(core) = room.acquire_owned().await else { return };
            tokio::task::spawn_blocking(move || {
                work();
                drop(core);
            });
        });
    }

    /// Work whose fault is told, and goes no further.
    fn guarded<W: FnOnce() + Send + 'static>(&self, request_id: HeaderValue, work: W) -> impl FnOnce() + Send + use<W> {
        let metrics = Arc::clone(&self.metrics);
        move || {
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                metrics.panic();
                let request_id = request_id.to_str().unwrap_or_default();
                tracing::error!(request_id, "judging panicked: a fault of this program, please report it");
            }
        }
    }

    /// Something that is to be done before the service stops, until it is dropped.
    pub(super) fn waiting(&self) -> TaskTrackerToken {
        self.waiting.token()
    }

    /// Counts a post that is not given to the judge.
    pub(super) fn other(&self, request_id: &HeaderValue) {
        let event = Judged {
            request_id: request_id.to_str().unwrap_or_default(),
            kind: MessageKind::Other.as_str(),
            federation: None,
            verdict: None,
            elapsed: Duration::ZERO,
        };
        event.emit(&self.metrics);
    }

    /// The last verdicts.
    pub(super) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Waits until everything that was taken in is judged.
    pub(super) async fn drained(&self) {
        self.waiting.close();
        self.waiting.wait().await;
    }

    /// The receipt of the capture comes with the decision: nobody waits for the disk on a core.
    fn inspect(
        &self,
        inspector: &Inspector,
        body: &[u8],
        request_id: &HeaderValue,
        within: &Within,
    ) -> (Decision, Option<Receipt>) {
        let span = within.judge();
        let (now, start) = ((self.now)(), Instant::now());
        // the claims go nowhere else
        let effort = if self.capture.is_some() { Effort::Verdict } else { Effort::Outcome };
        let mut inspection = inspector(Posted::Form(body), now, effort);
        let broken = inspection.verdict.check(CheckId::Signature).is_some_and(|check| check.outcome == Outcome::Fail);
        if inspection.kind.is_judged() && broken && self.may_diagnose() {
            let mut diagnosed = inspector(Posted::Form(body), now, Effort::Diagnose);
            // what is remembered was asked once: asked again, it would know this very message
            for id in [CheckId::InResponseTo, CheckId::Replay] {
                let (known, asked) =
                    (diagnosed.verdict.checks.get_mut(id.index()), inspection.verdict.checks.get(id.index()));
                if let (Some(known), Some(asked)) = (known, asked) {
                    known.clone_from(asked);
                }
            }
            inspection = diagnosed;
        }
        let Inspection { kind, federation, issued, verdict } = &inspection;
        let (request_id, elapsed) = (request_id.to_str().unwrap_or_default(), start.elapsed());
        let event = Judged {
            request_id,
            kind: kind.as_str(),
            federation: *federation,
            verdict: kind.is_judged().then_some(verdict),
            elapsed,
        };
        event.emit(&self.metrics);
        span.judged(event.kind, || self.metrics.domain(*federation), event.verdict);
        self.recent.judged(&event, &self.metrics, now);
        if let Some(signature) = verdict.signature.as_ref().filter(|_| kind.is_judged()) {
            self.metrics.verified(*federation, &signature.thumbprint, now);
        }
        // one that comes again tells what the clock was then
        let first = verdict.check(CheckId::Replay).is_some_and(|check| check.outcome == Outcome::Pass);
        if let (Some(issued), true) = (issued, first) {
            self.metrics.idp_clock(*federation, issued.duration_since(now));
        }
        let receipt = self.capture.as_ref().filter(|_| kind.is_judged()).map(|capture| {
            let (kind, federation) = (kind.as_str(), &*self.metrics.domain(*federation));
            capture.judged(&capture::Judged { time: now, request_id, kind, federation, verdict, elapsed, body })
        });
        let decision = match (kind.is_judged(), verdict.accepted) {
            (false, _) => Decision::NotJudged,
            (true, true) => Decision::Accepted(verdict.predicted),
            (true, false) => Decision::Rejected(verdict.predicted),
        };
        (decision, receipt)
    }

    fn may_diagnose(&self) -> bool {
        // a panic while the lock was held leaves two numbers behind, and both are sound
        self.diagnoses.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now())
    }
}

/// A bucket that fills with time.
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * f64::from(DIAGNOSES_A_SECOND);
        self.tokens = (self.tokens + gained).min(DIAGNOSES_A_SECOND.into());
        self.filled = now;
        let full = self.tokens >= 1.0;
        if full {
            self.tokens -= 1.0;
        }
        full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_what_has_gathered_and_no_more() {
        let start = Instant::now();
        let mut bucket = Bucket { tokens: 2.0, filled: start };
        assert!(bucket.take(start) && bucket.take(start) && !bucket.take(start));
        let later = start + Duration::from_millis(60);
        assert!(bucket.take(later) && !bucket.take(later));
        let much_later = later + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| bucket.take(much_later)).count(), 20);
    }
}
