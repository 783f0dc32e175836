//! What comes in on a connection, a piece at a time.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::gulps::Gulps;

/// Bytes that are read at once. The HTTP library doubles its buffer for whoever fills it, up to the longest head: one byte less than a
/// step of that, so that a thousand uploads do not take 64 kB each.
pub(super) const PIECE: usize = 8 * 1024 - 1;

/// Sees what is at hand, and says how many bytes of it are to be read.
pub(super) type Take<'a> = &'a mut dyn FnMut(&[u8]) -> usize;

/// What was read of a piece that is not whole: it is held until it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Begun {
    Little,
    /// More than a little, of one that is no longer than a sign-in.
    Much,
    /// Of a longer one.
    Long,
}

/// A connection that is read in pieces.
pub(super) trait Pieces {
    /// Reads what is at hand, and not more than [`PIECE`] bytes of it.
    fn poll_piece(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        take: Take<'_>,
    ) -> Poll<io::Result<()>>;

    /// What was read of the piece that is at hand, if that is not whole.
    fn begun(&self) -> Begun {
        Begun::Little
    }

    /// Says how much may be read of one.
    fn open(&mut self, _open: Begun) {}

    /// Gives back memory that the next piece will ask for anew. Nothing is lost.
    fn rest(&mut self) {}
}

/// One record at a time: the library fills whatever buffer it is given, and so reads of a body with the head of its request.
impl<S: AsyncRead + AsyncWrite + Unpin> Pieces for TlsStream<Gulps<S>> {
    fn poll_piece(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        take: Take<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(at_hand(self.as_mut(), cx, buf, take))?;
        self.get_mut().get_mut().0.used();
        Poll::Ready(Ok(()))
    }

    fn begun(&self) -> Begun {
        self.get_ref().0.begun()
    }

    fn open(&mut self, open: Begun) {
        self.get_mut().0.open(open);
    }

    /// The library holds the room of the largest record that came until it is asked to read once more.
    fn rest(&mut self) {
        // nothing is there to be read, and so nothing is wrong with it
        let _ = self.get_mut().1.read_tls(&mut Nothing);
    }
}

/// Where nothing is to be read at this moment.
struct Nothing;

impl io::Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Plain connections speak HTTP/1.1, of which all that is at hand is taken.
impl Pieces for TcpStream {
    fn poll_piece(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        take: Take<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(copied(self, cx, buf))?;
        let mut left = buf.filled().get(before..).unwrap_or_default();
        while !left.is_empty() {
            left = left.get(take(left)..).unwrap_or_default();
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads of what a stream holds ready.
pub(super) fn at_hand<S: AsyncBufRead>(
    mut stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
    take: Take<'_>,
) -> Poll<io::Result<()>> {
    let at_hand = ready!(stream.as_mut().poll_fill_buf(cx))?;
    let piece = at_hand.get(..buf.remaining().min(PIECE)).unwrap_or(at_hand);
    let piece = piece.get(..take(piece)).unwrap_or(piece);
    buf.put_slice(piece);
    let read = piece.len();
    stream.consume(read);
    Poll::Ready(Ok(()))
}

/// Reads a piece of whatever fills the buffer that it is given.
fn copied<S: AsyncRead>(stream: Pin<&mut S>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
    if buf.remaining() <= PIECE {
        return stream.poll_read(cx, buf);
    }
    // to fill so much of the buffer with zeros first, for each read, would cost more than the copy
    let mut piece = [const { MaybeUninit::uninit() }; PIECE];
    let mut piece = ReadBuf::uninit(&mut piece);
    ready!(stream.poll_read(cx, &mut piece))?;
    buf.put_slice(piece.filled());
    Poll::Ready(Ok(()))
}
