//! The vocabulary of reports: what was checked, what came of it, and what Entra will answer.

mod check;
mod check_id;
mod code;
mod json;
mod text;

pub use check::{Check, Detail, Finding, Label, Outcome, Position};
pub use check_id::CheckId;
pub use code::Code;
pub use json::Report;
pub use text::{Show, Text};

use std::sync::Arc;

use crate::personal::Personal;

/// What came of one message: exactly one [`Check`] for every [`CheckId`], in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// One check for every [`CheckId`], in the order of [`CheckId::ALL`].
    pub checks: Vec<Check>,
    /// Whether everything that the operator asked for holds.
    pub accepted: bool,
    /// The code that Entra is expected to answer; none when it is expected to sign the user in, or when it cannot be known.
    pub predicted: Option<Code>,
    /// Whether a verified signature covers the assertion.
    pub provenance: Provenance,
    /// The claims as written, or none when there is no readable assertion.
    pub claims: Option<Claims>,
    /// What was verified, or none when any signature present failed.
    pub signature: Option<SignatureSummary>,
}

impl Verdict {
    /// `accepted` or `rejected`.
    pub fn word(&self) -> &'static str {
        if self.accepted { "accepted" } else { "rejected" }
    }

    /// The check of this id. Every verdict has one.
    pub fn check(&self, id: CheckId) -> Option<&Check> {
        self.checks.get(id.index())
    }

    /// The ids of the checks that came out so, in order.
    pub fn with_outcome(&self, outcome: Outcome) -> impl Iterator<Item = CheckId> + '_ {
        self.checks.iter().filter(move |check| check.outcome == outcome).map(|check| check.id)
    }
}

/// Whether claims are vouched for by a verified signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// A verified signature of a registered key covers the assertion (its own or the Response's).
    Signed,
    /// Nobody vouches for these claims.
    Unsigned,
}

impl Provenance {
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Unsigned => "unsigned",
        }
    }
}

/// The claims of a report, as written in the message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// `ID` of the assertion.
    pub id: Option<String>,
    /// `Issuer` of the assertion.
    pub issuer: Option<String>,
    /// Every `Audience` of every restriction.
    pub audience: Vec<String>,
    /// The text of the NameID: the ImmutableId, in a sound federation.
    pub name_id: Option<Personal>,
    /// `Format` of the NameID.
    pub name_id_format: Option<String>,
    /// The value of the attribute named `IDPEmail`.
    pub idp_email: Option<Personal>,
    /// `AuthnContextClassRef`.
    pub authn_context: Option<String>,
    /// `InResponseTo` of SubjectConfirmationData.
    pub in_response_to: Option<String>,
    /// `NotBefore` of Conditions.
    pub not_before: Option<String>,
    /// `NotOnOrAfter` of Conditions.
    pub not_on_or_after: Option<String>,
    /// `Recipient` of SubjectConfirmationData.
    pub recipient: Option<String>,
    /// `Destination` of the Response (unsigned envelope unless the Response is signed).
    pub destination: Option<String>,
}

/// What a verified signature covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covers {
    /// The Assertion alone.
    Assertion,
    /// The Response, and the Assertion within it.
    Response,
    /// Both elements carry a signature of their own.
    Both,
}

impl Covers {
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assertion => "assertion",
            Self::Response => "response",
            Self::Both => "both",
        }
    }
}

/// The verified signature of a report; the assertion's own when both elements are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureSummary {
    /// What is covered.
    pub covers: Covers,
    /// Short name of the signature algorithm, as `rsa-sha256`.
    pub algorithm: &'static str,
    /// Short name of the digest algorithm, as `sha256`.
    pub digest: &'static str,
    /// SHA-1 of the certificate's DER in 40 upper-case hexadecimal digits, as PowerShell shows it.
    pub thumbprint: Arc<str>,
    /// SHA-256 of the certificate's DER, in upper-case hexadecimal digits.
    pub thumbprint_sha256: Arc<str>,
}
