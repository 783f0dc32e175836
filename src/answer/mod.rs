//! What the upstream answered to a sign-in, read from the head and a copy of the body of its answer.
//!
//! Entra answers a refusal with status 200 and a page whose script holds `$Config`; so the body and the cookies tell what
//! became of a sign-in, and the status never does.

mod coding;
mod ours;
mod page;
mod request;

pub use ours::{PREDICTED, REFUSAL, refusal};

use crate::limits::Limits;
use crate::verdict::Code;

/// Bytes that a copy may grow to when it is unpacked.
const UNPACKED: usize = 1024 * 1024;

/// Codes that Entra answers after it has accepted the token: what they ask for is no matter of the response.
const AFTER_ACCEPTANCE: [u32; 17] = [
    50_072, 50_074, 50_076, 50_079, 50_158, 53_003, 530_032, 50_105, 90_072, 50_020, 50_034, 50_126, 50_132, 50_133,
    50_173, 90_019, 90_055,
];
/// Pages that follow an accepted token: a second factor, its registration, and the question whether to stay signed in.
const PAGES_AFTER_ACCEPTANCE: [&str; 3] = ["ConvergedTFA", "ConvergedProofUpRedirect", "KmsiInterrupt"];
/// Cookies of a session.
const SESSION: [&str; 2] = ["ESTSAUTH", "ESTSAUTHPERSISTENT"];

/// An answer as it came, its body perhaps cut.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The values of `Content-Encoding`, separated by commas; empty when there is none.
    pub codings: &'a str,
    /// The values of `Set-Cookie`.
    pub cookies: &'a [&'a str],
    /// The body, or as much of it as was kept.
    pub body: &'a [u8],
}

/// What became of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actual {
    /// The response was accepted: there is a session, or a page that comes after it.
    Accepted,
    /// One of the codes that can be predicted.
    Code(Code),
    /// Another code.
    Other(u32),
    /// The answer does not say.
    Unknown,
}

impl Actual {
    /// Every label but the codes.
    pub const WORDS: [&'static str; 3] = ["none", "other", "unknown"];

    /// The label of metrics: the digits of a code that can be predicted, or one of [`Actual::WORDS`].
    pub fn label(self) -> &'static str {
        match self {
            Self::Accepted => "none",
            Self::Code(code) => code.digits(),
            Self::Other(_) => "other",
            Self::Unknown => "unknown",
        }
    }

    /// Whether a prediction came true; none where the answer does not say.
    pub fn agrees(self, predicted: Option<Code>) -> Option<bool> {
        match self {
            Self::Accepted => Some(predicted.is_none()),
            Self::Code(code) => Some(predicted == Some(code)),
            Self::Other(code) => Some(predicted.is_none() && AFTER_ACCEPTANCE.contains(&code)),
            Self::Unknown => None,
        }
    }

    fn of_digits(code: u32) -> Self {
        let known = Code::ALL.into_iter().find(|known| known.digits().parse() == Ok(code));
        known.map_or(Self::Other(code), Self::Code)
    }
}

impl std::fmt::Display for Actual {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => code.fmt(f),
            Self::Other(code) => write!(f, "AADSTS{code}"),
            Self::Accepted => f.write_str("none"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// What an answer tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What became of the sign-in.
    pub actual: Actual,
    /// `pgid`, the name of the page.
    pub page: Option<String>,
    /// `correlationId`, under which Microsoft knows the sign-in.
    pub correlation_id: Option<String>,
    /// The ID of the AuthnRequest that the page carries to the identity provider.
    pub request: Option<String>,
}

/// Reads the answer to a sign-in.
pub fn read(answer: &Answer<'_>, limits: &Limits) -> Told {
    let body = coding::unpacked(answer.codings, answer.body, UNPACKED);
    let body = body.as_deref().unwrap_or_default();
    let page = page::read(body);
    let actual = match page.code {
        Some(code) => Actual::of_digits(code),
        None if answer.cookies.iter().any(|cookie| is_session(cookie)) => Actual::Accepted,
        None if page.id.as_ref().is_some_and(|id| PAGES_AFTER_ACCEPTANCE.contains(&id.as_str())) => Actual::Accepted,
        None => Actual::Unknown,
    };
    Told { actual, page: page.id, correlation_id: page.correlation_id, request: request::id(body, limits) }
}

/// The ID of the AuthnRequest that a page carries to the identity provider.
pub fn request_id(answer: &Answer<'_>, limits: &Limits) -> Option<String> {
    request::id(&coding::unpacked(answer.codings, answer.body, UNPACKED)?, limits)
}

/// Whether a Set-Cookie begins a session; one without a value ends it.
fn is_session(cookie: &str) -> bool {
    let Some((name, rest)) = cookie.split_once('=') else { return false };
    let value = rest.split(';').next().unwrap_or_default().trim().trim_matches('"');
    SESSION.contains(&name.trim()) && !value.is_empty()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
