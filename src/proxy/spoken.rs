//! Follows what is said on a connection, for what the HTTP library does not do: it drops one of two lengths that a request states unseen, and
//! nobody knows from it how much of its bodies is still to come.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

use super::frames::Frames;
use super::framing::Scanner;
use super::pieces::{Begun, PIECE, Pieces};
use super::shorter::Shorter;
use super::uploads::{FOR_HUGE, Needs};

/// Whether a request with two lengths came in on a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct TwoLengths(Arc<AtomicBool>);

impl TwoLengths {
    pub(super) fn seen(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The HTTP that is spoken on a connection, and what is known of it.
pub(super) enum Spoken {
    Http1(Scanner, TwoLengths),
    /// It has one length alone.
    Http2(Frames, Box<Shorter>),
}

impl Spoken {
    /// A connection that was just opened; two lengths are found in HTTP/1.1 alone.
    pub(super) fn new(is_http1: bool, found: TwoLengths) -> Self {
        match is_http1 {
            true => Self::Http1(Scanner::default(), found),
            false => Self::Http2(Frames::new(), Box::new(Shorter::new())),
        }
    }

    /// What it takes to read on where so much was read of a piece, and how much of it may be read then.
    pub(super) fn needs(&self, begun: Begun) -> (Needs, Begun) {
        // whatever it will be, it is held for its length
        let of_piece = match begun {
            Begun::Little => Needs::Nothing,
            Begun::Much => Needs::Small,
            Begun::Long => Needs::Large(FOR_HUGE),
        };
        let needs = match self {
            Self::Http1(scanner, _) => match scanner.needs() {
                Needs::Nothing => of_piece,
                // it said how long it is
                known => return (known, Begun::Long),
            },
            Self::Http2(frames, _) => frames.needs().max(of_piece),
        };
        match needs {
            Needs::Nothing => (needs, Begun::Little),
            Needs::Small => (needs, Begun::Much),
            Needs::Large(_) => (needs, Begun::Long),
        }
    }

    /// Whether the last request was read to its end, and nobody reads on.
    pub(super) fn is_through(&self) -> bool {
        matches!(self, Self::Http1(scanner, _) if scanner.needs() == Needs::Nothing)
    }

    /// Whether the client may be waiting for us. Of HTTP/1.1 nothing is read then.
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Self::Http2(frames, _) if frames.is_full())
    }

    /// Gives what was read and had no room, and says whether there was anything.
    pub(super) fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        match self {
            Self::Http1(..) => false,
            Self::Http2(_, shorter) => shorter.give(buf),
        }
    }

    /// Reads what is at hand. Says how many bytes came in: of HTTP/2 some may be there of which nothing is told yet.
    pub(super) fn poll_read<S: Pieces>(
        &mut self,
        inner: Pin<&mut S>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Http1(scanner, found) => {
                let before = buf.filled().len();
                ready!(inner.poll_piece(cx, buf, &mut |bytes| scanner.feed(bytes)))?;
                if scanner.is_lost() {
                    found.0.store(true, Ordering::Release);
                }
                Poll::Ready(Ok(buf.filled().len() - before))
            }
            Self::Http2(frames, shorter) => {
                let mut room = [const { MaybeUninit::uninit() }; PIECE];
                let most = buf.remaining().min(PIECE);
                let mut piece = ReadBuf::uninit(room.get_mut(..most).unwrap_or_default());
                ready!(inner.poll_piece(cx, &mut piece, &mut |bytes| frames.read(bytes)))?;
                shorter.read(piece.filled(), buf);
                Poll::Ready(Ok(piece.filled().len()))
            }
        }
    }

    /// Sees what goes out, so many bytes of these pieces. Says whether that tells anything of what comes in.
    pub(super) fn written<'b>(&mut self, pieces: impl Iterator<Item = &'b [u8]>, mut bytes: usize) -> bool {
        let Self::Http2(frames, _) = self else { return false };
        for piece in pieces {
            let piece = piece.get(..bytes).unwrap_or(piece);
            bytes -= piece.len();
            frames.written(piece);
        }
        true
    }
}
