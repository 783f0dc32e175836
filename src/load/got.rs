//! What came back, and whether it is what had to come back.

use memchr::memmem;

use super::Expected;
use crate::answer::{self, Actual, Answer};
use crate::limits::Limits;
use crate::verdict::Code;

/// The beginning of every token.
const MARK: &str = "sgload";

/// What came back for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got {
    /// A session, or a page that comes after it.
    Accepted,
    /// A page with one of the codes that can be predicted.
    Code(Code),
    /// A page with another code that refuses.
    Other(u32),
    /// The page of a proxy of this program that enforces, with its code.
    Refused(Option<Code>),
    /// An answer that does not say what became of the sign-in.
    Unclear,
    /// No answer, or one that is an error of HTTP.
    Failed(Failure),
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// The name leads nowhere.
    Name,
    /// Nobody there, or nobody who listens.
    Connect,
    /// TLS was not agreed on.
    Tls,
    /// The protocol that was asked for is not spoken.
    Protocol,
    /// No answer in time.
    Timeout,
    /// The connection broke.
    Broken,
    /// An answer that was too long.
    TooLong,
    /// A status from 400 on.
    Status(u16),
}

impl Failure {
    /// For reports.
    pub fn name(self) -> String {
        let word = match self {
            Self::Name => "name",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::TooLong => "too_long",
            Self::Status(status) => return format!("http_{status}"),
        };
        word.to_owned()
    }
}

/// How an answer compares with what had to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weighed {
    /// As it had to be.
    AsExpected,
    /// Let in, and had to be refused.
    FalseAccept,
    /// Refused, and had to be let in.
    FalseReject,
    /// Refused as it had to be, by another code.
    OtherCode,
    /// Nobody knows.
    Unclear,
    /// There is no answer.
    Failed,
}

impl Weighed {
    /// Whether it is another verdict than had to come.
    pub fn differs(self) -> bool {
        matches!(self, Self::FalseAccept | Self::FalseReject | Self::OtherCode)
    }
}

/// Whether an answer belongs to the request: by the RelayState, of which servers may keep a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// It names ours.
    Kept,
    /// It names none.
    Silent,
    /// It names that of another request.
    Mixed,
}

/// An answer of HTTP.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// Its status.
    pub status: u16,
    /// `Location`, or nothing.
    pub location: &'a [u8],
    /// What it says.
    pub answer: Answer<'a>,
}

/// Reads an answer.
pub fn read(received: &Received<'_>, limits: &Limits) -> Got {
    if received.status == 403
        && let Some(code) = answer::refusal(received.answer.body)
    {
        return Got::Refused(code);
    }
    match answer::read(&received.answer, limits).actual {
        Actual::Accepted => Got::Accepted,
        Actual::Code(code) => Got::Code(code),
        // what is asked of somebody who was let in
        told @ Actual::Other(_) if told.agrees(None) == Some(true) => Got::Accepted,
        Actual::Other(code) => Got::Other(code),
        Actual::Unknown if received.status >= 400 => Got::Failed(Failure::Status(received.status)),
        Actual::Unknown => Got::Unclear,
    }
}

impl Got {
    /// For reports.
    pub fn name(self) -> String {
        match self {
            Self::Accepted => "accepted".to_owned(),
            Self::Code(code) => code.to_string(),
            Self::Other(code) => format!("AADSTS{code}"),
            Self::Refused(Some(code)) => format!("refused {code}"),
            Self::Refused(None) => "refused".to_owned(),
            Self::Unclear => "unclear".to_owned(),
            Self::Failed(failure) => failure.name(),
        }
    }

    /// Compares it with what had to come.
    pub fn weigh(self, expected: Expected) -> Weighed {
        let refused = |code: Option<Code>| match expected.rejected {
            false => Weighed::FalseReject,
            true if code == expected.code => Weighed::AsExpected,
            true => Weighed::OtherCode,
        };
        match self {
            Self::Accepted if expected.rejected => Weighed::FalseAccept,
            Self::Accepted => Weighed::AsExpected,
            Self::Code(code) => refused(Some(code)),
            Self::Other(_) if expected.rejected => Weighed::OtherCode,
            Self::Other(_) => Weighed::FalseReject,
            Self::Refused(code) => refused(code),
            Self::Unclear => Weighed::Unclear,
            Self::Failed(_) => Weighed::Failed,
        }
    }
}

/// The part of a RelayState by which its request is known.
pub fn token(seed: u64, number: u64) -> String {
    format!("{MARK}{seed:016x}n{number:x}z")
}

/// A RelayState as Entra makes them, with the token in it.
pub fn relay_state(token: &str) -> String {
    format!("estsredirect=2&estsrequest={token}")
}

/// Looks for the token in an answer.
pub fn relay(received: &Received<'_>, token: &str) -> Relay {
    let places = [received.answer.body, received.location];
    if places.iter().any(|place| memmem::find(place, token.as_bytes()).is_some()) {
        return Relay::Kept;
    }
    let other = places.iter().any(|place| memmem::find(place, MARK.as_bytes()).is_some());
    if other { Relay::Mixed } else { Relay::Silent }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(status: u16, body: &str) -> Received<'_> {
        Received { status, location: b"", answer: Answer { codings: "", cookies: &[], body: body.as_bytes() } }
    }

    fn got(status: u16, body: &str) -> Got {
        read(&received(status, body), &Limits::default())
    }

    #[test]
    fn answers_are_read_and_weighed() {
        let page = |code: &str| format!("$Config={{\"sErrorCode\":\"{code}\",\"pgid\":\"ConvergedError\"}};");
        let sound = Expected { rejected: false, code: None };
        let expired = Expected { rejected: true, code: Some(Code::AssertionInvalid) };
        let held_back = Expected { rejected: true, code: None };
        let refused = format!("{}\n\nRequest: 1\nPredicted: none\n", answer::REFUSAL);
        for (status, body, of_sound, of_expired, of_held_back) in [
            (
                200,
                "$Config={\"pgid\":\"KmsiInterrupt\"};",
                Weighed::AsExpected,
                Weighed::FalseAccept,
                Weighed::FalseAccept,
            ),
            (200, &page("500089"), Weighed::FalseReject, Weighed::AsExpected, Weighed::OtherCode),
            (200, &page("50074"), Weighed::AsExpected, Weighed::FalseAccept, Weighed::FalseAccept),
            (200, &page("90099"), Weighed::FalseReject, Weighed::OtherCode, Weighed::OtherCode),
            (403, &refused, Weighed::FalseReject, Weighed::OtherCode, Weighed::AsExpected),
            (
                403,
                &refused.replace("none", "AADSTS500089"),
                Weighed::FalseReject,
                Weighed::AsExpected,
                Weighed::OtherCode,
            ),
            (200, "hello", Weighed::Unclear, Weighed::Unclear, Weighed::Unclear),
            (503, "busy", Weighed::Failed, Weighed::Failed, Weighed::Failed),
        ] {
            let got = got(status, body);
            let weighed = [sound, expired, held_back].map(|expected| got.weigh(expected));
            assert_eq!(weighed, [of_sound, of_expired, of_held_back], "{status} {body} {got:?}");
        }
        assert_eq!(got(404, "nothing").name(), "http_404");
    }

    #[test]
    fn a_relay_state_of_somebody_else_is_noticed() {
        let (ours, theirs) = (token(7, 1), token(7, 17));
        assert_eq!(relay(&received(200, &relay_state(&ours)), &ours), Relay::Kept);
        assert_eq!(relay(&received(200, &relay_state(&theirs)), &ours), Relay::Mixed);
        assert_eq!(relay(&received(200, "hello"), &ours), Relay::Silent);
    }
}
