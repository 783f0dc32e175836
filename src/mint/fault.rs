//! The mistakes that can be minted, each with its story and the checks that it must trip.

use crate::verdict::{CheckId, Code};

macro_rules! faults {
    ($($name:ident $word:literal fails [$($fail:ident),*] warns [$($warn:ident),*] $story:literal)+) => {
        /// One mistake of an identity provider, of its operator, or of somebody on the way.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Fault {
            $(#[doc = $story] $name,)+
        }

        impl Fault {
            /// Every fault, in the order of the checks that they trip.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$name),+];

            /// The one spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// What went wrong, in a few words.
            pub fn story(self) -> &'static str {
                match self { $(Self::$name => $story.trim_ascii(),)+ }
            }

            /// The checks that fail, all of them, in order. They decide what is predicted.
            pub fn fails(self) -> &'static [CheckId] {
                match self { $(Self::$name => &[$(CheckId::$fail),*],)+ }
            }

            /// The checks that warn, all of them, in order, at a federation that accepts MFA of its identity provider.
            pub fn warns(self) -> &'static [CheckId] {
                match self { $(Self::$name => &[$(CheckId::$warn),*],)+ }
            }
        }
    };
}

faults! {
    NoResponse "no_response" fails [Message] warns []
        " the form has no SAMLResponse"
    TwoResponses "two_responses" fails [Message] warns []
        " the form has SAMLResponse twice"
    Deflated "deflated" fails [Encoding] warns []
        " deflated, as for the Redirect binding"
    Base64Url "base64url" fails [Encoding] warns []
        " base64 in the alphabet of URLs"
    Doctype "doctype" fails [Xml] warns []
        " a DOCTYPE before the response"
    DigitId "digit_id" fails [Xml] warns []
        " the assertion's ID begins with a digit"
    Denied "denied" fails [Status] warns []
        " the status is AuthnFailed"
    NoAssertion "no_assertion" fails [Assertion] warns []
        " there is no assertion"
    Encrypted "encrypted" fails [Assertion] warns []
        " the assertion is encrypted"
    WrongIssuer "wrong_issuer" fails [Issuer] warns []
        " the issuer is authentik's default"
    UnregisteredKey "unregistered_key" fails [SigningKey] warns []
        " signed by a certificate that Entra does not hold"
    Unsigned "unsigned" fails [Signature] warns []
        " nothing is signed"
    Altered "altered" fails [Signature] warns []
        " MFA written in after signing"
    Reformatted "reformatted" fails [Signature] warns []
        " indented after signing"
    ResponseSigned "response_signed" fails [] warns [Signature]
        " the Response is signed, not the assertion"
    HttpsAlgorithms "https_algorithms" fails [Algorithm] warns []
        " algorithms named https://…"
    Sha1 "sha1" fails [] warns [Algorithm]
        " the digest is SHA-1"
    ExpiredCertificate "expired_certificate" fails [] warns [Certificate]
        " the registered certificate has expired"
    Expired "expired" fails [Time] warns []
        " an hour old"
    NotYetValid "not_yet_valid" fails [Time] warns []
        " the clock is an hour fast"
    ClockSkew "clock_skew" fails [] warns [Time]
        " the clock is two minutes behind the end"
    WrongAudience "wrong_audience" fails [Audience] warns []
        " the audience is in lower case"
    NoAudience "no_audience" fails [Audience] warns []
        " there is no audience"
    WrongDestination "wrong_destination" fails [Destination] warns []
        " sent to another address"
    NoDestination "no_destination" fails [] warns [Destination]
        " no Destination"
    WrongRecipient "wrong_recipient" fails [Recipient] warns []
        " meant for another recipient"
    NoRecipient "no_recipient" fails [Recipient] warns []
        " no Recipient"
    DeclRef "decl_ref" fails [Subject] warns []
        " an AuthnContextDeclRef beside the class"
    EmailFormat "email_format" fails [] warns [NameIdFormat]
        " the NameID says that it is an email address"
    UnknownUser "unknown_user" fails [ImmutableId] warns []
        " nobody has this ImmutableId"
    EmptyNameId "empty_name_id" fails [ImmutableId] warns []
        " the NameID is empty"
    LongNameId "long_name_id" fails [ImmutableId] warns []
        " the NameID has 65 characters"
    MailAsNameId "mail_as_name_id" fails [ImmutableId] warns []
        " the NameID is the mail address"
    BigEndian "big_endian" fails [ImmutableId] warns []
        " the GUID's bytes in the wrong order"
    GuidAsNameId "guid_as_name_id" fails [ImmutableId] warns []
        " the GUID as text"
    LowerCase "lower_case" fails [ImmutableId] warns []
        " the ImmutableId in lower case"
    Unpadded "unpadded" fails [ImmutableId] warns []
        " the ImmutableId without its =="
    Escaped "escaped" fails [ImmutableId] warns []
        " the = of the ImmutableId shown as .3D"
    DisabledUser "disabled_user" fails [Account] warns []
        " the account is disabled"
    OtherRootDomain "other_root_domain" fails [DomainPolicy] warns []
        " a user of another root domain"
    NoIdpEmail "no_idp_email" fails [] warns [IdpEmail]
        " no IDPEmail"
    OtherIdpEmail "other_idp_email" fails [] warns [IdpEmail]
        " IDPEmail is another address"
    NoMfa "no_mfa" fails [] warns [AuthnContext]
        " a password alone"
    MfaAttribute "mfa_attribute" fails [] warns [AuthnContext]
        " multipleauthn as the name of an attribute"
    OtherRequest "other_request" fails [] warns [InResponseTo]
        " two requests named in one response"
}

impl Fault {
    /// What Entra answers, by what is published; none when it signs in.
    pub fn code(self) -> Option<Code> {
        Some(match self.fails().first()? {
            CheckId::Message | CheckId::Encoding => Code::Unreadable,
            CheckId::Xml => Code::InvalidXml,
            CheckId::Status | CheckId::Assertion => Code::AssertionMissing,
            CheckId::Issuer => Code::RealmUnknown,
            CheckId::SigningKey => Code::KeyUnknown,
            CheckId::Signature if self == Self::Unsigned => Code::SignatureMissing,
            CheckId::Signature | CheckId::Algorithm => Code::SignatureInvalid,
            CheckId::ImmutableId => Code::UserUnknown,
            CheckId::Account => Code::UserDisabled,
            CheckId::DomainPolicy => Code::DomainPolicy,
            _ => Code::AssertionInvalid,
        })
    }

    /// The fault of this spelling.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.as_str() == word)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
