//! A body that breaks off in its middle, as when a connection is lost.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// The first half of a body that was announced whole.
pub(super) struct Cut {
    half: Option<Bytes>,
    announced: u64,
    /// Whether the half had its turn to be sent.
    sent: bool,
}

impl Cut {
    pub(super) fn new(whole: &Bytes) -> Self {
        Self { half: Some(whole.slice(..whole.len() / 2)), announced: whole.len() as u64, sent: false }
    }
}

impl Body for Cut {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        if !std::mem::replace(&mut self.sent, true) {
            // what was written goes out when there is nothing more to write
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
