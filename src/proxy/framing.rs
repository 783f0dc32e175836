//! Watches the bytes of an HTTP/1.1 connection, for what the HTTP library does not do: it drops one of two lengths that a request states
//! unseen, and it reads of every body before anybody asks.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pieces::Pieces;
use super::uploads::{FOR_HUGE, Turns};

/// Bytes of a line that are looked at; the two names and any length fit.
const LINE: usize = 64;

/// Bytes of a small body, which is read at once: sign-ins have some 10 kB.
const SMALL: u64 = 16 * 1024;
/// Bytes of the largest body that takes one permit to be read; a larger one, and one of unknown length, takes [`FOR_HUGE`]. Browsers say
/// how long a form is.
const LARGE: u64 = 64 * 1024;

/// Whether a request with two lengths came in on a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct TwoLengths(Arc<AtomicBool>);

impl TwoLengths {
    pub(super) fn seen(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A connection whose requests are watched as they are read.
pub(super) struct Watched<S> {
    inner: S,
    /// None for HTTP/2, which has one length alone.
    scanner: Option<Scanner>,
    found: TwoLengths,
    turns: Turns,
}

impl<S> Watched<S> {
    /// Watches a connection of which large bodies come in by turns.
    pub(super) fn new(inner: S, is_http1: bool, found: TwoLengths, turns: Turns) -> Self {
        Self { inner, scanner: is_http1.then(Scanner::default), found, turns }
    }
}

impl<S: Pieces + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // what is not read waits in the buffers of the system; what is read takes several of ours, whoever it is for
        let permits = self.scanner.as_ref().map_or(0, Scanner::permits);
        ready!(self.turns.poll_turn(permits, cx));
        let before = buf.filled().len();
        if Pin::new(&mut self.inner).poll_piece(cx, buf)?.is_pending() {
            ready!(self.turns.poll_cut_off(cx));
            tracing::debug!("a large body came too slowly while others waited");
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let read = buf.filled().get(before..).unwrap_or_default();
        self.turns.came(read.len());
        if self.scanner.as_mut().is_some_and(|scanner| scanner.feed(read)) {
            self.found.0.store(true, Ordering::Release);
        }
        if self.scanner.as_ref().is_none_or(|scanner| scanner.permits() == 0) {
            self.turns.end();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

/// Follows requests just closely enough to know where each head begins ([RFC 9112 6.3], [RFC 9112 7.1]). Where it might take a length or the
/// end of a line otherwise than the HTTP library does, it is lost, and the request is refused.
#[derive(Default)]
struct Scanner {
    place: Place,
    /// The line so far, cut to [`LINE`] bytes.
    line: Vec<u8>,
    /// Its last byte.
    last: u8,
    length: Option<u64>,
    chunked: bool,
}

#[derive(Default, Clone, Copy)]
enum Place {
    /// Before a request line: empty lines are skipped.
    #[default]
    Start,
    Head,
    /// In a body or a chunk with so many bytes to come, then at the next place.
    Body(u64),
    Chunk(u64),
    ChunkSize,
    Trailer,
    /// Two lengths were seen, or one that cannot be told: what follows has no meaning.
    Lost,
}

impl Scanner {
    /// Takes the next bytes; true once a request with two lengths came in.
    fn feed(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let taken = match self.place {
                Place::Lost => return true,
                Place::Body(left) | Place::Chunk(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let left = left.saturating_sub(taken as u64);
                    self.place = match (self.place, left) {
                        (Place::Chunk(_), 0) => Place::ChunkSize,
                        (Place::Chunk(_), left) => Place::Chunk(left),
                        (_, 0) => Place::Start,
                        (_, left) => Place::Body(left),
                    };
                    taken
                }
                _ => {
                    let end = memchr::memchr(b'\n', bytes);
                    let line = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
                    self.line.extend(line.iter().take(LINE.saturating_sub(self.line.len())));
                    self.last = line.last().copied().unwrap_or(self.last);
                    if end.is_some() {
                        self.end_of_line();
                        self.line.clear();
                        self.last = 0;
                    }
                    end.map_or(bytes.len(), |end| end + 1)
                }
            };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        matches!(self.place, Place::Lost)
    }

    /// How many permits it takes to read on.
    fn permits(&self) -> u32 {
        match (self.place, self.length) {
            (Place::Body(_), Some(..=SMALL)) => 0,
            (Place::Body(_), Some(..=LARGE)) => 1,
            (Place::Body(_) | Place::Chunk(_) | Place::ChunkSize | Place::Trailer, _) => FOR_HUGE,
            (Place::Start | Place::Head | Place::Lost, _) => 0,
        }
    }

    fn end_of_line(&mut self) {
        let (line, cut) = (self.line.trim_ascii(), self.line.len() == LINE);
        self.place = match self.place {
            Place::Start if line.is_empty() => Place::Start,
            Place::Start => {
                (self.length, self.chunked) = (None, false);
                Place::Head
            }
            Place::Head if !line.is_empty() => {
                let value = value_of(line, b"content-length:");
                if value.is_some() && cut {
                    // blanks or zeros before the digits
                    self.place = Place::Lost;
                    return;
                }
                if let Some(value) = value {
                    self.length = Some(std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0));
                } else if value_of(line, b"transfer-encoding:").is_some() {
                    self.chunked = true;
                }
                Place::Head
            }
            Place::Head => match (self.length, self.chunked) {
                (Some(_), true) => Place::Lost,
                (None, true) => Place::ChunkSize,
                (Some(length), false) if length > 0 => Place::Body(length),
                _ => Place::Start,
            },
            // the end of the chunk before
            Place::ChunkSize if line.is_empty() => Place::ChunkSize,
            Place::ChunkSize if cut && !line.contains(&b';') => Place::Lost,
            Place::ChunkSize => match chunk_size(line) {
                0 => Place::Trailer,
                size => Place::Chunk(size),
            },
            // a line feed alone ends no trailer for the library
            Place::Trailer if self.last != b'\r' => Place::Lost,
            Place::Trailer if line.is_empty() => Place::Start,
            place => place,
        };
    }
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn chunk_size(line: &[u8]) -> u64 {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::super::pieces::copied;
    use super::super::uploads::Uploads;
    use super::*;

    impl Pieces for DuplexStream {
        fn poll_piece(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            copied(self, cx, buf)
        }
    }

    const BOTH: &str = "POST /b HTTP/1.1\r\nContent-Length: 3\r\ntransfer-encoding: chunked\r\n\r\n";

    /// In one piece, and byte by byte.
    fn finds(text: &str) -> bool {
        let whole = Scanner::default().feed(text.as_bytes());
        let mut scanner = Scanner::default();
        let bytewise = text.bytes().any(|byte| scanner.feed(&[byte]));
        assert_eq!(whole, bytewise);
        whole
    }

    #[test]
    fn two_lengths_are_seen_in_either_order_and_behind_any_request() {
        assert!(finds(BOTH));
        assert!(finds("POST / HTTP/1.1\nTransfer-Encoding: chunked\nX: y\nCONTENT-LENGTH:3\n\n"));
        assert!(finds(&format!("GET / HTTP/1.1\r\nA: b\r\n\r\n{BOTH}")));
        assert!(finds(&format!("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab\r\n\n{BOTH}")));
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\na\r\n\n\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n";
        assert!(finds(&format!("{chunked}\r\n{BOTH}")));
        assert!(!finds(chunked));
    }

    #[test]
    fn what_the_library_may_take_otherwise_is_refused() {
        let blanks = " ".repeat(60);
        assert!(finds(&format!("POST / HTTP/1.1\r\nContent-Length:{blanks}3\r\n\r\nabc")));
        assert!(finds(&format!("POST / HTTP/1.1\r\nContent-Length: {}3\r\n\r\nabc", "0".repeat(60))));
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(finds(&format!("{chunked}{}3\r\nabc\r\n0\r\n\r\n", "0".repeat(80))));
        assert!(finds(&format!("{chunked}0\r\nX: y\n\r\n")));
        // long lines that say nothing of lengths are nobody's business
        let cookies = "a=b; ".repeat(100);
        assert!(!finds(&format!("POST / HTTP/1.1\r\nCookie: {cookies}\r\nContent-Length: 3\r\n\r\nabc")));
        assert!(!finds(&format!("{chunked}3;x={}\r\nabc\r\n0\r\nX: {cookies}\r\n\r\n", "y".repeat(100))));
    }

    #[test]
    fn a_body_that_looks_like_a_head_is_none() {
        let body = BOTH.len();
        assert!(!finds(&format!("POST / HTTP/1.1\r\nContent-Length: {body}\r\n\r\n{BOTH}")));
        assert!(!finds(&format!(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{body:x}\r\n{BOTH}\r\n0\r\n\r\n"
        )));
    }

    /// Whether so many bytes can be read of it.
    async fn gives(watched: &mut Watched<DuplexStream>, mut bytes: usize) -> bool {
        let mut room = [0; 4096];
        while bytes > 0 {
            let most = bytes.min(room.len());
            let read = watched.read(room.get_mut(..most).unwrap());
            let Ok(read) = tokio::time::timeout(Duration::from_millis(20), read).await else { return false };
            bytes -= read.unwrap();
        }
        true
    }

    #[tokio::test]
    async fn large_bodies_come_in_by_turns_and_nothing_else_waits() {
        let uploads = Uploads::new(0);
        let connect = || {
            let (far, near) = duplex(256 * 1024);
            (far, Watched::new(near, true, TwoLengths::default(), uploads.enter()))
        };
        let small_bytes = usize::try_from(SMALL).unwrap();
        let head = |length: u64| format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let (mut one, mut first) = connect();
        let (mut other, mut second) = connect();
        one.write_all(head(SMALL + 1).as_bytes()).await.unwrap();
        one.write_all(&[b'a'; 100]).await.unwrap();
        assert!(gives(&mut first, head(SMALL + 1).len()).await && gives(&mut first, 100).await);
        // heads and small bodies go on
        let small = [head(SMALL).as_bytes(), &vec![b'a'; small_bytes], head(LARGE + 1).as_bytes()].concat();
        other.write_all(&small).await.unwrap();
        assert!(gives(&mut second, small.len()).await);
        other.write_all(&[b'a'; 100]).await.unwrap();
        assert!(!gives(&mut second, 1).await);
        // the end of the one is the turn of the other, and nobody has to read further for it
        one.write_all(&vec![b'a'; small_bytes - 99]).await.unwrap();
        assert!(gives(&mut first, small_bytes - 99).await);
        assert!(gives(&mut second, 100).await);
        // a body of unknown length may be the largest
        one.write_all(chunked.as_bytes()).await.unwrap();
        assert!(gives(&mut first, chunked.len()).await);
        one.write_all(b"1\r\na\r\n0\r\n\r\n").await.unwrap();
        assert!(!gives(&mut first, 1).await);
        drop(second);
        assert!(gives(&mut first, 11).await);
    }
}
