//! A bounded copy of the answer of the upstream, made while it streams on, and handed over when it is through.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, HeaderMap, HeaderName, SET_COOKIE};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::Answer;

/// Bytes of one answer that are kept: packed error pages have some 15 kB, others up to 100.
pub(super) const KEPT: usize = 256 * 1024;

/// What was kept of an answer, and the room that it takes.
#[derive(Debug)]
pub(super) struct Kept {
    codings: String,
    cookies: Vec<String>,
    body: Vec<u8>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Kept {
    /// Bytes that were kept, packed as they came.
    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    /// What of it is read.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Answer<'_>) -> T) -> T {
        let cookies: Vec<&str> = self.cookies.iter().map(String::as_str).collect();
        read(&Answer { codings: &self.codings, cookies: &cookies, body: &self.body })
    }
}

/// Takes what was kept.
type Taker = Box<dyn FnOnce(Kept) + Send>;

/// Keeps what goes by. It never holds up an answer: where there is no room, the copy ends.
pub(super) struct Keeper {
    kept: Option<(Kept, Taker)>,
    budget: Arc<Semaphore>,
    full: bool,
}

impl Keeper {
    /// A keeper of the answer with this head. What it kept is taken when it is dropped, be the answer through or not.
    pub(super) fn new(headers: &HeaderMap, budget: &Arc<Semaphore>, taker: Taker) -> Self {
        let kept = Kept {
            codings: values(headers, &CONTENT_ENCODING).join(","),
            cookies: values(headers, &SET_COOKIE),
            body: Vec::new(),
            _room: None,
        };
        Self { kept: Some((kept, taker)), budget: Arc::clone(budget), full: false }
    }

    /// A piece goes by.
    pub(super) fn keep(&mut self, piece: &Bytes) {
        let Some((kept, _)) = self.kept.as_mut().filter(|_| !self.full) else { return };
        let piece = piece.get(..KEPT.saturating_sub(kept.body.len())).unwrap_or(piece);
        let room = u32::try_from(piece.len()).ok();
        let room = room.and_then(|room| Arc::clone(&self.budget).try_acquire_many_owned(room).ok());
        let Some(room) = room.filter(|_| !piece.is_empty()) else {
            self.full = true;
            return;
        };
        match &mut kept._room {
            Some(held) => held.merge(room),
            none => *none = Some(room),
        }
        kept.body.extend_from_slice(piece);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some((kept, taker)) = self.kept.take() {
            taker(kept);
        }
    }
}

fn values(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}
