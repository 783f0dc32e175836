//! What is known of each check: the table behind `samlgate explain` and the runbooks.

use crate::verdict::{CheckId, Code};

/// How sure it is that Entra refuses what does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Entra rejects.
    Certain,
    /// Entra probably rejects; the code is less sure.
    Probable,
    /// Documented as wrong, but seen to be tolerated or not shown to be enforced.
    Tolerated,
    /// A finding of this program alone.
    Own,
}

impl Class {
    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Certain => "Entra rejects what fails this check",
            Self::Probable => "Entra probably rejects what fails this check; the code is less sure",
            Self::Tolerated => "documented, but seen to be tolerated: a warning",
            Self::Own => "samlgate's own finding: Entra is not known to look",
        }
    }
}

/// What is known of one check.
#[derive(Debug)]
pub(crate) struct Guide {
    /// Which check.
    pub(crate) id: CheckId,
    /// In a line.
    pub(crate) title: &'static str,
    /// What is looked at.
    pub(crate) checked: &'static str,
    /// What Entra does.
    pub(crate) entra: &'static str,
    /// How sure that is.
    pub(crate) class: Class,
    /// Where that is known from.
    pub(crate) evidence: &'static str,
    /// What may be predicted, most likely first.
    pub(crate) codes: &'static [Code],
    /// How to mend it, step by step.
    pub(crate) mend: &'static [&'static str],
}

const DOCUMENTED: &str = "published documents of Microsoft";
const OBSERVED: &str = "documents of Microsoft and public write-ups that observed it";
const INFERRED: &str = "inferred from documents; no public observation";

/// Every check, in Entra's order.
pub(crate) const GUIDES: [Guide; CheckId::ALL.len()] = [
    Guide {
        id: CheckId::Message,
        title: "the post is one SAML 2.0 sign-in response",
        checked: "A form post with exactly one field named SAMLResponse and no SAMLRequest or wresult beside it. \
                  WS-Federation, sign-out messages and requests are named as what they are, and not judged further.",
        entra: "Without the field, or with several, Entra cannot tell what it was sent. WS-Federation goes another way \
                at the same address; no code is predicted for it.",
        class: Class::Certain,
        evidence: OBSERVED,
        codes: &[Code::Unreadable],
        mend: &[
            "Send the response by HTTP-POST, in one form field SAMLResponse, with RelayState as Entra gave it.",
            "authentik: set the provider's Service Provider Binding to Post.",
            "A domain that is set to wsFed gets WS-Federation: look at preferredAuthenticationProtocol.",
        ],
    },
    Guide {
        id: CheckId::Encoding,
        title: "the field is plain base64 of the XML",
        checked: "Base64 of the standard alphabet with its padding, once, escaped for a form once; line breaks are fine. \
                  Deflated, base64url, twice encoded text and plus signs that turned to blanks are told apart.",
        entra: "What cannot be decoded is not read at all.",
        class: Class::Probable,
        evidence: OBSERVED,
        codes: &[Code::Unreadable],
        mend: &[
            "Do not deflate: only the HTTP-Redirect binding deflates, and responses go by HTTP-POST.",
            "Escape + / = of the base64 as %2B %2F %3D in a form body, once.",
        ],
    },
    Guide {
        id: CheckId::Xml,
        title: "the XML is well-formed, bounded, and a samlp:Response 2.0",
        checked: "UTF-8, no DTD, only the five built-in entities, unique IDs that begin with a letter or underscore, Version \
                  2.0, root samlp:Response, and limits on size, depth and attributes.",
        entra: "XML that is not valid for SAML is refused before anything is looked at.",
        class: Class::Probable,
        evidence: INFERRED,
        codes: &[Code::InvalidXml],
        mend: &[
            "Look at the place that the report names with `samlgate decode`.",
            "Make IDs as an underscore and random hexadecimal digits: an ID may not begin with a digit.",
        ],
    },
    Guide {
        id: CheckId::Status,
        title: "the identity provider says Success",
        checked: "One Status with the top StatusCode urn:oasis:names:tc:SAML:2.0:status:Success.",
        entra: "A response of failure carries no assertion that Entra would take.",
        class: Class::Certain,
        evidence: OBSERVED,
        codes: &[Code::AssertionMissing],
        mend: &[
            "The identity provider refused the sign-in: its own log says why, and StatusMessage may repeat it.",
            "authentik: look at the events of the user, and at the policies bound to the application.",
        ],
    },
    Guide {
        id: CheckId::Assertion,
        title: "there is exactly one plaintext Assertion",
        checked: "One saml:Assertion as direct child of the Response; no EncryptedAssertion, no second one anywhere, and no \
                  element that a reader could take for one.",
        entra: "Entra cannot decrypt assertions of a federated domain and says that none is present.",
        class: Class::Certain,
        evidence: OBSERVED,
        codes: &[Code::AssertionMissing],
        mend: &[
            "authentik: clear the provider's Encryption Certificate.",
            "Several assertions, or one hidden elsewhere, are the pattern of a signature wrapping attack: find out who made them.",
        ],
    },
    Guide {
        id: CheckId::Issuer,
        title: "Issuer is the issuerUri of the federated domain",
        checked: "The Issuer of the Assertion, and that of the Response if present, equal issuerUri byte for byte: case, \
                  slashes at the end and blanks count. The domain must be federated by SAML.",
        entra: "The issuer picks the realm. An unknown one ends the sign-in, whatever the signature is worth.",
        class: Class::Certain,
        evidence: OBSERVED,
        codes: &[Code::RealmUnknown],
        mend: &[
            "authentik: set the provider's Issuer by hand; before 2026.5 it defaults to `authentik`.",
            "PowerShell:\n  Get-MgDomainFederationConfiguration -DomainId domain.company | Select-Object IssuerUri",
            "PowerShell:\n  Update-MgDomainFederationConfiguration -DomainId domain.company -InternalDomainFederationId ID -IssuerUri URI",
        ],
    },
    Guide {
        id: CheckId::SigningKey,
        title: "the signing key is registered",
        checked: "One of the registered certificates, current or next, verifies the signature. KeyInfo is believed in \
                  nothing; it only helps to name the certificate that was used.",
        entra: "A key that is neither signingCertificate nor nextSigningCertificate of the realm is unknown, as after a \
                rollover that Entra was not told of.",
        class: Class::Certain,
        evidence: OBSERVED,
        codes: &[Code::KeyUnknown],
        mend: &[
            "Register the certificate that signs, as base64 of DER without the BEGIN and END lines.",
            "PowerShell:\n  Update-MgDomainFederationConfiguration -DomainId domain.company -InternalDomainFederationId ID -NextSigningCertificate BASE64",
            "authentik: the provider's Signing Certificate is the one to export.",
        ],
    },
    Guide {
        id: CheckId::Signature,
        title: "the Assertion is signed, in SAML's shape, and unchanged since",
        checked: "One ds:Signature as direct child of the Assertion (or of the Response: a warning), one Reference to \
                  the parent's own ID, transforms enveloped-signature and exclusive C14N, digest and value verify.",
        entra: "Nothing acceptable signed: 50008. Signed, but the digest or the value does not hold: 50006.",
        class: Class::Certain,
        evidence: OBSERVED,
        codes: &[Code::SignatureMissing, Code::SignatureInvalid],
        mend: &[
            "authentik: choose a Signing Certificate and switch on Sign assertions.",
            "A digest that does not hold: something between the identity provider and here rewrote the XML, indented it, or \
             brought its line breaks to another form.",
            "The algorithm identifiers begin with http://, not https:// as one page of Microsoft prints them.",
        ],
    },
    Guide {
        id: CheckId::Algorithm,
        title: "the algorithms are ones that Entra is known to take",
        checked: "RSA-SHA256 with SHA-256 passes. SHA-1, RSA keys under 2048 bits, ECDSA, RSA-PSS and SHA-384/512 \
                  warn. HMAC, MD5, RSA under 1024 bits and anything else fail.",
        entra: "SHA-1 was once demanded and is now deprecated; the others are documented nowhere. What is no \
                signature by a public key is refused.",
        class: Class::Certain,
        evidence: "published documents of Microsoft; the warnings are open questions",
        codes: &[Code::SignatureInvalid],
        mend: &[
            "authentik: set Signature algorithm to RSA-SHA256 and Digest algorithm to SHA256, with an RSA key of 2048 bits or more.",
        ],
    },
    Guide {
        id: CheckId::Certificate,
        title: "the signing certificate is in date",
        checked: "The certificate of the key that signed is in date and stays so for 30 days; it was not given to \
                  Microsoft Graph as PEM text.",
        entra: "Whether Entra refuses an expired signing certificate is not known. It looks for a new one in the metadata \
                from 30 days before the end.",
        class: Class::Tolerated,
        evidence: "published documents of Microsoft for the rollover; expiry itself was looked for and not found",
        codes: &[],
        mend: &[
            "Make a new certificate, register it as the next one, wait until Entra shows it, then sign with it.",
            "Graph wants base64 of DER: leave out the BEGIN and END lines and the line breaks.",
        ],
    },
    Guide {
        id: CheckId::Time,
        title: "the assertion is valid now",
        checked: "NotBefore and NotOnOrAfter of Conditions, NotOnOrAfter of SubjectConfirmationData, SessionNotOnOrAfter; \
                  all in UTC, written with Z. Inside the skew: a warning. Beyond: a failure.",
        entra: "Entra is taken to allow five minutes; how much it allows is not documented.",
        class: Class::Certain,
        evidence: "one public write-up; the skew is an open question (--skew sets it)",
        codes: &[Code::AssertionInvalid],
        mend: &[
            "Compare the clock of the identity provider with NTP.",
            "authentik: Assertion valid not before -5 minutes, Assertion valid not on or after 5 minutes.",
            "A response from yesterday is judged as of then with --at.",
        ],
    },
    Guide {
        id: CheckId::Audience,
        title: "the assertion is meant for Entra",
        checked: "Every AudienceRestriction contains urn:federation:MicrosoftOnline, byte for byte (another cloud has \
                  another). Missing fails; further audiences beside it warn.",
        entra: "An assertion for somebody else is invalid here.",
        class: Class::Certain,
        evidence: DOCUMENTED,
        codes: &[Code::AssertionInvalid],
        mend: &["authentik: set the provider's Audience to urn:federation:MicrosoftOnline."],
    },
    Guide {
        id: CheckId::Destination,
        title: "Destination is Entra's address",
        checked: "Destination of the Response is https://login.microsoftonline.com/login.srf (another cloud has another). \
                  Absent or empty warns. Unless the Response is signed, it is unsigned envelope.",
        entra: "A wrong one is probably refused.",
        class: Class::Probable,
        evidence: "one public write-up",
        codes: &[Code::AssertionInvalid],
        mend: &["authentik: set the provider's ACS URL to https://login.microsoftonline.com/login.srf."],
    },
    Guide {
        id: CheckId::Recipient,
        title: "Recipient is Entra's address",
        checked: "Recipient of SubjectConfirmationData is the same address as Destination. Wrong or absent fails.",
        entra: "SAML demands it of bearer assertions; a wrong one is probably refused.",
        class: Class::Probable,
        evidence: "the SAML profile and one public write-up",
        codes: &[Code::AssertionInvalid],
        mend: &["authentik: set the provider's ACS URL to https://login.microsoftonline.com/login.srf."],
    },
    Guide {
        id: CheckId::Subject,
        title: "the subject has the shape of a bearer assertion",
        checked: "One Subject with one NameID in plaintext and one bearer SubjectConfirmation with its data; an \
                  AuthnStatement; no AuthnContextDeclRef; one Conditions with no unknown condition.",
        entra: "A declaration reference beside or instead of the class reference is known to be refused.",
        class: Class::Probable,
        evidence: OBSERVED,
        codes: &[Code::AssertionInvalid],
        mend: &["Leave AuthnContextDecl and AuthnContextDeclRef out; send one AuthnContextClassRef."],
    },
    Guide {
        id: CheckId::NameIdFormat,
        title: "the NameID is declared persistent",
        checked: "Format of the NameID is urn:oasis:names:tc:SAML:2.0:nameid-format:persistent.",
        entra: "Documented as required. Responses with unspecified, as authentik sends them unasked, are not known to be refused.",
        class: Class::Tolerated,
        evidence: DOCUMENTED,
        codes: &[],
        mend: &[
            "Let the sign-in begin at Entra: its request asks for persistent, and authentik answers what is asked.",
        ],
    },
    Guide {
        id: CheckId::ImmutableId,
        title: "the NameID is the ImmutableId of exactly one user",
        checked: "Not empty, at most 64 characters, and equal to one user's onPremisesImmutableId, byte for byte. When no \
                  user has it the report looks for the mistake: case, blanks, an e-mail address, a GUID as text, the \
                  bytes of the GUID in the wrong order, base64url, lost padding, twice encoded.",
        entra: "The user is found by this value and by nothing else: not by e-mail, not by UPN.",
        class: Class::Certain,
        evidence: OBSERVED,
        codes: &[Code::UserUnknown],
        mend: &[
            "authentik: choose a NameID Property Mapping that returns the ImmutableId; the default is the e-mail address.",
            "The value is base64 of the 16 bytes of ms-DS-ConsistencyGuid (else objectGUID) as .NET orders them:\n  [Convert]::ToBase64String(([Guid]'GUID').ToByteArray())",
            "Users made in the cloud have none:\n  Update-MgUser -UserId UPN -OnPremisesImmutableId VALUE",
            "PowerShell:\n  Get-MgUser -All -Property UserPrincipalName,OnPremisesImmutableId,AccountEnabled,ProxyAddresses,Mail",
        ],
    },
    Guide {
        id: CheckId::Account,
        title: "the user's account is enabled",
        checked: "accountEnabled of the user that the NameID found.",
        entra: "A disabled account does not sign in.",
        class: Class::Probable,
        evidence: DOCUMENTED,
        codes: &[Code::UserDisabled],
        mend: &[
            "PowerShell:\n  Update-MgUser -UserId UPN -AccountEnabled:$true\nFor synchronised users: in Active Directory.",
        ],
    },
    Guide {
        id: CheckId::DomainPolicy,
        title: "the user belongs to the domain whose issuer spoke",
        checked: "The root domain of the realm equals the root domain of the user's UPN, unless the tenant's federated \
                  token validation policy exempts it.",
        entra: "A realm that speaks for a user of another domain is blocked: for domains federated since December 2025, and \
                for all tenants from mid-August 2026.",
        class: Class::Certain,
        evidence: DOCUMENTED,
        codes: &[Code::DomainPolicy],
        mend: &[
            "Give the user a UPN in the federated domain, or federate the user's domain with an issuer of its own.",
            "The policy: GET /policies/federatedTokenValidationPolicy of Microsoft Graph.",
        ],
    },
    Guide {
        id: CheckId::IdpEmail,
        title: "the attribute IDPEmail is the user's UPN",
        checked: "One attribute named exactly IDPEmail that equals the UPN of the user, but for case.",
        entra: "Documented as required, observed not to be looked at.",
        class: Class::Tolerated,
        evidence: OBSERVED,
        codes: &[],
        mend: &["authentik: add a SAML property mapping with the attribute name IDPEmail that returns the UPN."],
    },
    Guide {
        id: CheckId::AuthnContext,
        title: "what Entra makes of the claim of MFA",
        checked: "One AuthnStatement with one AuthnContextClassRef. For MFA only \
                  http://schemas.microsoft.com/claims/multipleauthn counts; an attribute of that name does not. A federation \
                  may demand classes: then a miss fails, without a code.",
        entra: "By federatedIdpMfaBehavior. accept…: the claim satisfies, without it Entra asks itself. enforce…: without it \
                the user goes back to the identity provider, for ever if it never sends it. reject…: the claim is ignored. All of \
                this only where the tenant asks for MFA, which nobody sees from here.",
        class: Class::Tolerated,
        evidence: DOCUMENTED,
        codes: &[Code::AssertionInvalid],
        mend: &[
            "authentik: an AuthnContextClassRef Property Mapping that returns the class only when MFA was done; a constant \
             claims MFA that nobody did.",
            "PowerShell:\n  Update-MgDomainFederationConfiguration -DomainId domain.company -InternalDomainFederationId ID \
             -FederatedIdpMfaBehavior acceptIfMfaDoneByFederatedIdp",
        ],
    },
    Guide {
        id: CheckId::InResponseTo,
        title: "the response answers a request that was seen",
        checked: "Absent or empty passes. The ID of a request that was seen passes; answered twice warns; not seen: skipped, \
                  for another instance may have seen it. `verify` has seen no requests.",
        entra: "Entra takes unsolicited responses and does not enforce this for federated domains.",
        class: Class::Own,
        evidence: "source code of tools that post such responses",
        codes: &[],
        mend: &["A response that answers a request twice: look for a reload of the page, or for a replay."],
    },
    Guide {
        id: CheckId::Replay,
        title: "the assertion is new",
        checked: "The ID of a signed assertion was not seen before. `verify` keeps no memory and skips it.",
        entra: "Whether Entra refuses a second use is not known.",
        class: Class::Own,
        evidence: "looked for, not found",
        codes: &[],
        mend: &["Make a new ID for every assertion, and find out who posts the old one."],
    },
];
