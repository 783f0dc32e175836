//! The heads of the frames that go by on an HTTP/2 connection, in one direction ([RFC 9113 4.1]).

/// Bytes of the head of a frame.
pub(super) const HEAD: usize = 9;
/// Bytes that a client says before its first frame ([RFC 9113 3.4]).
pub(super) const PREFACE: usize = 24;
/// Kinds of frames ([RFC 9113 6]).
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const WINDOW_UPDATE: u8 = 8;
/// What ends a body.
pub(super) const END_STREAM: u8 = 1;
/// What says that a frame is filled up.
pub(super) const PADDED: u8 = 8;

/// The head of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) length: u32,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

/// What comes next in one direction.
pub(super) enum Event<'a> {
    /// Something was said before the first frame.
    Before(&'a [u8]),
    /// The head of a frame was said.
    Begins(Frame),
    /// Some of what it carries was.
    Carries(&'a [u8]),
    /// All of it was, and its last four bytes are this number.
    Ends(Frame, u32),
}

/// The heads of the frames in one direction.
pub(super) struct Heads {
    /// Bytes before the first one, still to come.
    before: usize,
    head: [u8; HEAD],
    filled: usize,
    /// The frame that goes on, and its bytes still to come.
    frame: Option<(Frame, usize)>,
    /// Its last four bytes.
    number: u32,
}

impl Heads {
    pub(super) fn after(before: usize) -> Self {
        Self { before, head: [0; HEAD], filled: 0, frame: None, number: 0 }
    }

    /// Whether a frame has no more bytes, which is still to be told.
    pub(super) fn is_through(&self) -> bool {
        self.frame.is_some_and(|(_, left)| left == 0)
    }

    /// Whether no frame goes on.
    pub(super) fn is_between(&self) -> bool {
        self.frame.is_none()
    }

    /// Takes bytes up to the next event, or all of them.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Event<'a>> {
        if self.before > 0 && !bytes.is_empty() {
            let before = split_off(bytes, self.before);
            self.before -= before.len();
            return Some(Event::Before(before));
        }
        if let Some((frame, left)) = &mut self.frame {
            if *left == 0 {
                let ended = Event::Ends(*frame, self.number);
                self.frame = None;
                return Some(ended);
            }
            if bytes.is_empty() {
                return None;
            }
            let piece = split_off(bytes, *left);
            *left -= piece.len();
            let last = piece.get(piece.len().saturating_sub(size_of::<u32>())..).unwrap_or_default();
            self.number = last.iter().fold(self.number, |number, byte| (number << 8) | u32::from(*byte));
            return Some(Event::Carries(piece));
        }
        for byte in split_off(bytes, HEAD - self.filled) {
            if let Some(place) = self.head.get_mut(self.filled) {
                *place = *byte;
                self.filled += 1;
            }
        }
        if self.filled < HEAD {
            return None;
        }
        self.filled = 0;
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = self.head;
        let length = u32::from_be_bytes([0, l0, l1, l2]);
        // its first bit says nothing
        let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
        let frame = Frame { length, kind, flags, stream };
        (self.frame, self.number) = (Some((frame, length as usize)), 0);
        Some(Event::Begins(frame))
    }
}

/// Takes at most so many bytes off the front.
pub(super) fn split_off<'a>(bytes: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at_checked(most).unwrap_or((bytes, &[]));
    *bytes = rest;
    taken
}
