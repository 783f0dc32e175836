//! Bodies: read whole within bounds, or relayed piece by piece with a clock on each.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::Version;
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use smallvec::{SmallVec, smallvec};
use tokio::time::{Instant, Sleep};

use super::budget::{Budget, Room};
use super::keeping::Keeper;
use super::turn::let_by;
use crate::observe::Unjudged;

/// Bytes that are read of a body that nobody wants.
const DISCARDED: usize = 8 * 1024 * 1024;
/// And how long.
pub(super) const DISCARDING: Duration = Duration::from_secs(5);

/// Why a body ended early.
pub(super) type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// A body on its way to either side.
pub(super) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A body of these bytes.
pub(super) fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A body that was read, with the room that it takes of the budget: given back when the last user of its bytes is done, be it
/// the judge or an upstream that is slow to take them.
struct Held {
    bytes: Vec<u8>,
    room: Room,
    /// Bytes that there is room for.
    taken: usize,
}

impl Held {
    /// Takes a piece of a body that is expected to have so many bytes, if there is room for it: for twice what is there, and not for more
    /// than is expected. Who says much and brings little keeps nobody out.
    ///
    /// They are copied as they come: a body in chunks of one byte each would take many times its length as pieces.
    fn take(&mut self, piece: &[u8], expected: usize) -> bool {
        let bytes = self.bytes.len().saturating_add(piece.len());
        if bytes > self.taken {
            let wanted = bytes.max(expected.min(bytes.saturating_mul(2)));
            if !self.room.grow(wanted.saturating_sub(self.taken)) {
                return false;
            }
            self.taken = wanted;
            self.bytes.reserve_exact(wanted.saturating_sub(self.bytes.len()));
        }
        self.bytes.extend_from_slice(piece);
        true
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What came of reading a body.
pub(super) enum Read {
    /// All of it.
    Whole(Bytes),
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
pub(super) async fn read(mut body: Incoming, limit: usize, budget: &Budget, time: Duration) -> Read {
    let declared = body.size_hint();
    if usize::try_from(declared.lower()).map_or(true, |declared| declared > limit) {
        return Read::Over(Relay::new(body, time), Unjudged::TooLarge);
    }
    let Some(room) = budget.room(declared.upper()) else {
        return Read::Over(Relay::new(body, time), Unjudged::Budget);
    };
    let expected = declared.exact().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let mut held = Held { bytes: Vec::new(), room, taken: 0 };
    let deadline = Instant::now() + time;
    loop {
        let frame = match tokio::time::timeout_at(deadline, body.frame()).await {
            Err(_) => return Read::TimedOut,
            Ok(Some(Err(_))) => return Read::Broken,
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => return Read::Whole(Bytes::from_owner(held)),
        };
        // trailers end here: they are no part of the message
        let Ok(piece) = frame.into_data() else { continue };
        let reason = if held.bytes.len().saturating_add(piece.len()) > limit {
            Unjudged::TooLarge
        } else if held.take(&piece, expected) {
            continue;
        } else {
            Unjudged::Budget
        };
        let read = smallvec![piece, Bytes::from_owner(held)];
        return Read::Over(Relay { read, ..Relay::new(body, time) }, reason);
    }
}

/// Reads a body that nobody wants. An HTTP/2 client is answered at once: it hears while it sends, and stops.
pub(super) async fn discard_from<B>(version: Version, body: B)
where
    B: hyper::body::Body<Data = Bytes> + Unpin + Send + 'static,
{
    if version == Version::HTTP_2 {
        tokio::spawn(discard(body));
    } else {
        discard(body).await;
    }
}

/// Reads a body that nobody wants, a while and a few bytes long: a client that is cut off while it still sends does not see the
/// answer.
pub(super) async fn discard<B: hyper::body::Body<Data = Bytes> + Unpin>(mut body: B) {
    let discarded = async {
        let mut total = 0_usize;
        while let (Some(Ok(frame)), true) = (body.frame().await, total < DISCARDED) {
            total = total.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        }
    };
    // either way there is nothing more to be done for it
    let _ = tokio::time::timeout(DISCARDING, discarded).await;
}

/// What is told when a body breaks.
type Broken = Box<dyn FnOnce(&BodyError) + Send>;

/// A body that is relayed as it comes. It fails when a piece is too long in coming.
pub(super) struct Relay {
    /// What was read of it, the last piece first.
    read: SmallVec<[Bytes; 2]>,
    rest: Incoming,
    time: Duration,
    /// Set while a piece is awaited.
    timer: Option<Pin<Box<Sleep>>>,
    /// Told when this body breaks, and dropped when it is through.
    broken: Option<Broken>,
    /// Keeps a copy of what goes by, until this body is through.
    keeper: Option<Box<Keeper>>,
}

impl Relay {
    /// Relays a body whose pieces may each take so long.
    pub(super) fn new(rest: Incoming, time: Duration) -> Self {
        Self { read: SmallVec::new(), rest, time, timer: None, broken: None, keeper: None }
    }

    /// Tells when this body breaks. What is told is kept until the body is through.
    pub(super) fn telling(mut self, broken: impl FnOnce(&BodyError) + Send + 'static) -> Self {
        self.broken = Some(Box::new(broken));
        self
    }

    /// Shows what goes by.
    pub(super) fn kept_by(mut self, keeper: Option<Keeper>) -> Self {
        self.keeper = keeper.map(Box::new);
        self
    }

    /// The next piece, or an error when it is too long in coming.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(piece) = self.read.pop() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.rest).poll_frame(cx) {
            self.timer = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let time = self.time;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Some(Err("the next piece of the body did not come in time".into())))
    }
}

/// The body of a request broke: the fault of the client, not of the upstream that it was on its way to.
#[derive(Debug, thiserror::Error)]
#[error("the body of the request could not be read: {0}")]
pub(super) struct RequestBroken(BodyError);

/// Bytes of a body that is taken in one go where it is at hand.
const AT_HAND: u64 = 64 * 1024;
/// How often other tasks are let by, so that what came with the head is handed on.
const TURNS: usize = 2;

/// The body of a request that is relayed. Where a small one came together with its head, it goes on together with it, too: one
/// write to the upstream instead of two. Nothing is waited for.
pub(super) async fn relayed(mut body: Incoming, time: Duration) -> Result<Body, BodyError> {
    let declared = body.size_hint().exact().filter(|length| *length <= AT_HAND);
    let mut left = declared.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let mut read = SmallVec::new();
    for turn in 0..=TURNS {
        // trailers are left where they are
        while left > 0
            // whoever polls next asks to be woken
            && let Poll::Ready(frame) = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()))
        {
            let Some(frame) = frame.transpose()? else { break };
            let Ok(piece) = frame.into_data() else { break };
            left = left.saturating_sub(piece.len());
            read.push(piece);
        }
        if left == 0 || turn == TURNS {
            break;
        }
        let_by().await;
    }
    read.reverse();
    Ok(of_request(Relay { read, ..Relay::new(body, time) }))
}

/// The body of a request, on its way to the upstream.
pub(super) fn of_request(relay: Relay) -> Body {
    relay.map_err(|error| RequestBroken(error).into()).boxed_unsync()
}

impl hyper::body::Body for Relay {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(self.poll_piece(cx));
        match &frame {
            None => (self.broken, self.keeper) = (None, None),
            Some(Err(error)) => {
                self.keeper = None;
                if let Some(broken) = self.broken.take() {
                    broken(error);
                }
            }
            Some(Ok(frame)) => {
                if let (Some(keeper), Some(piece)) = (&mut self.keeper, frame.data_ref()) {
                    keeper.keep(piece);
                }
            }
        }
        Poll::Ready(frame)
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
