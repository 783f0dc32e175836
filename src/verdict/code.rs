//! The codes that Entra answers a federated sign-in with, as data: Microsoft says that they may change.

/// A code that this program can predict.
///
/// Source: the public list of AADSTS error codes of Microsoft Entra ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// 90081: an error occurred when the service tried to process a WS-Federation message; also answered to posts it cannot read.
    Unreadable,
    /// 90107: the request is not valid XML for SAML.
    InvalidXml,
    /// 500082: SAML assertion is not present in the token.
    AssertionMissing,
    /// 50107: the requested federation realm object does not exist.
    RealmUnknown,
    /// 5000811: the signing key identifier does not match any valid registered keys.
    KeyUnknown,
    /// 50008: SAML token is invalid; here: it carries no acceptable signature.
    SignatureMissing,
    /// 50006: signature verification failed.
    SignatureInvalid,
    /// 500089: SAML 2.0 assertion validation failed.
    AssertionInvalid,
    /// 51004: the user account does not exist in the directory.
    UserUnknown,
    /// 50057: the user account is disabled.
    UserDisabled,
    /// 5000820: sign-in blocked by Federated Token Validation policy.
    DomainPolicy,
}

impl Code {
    /// Every code that can be predicted.
    pub const ALL: [Self; 11] = [
        Self::Unreadable,
        Self::InvalidXml,
        Self::AssertionMissing,
        Self::RealmUnknown,
        Self::KeyUnknown,
        Self::SignatureMissing,
        Self::SignatureInvalid,
        Self::AssertionInvalid,
        Self::UserUnknown,
        Self::UserDisabled,
        Self::DomainPolicy,
    ];

    /// The digits, as metrics label them.
    pub fn digits(self) -> &'static str {
        match self {
            Self::Unreadable => "90081",
            Self::InvalidXml => "90107",
            Self::AssertionMissing => "500082",
            Self::RealmUnknown => "50107",
            Self::KeyUnknown => "5000811",
            Self::SignatureMissing => "50008",
            Self::SignatureInvalid => "50006",
            Self::AssertionInvalid => "500089",
            Self::UserUnknown => "51004",
            Self::UserDisabled => "50057",
            Self::DomainPolicy => "5000820",
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AADSTS{}", self.digits())
    }
}
