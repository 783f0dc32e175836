//! Follows the frames of an HTTP/2 connection just closely enough to know how much came of bodies that go on ([RFC 9113 4.1]).

use super::heads::{DATA, END_STREAM, Event, Frame, HEADERS, Heads, PREFACE, RST_STREAM, WINDOW_UPDATE};
use super::uploads::{FOR_HUGE, Needs, SMALL};

/// Bodies of one connection that are followed, more than it may have.
const MOST: usize = 256;
/// Bytes of the bodies of a connection that may come before they are asked for: no fewer may be allowed ([RFC 9113 6.9.2]).
pub(super) const WINDOW: u32 = 64 * 1024;

/// What is known of a connection's bodies.
pub(super) struct Frames {
    read: Heads,
    written: Heads,
    /// The bodies that have begun and not ended, and the bytes of each that came.
    bodies: Vec<(u32, u64)>,
    /// Bytes of all bodies that came, less those that were asked for since.
    untaken: u64,
    /// Whether there were more than are followed.
    lost: bool,
}

impl Frames {
    pub(super) fn new() -> Self {
        let bodies = Vec::new();
        Self { read: Heads::after(PREFACE), written: Heads::after(0), bodies, untaken: 0, lost: false }
    }

    /// What it takes to read on.
    pub(super) fn needs(&self) -> Needs {
        if self.lost {
            return Needs::Large(FOR_HUGE);
        }
        let came: u64 = self.bodies.iter().map(|(_, came)| *came).sum();
        // nobody knows how large they will be, and whoever waited for more at each step would hold all that came until then
        match (self.bodies.len(), came) {
            (0, _) => Needs::Nothing,
            // one that fills the largest frame and goes on is no sign-in
            (1, ..SMALL) => Needs::Small,
            (2, ..SMALL) => Needs::Large(1),
            _ => Needs::Large(FOR_HUGE),
        }
    }

    /// Whether the client may be waiting for us: the library asks for more when half of what may come was taken.
    pub(super) fn is_full(&self) -> bool {
        self.untaken > u64::from(WINDOW / 2) && self.read.is_between()
    }

    /// Sees what comes in. Says how many bytes may be read before more is needed than now: up to the headers or
    /// the bytes of a body.
    pub(super) fn read(&mut self, bytes: &[u8]) -> usize {
        let (mut left, now) = (bytes, self.needs());
        while !left.is_empty() || self.read.is_through() {
            match self.read.next(&mut left) {
                Some(Event::Begins(Frame { kind: DATA, stream, length, .. })) => {
                    self.untaken = self.untaken.saturating_add(length.into());
                    let body = self.bodies.iter_mut().find(|(of, _)| *of == stream);
                    if let Some((_, came)) = body {
                        *came = came.saturating_add(length.into());
                    }
                }
                Some(Event::Begins(Frame { kind: HEADERS, flags, stream, .. })) if flags & END_STREAM == 0 => {
                    self.begin(stream);
                }
                Some(Event::Ends(Frame { kind, flags, stream, .. }, _))
                    if kind == RST_STREAM || (matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0) =>
                {
                    self.end(stream);
                }
                _ => {}
            }
            if self.needs() > now {
                break;
            }
        }
        bytes.len() - left.len()
    }

    /// Sees what goes out: who is told to stop need not say that it does, and who is asked for more may send it.
    pub(super) fn written(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() || self.written.is_through() {
            match self.written.next(&mut bytes) {
                Some(Event::Begins(Frame { kind: RST_STREAM, stream, .. })) => self.end(stream),
                Some(Event::Ends(Frame { kind: WINDOW_UPDATE, stream: 0, .. }, more)) => {
                    self.untaken = self.untaken.saturating_sub(more.into());
                }
                _ => {}
            }
        }
    }

    fn begin(&mut self, stream: u32) {
        if self.bodies.iter().any(|(of, _)| *of == stream) {
            return;
        }
        if self.bodies.len() < MOST {
            self.bodies.push((stream, 0));
        } else {
            self.lost = true;
        }
    }

    fn end(&mut self, stream: u32) {
        self.bodies.retain(|(of, _)| *of != stream);
        if self.bodies.is_empty() {
            // most connections hardly ever have one
            self.bodies = Vec::new();
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::heads::HEAD;
    use super::*;

    const PREFACED: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: u8 = 4;

    fn frame(kind: u8, flags: u8, stream: u32, length: usize) -> Vec<u8> {
        let mut frame = u32::try_from(length).unwrap().to_be_bytes().get(1..).unwrap().to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.resize(HEAD + length, 0xff);
        frame
    }

    /// Tells all of it, however often reading stops.
    fn tell(frames: &mut Frames, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = bytes.get(frames.read(bytes)..).unwrap();
        }
    }

    /// What it takes to read on after these frames, which are told in whole, and byte by byte.
    fn needs(frames: &[Vec<u8>]) -> Needs {
        let all = [PREFACED, &frames.concat()].concat();
        let (mut whole, mut bytewise) = (Frames::new(), Frames::new());
        tell(&mut whole, &all);
        assert!(all.iter().all(|byte| bytewise.read(&[*byte]) == 1));
        assert_eq!(whole.needs(), bytewise.needs());
        whole.needs()
    }

    #[test]
    fn bodies_count_while_they_go_on() {
        let begun = || vec![frame(SETTINGS, 0, 0, 6), frame(HEADERS, 4, 1, 50), frame(DATA, 0, 1, 100)];
        let after = |more: &[Vec<u8>]| needs(&[begun(), more.to_vec()].concat());
        assert_eq!(after(&[]), Needs::Small);
        for end in [
            frame(DATA, END_STREAM, 1, 0),
            frame(DATA, END_STREAM, 1, 7),
            frame(HEADERS, END_STREAM | 4, 1, 9),
            frame(RST_STREAM, 0, 1, 4),
        ] {
            assert_eq!(after(std::slice::from_ref(&end)), Needs::Nothing);
            // the bit that says nothing
            let mut marked = end;
            *marked.get_mut(5).unwrap() |= 0x80;
            assert_eq!(after(&[marked]), Needs::Nothing);
        }
        // padding and flags of other frames end nothing, nor does the end of another one
        assert_eq!(after(&[frame(DATA, 8, 1, 7), frame(SETTINGS, END_STREAM, 0, 0)]), Needs::Small);
        assert_eq!(after(&[frame(HEADERS, 4, 3, 9), frame(DATA, END_STREAM, 3, 7)]), Needs::Small);
        // what came counts together, and how many there are
        let small = usize::try_from(SMALL).unwrap();
        let other = frame(HEADERS, 4, 3, 9);
        assert_eq!(after(std::slice::from_ref(&other)), Needs::Large(1));
        for (length, [alone, beside]) in
            [(small - 101, [Needs::Small, Needs::Large(1)]), (small - 100, [Needs::Large(FOR_HUGE); 2])]
        {
            let more = frame(DATA, 0, 1, length);
            assert_eq!(after(std::slice::from_ref(&more)), alone, "{length}");
            assert_eq!(after(&[other.clone(), more]), beside, "{length}");
            assert_eq!(after(&[other.clone(), frame(DATA, 0, 3, length)]), beside, "{length}");
        }
    }

    #[test]
    fn a_request_without_a_body_and_bytes_of_no_request_need_nothing() {
        assert_eq!(needs(&[frame(HEADERS, END_STREAM | 4, 1, 50)]), Needs::Nothing);
        assert_eq!(needs(&[frame(DATA, 0, 1, 50)]), Needs::Nothing);
    }

    #[test]
    fn a_request_with_a_body_to_come_takes_a_turn_and_many_of_them_more() {
        let begun = |bodies: u32| (0..bodies).map(|at| frame(HEADERS, 4, 2 * at + 1, 50)).collect::<Vec<_>>();
        for (bodies, expected) in [(1, Needs::Small), (2, Needs::Large(1)), (3, Needs::Large(FOR_HUGE))] {
            assert_eq!(needs(&begun(bodies)), expected, "{bodies}");
        }
    }

    #[test]
    fn reading_stops_before_the_headers_and_where_a_body_grows_large() {
        let head = [PREFACED, frame(HEADERS, 4, 1, 50).get(..HEAD).unwrap()].concat();
        let mut frames = Frames::new();
        let all = [head.clone(), vec![0; 50], frame(DATA, 0, 1, 9000), frame(DATA, 0, 1, 9000)].concat();
        assert_eq!(frames.read(&all), head.len());
        assert_eq!(frames.needs(), Needs::Small);
        let rest = all.get(head.len()..).unwrap();
        let to_the_second = 50 + HEAD + 9000 + HEAD;
        assert_eq!(frames.read(rest), to_the_second);
        assert_eq!(frames.needs(), Needs::Large(FOR_HUGE));
        let rest = rest.get(to_the_second..).unwrap();
        assert_eq!(frames.read(rest), rest.len());
    }

    #[test]
    fn who_was_told_to_stop_need_not_say_that_it_does() {
        let mut frames = Frames::new();
        tell(&mut frames, &[PREFACED, &frame(HEADERS, 4, 1, 50), &frame(DATA, 0, 1, 9000)].concat());
        assert_eq!(frames.needs(), Needs::Small);
        let told = [frame(SETTINGS, 0, 0, 12), frame(HEADERS, END_STREAM, 1, 5), frame(RST_STREAM, 0, 1, 4)].concat();
        for byte in told {
            frames.written(&[byte]);
        }
        assert_eq!(frames.needs(), Needs::Nothing);
        // what was on its way
        assert_eq!(frames.read(&frame(DATA, 0, 1, 9000)), HEAD + 9000);
        assert_eq!(frames.needs(), Needs::Nothing);
    }

    #[test]
    fn who_was_not_asked_for_more_may_be_waiting_for_us() {
        let half = usize::try_from(WINDOW / 2).unwrap();
        let mut frames = Frames::new();
        // of any body, one that has ended among them
        tell(&mut frames, &[PREFACED, &frame(DATA, 0, 1, half)].concat());
        assert!(!frames.is_full());
        let (head, last) = (frame(DATA, 0, 3, 0), frame(DATA, 0, 3, 1));
        tell(&mut frames, last.get(..head.len()).unwrap());
        // which was said, and did not come
        assert!(!frames.is_full());
        tell(&mut frames, last.get(head.len()..).unwrap());
        assert!(frames.is_full());
        let update = |stream: u32, more: u32| {
            let mut update = frame(WINDOW_UPDATE, 0, stream, 0);
            *update.get_mut(2).unwrap() = 4;
            update.extend(more.to_be_bytes());
            update
        };
        // one body alone is asked for more, which is not said to the connection
        for byte in [update(1, 9), frame(SETTINGS, 0, 0, 12)].concat() {
            frames.written(&[byte]);
        }
        assert!(frames.is_full());
        for byte in update(0, 1) {
            frames.written(&[byte]);
        }
        assert!(!frames.is_full());
        frames.written(&update(0, WINDOW));
        tell(&mut frames, &frame(DATA, 0, 3, half));
        assert!(!frames.is_full());
    }

    #[test]
    fn more_bodies_than_there_may_be_are_not_followed() {
        let most = u32::try_from(MOST).unwrap();
        let begun: Vec<_> = (0..most).map(|at| frame(HEADERS, 4, 2 * at + 1, 5)).collect();
        assert_eq!(needs(&begun), Needs::Large(FOR_HUGE));
        let mut frames = Frames::new();
        let one_more = frame(HEADERS, 4, 2 * most + 1, 5);
        tell(&mut frames, &[PREFACED, &begun.concat(), &one_more].concat());
        assert!(frames.lost);
        // even when all that were followed have ended
        let ended = (0..most).map(|at| frame(RST_STREAM, 0, 2 * at + 1, 4)).collect();
        assert_eq!(needs(&[begun.clone(), vec![one_more.clone()]].concat()), Needs::Large(FOR_HUGE));
        assert_eq!(needs(&[begun, vec![one_more], ended].concat()), Needs::Large(FOR_HUGE));
    }
}
