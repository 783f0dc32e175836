//! The sign-ins of the demonstration, with what is expected of each.

use crate::mint::Fault;
use crate::verdict::{CheckId, Code};

/// Who of the demonstration signs in, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By the identity provider of the first domain, with a fault or without.
    By(Option<Fault>),
    /// By that of the second domain, whose certificate was registered as PEM text.
    ByTheOther,
    /// The response of a sign-in before, posted once more.
    Again,
}

/// One sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Case {
    /// What it is, in a few words.
    pub(super) name: &'static str,
    pub(super) way: Way,
    /// The code that Entra answers, by what is published; none when it signs in.
    pub(super) code: Option<Code>,
    /// The checks that do not pass: they fail where there is a code, and warn where there is none.
    pub(super) checks: &'static [CheckId],
}

const fn case(name: &'static str, way: Way, checks: &'static [CheckId], code: Option<Code>) -> Case {
    Case { name, way, code, checks }
}

/// Entra refuses it.
const fn refused(name: &'static str, fault: Fault, checks: &'static [CheckId], code: Code) -> Case {
    case(name, Way::By(Some(fault)), checks, Some(code))
}

/// Entra is known, or thought, to let it through.
const fn tolerated(name: &'static str, fault: Fault, checks: &'static [CheckId]) -> Case {
    case(name, Way::By(Some(fault)), checks, None)
}

/// Every kind of thing that can be wrong, in the order in which Entra looks.
pub(super) const CASES: [Case; 34] = {
    use CheckId as Id;
    [
        case("sound", Way::By(None), &[], None),
        refused("SAMLResponse twice in the form", Fault::TwoResponses, &[Id::Message], Code::Unreadable),
        refused("deflated, as for Redirect", Fault::Deflated, &[Id::Encoding], Code::Unreadable),
        refused("a DOCTYPE", Fault::Doctype, &[Id::Xml], Code::InvalidXml),
        refused("an ID that begins with a digit", Fault::DigitId, &[Id::Xml], Code::InvalidXml),
        refused("status AuthnFailed", Fault::Denied, &[Id::Status], Code::AssertionMissing),
        refused("encrypted assertion", Fault::Encrypted, &[Id::Assertion], Code::AssertionMissing),
        refused("issuer left at authentik's default", Fault::WrongIssuer, &[Id::Issuer], Code::RealmUnknown),
        refused("certificate that Entra lacks", Fault::UnregisteredKey, &[Id::SigningKey], Code::KeyUnknown),
        refused("not signed", Fault::Unsigned, &[Id::Signature], Code::SignatureMissing),
        tolerated("only the Response is signed", Fault::ResponseSigned, &[Id::Signature]),
        refused("MFA written in after signing", Fault::Altered, &[Id::Signature], Code::SignatureInvalid),
        refused("algorithms named https://", Fault::HttpsAlgorithms, &[Id::Algorithm], Code::SignatureInvalid),
        tolerated("digest by SHA-1", Fault::Sha1, &[Id::Algorithm]),
        tolerated("expired certificate", Fault::ExpiredCertificate, &[Id::Certificate]),
        case("certificate registered as PEM text", Way::ByTheOther, &[Id::Certificate], None),
        refused("an hour old", Fault::Expired, &[Id::Time], Code::AssertionInvalid),
        tolerated("clock seven minutes slow", Fault::ClockSkew, &[Id::Time]),
        refused("audience in lower case", Fault::WrongAudience, &[Id::Audience], Code::AssertionInvalid),
        refused("sent to another address", Fault::WrongDestination, &[Id::Destination], Code::AssertionInvalid),
        tolerated("no Destination", Fault::NoDestination, &[Id::Destination]),
        refused("meant for another recipient", Fault::WrongRecipient, &[Id::Recipient], Code::AssertionInvalid),
        refused("AuthnContextDeclRef beside the class", Fault::DeclRef, &[Id::Subject], Code::AssertionInvalid),
        tolerated("NameID said to be an email address", Fault::EmailFormat, &[Id::NameIdFormat]),
        refused("NameID is the mail address", Fault::MailAsNameId, &[Id::ImmutableId], Code::UserUnknown),
        refused("GUID in the wrong byte order", Fault::BigEndian, &[Id::ImmutableId], Code::UserUnknown),
        refused("nobody has this ImmutableId", Fault::UnknownUser, &[Id::ImmutableId], Code::UserUnknown),
        refused("disabled account", Fault::DisabledUser, &[Id::Account], Code::UserDisabled),
        refused("user of another root domain", Fault::OtherRootDomain, &[Id::DomainPolicy], Code::DomainPolicy),
        tolerated("no IDPEmail", Fault::NoIdpEmail, &[Id::IdpEmail]),
        tolerated("password alone, no MFA", Fault::NoMfa, &[Id::AuthnContext]),
        tolerated("MFA claimed by an attribute", Fault::MfaAttribute, &[Id::AuthnContext]),
        tolerated("names a request of its own", Fault::OtherRequest, &[Id::InResponseTo]),
        case("the first response once more", Way::Again, &[Id::InResponseTo, Id::Replay], None),
    ]
};
