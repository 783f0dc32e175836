//! The fake's own look at a signature: enough for what the lab signs, and for what others sign in the usual way.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::decision::{BAD_SIGNATURE, NO_SIGNATURE, Place, Refusal, UNKNOWN_KEY};
use crate::tenant::RegisteredKey;
use crate::xml::{Algorithm, Canonical};

const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// Whether a registered key signed the assertion, or the response around it. Where both are signed, both must hold.
pub(super) fn verify(response: &Place<'_>, assertion: &Place<'_>, keys: &[RegisteredKey]) -> Result<(), Refusal> {
    let signed = |parent: &Place<'_>| !parent.all("Signature").is_empty();
    if !signed(response) && !signed(assertion) {
        return Err(NO_SIGNATURE);
    }
    for parent in [response, assertion].into_iter().filter(|parent| signed(parent)) {
        one(parent, &parent.only("Signature").ok_or(NO_SIGNATURE)?, keys)?;
    }
    Ok(())
}

fn one(parent: &Place<'_>, signature: &Place<'_>, keys: &[RegisteredKey]) -> Result<(), Refusal> {
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
    let transforms = reference.only("Transforms").ok_or(NO_SIGNATURE)?.all("Transform");
    let transforms: Vec<_> = transforms.iter().filter_map(|transform| transform.attribute("Algorithm")).collect();
    // a name that is no algorithm's
    if transforms.iter().any(|name| name.starts_with("https://")) {
        return Err(BAD_SIGNATURE);
    }
    // what the last says of comments has no bearing: a reference by ID leaves them out
    let usual =
        matches!(transforms.as_slice(), [ENVELOPED, form] if algorithm_of(form).is_some_and(|form| form.exclusive));
    if !usual {
        return Err(NO_SIGNATURE);
    }
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
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1" => &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" => &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1" => &RSA_PSS_2048_8192_SHA256,
        "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1" => &RSA_PSS_2048_8192_SHA384,
        "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1" => &RSA_PSS_2048_8192_SHA512,
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384" => &RSA_PKCS1_2048_8192_SHA384,
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512" => &RSA_PKCS1_2048_8192_SHA512,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256" => &ECDSA_P256_SHA256_FIXED,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384" => &ECDSA_P384_SHA384_FIXED,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512" => &ECDSA_P521_SHA512_FIXED,
        _ => return Err(BAD_SIGNATURE),
    };
    let algorithm_name = method(&signed_info, "CanonicalizationMethod")?;
    let form = algorithm_of(algorithm_name).ok_or(NO_SIGNATURE)?;
    let form = Canonical { algorithm: form, ..Canonical::exclusive(document, signed_info.node) };
    let message = canonical(&form, &prefixes(&signed_info))?;
    let value = value(signature, "SignatureValue")?;
    let signs = |der: &[u8]| {
        let certificate = X509Certificate::from_der(der);
        certificate.is_ok_and(|(_, certificate)| {
            let key = UnparsedPublicKey::new(algorithm, certificate.public_key().raw);
            key.verify(&message, &value).is_ok()
        })
    };
    if keys.iter().any(|key| signs(&key.key.certificate().der)) {
        return Ok(());
    }
    Err(if names_a_stranger(signature, keys) { UNKNOWN_KEY } else { BAD_SIGNATURE })
}

/// Whether KeyInfo names a certificate that is not registered.
fn names_a_stranger(signature: &Place<'_>, keys: &[RegisteredKey]) -> bool {
    let info = signature.only("KeyInfo").and_then(|info| info.only("X509Data"));
    let named = info.and_then(|data| data.only("X509Certificate"));
    let named = named.and_then(|named| decoded(&named.own_text()));
    named.is_some_and(|named| keys.iter().all(|key| key.key.certificate().der != named))
}

/// A canonicalisation, by its name.
fn algorithm_of(uri: &str) -> Option<Algorithm> {
    let (uri, comments) = match uri.strip_suffix("WithComments") {
        Some(uri) => (uri.trim_end_matches('#'), true),
        None => (uri.trim_end_matches('#'), false),
    };
    match uri {
        "http://www.w3.org/2001/10/xml-exc-c14n" => Some(Algorithm { exclusive: true, comments }),
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315" => Some(Algorithm { exclusive: false, comments }),
        _ => None,
    }
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
