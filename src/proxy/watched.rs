//! Watches the bytes of a connection, and has its bodies come in by turns: the HTTP library reads of every body before anybody asks.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pieces::{Begun, Pieces};
use super::spoken::{Spoken, TwoLengths};
use super::uploads::{Ends, Needs, Turns};

/// A connection whose bodies come in by turns.
pub(super) struct Watched<S> {
    inner: S,
    spoken: Spoken,
    turns: Turns,
    /// Whoever waits for a turn.
    reader: Option<Waker>,
    /// Whether all that was at hand is read.
    dry: bool,
}

impl<S: Pieces> Watched<S> {
    /// Watches a connection; two lengths are found in HTTP/1.1 alone.
    pub(super) fn new(inner: S, is_http1: bool, found: TwoLengths, turns: Turns) -> Self {
        let spoken = Spoken::new(is_http1, found);
        Self { inner, spoken, turns, reader: None, dry: true }
    }

    /// Sees what goes out. Where no body goes on any more, whoever waits for its turn need not.
    fn written<'b>(&mut self, pieces: impl Iterator<Item = &'b [u8]>, bytes: usize) {
        if !self.spoken.written(pieces, bytes) || self.spoken.needs(self.inner.begun()).0 != Needs::Nothing {
            return;
        }
        if let Some(reader) = self.reader.take() {
            self.turns.leave();
            reader.wake();
        } else if self.dry {
            self.end();
        }
    }

    /// Nothing more is to come. What is kept for it is given back.
    fn end(&mut self) {
        if self.turns.end() {
            self.inner.rest();
        }
    }
}

impl<S: Pieces + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { inner, spoken, turns, reader, dry } = &mut *self;
        let before = buf.filled().len();
        if buf.remaining() == 0 || spoken.give(buf) {
            return Poll::Ready(Ok(()));
        }
        loop {
            let begun = inner.begun();
            let (needs, open) = spoken.needs(begun);
            // what is not read waits in the buffers of the system; what is read takes several of ours, whoever it is for
            if turns.poll_turn(needs, cx).is_pending() {
                // room that is partly filled is no room to give back
                if begun == Begun::Little {
                    inner.rest();
                }
                *reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            *reader = None;
            inner.open(open);
            let read = spoken.poll_read(Pin::new(&mut *inner), cx, buf)?;
            *dry = read.is_pending();
            if let Poll::Ready(read) = read {
                turns.came(read);
                // nothing is the end; of less than the head of a frame nothing is told
                if read == 0 || buf.filled().len() > before {
                    break;
                }
                continue;
            }
            if inner.begun() > open {
                continue;
            }
            if needs == Needs::Nothing {
                self.end();
                return Poll::Pending;
            }
            // who says nothing because we do not let it is not at fault
            if ready!(turns.poll_end(cx)) == Ends::PassOn || spoken.is_full() {
                continue;
            }
            tracing::debug!("a body came too slowly while others waited");
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        // over HTTP/2 reading goes on until nothing is at hand; over HTTP/1.1 not before the answer is through
        if spoken.is_through() {
            self.end();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Pieces + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.written(std::iter::once(buf), written);
        Poll::Ready(Ok(written))
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
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs))?;
        self.written(bufs.iter().map(|buf| &**buf), written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, duplex};

    use super::super::ServerCertificate;
    use super::super::gulps::Gulps;
    use super::super::pieces::{Take, at_hand};
    use super::super::uploads::{LARGE, SMALL, Uploads};
    use super::*;

    type Near = BufReader<DuplexStream>;

    impl Pieces for Near {
        fn poll_piece(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
            take: Take<'_>,
        ) -> Poll<io::Result<()>> {
            at_hand(self, cx, buf, take)
        }
    }

    /// A client, and its connection.
    fn plain(is_http1: bool, uploads: &Uploads) -> (DuplexStream, Watched<Near>) {
        let (far, near) = duplex(256 * 1024);
        (far, Watched::new(BufReader::new(near), is_http1, TwoLengths::default(), uploads.enter()))
    }

    /// A frame of HTTP/2 of the first stream.
    fn frame(kind: u8, length: u16) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        [&[0, high, low, kind, 0, 0, 0, 0, 1], vec![0; length.into()].as_slice()].concat()
    }

    /// Whether so many bytes can be read of it.
    async fn gives<S: Pieces + Unpin>(watched: &mut Watched<S>, mut bytes: usize) -> bool {
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
        let uploads = Uploads::new(1, 0);
        let connect = || plain(true, &uploads);
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

    #[tokio::test]
    async fn what_came_behind_a_request_holds_no_turn_while_that_is_answered() {
        let uploads = Uploads::new(1, 0);
        let connect = || plain(true, &uploads);
        let (get, post) = ("GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc");
        let (mut one, mut first) = connect();
        let (mut other, mut second) = connect();
        one.write_all([get, post].concat().as_bytes()).await.unwrap();
        assert_eq!(first.read(&mut [0; 4096]).await.unwrap(), get.len());
        other.write_all(post.as_bytes()).await.unwrap();
        assert!(gives(&mut second, post.len()).await);
        // and what stands in a body of its own may well be read
        assert!(gives(&mut first, post.len()).await);
        other.write_all(b"de").await.unwrap();
        assert!(gives(&mut second, 2).await);
    }

    #[tokio::test]
    async fn bodies_of_http2_come_in_by_turns_too() {
        let uploads = Uploads::new(1, 0);
        let connect = || plain(false, &uploads);
        let data = |length: u16| frame(0, length);
        let begun = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [0, 0, 1, 1, 4, 0, 0, 0, 1, 0].as_slice()].concat();
        let unread = 1 + data(100).len();
        let begun = [begun, data(100)].concat();
        let (mut one, mut first) = connect();
        let (mut other, mut second) = connect();
        one.write_all(&begun).await.unwrap();
        other.write_all(&begun).await.unwrap();
        assert!(gives(&mut first, begun.len()).await);
        // up to the headers, and no further
        assert!(gives(&mut second, begun.len() - unread).await && !gives(&mut second, 1).await);
        // the one turns out to be large, and waits for nobody
        let more = data(65_535);
        one.write_all(&more).await.unwrap();
        assert!(gives(&mut first, more.len()).await && gives(&mut second, unread).await);
        other.write_all(&more).await.unwrap();
        assert!(gives(&mut second, 9).await && !gives(&mut second, 1).await);
        // told to stop, over two writes in pieces, when all that was at hand is read: the turn is that of the other
        assert!(!gives(&mut first, 1).await);
        let reset = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        let (start, end) = reset.split_at(5);
        first.write_all(start).await.unwrap();
        let (middle, rest) = end.split_at(2);
        let pieces = [middle, rest].map(io::IoSlice::new);
        assert_eq!(first.write_vectored(&pieces).await.unwrap(), end.len());
        assert!(gives(&mut second, 65_535).await);
        // and what is left of the one is nobody's business
        one.write_all(&more).await.unwrap();
        assert!(gives(&mut first, more.len()).await);
    }

    #[tokio::test]
    async fn long_frames_are_made_short_and_nothing_is_told_of_a_head_in_pieces() {
        let uploads = Uploads::new(1, 0);
        let begun = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(1, 1).as_slice(), &frame(0, 16_384)].concat();
        for room in [1, 9, 4096, 20_000] {
            let (mut far, mut watched) = plain(false, &uploads);
            far.write_all(&begun).await.unwrap();
            let mut came = Vec::new();
            let mut space = vec![0; room];
            // four heads more, for what is left of the frame each time
            while came.len() < begun.len() + 4 * 9 {
                let read = watched.read(&mut space).await.unwrap();
                assert!(read > 0);
                came.extend_from_slice(space.get(..read).unwrap());
            }
            assert_eq!(came.get(34..34 + 9), frame(0, 4087).get(..9));
            let head = frame(0, 3);
            let (head, rest) = head.split_at(8);
            for byte in head {
                far.write_all(&[*byte]).await.unwrap();
                assert!(!gives(&mut watched, 1).await);
            }
            far.write_all(rest).await.unwrap();
            assert!(gives(&mut watched, 12).await);
            // the end is told, though it is not that of a head
            far.write_all(&[0; 5]).await.unwrap();
            drop(far);
            assert_eq!(watched.read(&mut space).await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn who_was_not_asked_for_more_gives_its_turn_up_and_is_not_cut_off() {
        let uploads = Uploads::of(0, 0, Duration::from_millis(5));
        let connect = || plain(false, &uploads);
        let begun = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(1, 1).as_slice(), &frame(0, 33_000)].concat();
        let (mut one, mut first) = connect();
        let (mut other, mut second) = connect();
        for far in [&mut one, &mut other] {
            far.write_all(&begun).await.unwrap();
        }
        assert!(gives(&mut first, begun.len()).await);
        // what was brought counts for its first turn alone
        assert!(!gives(&mut first, 1).await);
        // many turns long
        let cut_off = async {
            let deadline = tokio::time::Instant::now() + Duration::from_millis(200);
            tokio::time::timeout_at(deadline, first.read(&mut [0; 1])).await
        };
        let (silent, ()) = tokio::join!(cut_off, async {
            let mut left = begun.len();
            while left > 0 {
                left -= second.read(&mut vec![0; left]).await.unwrap();
            }
        });
        // it waits still, and the other one was read
        assert!(silent.is_err());
    }

    #[tokio::test]
    async fn a_record_that_is_not_whole_takes_a_turn() {
        let uploads = Uploads::new(1, 0);
        let made = rcgen::generate_simple_self_signed(["login.microsoftonline.com".to_owned()]).unwrap();
        let key = made.signing_key.serialize_pem();
        let ours = ServerCertificate::from_pem(made.cert.pem().as_bytes(), key.as_bytes()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let connect = async || {
            let (far, near) = duplex(256 * 1024);
            let name = "login.microsoftonline.com".try_into().unwrap();
            let accepted = ours.acceptor();
            let (far, near) = tokio::join!(connector.connect(name, far), accepted.accept(Gulps::new(near)));
            (far.unwrap(), Watched::new(near.unwrap(), true, TwoLengths::default(), uploads.enter()))
        };
        let record = |far: &mut tokio_rustls::client::TlsStream<DuplexStream>| {
            let mut sealed = Vec::new();
            io::Write::write_all(&mut far.get_mut().1.writer(), &[b'a'; 16_000]).unwrap();
            while far.get_mut().1.write_tls(&mut sealed).unwrap() > 0 {}
            sealed
        };
        let (mut one, mut first) = connect().await;
        let (mut other, mut second) = connect().await;
        let [mine, theirs] = [&mut one, &mut other].map(record);
        let (mine, rest) = mine.split_at(10_000);
        one.get_mut().0.write_all(mine).await.unwrap();
        assert!(!gives(&mut first, 1).await);
        other.get_mut().0.write_all(&theirs).await.unwrap();
        assert!(!gives(&mut second, 1).await);
        // only its beginning was read
        assert!(second.inner.begun() > Begun::Little);
        one.get_mut().0.write_all(rest).await.unwrap();
        assert!(gives(&mut first, 16_000).await);
        assert!(gives(&mut second, 16_000).await);
        assert!(first.inner.begun() == Begun::Little && second.inner.begun() == Begun::Little);
        assert_eq!(uploads.enter().poll_turn(Needs::Small, &mut Context::from_waker(Waker::noop())), Poll::Ready(()));
    }
}
