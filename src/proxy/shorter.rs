//! Makes short frames of the long ones that HTTP/2 carries bodies in ([RFC 9113 6.1]): the library keeps the room of the longest frame that came
//! for as long as the connection lives, and takes it as soon as the head of one is there. Frames that are filled up, which clients hardly send, stay
//! as they are.

use tokio::io::ReadBuf;

use super::frames::{DATA, END_STREAM, HEAD, PADDED, PREFACE, split_off};

/// Bytes of a short frame: two of them have room where the library reads at first.
const SHORT: usize = 4096 - HEAD;
/// Bytes of the longest frame that may come ([RFC 9113 6.5.2]): one that is longer is an error, and stays one.
const LONGEST: usize = 16 * 1024;

/// What comes in on one connection, frame by frame.
pub(super) struct Shorter {
    /// Bytes before the first frame, still to come.
    before: usize,
    head: [u8; HEAD],
    filled: usize,
    /// Bytes of the frame still to come.
    left: usize,
    /// Bytes of the short frame still to come.
    short: usize,
    /// Heads for which there was no room.
    rest: Vec<u8>,
}

impl Shorter {
    pub(super) fn new() -> Self {
        Self { before: PREFACE, head: [0; HEAD], filled: 0, left: 0, short: 0, rest: Vec::new() }
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
        let before = split_off(&mut bytes, self.before);
        self.before -= before.len();
        self.put(before, buf);
        while !bytes.is_empty() {
            if self.left == 0 {
                for byte in split_off(&mut bytes, HEAD - self.filled) {
                    if let Some(place) = self.head.get_mut(self.filled) {
                        *place = *byte;
                        self.filled += 1;
                    }
                }
                if self.filled < HEAD {
                    return;
                }
                self.filled = 0;
                let [l0, l1, l2, ..] = self.head;
                self.left = u32::from_be_bytes([0, l0, l1, l2]) as usize;
                self.begin(buf);
            } else if self.short == 0 {
                self.begin(buf);
            }
            let piece = split_off(&mut bytes, self.short);
            self.short -= piece.len();
            self.left -= piece.len();
            self.put(piece, buf);
        }
    }

    /// Begins a short frame of what is left of the long one.
    fn begin(&mut self, buf: &mut ReadBuf<'_>) {
        let [l0, l1, l2, kind, flags, stream @ ..] = self.head;
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        // what fills a frame up stands at its end
        let is_one = kind != DATA || flags & PADDED != 0 || length > LONGEST;
        self.short = if is_one { self.left } else { self.left.min(SHORT) };
        let flags = if self.short < self.left { flags & !END_STREAM } else { flags };
        // no longer than the one that it is of
        let [_, l0, l1, l2] = u32::try_from(self.short).unwrap_or_default().to_be_bytes();
        let [s0, s1, s2, s3] = stream;
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
