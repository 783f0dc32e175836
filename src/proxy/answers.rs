//! What the upstream answered: compared with what was predicted, and searched for requests on their way to the identity provider.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::response::Parts;
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::judging::{Decision, Judging};
use super::keeping::{Keeper, Kept};
use crate::answer;
use crate::capture;
use crate::limits::Limits;
use crate::observe::{Answered, Metrics};
use crate::replay::Remembered;
use crate::verdict::Code;

/// Reads copies of answers, beside the traffic.
pub(super) struct Answers {
    judging: Arc<Judging>,
    remembered: Arc<Remembered>,
    now: fn() -> Timestamp,
    metrics: Arc<Metrics>,
    /// One permit a byte of all copies.
    budget: Arc<Semaphore>,
}

impl Answers {
    pub(super) fn new(
        judging: Arc<Judging>,
        remembered: Arc<Remembered>,
        now: fn() -> Timestamp,
        metrics: Arc<Metrics>,
        copied_bytes: usize,
    ) -> Self {
        let budget = Arc::new(Semaphore::new(copied_bytes.min(Semaphore::MAX_PERMITS)));
        Self { judging, remembered, now, metrics, budget }
    }

    /// Puts a message that is judged and its answer together.
    pub(super) fn pair(self: &Arc<Self>, request_id: &HeaderValue) -> Arc<Pair> {
        let (answers, request_id) = (Arc::clone(self), request_id.clone());
        Arc::new(Pair { answers, request_id, first: Mutex::default(), _waiting: self.judging.waiting() })
    }

    /// Keeps the answer to a message that is judged.
    pub(super) fn to_sign_in(&self, head: &Parts, pair: Arc<Pair>) -> Keeper {
        Keeper::new(&head.headers, &self.budget, Box::new(move |kept| pair.answered(kept)))
    }

    /// Keeps a page that may carry a request to the identity provider, and nothing else.
    pub(super) fn to_visit(
        self: &Arc<Self>,
        method: &Method,
        head: &Parts,
        request_id: &HeaderValue,
    ) -> Option<Keeper> {
        let is_page = head.headers.get(CONTENT_TYPE).is_some_and(|value| {
            let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
            essence.trim_ascii().eq_ignore_ascii_case(b"text/html")
        });
        if *method != Method::GET || head.status != StatusCode::OK || !is_page {
            return None;
        }
        let (answers, request_id) = (Arc::clone(self), request_id.clone());
        let read = move |kept: Kept| {
            let judging = Arc::clone(&answers.judging);
            judging.soon(request_id, kept.len(), move || {
                let id = kept.read(|answer| answer::request_id(answer, &Limits::default()));
                answers.learn(id.as_deref());
            });
        };
        Some(Keeper::new(&head.headers, &self.budget, Box::new(read)))
    }

    /// Tells how an answer goes together with what was predicted.
    fn compare(&self, request_id: &HeaderValue, predicted: Option<Code>, kept: &Kept) {
        let told = kept.read(|answer| answer::read(answer, &Limits::default()));
        self.learn(told.request.as_deref());
        let request_id = request_id.to_str().unwrap_or_default();
        let event = Answered { request_id, predicted, told: &told };
        event.emit(&self.metrics);
        self.judging.recent().answered(&event);
        if let Some(capture) = &self.judging.capture {
            capture.answered(&capture::Answered { time: (self.now)(), request_id, predicted, told: &told });
        }
    }

    fn learn(&self, request: Option<&str>) {
        if let Some(id) = request {
            self.remembered.requests.learn(id, (self.now)());
        }
    }
}

/// A message that is judged, and its answer: compared when both are there, whichever was first.
pub(super) struct Pair {
    answers: Arc<Answers>,
    request_id: HeaderValue,
    first: Mutex<Option<Half>>,
    /// The comparison is to be made before the service stops.
    _waiting: TaskTrackerToken,
}

enum Half {
    Predicted(Option<Code>),
    Kept(Kept),
}

impl Pair {
    /// The message is judged, by whom a short comparison may take along. One that has no verdict is compared with nothing.
    pub(super) fn judged(self: Arc<Self>, decision: Decision) {
        let Some(predicted) = decision.predicted() else { return };
        if let Some((predicted, kept)) = self.whole(Half::Predicted(predicted)) {
            let judging = Arc::clone(&self.answers.judging);
            judging.further(self.request_id.clone(), kept.len(), move || self.compare(predicted, &kept));
        }
    }

    /// The answer is through.
    fn answered(self: Arc<Self>, kept: Kept) {
        if let Some((predicted, kept)) = self.whole(Half::Kept(kept)) {
            let judging = Arc::clone(&self.answers.judging);
            judging.soon(self.request_id.clone(), kept.len(), move || self.compare(predicted, &kept));
        }
    }

    /// Both halves, to whoever brings the second one.
    fn whole(&self, half: Half) -> Option<(Option<Code>, Kept)> {
        // nothing panics while it is locked
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        match (first.take(), half) {
            (Some(Half::Predicted(predicted)), Half::Kept(kept))
            | (Some(Half::Kept(kept)), Half::Predicted(predicted)) => Some((predicted, kept)),
            (_, half) => {
                *first = Some(half);
                None
            }
        }
    }

    fn compare(&self, predicted: Option<Code>, kept: &Kept) {
        self.answers.compare(&self.request_id, predicted, kept);
    }
}
