//! How each fault is brought in, step by step: the person, the claims, the document, the signature, and what came later.

use jiff::SignedDuration;

use super::claims::{Cast, Claims, MULTIPLE, PASSWORD, Person};
use super::shape::Style;
use super::{Fault, Keys, MintError};
use crate::dsig::{Hash, Manner, SigningKey};
use crate::limits::Limits;
use crate::personal::Personal;
use crate::tenant::{anchor_bytes, anchor_text, other_byte_order};
use crate::xml::{self, NodeId, NodeKind};

/// What is signed.
pub(super) enum Covers {
    Assertion,
    Response,
    Nothing,
}

/// Who signs in.
pub(super) fn person(fault: Option<Fault>, cast: &Cast) -> Result<&Person, MintError> {
    match fault {
        Some(Fault::DisabledUser) => cast.disabled.as_ref().ok_or(MintError::NobodyFits("a disabled user")),
        Some(Fault::OtherRootDomain) => {
            cast.outsider.as_ref().ok_or(MintError::NobodyFits("a user of another root domain"))
        }
        _ => Ok(&cast.user),
    }
}

/// What is claimed.
pub(super) fn claim(fault: Option<Fault>, claims: &mut Claims, person: &Person) -> Result<(), MintError> {
    let Some(fault) = fault else { return Ok(()) };
    if let Some(name_id) = name_id(fault, person)? {
        // of an ImmutableId without capitals the one in lower case is no other
        if name_id == person.immutable_id.expose() {
            return Err(MintError::NobodyFits("a user whose ImmutableId the fault changes"));
        }
        claims.name_id = Personal::new(name_id);
    }
    let some = |text: &str| Some(text.to_owned());
    match fault {
        Fault::DigitId => claims.assertion_id.insert(0, '0'),
        Fault::Denied => claims.status = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed".to_owned(),
        Fault::WrongIssuer => claims.issuer = "authentik".to_owned(),
        Fault::Expired => claims.shift(-SignedDuration::from_hours(1))?,
        Fault::NotYetValid => claims.shift(SignedDuration::from_hours(1))?,
        Fault::ClockSkew => claims.shift(-SignedDuration::from_mins(7))?,
        Fault::WrongAudience => claims.audience = claims.audience.as_deref().map(str::to_lowercase),
        Fault::NoAudience => claims.audience = None,
        Fault::WrongDestination => claims.destination = some("https://login.microsoftonline.com/common/saml2"),
        Fault::NoDestination => claims.destination = None,
        Fault::WrongRecipient => claims.recipient = some("https://login.microsoftonline.com/common/saml2"),
        Fault::NoRecipient => claims.recipient = None,
        Fault::EmailFormat => {
            claims.name_id_format = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress".to_owned();
        }
        Fault::NoIdpEmail => claims.attributes.clear(),
        Fault::OtherIdpEmail => {
            claims.attributes = vec![("IDPEmail".to_owned(), Personal::new("somebody.else@domain.company"))];
        }
        Fault::NoMfa | Fault::Altered => claims.authn_context = PASSWORD.to_owned(),
        Fault::MfaAttribute => {
            claims.authn_context = PASSWORD.to_owned();
            claims.attributes.push((MULTIPLE.to_owned(), person.immutable_id.clone()));
        }
        Fault::OtherRequest => {
            claims.in_response_to = some("_00000000000000000000000000000001");
            claims.confirmation_in_response_to = some("_00000000000000000000000000000002");
        }
        _ => {}
    }
    Ok(())
}

/// What is sent for the ImmutableId, where that is the fault.
fn name_id(fault: Fault, person: &Person) -> Result<Option<String>, MintError> {
    let id = person.immutable_id.expose();
    let guid = || {
        let bytes = anchor_bytes(id).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        bytes.map(other_byte_order).ok_or(MintError::NobodyFits("a user whose ImmutableId is a GUID's"))
    };
    let ends_padded = || id.ends_with('=').then_some(id).ok_or(MintError::NobodyFits("an ImmutableId that ends in ="));
    Ok(Some(match fault {
        Fault::UnknownUser => "AAAAAAAAAAAAAAAAAAAAAA==".to_owned(),
        Fault::EmptyNameId => String::new(),
        Fault::LongNameId => "A".repeat(65),
        Fault::MailAsNameId => person.mail.expose().to_owned(),
        Fault::BigEndian => anchor_text(&guid()?),
        Fault::GuidAsNameId => {
            let mut text = format!("{:032x}", u128::from_be_bytes(guid()?));
            for at in [20, 16, 12, 8] {
                text.insert(at, '-');
            }
            text
        }
        Fault::LowerCase => id.to_lowercase(),
        Fault::Unpadded => ends_padded()?.trim_end_matches('=').to_owned(),
        Fault::Escaped => ends_padded()?.replace('=', ".3D"),
        _ => return Ok(None),
    }))
}

/// What is wrong with the document before it is signed.
pub(super) fn before_signing(fault: Option<Fault>, xml: String) -> Result<String, MintError> {
    const CLASS_END: &str = "</saml2:AuthnContextClassRef>";
    match fault {
        Some(Fault::DeclRef) => {
            let decl = "<saml2:AuthnContextDeclRef>urn:authentik:password</saml2:AuthnContextDeclRef>";
            spoil(&xml, CLASS_END, &format!("{CLASS_END}{decl}"))
        }
        Some(Fault::NoAssertion) => without_assertion(&xml, ""),
        Some(Fault::Encrypted) => without_assertion(&xml, ENCRYPTED),
        _ => Ok(xml),
    }
}

const ENCRYPTED: &str = r#"<saml2:EncryptedAssertion xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion"><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element"><xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"/><xenc:CipherData><xenc:CipherValue>q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml2:EncryptedAssertion>"#;

fn without_assertion(xml: &str, instead: &str) -> Result<String, MintError> {
    const END: &str = "</saml2:Assertion>";
    let parts = xml.split_once("<saml2:Assertion ").and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or(MintError::NothingToSpoil(END))?;
    Ok(format!("{before}{instead}{after}"))
}

/// Who signs.
pub(super) fn key(fault: Option<Fault>, keys: &Keys) -> Result<&SigningKey, MintError> {
    match fault {
        Some(Fault::UnregisteredKey) => keys.stranger.as_ref().ok_or(MintError::NoKey("a key that is not registered")),
        Some(Fault::ExpiredCertificate) => {
            keys.expired.as_ref().ok_or(MintError::NoKey("a registered key whose certificate has expired"))
        }
        _ => Ok(&keys.current),
    }
}

/// How it is signed.
pub(super) fn manner(fault: Option<Fault>, manner: &super::Manner, style: &Style) -> Manner<'static> {
    Manner {
        algorithm: manner.algorithm,
        digest: if fault == Some(Fault::Sha1) { Some(Hash::Sha1) } else { manner.digest },
        https_names: fault == Some(Fault::HttpsAlgorithms),
        prefix: style.signature,
        declared: style.declared,
        layout: style.layout,
        key_info_form: style.key_info,
        ..Manner::default()
    }
}

/// What is signed.
pub(super) fn covers(fault: Option<Fault>) -> Covers {
    match fault {
        Some(Fault::Unsigned | Fault::NoAssertion | Fault::Encrypted) => Covers::Nothing,
        Some(Fault::ResponseSigned) => Covers::Response,
        _ => Covers::Assertion,
    }
}

/// Whether nobody gets as far as the signature.
pub(super) fn is_unreadable(fault: Option<Fault>) -> bool {
    matches!(fault, Some(Fault::NoResponse | Fault::Deflated | Fault::Base64Url | Fault::Doctype))
}

/// What somebody did to the document on its way.
pub(super) fn after_signing(fault: Option<Fault>, xml: String) -> Result<String, MintError> {
    match fault {
        Some(Fault::Doctype) => before(&xml, "Response", "<!DOCTYPE Response>\n"),
        Some(Fault::Altered) => spoil(&xml, PASSWORD, MULTIPLE),
        Some(Fault::Reformatted) => before(&xml, "Conditions", "\n  "),
        _ => Ok(xml),
    }
}

fn spoil(xml: &str, what: &'static str, instead: &str) -> Result<String, MintError> {
    let parts = xml.split_once(what).ok_or(MintError::NothingToSpoil(what))?;
    Ok(format!("{}{instead}{}", parts.0, parts.1))
}

/// Puts this before the first element of a name, whatever its prefix.
fn before(xml: &str, element: &'static str, what: &str) -> Result<String, MintError> {
    let document = xml::parse(xml.as_bytes().to_vec(), &Limits::default()).map_err(crate::dsig::SignError::from)?;
    let mut all = document.descendants(NodeId::DOCUMENT);
    let node = all.find(|node| document.kind(*node) == NodeKind::Element && document.local_name(*node) == element);
    let at = node.map(|node| document.offset(node)).and_then(|at| document.source().split_at_checked(at));
    let (before, after) = at.ok_or(MintError::NothingToSpoil(element))?;
    Ok(format!("{before}{what}{after}"))
}
