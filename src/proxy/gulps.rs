//! Reads beneath TLS, the rest of a sign-in at once: the library asks for 4 kB, and each time is a call of the system. And not more than
//! that of a record that nobody may read yet: the library holds what it reads of one until it has all of it.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pieces::Begun;

/// Bytes that are asked for at once.
const GULP: usize = 10 * 1024;
/// Bytes of a record that are read at any time.
const LITTLE: usize = 4096;
/// Bytes of a long record: a sign-in comes in a shorter one, with or without its head.
const LONG: usize = 12 * 1024;
/// Bytes of the head of a record ([RFC 8446 5.1]).
const HEAD: usize = 5;

/// A connection that is read in gulps where there is more at hand than was asked for. Not at first, nor after a silence: of most uploads
/// that wait for their turns only the heads are here then. What the library has not asked for yet is kept until it does.
pub(super) struct Gulps<S> {
    inner: S,
    rest: Vec<u8>,
    /// Bytes of the rest that were taken.
    taken: usize,
    /// Whether the last read gave all that was asked for.
    more: bool,
    /// Bytes that were read since something came of them.
    came: usize,
    record: Record,
    /// How much may be read.
    open: Begun,
}

impl<S> Gulps<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, rest: Vec::new(), taken: 0, more: false, came: 0, record: Record::default(), open: Begun::Long }
    }

    /// What was read that nothing has come of.
    pub(super) fn begun(&self) -> Begun {
        match self.came {
            _ if self.record.is_long() => Begun::Long,
            0..LITTLE => Begun::Little,
            _ => Begun::Much,
        }
    }

    /// Says how much may be read. Whoever says less asks again once it may be more: nobody is woken.
    pub(super) fn open(&mut self, open: Begun) {
        self.open = open;
    }

    /// Something came of what was read.
    pub(super) fn used(&mut self) {
        self.came = 0;
    }

    fn saw(&mut self, bytes: &[u8]) {
        self.came = self.came.saturating_add(bytes.len());
        self.record.read(bytes);
    }

    /// Gives what is kept, and says whether there was anything.
    fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let kept = self.rest.get(self.taken..).unwrap_or_default();
        let piece = kept.get(..buf.remaining()).unwrap_or(kept);
        if piece.is_empty() {
            return false;
        }
        buf.put_slice(piece);
        self.taken += piece.len();
        if self.taken == self.rest.len() {
            // a connection that is silent keeps nothing
            (self.rest, self.taken) = (Vec::new(), 0);
        }
        true
    }
}

/// The record that goes on.
#[derive(Default)]
struct Record {
    head: [u8; HEAD],
    filled: usize,
    length: usize,
    /// Bytes still to come.
    left: usize,
}

impl Record {
    fn is_long(&self) -> bool {
        self.left > 0 && self.length > LONG
    }

    fn read(&mut self, mut bytes: &[u8]) {
        loop {
            let now = self.left.min(bytes.len());
            self.left -= now;
            // where more is left, it is of the next head
            let Some((byte, rest)) = bytes.get(now..).and_then(<[u8]>::split_first) else { return };
            bytes = rest;
            if let Some(next) = self.head.get_mut(self.filled) {
                *next = *byte;
            }
            self.filled += 1;
            if self.filled == HEAD {
                let [.., high, low] = self.head;
                self.length = u16::from_be_bytes([high, low]).into();
                (self.filled, self.left) = (0, self.length);
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gulps<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 || self.give(buf) {
            return Poll::Ready(Ok(()));
        }
        if self.begun() > self.open {
            return Poll::Pending;
        }
        // the library asks for as much as it has room for, which may be that of the record before
        let is_asked_for = match self.open {
            Begun::Little => buf.remaining() <= LITTLE,
            _ => !self.more || buf.remaining() >= GULP,
        };
        if is_asked_for {
            let before = buf.filled().len();
            let read = Pin::new(&mut self.inner).poll_read(cx, buf);
            self.saw(buf.filled().get(before..).unwrap_or_default());
            self.more = buf.remaining() == 0;
            return read;
        }
        let mut room = [const { MaybeUninit::uninit() }; GULP];
        let room = room.get_mut(..if self.open == Begun::Little { LITTLE } else { GULP });
        let mut gulp = ReadBuf::uninit(room.unwrap_or_default());
        let read = Pin::new(&mut self.inner).poll_read(cx, &mut gulp);
        self.more = gulp.remaining() == 0;
        ready!(read)?;
        self.saw(gulp.filled());
        let (now, later) = gulp.filled().split_at_checked(buf.remaining()).unwrap_or((gulp.filled(), &[]));
        buf.put_slice(now);
        if !later.is_empty() {
            self.rest = later.to_vec();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gulps<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn nothing_is_read_ahead_of_a_head() {
        let (mut near, far) = tokio::io::duplex(3 * GULP);
        let mut gulps = Gulps::new(far);
        for _ in 0..2 {
            near.write_all(&[1; GULP]).await.unwrap();
            // the first read asks for no more than it is asked for, nor does the first one after a silence
            assert_eq!(gulps.read(&mut [0; 4096]).await.unwrap(), 4096);
            assert_eq!(gulps.rest.len(), 0);
            assert_eq!(gulps.read(&mut [0; 4096]).await.unwrap(), 4096);
            assert_eq!(gulps.rest.len(), GULP - 8192);
            assert_eq!(gulps.read(&mut [0; 4096]).await.unwrap(), GULP - 8192);
            let silent = std::future::poll_fn(|cx| {
                Poll::Ready(Pin::new(&mut gulps).poll_read(cx, &mut ReadBuf::new(&mut [0; 16])).is_pending())
            });
            assert!(silent.await);
        }
    }

    #[tokio::test]
    async fn no_more_than_a_little_is_read_before_it_may_be() {
        let (mut near, far) = tokio::io::duplex(3 * GULP);
        let mut gulps = Gulps::new(far);
        near.write_all(&[1; 2 * GULP]).await.unwrap();
        gulps.open(Begun::Little);
        assert_eq!(gulps.read(&mut [0; LITTLE - 1]).await.unwrap(), LITTLE - 1);
        assert_eq!(gulps.begun(), Begun::Little);
        assert_eq!(gulps.read(&mut [0; 1]).await.unwrap(), 1);
        assert_eq!(gulps.begun(), Begun::Much);
        let waits = std::future::poll_fn(|cx| {
            Poll::Ready(Pin::new(&mut gulps).poll_read(cx, &mut ReadBuf::new(&mut [0; 16])).is_pending())
        });
        assert!(waits.await);
        gulps.open(Begun::Long);
        assert_eq!(gulps.read(&mut [0; 16]).await.unwrap(), 16);
        gulps.open(Begun::Little);
        gulps.used();
        // what is kept, and a little beyond
        assert_eq!(gulps.read(&mut [0; 2 * GULP]).await.unwrap(), GULP - 16);
        assert_eq!(gulps.read(&mut [0; 2 * LITTLE]).await.unwrap(), LITTLE);
    }

    #[tokio::test]
    async fn of_a_long_record_hardly_more_than_the_head_is_read_before_it_may_be() {
        let record = |length: usize| {
            let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
            [&[23, 3, 3, high, low], vec![0; length].as_slice()].concat()
        };
        let (mut near, far) = tokio::io::duplex(4 * GULP);
        let mut gulps = Gulps::new(far);
        gulps.open(Begun::Much);
        near.write_all(&record(LONG)).await.unwrap();
        let mut read = 0;
        while read < HEAD + LONG {
            assert_eq!(gulps.begun() == Begun::Much, read >= LITTLE);
            read += gulps.read(&mut [0; LITTLE]).await.unwrap();
        }
        let silent = tokio::time::timeout(std::time::Duration::from_millis(20), gulps.read(&mut [0; 16])).await;
        assert!(silent.is_err());
        gulps.used();
        near.write_all(&record(LONG + 1)).await.unwrap();
        assert_eq!(gulps.read(&mut [0; HEAD]).await.unwrap(), HEAD);
        assert_eq!(gulps.begun(), Begun::Long);
        let waits = tokio::time::timeout(std::time::Duration::from_millis(20), gulps.read(&mut [0; 16])).await;
        assert!(waits.is_err());
        gulps.open(Begun::Long);
        let mut left = LONG + 1;
        while left > 0 {
            assert_eq!(gulps.begun(), Begun::Long);
            left -= gulps.read(&mut vec![0; 3 * GULP]).await.unwrap();
        }
        assert_eq!(gulps.begun(), Begun::Much);
        // the head of one may come in pieces
        let mut bytewise = Record::default();
        for (at, byte) in [record(LONG), record(LONG + 1), record(1)].concat().into_iter().enumerate() {
            bytewise.read(&[byte]);
            assert_eq!(bytewise.is_long(), (2 * HEAD + LONG..2 * HEAD + 2 * LONG + 1).contains(&(at + 1)), "{at}");
        }
    }

    #[tokio::test]
    async fn what_is_asked_for_little_by_little_comes_in_order_to_the_last_byte() {
        let (mut near, far) = tokio::io::duplex(3 * GULP);
        let sent: Vec<u8> = (0..5 * GULP).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let (whole, mut gulps) = (sent.clone(), Gulps::new(far));
        let sending = tokio::spawn(async move {
            near.write_all(&whole).await.unwrap();
        });
        let mut came = Vec::new();
        for size in [1, 4096, 5, GULP, 0, 3 * GULP, 4096].into_iter().cycle() {
            let mut piece = vec![0; size];
            let read = gulps.read(&mut piece).await.unwrap();
            came.extend_from_slice(piece.get(..read).unwrap());
            if size > 0 && read == 0 {
                break;
            }
        }
        sending.await.unwrap();
        assert!(came == sent);
        assert_eq!(gulps.rest.capacity(), 0);
    }
}
