//! The fake's own look at a signature: enough for what the lab signs, and for what others sign in the usual way.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::decision::{BAD_SIGNATURE, NO_SIGNATURE, Place, Refusal, UNKNOWN_KEY};
use crate::tenant::RegisteredKey;
use crate::xml::Canonical;

/// Whether a registered key signed the assertion, or the response around it.
pub(super) fn verify(response: &Place<'_>, assertion: &Place<'_>, keys: &[RegisteredKey]) -> Result<(), Refusal> {
    let signed = [assertion, response].into_iter().find_map(|parent| Some((parent, parent.only("Signature")?)));
    let (parent, signature) = signed.ok_or(NO_SIGNATURE)?;
    let keys = named(&signature, keys)?;

    let signed_info = signature.only("SignedInfo").ok_or(NO_SIGNATURE)?;
    let reference = signed_info.only("Reference").ok_or(NO_SIGNATURE)?;
    let document = signature.document;
    let own = document.attribute(parent.node, "ID").map(|id| format!("#{id}"));
    if document.attribute(reference.node, "URI") != own.as_deref() {
        return Err(NO_SIGNATURE);
    }
    let method = |place: &Place<'_>, name: &str| {
        let method = place.only(name).ok_or(NO_SIGNATURE)?;
        document.attribute(method.node, "Algorithm").ok_or(NO_SIGNATURE)
    };
    let hash = match method(&reference, "DigestMethod")? {
        "http://www.w3.org/2000/09/xmldsig#sha1" => &SHA1_FOR_LEGACY_USE_ONLY,
        "http://www.w3.org/2001/04/xmlenc#sha256" => &SHA256,
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => &SHA384,
        "http://www.w3.org/2001/04/xmlenc#sha512" => &SHA512,
        _ => return Err(BAD_SIGNATURE),
    };
    let element = Canonical { without: Some(signature.node), ..Canonical::exclusive(document, parent.node) };
    let digested = digest::digest(hash, &canonical(&element, &prefixes(&reference))?);
    if value(&reference, "DigestValue")? != digested.as_ref() {
        return Err(BAD_SIGNATURE);
    }
    let algorithm: &'static dyn VerificationAlgorithm = match method(&signed_info, "SignatureMethod")? {
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" => &RSA_PKCS1_2048_8192_SHA256,
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384" => &RSA_PKCS1_2048_8192_SHA384,
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512" => &RSA_PKCS1_2048_8192_SHA512,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256" => &ECDSA_P256_SHA256_FIXED,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384" => &ECDSA_P384_SHA384_FIXED,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512" => &ECDSA_P521_SHA512_FIXED,
        _ => return Err(BAD_SIGNATURE),
    };
    let form = Canonical::exclusive(document, signed_info.node);
    let message = canonical(&form, &prefixes(&signed_info))?;
    let value = value(&signature, "SignatureValue")?;
    let signs = |der: &[u8]| {
        let certificate = X509Certificate::from_der(der);
        certificate.is_ok_and(|(_, certificate)| {
            let key = UnparsedPublicKey::new(algorithm, certificate.public_key().raw);
            key.verify(&message, &value).is_ok()
        })
    };
    if keys.iter().any(|der| signs(der)) { Ok(()) } else { Err(BAD_SIGNATURE) }
}

/// The registered certificates that may have signed: the one that KeyInfo names, or all where it names none.
fn named<'k>(signature: &Place<'_>, keys: &'k [RegisteredKey]) -> Result<Vec<&'k [u8]>, Refusal> {
    let registered = keys.iter().map(|key| key.key.certificate().der.as_slice());
    let info = signature.only("KeyInfo").and_then(|info| info.only("X509Data"));
    let Some(named) = info.and_then(|data| data.only("X509Certificate")) else { return Ok(registered.collect()) };
    let named = decoded(&named.own_text());
    let keys: Vec<&[u8]> = registered.filter(|der| named.as_deref() == Some(*der)).collect();
    if keys.is_empty() { Err(UNKNOWN_KEY) } else { Ok(keys) }
}

/// The PrefixList of a transform or of the canonicalisation; of both there is one in use.
fn prefixes<'d>(place: &Place<'d>) -> Vec<&'d str> {
    let document = place.document;
    let own = place.only("Transforms").or_else(|| place.only("CanonicalizationMethod"));
    let lists = own.into_iter().flat_map(|own| document.descendants(own.node).collect::<Vec<_>>());
    lists.filter_map(|node| document.attribute(node, "PrefixList")).flat_map(str::split_ascii_whitespace).collect()
}

fn canonical(form: &Canonical<'_>, prefix_list: &[&str]) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let form = Canonical { prefix_list, ..*form };
    form.write(&mut bytes).map_err(|_| BAD_SIGNATURE)?;
    Ok(bytes)
}

fn value(place: &Place<'_>, name: &str) -> Result<Vec<u8>, Refusal> {
    place.only(name).and_then(|value| decoded(&value.own_text())).ok_or(BAD_SIGNATURE)
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.split_ascii_whitespace().collect::<String>()).ok()
}
