//! Makes short frames of the long ones that HTTP/2 carries bodies in ([RFC 9113 6.1]): the library keeps the room of the longest frame that came
//! for as long as the connection lives, and takes it as soon as the head of one is there. Frames that are filled up, which clients hardly send, stay
//! as they are.

use tokio::io::ReadBuf;

use super::heads::{DATA, END_STREAM, Event, Frame, HEAD, Heads, PADDED, PREFACE, split_off};

/// Bytes of a short frame: two of them have room where the library reads at first.
const SHORT: usize = 4096 - HEAD;
/// Bytes of the longest frame that may come ([RFC 9113 6.5.2]): one that is longer is an error, and stays one.
const LONGEST: usize = 16 * 1024;

/// What comes in on one connection, frame by frame.
pub(super) struct Shorter {
    heads: Heads,
    /// The frame that goes on, and its bytes still to come.
    long: Option<(Frame, usize)>,
    /// Bytes of the short frame still to come.
    short: usize,
    /// What had no room.
    rest: Vec<u8>,
}

impl Shorter {
    pub(super) fn new() -> Self {
        Self { heads: Heads::after(PREFACE), long: None, short: 0, rest: Vec::new() }
    }

    /// Gives what had no room, and says whether there was anything.
    pub(super) fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        if self.rest.is_empty() {
            return false;
        }
        let rest = std::mem::take(&mut self.rest);
        self.put(&rest, buf);
        true
    }

    /// Puts what came in into a buffer that has room for as many bytes; whatever has none is given first the next time.
    pub(super) fn read(&mut self, mut bytes: &[u8], buf: &mut ReadBuf<'_>) {
        while let Some(event) = self.heads.next(&mut bytes) {
            match event {
                Event::Before(said) => self.put(said, buf),
                Event::Begins(frame) => self.begin(frame, frame.length as usize, buf),
                Event::Carries(piece) => self.carry(piece, buf),
                Event::Ends(..) => self.long = None,
            }
        }
    }

    fn carry(&mut self, mut bytes: &[u8], buf: &mut ReadBuf<'_>) {
        while let (Some((frame, left)), false) = (self.long, bytes.is_empty()) {
            if self.short == 0 {
                self.begin(frame, left, buf);
            }
            let piece = split_off(&mut bytes, self.short);
            self.short -= piece.len();
            self.long = Some((frame, left - piece.len()));
            self.put(piece, buf);
        }
    }

    /// Begins a short frame of what is left of a long one.
    fn begin(&mut self, frame: Frame, left: usize, buf: &mut ReadBuf<'_>) {
        let Frame { length, kind, flags, stream } = frame;
        // what fills a frame up stands at its end
        let is_one = kind != DATA || flags & PADDED != 0 || length as usize > LONGEST;
        self.short = if is_one { left } else { left.min(SHORT) };
        self.long = Some((frame, left));
        let flags = if self.short < left { flags & !END_STREAM } else { flags };
        // no longer than the one that it is of
        let [_, l0, l1, l2] = u32::try_from(self.short).unwrap_or_default().to_be_bytes();
        let [s0, s1, s2, s3] = stream.to_be_bytes();
        self.put(&[l0, l1, l2, kind, flags, s0, s1, s2, s3], buf);
    }

    fn put(&mut self, bytes: &[u8], buf: &mut ReadBuf<'_>) {
        let room = if self.rest.is_empty() { buf.remaining() } else { 0 };
        let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        buf.put_slice(now);
        self.rest.extend_from_slice(later);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// A frame whose bytes tell where they are.
    fn frame(kind: u8, flags: u8, stream: u32, length: usize) -> Vec<u8> {
        let mut frame = u32::try_from(length).unwrap().to_be_bytes().get(1..).unwrap().to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend((0..length).map(|at| u8::try_from(at % 251).unwrap()));
        frame
    }

    /// What becomes of bytes that come in pieces of so many, into buffers of so many.
    fn shorter(bytes: &[u8], piece: usize, room: usize) -> Vec<u8> {
        let mut shorter = Shorter::new();
        let mut out = Vec::new();
        let mut space = vec![0; room];
        for piece in bytes.chunks(piece.min(room)) {
            let mut buf = ReadBuf::new(&mut space);
            shorter.read(piece, &mut buf);
            out.extend_from_slice(buf.filled());
            loop {
                let mut buf = ReadBuf::new(&mut space);
                if !shorter.give(&mut buf) {
                    break;
                }
                assert!(!buf.filled().is_empty());
                out.extend_from_slice(buf.filled());
            }
        }
        out
    }

    const PREFACED: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    #[test]
    fn long_frames_of_bodies_become_short_ones_however_they_come() {
        const HEADERS: u8 = 1;
        let long = 2 * SHORT + 5;
        let sent = [
            PREFACED.to_vec(),
            frame(HEADERS, 4, 1, 8000),
            frame(DATA, 0, 1, long),
            frame(DATA, 0, 1, SHORT),
            frame(DATA, PADDED | END_STREAM, 3, long),
            frame(DATA, END_STREAM, 5, 0),
            frame(DATA, 0, 7, LONGEST + 1),
            frame(DATA, END_STREAM, 1, long),
            frame(4, END_STREAM, 0, 0),
        ]
        .concat();
        let pieces_of = |flags: u8| {
            let whole = frame(DATA, flags, 1, long);
            let payload = whole.get(HEAD..).unwrap();
            let of = |length: usize, flags: u8, from: usize| {
                let head = frame(DATA, flags, 1, length).get(..HEAD).unwrap().to_vec();
                [head, payload.get(from..from + length).unwrap().to_vec()].concat()
            };
            [of(SHORT, 0, 0), of(SHORT, 0, SHORT), of(5, flags, 2 * SHORT)].concat()
        };
        let expected = [
            PREFACED.to_vec(),
            frame(HEADERS, 4, 1, 8000),
            pieces_of(0),
            frame(DATA, 0, 1, SHORT),
            frame(DATA, PADDED | END_STREAM, 3, long),
            frame(DATA, END_STREAM, 5, 0),
            frame(DATA, 0, 7, LONGEST + 1),
            pieces_of(END_STREAM),
            frame(4, END_STREAM, 0, 0),
        ]
        .concat();
        for piece in [1, 2, 8, 9, 10, 100, 4095, 4096, 8191, sent.len()] {
            for room in [1, 3, 9, 64, 8191, 2 * sent.len()] {
                assert!(shorter(&sent, piece, room) == expected, "{piece} {room}");
            }
        }
    }

    #[test]
    fn heads_are_told_when_they_are_whole() {
        let mut shorter = Shorter::new();
        let mut space = [0; 64];
        let mut buf = ReadBuf::new(&mut space);
        let data = frame(DATA, END_STREAM, 1, 2);
        let (most, last) = data.split_at(HEAD - 1);
        shorter.read(&[PREFACED, most].concat(), &mut buf);
        assert_eq!(buf.filled(), PREFACED);
        shorter.read(last.get(..1).unwrap(), &mut buf);
        assert_eq!(buf.filled().len(), PREFACED.len() + HEAD);
    }
}
