//! What Entra's codes mean: those that are predicted, and those that are only met.

use crate::verdict::Code;

/// A code that can be predicted, in a few words.
pub(crate) fn meaning(code: Code) -> &'static str {
    match code {
        Code::Unreadable => "Entra cannot read what was posted",
        Code::InvalidXml => "the XML is not valid for SAML",
        Code::AssertionMissing => "there is no assertion that Entra can use",
        Code::RealmUnknown => "no federated domain has this issuer",
        Code::KeyUnknown => "the signing key is not registered",
        Code::SignatureMissing => "there is no acceptable signature",
        Code::SignatureInvalid => "the signature does not verify",
        Code::AssertionInvalid => "the assertion is not valid here and now",
        Code::UserUnknown => "no user has this ImmutableId",
        Code::UserDisabled => "the account is disabled",
        Code::DomainPolicy => "the federated token validation policy blocks it",
    }
}

/// When a code that is never predicted is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// An older code of the same meaning as one that is predicted.
    Old(Code),
    /// After the response was taken.
    After,
    /// Where Entra itself is the identity provider of an application.
    Elsewhere,
}

/// A code that is never predicted.
#[derive(Debug)]
pub(crate) struct Met {
    /// The digits.
    pub(crate) digits: &'static str,
    /// When it is met.
    pub(crate) when: When,
    /// What it means.
    pub(crate) meaning: &'static str,
}

const fn met(digits: &'static str, when: When, meaning: &'static str) -> Met {
    Met { digits, when, meaning }
}

/// The codes that are met around federated sign-ins, and are no verdict on the response.
pub(crate) const MET: [Met; 27] = [
    met("500081", When::Old(Code::KeyUnknown), "The older code of an unregistered signing key."),
    met("50089", When::After, "The flow token has expired: RelayState is stale, or was changed on the way."),
    met("50072", When::After, "The user must enrol for a second factor."),
    met("50074", When::After, "A second factor is asked for, and was not given."),
    met("50076", When::After, "The tenant's policy asks for MFA for this sign-in."),
    met("50079", When::After, "The user must register for MFA first."),
    met("50158", When::After, "An outside security challenge of a Conditional Access policy was not met."),
    met("53003", When::After, "A Conditional Access policy blocks the sign-in."),
    met("530032", When::After, "A security policy of the tenant blocks the sign-in."),
    met("50105", When::After, "The user is not assigned to the application."),
    met("90072", When::After, "The account of another identity provider does not exist in this tenant."),
    met("50020", When::After, "The user of another identity provider has no access to this tenant."),
    met(
        "50034",
        When::After,
        "The user name that was typed does not exist in the tenant: before the response, or without one.",
    ),
    met("50126", When::After, "Wrong user name or password: the domain was treated as managed."),
    met("50132", When::After, "The session was revoked or has expired."),
    met("50133", When::After, "The session ended through a changed or expired password."),
    met("50173", When::After, "A fresh sign-in is asked for: the grant was revoked."),
    met("90019", When::After, "The request does not tell which tenant it is for."),
    met("90055", When::After, "The tenant is throttled: too many requests. Matters to load tests."),
    met("75001", When::Elsewhere, "The binding of a SAML request could not be read."),
    met("75005", When::Elsewhere, "The request is not a valid SAML message."),
    met("75008", When::Elsewhere, "The SAML request was denied: it names another destination."),
    met("75011", When::Elsewhere, "The way of signing in does not match the one that the application asked for."),
    met("76021", When::Elsewhere, "The application must sign its requests, and did not."),
    met("750054", When::Elsewhere, "SAMLRequest or SAMLResponse is missing from the query of a redirect."),
    met("7500514", When::Elsewhere, "No supported type of SAML response was found."),
    met("7500529", When::Elsewhere, "The ID of the request is not a valid SAML ID: it may not begin with a digit."),
];
