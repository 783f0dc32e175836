//! From posted bytes to a verdict: the one file that knows the order of the steps.

use jiff::Timestamp;

use crate::check::Policy;
use crate::limits::Limits;
use crate::tenant::Federation;
use crate::verdict::{Check, CheckId, Outcome, Provenance, Verdict};

/// A message as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted<'a> {
    /// The body of a form post, `SAMLResponse=…&RelayState=…`.
    Form(&'a [u8]),
    /// The base64 of a SAMLResponse field.
    Base64(&'a [u8]),
    /// The XML itself.
    Xml(&'a [u8]),
}

/// How much work a failed signature is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// The verdict alone.
    Verdict,
    /// Also look for what was done to the document after it was signed. A bounded amount of work, some ten times a verdict's.
    Diagnose,
}

/// What kind of message was posted, as metrics count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// A SAML 2.0 sign-in response.
    SamlResponse,
    /// A SAMLResponse field that could not be read.
    Unreadable,
    /// WS-Federation (`wresult`).
    WsFed,
    /// A sign-out message.
    Logout,
    /// A SAML request.
    SamlRequest,
    /// A response for a directory of its own (B2B direct federation).
    B2b,
    /// Anything else.
    Other,
}

impl MessageKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::SamlResponse, Self::Unreadable, Self::WsFed, Self::Logout, Self::SamlRequest, Self::B2b, Self::Other];

    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SamlResponse => "saml_response",
            Self::Unreadable => "unreadable",
            Self::WsFed => "ws_fed",
            Self::Logout => "logout",
            Self::SamlRequest => "saml_request",
            Self::B2b => "b2b",
            Self::Other => "other",
        }
    }

    /// Whether `serve` gives this kind a verdict; the others are only counted.
    pub fn is_judged(self) -> bool {
        matches!(self, Self::SamlResponse | Self::Unreadable)
    }
}

/// Everything that a message is judged against.
#[derive(Debug, Clone, Default)]
pub struct Judge {
    /// The federations, picked by issuer.
    pub federations: Vec<Federation>,
    /// What the operator asks.
    pub policy: Policy,
    /// Bounds on hostile input.
    pub limits: Limits,
}

/// What came of one message.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// What kind of message it was.
    pub kind: MessageKind,
    /// Index of the federation whose issuer it names, in [`Judge::federations`].
    pub federation: Option<usize>,
    /// The verdict; one is always made, for `serve` to use where [`MessageKind::is_judged`].
    pub verdict: Verdict,
    /// The XML, where the message could be decoded so far. Personal: for `decode` and the operator's own files alone.
    pub xml: Option<String>,
}

impl Judge {
    /// Judges one message at an instant.
    pub fn inspect(&self, _posted: Posted<'_>, _now: Timestamp, _effort: Effort) -> Inspection {
        let checks = CheckId::ALL.into_iter().map(|id| Check::silent(id, Outcome::Skip)).collect();
        let verdict = Verdict {
            checks,
            accepted: false,
            predicted: None,
            provenance: Provenance::Unsigned,
            claims: None,
            signature: None,
        };
        Inspection { kind: MessageKind::Other, federation: None, verdict, xml: None }
    }
}
