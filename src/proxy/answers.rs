//! What the upstream answered: compared with what was predicted, and searched for requests on their way to the identity provider.

use std::sync::Arc;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::response::Parts;
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::judging::{Decision, Judging};
use super::keeping::Keeper;
use crate::answer;
use crate::capture;
use crate::limits::Limits;
use crate::observe::{Answered, Metrics};
use crate::replay::Remembered;

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

    /// Keeps the answer to a message that is being judged, and tells how the two go together.
    pub(super) fn to_sign_in(
        self: &Arc<Self>,
        head: &Parts,
        decision: impl Future<Output = Decision> + Send + 'static,
        request_id: &HeaderValue,
    ) -> Keeper {
        let (keeper, kept) = Keeper::new(&head.headers, &self.budget);
        let (answers, request_id, waiting) = (Arc::clone(self), request_id.clone(), self.judging.waiting());
        tokio::spawn(async move {
            let (Ok(kept), Some(predicted)) = (kept.await, decision.await.predicted()) else { return };
            let (judging, id) = (Arc::clone(&answers.judging), request_id.clone());
            let read = judging
                .on_a_core(&id, kept.len(), move || {
                    let told = kept.read(|answer| answer::read(answer, &Limits::default()));
                    answers.learn(told.request.as_deref());
                    let request_id = request_id.to_str().unwrap_or_default();
                    let event = Answered { request_id, predicted, told: &told };
                    event.emit(&answers.metrics);
                    answers.judging.recent().answered(&event);
                    if let Some(capture) = &answers.judging.capture {
                        let time = (answers.now)();
                        capture.answered(&capture::Answered { time, request_id, predicted, told: &told });
                    }
                    drop(waiting);
                })
                .await;
            // nobody waits for it
            drop(read);
        });
        keeper
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
        let (keeper, kept) = Keeper::new(&head.headers, &self.budget);
        let (answers, request_id) = (Arc::clone(self), request_id.clone());
        tokio::spawn(async move {
            let Ok(kept) = kept.await else { return };
            let judging = Arc::clone(&answers.judging);
            let read = judging
                .on_a_core(&request_id, kept.len(), move || {
                    let id = kept.read(|answer| answer::request_id(answer, &Limits::default()));
                    answers.learn(id.as_deref());
                })
                .await;
            drop(read);
        });
        Some(keeper)
    }

    fn learn(&self, request: Option<&str>) {
        if let Some(id) = request {
            self.remembered.requests.learn(id, (self.now)());
        }
    }
}
