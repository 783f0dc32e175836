//! Bodies: read whole within bounds, or relayed piece by piece with a clock on each.

use std::collections::VecDeque;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use crate::observe::{InFlight, Unjudged};

/// Why a body ended early.
pub(super) type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// A body on its way to either side.
pub(super) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A body of these bytes.
pub(super) fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// What came of reading a body.
pub(super) enum Read {
    /// All of it, with the room it takes of the budget.
    Whole(Bytes, OwnedSemaphorePermit),
    /// Too much for us: what was read, then the rest.
    Over(Relay, Unjudged),
    /// The peer was too slow.
    TimedOut,
    /// The peer went away, or what came was no body.
    Broken,
}

/// Reads a body whole, if it has at most `limit` bytes and the budget has room for it.
///
/// The declared length counts before the first byte is read.
pub(super) async fn read(mut body: Incoming, limit: usize, budget: &Arc<Semaphore>, time: Duration) -> Read {
    let declared = body.size_hint().lower();
    if usize::try_from(declared).map_or(true, |declared| declared > limit) {
        return Read::Over(Relay::new(body, time), Unjudged::TooLarge);
    }
    let Ok(mut room) = Arc::clone(budget).try_acquire_many_owned(0) else { return Read::Broken };
    let (mut pieces, mut total) = (VecDeque::new(), 0_usize);
    let deadline = Instant::now() + time;
    loop {
        let frame = match tokio::time::timeout_at(deadline, body.frame()).await {
            Err(_) => return Read::TimedOut,
            Ok(Some(Err(_))) => return Read::Broken,
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => return Read::Whole(joined(pieces, total), room),
        };
        // trailers end here: they are no part of the message
        let Ok(piece) = frame.into_data() else { continue };
        total = total.saturating_add(piece.len());
        let more = u32::try_from(piece.len()).ok().and_then(|len| Arc::clone(budget).try_acquire_many_owned(len).ok());
        pieces.push_back(piece);
        let reason = match more {
            _ if total > limit => Unjudged::TooLarge,
            None => Unjudged::Budget,
            Some(more) => {
                room.merge(more);
                continue;
            }
        };
        return Read::Over(Relay { read: pieces, ..Relay::new(body, time) }, reason);
    }
}

fn joined(mut pieces: VecDeque<Bytes>, total: usize) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop_front().unwrap_or_default();
    }
    let mut whole = Vec::with_capacity(total);
    pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
    whole.into()
}

/// A body that is relayed as it comes. It fails when a piece is too long in coming.
pub(super) struct Relay {
    read: VecDeque<Bytes>,
    rest: Incoming,
    time: Duration,
    /// Set while a piece is awaited.
    timer: Option<Pin<Box<Sleep>>>,
    /// Held until the last piece is gone.
    in_flight: Option<InFlight>,
}

impl Relay {
    /// Relays a body whose pieces may each take so long.
    pub(super) fn new(rest: Incoming, time: Duration) -> Self {
        Self { read: VecDeque::new(), rest, time, timer: None, in_flight: None }
    }

    /// Counts the request as being answered until this body is through.
    pub(super) fn holding(mut self, in_flight: InFlight) -> Self {
        self.in_flight = Some(in_flight);
        self
    }
}

impl hyper::body::Body for Relay {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(piece) = this.read.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if let Poll::Ready(frame) = Pin::new(&mut this.rest).poll_frame(cx) {
            this.timer = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let time = this.time;
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Some(Err("the next piece of the body did not come in time".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.iter().map(|piece| piece.len() as u64).sum::<u64>();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint
    }
}
