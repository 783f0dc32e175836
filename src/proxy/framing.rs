//! Follows the requests of an HTTP/1.1 connection: where each body begins, how long it is, and whether two lengths are stated.

use super::uploads::{FOR_HUGE, LARGE, Needs, SMALL};

/// Bytes of a line that are looked at; the two names and any length fit.
const LINE: usize = 64;

/// Follows requests just closely enough to know where each head begins ([RFC 9112 6.3], [RFC 9112 7.1]). Where it might take a length or the
/// end of a line otherwise than the HTTP library does, it is lost, and the request is refused.
#[derive(Default)]
pub(super) struct Scanner {
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
    /// Takes the next bytes, and says how many: not more than up to the end of a request, and one at least.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut left = bytes;
        while !left.is_empty() {
            let within = !matches!(self.place, Place::Start);
            let taken = match self.place {
                Place::Lost => left.len(),
                Place::Body(to_come) | Place::Chunk(to_come) => {
                    let taken = usize::try_from(to_come).unwrap_or(usize::MAX).min(left.len());
                    self.place = match (self.place, to_come.saturating_sub(taken as u64)) {
                        (Place::Chunk(_), 0) => Place::ChunkSize,
                        (Place::Chunk(_), to_come) => Place::Chunk(to_come),
                        (_, 0) => Place::Start,
                        (_, to_come) => Place::Body(to_come),
                    };
                    taken
                }
                _ => {
                    let end = memchr::memchr(b'\n', left);
                    let line = left.get(..end.unwrap_or(left.len())).unwrap_or_default();
                    self.line.extend(line.iter().take(LINE.saturating_sub(self.line.len())));
                    self.last = line.last().copied().unwrap_or(self.last);
                    if end.is_some() {
                        self.end_of_line();
                        self.line.clear();
                        self.last = 0;
                    }
                    end.map_or(left.len(), |end| end + 1)
                }
            };
            left = left.get(taken..).unwrap_or_default();
            if within && matches!(self.place, Place::Start) {
                break;
            }
        }
        bytes.len() - left.len()
    }

    /// Whether a request with two lengths came in.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.place, Place::Lost)
    }

    /// What it takes to read on.
    pub(super) fn needs(&self) -> Needs {
        match (self.place, self.length) {
            (Place::Body(_), Some(..=SMALL)) => Needs::Small,
            (Place::Body(_), Some(..=LARGE)) => Needs::Large(1),
            // of what has no meaning nobody knows how long it is, either
            (Place::Body(_) | Place::Chunk(_) | Place::ChunkSize | Place::Trailer | Place::Lost, _) => {
                Needs::Large(FOR_HUGE)
            }
            (Place::Start | Place::Head, _) => Needs::Nothing,
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
mod tests {
    use super::*;

    const BOTH: &str = "POST /b HTTP/1.1\r\nContent-Length: 3\r\ntransfer-encoding: chunked\r\n\r\n";

    /// In one piece, and byte by byte.
    fn finds(text: &str) -> bool {
        let (mut whole, mut bytewise) = (Scanner::default(), Scanner::default());
        let mut left = text.as_bytes();
        while let Some(rest) = left.get(whole.feed(left)..).filter(|_| !left.is_empty()) {
            left = rest;
        }
        assert!(text.bytes().all(|byte| bytewise.feed(&[byte]) == 1));
        assert_eq!(whole.is_lost(), bytewise.is_lost());
        whole.is_lost()
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
        let zeros = format!("{chunked}{}3\r\nabc\r\n0\r\n\r\n", "0".repeat(80));
        assert!(finds(&zeros));
        // and goes on as one of unknown length
        let mut lost = Scanner::default();
        lost.feed(zeros.as_bytes());
        assert_eq!(lost.needs(), Needs::Large(FOR_HUGE));
        assert!(finds(&format!("{chunked}0\r\nX: y\n\r\n")));
        // long lines that say nothing of lengths are nobody's business
        let cookies = "a=b; ".repeat(100);
        assert!(!finds(&format!("POST / HTTP/1.1\r\nCookie: {cookies}\r\nContent-Length: 3\r\n\r\nabc")));
        assert!(!finds(&format!("{chunked}3;x={}\r\nabc\r\n0\r\nX: {cookies}\r\n\r\n", "y".repeat(100))));
    }

    #[test]
    fn one_request_is_taken_at_a_time() {
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
        let requests = ["\r\nGET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\nContent-Length: 3\n\nabc", chunked, "\n\nGET"];
        let (all, mut scanner, mut at) = (requests.concat(), Scanner::default(), 0);
        for request in requests {
            let taken = scanner.feed(all.as_bytes().get(at..).unwrap_or_default());
            assert_eq!(taken, request.len(), "{request}");
            at += taken;
        }
    }

    #[test]
    fn a_body_that_looks_like_a_head_is_none() {
        let body = BOTH.len();
        assert!(!finds(&format!("POST / HTTP/1.1\r\nContent-Length: {body}\r\n\r\n{BOTH}")));
        assert!(!finds(&format!(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{body:x}\r\n{BOTH}\r\n0\r\n\r\n"
        )));
    }
}
