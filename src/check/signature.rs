//! `signing_key` `signature` `algorithm` `certificate`: what the signatures say, and by which key.

use jiff::SignedDuration;

use super::{Facts, Findings};
use crate::dsig::{AlgorithmError, Examined, Failure, Hash, KeyKind, TrustedKey, ValueError};
use crate::tenant::RegisteredKey;
use crate::verdict::{Code, Finding};
use crate::xml::NodeId;

/// Days before the end of a certificate from which on it is warned of.
const EXPIRY_WARNING: SignedDuration = SignedDuration::from_hours(30 * 24);

fn keys<'a>(facts: &Facts<'a>) -> &'a [RegisteredKey] {
    facts.federation.map_or(&[], |federation| &federation.keys)
}

/// Whether a signature was made by a key that is not registered.
fn is_strange(examined: &Examined) -> bool {
    let stranger = examined.named.as_ref().is_some_and(|named| named.registered.is_none());
    // a registered key made the SignatureValue of these
    let by_registered =
        matches!(examined.result, Ok(_) | Err(Failure::Digest { .. } | Failure::Canonical(..) | Failure::NoKeys));
    stranger && !by_registered
}

/// `signing_key` and `signature` together: whether it is the key or the value that is wrong is one question.
pub(super) fn signing_key_and_signature(facts: &Facts<'_>) -> (Option<Findings>, Option<Findings>) {
    if keys(facts).is_empty() {
        return (None, None);
    }
    let examined = facts.signatures.examined();
    if examined.is_empty() {
        let unsigned = facts.claims.map(|claims| vec![unsigned(facts, claims.node)]);
        return (None, unsigned);
    }
    let mut signing_key = Findings::new();
    let mut signature = Findings::new();
    let mut judged = false;
    for examined in examined {
        let strange = is_strange(examined);
        if strange {
            signing_key.push(unknown_key(facts, examined));
        }
        let finding = match &examined.result {
            Ok(_) => well(facts, examined),
            Err(Failure::NoKeys | Failure::Algorithm(..)) => continue,
            Err(Failure::SignatureValue { .. } | Failure::Value(ValueError::Length { .. }, _)) if strange => continue,
            Err(failure) => Some(broken(facts, failure)),
        };
        judged = true;
        signature.extend(finding);
    }
    // where a signature stands and what it refers to comes before what it says
    signature.sort_by_key(|finding| finding.detail.code == Some(Code::SignatureInvalid));
    (Some(signing_key), judged.then_some(signature))
}

fn unsigned(facts: &Facts<'_>, assertion: NodeId) -> Finding {
    Finding::fail(Code::SignatureMissing, "neither the Assertion nor the Response is signed")
        .expected("a Signature in the Assertion")
        .got("none")
        .hint("turn signing on: in authentik choose a Signing Certificate for the SAML provider and switch Sign assertions on")
        .at(facts.at(assertion))
}

fn unknown_key(facts: &Facts<'_>, examined: &Examined) -> Finding {
    let registered: Vec<String> = keys(facts).iter().map(|key| describe(&key.key)).collect();
    // the log and the page have this sentence alone: it says which certificate
    let which =
        examined.named.as_ref().map_or_else(String::new, |named| format!(" {}", named.certificate.thumbprint()));
    let text = format!("the response names a signing certificate{which} that is not registered in Entra");
    let finding = Finding::fail(Code::KeyUnknown, text)
        .expected(registered.join(" or "))
        .hint(
            "register the certificate of the identity provider: Update-MgDomainFederationConfiguration -DomainId <domain> \
             -InternalDomainFederationId <id> -SigningCertificate <base64 of its DER> (or -NextSigningCertificate during a rollover); \
             or let the identity provider sign with the registered one",
        );
    let Some(named) = &examined.named else { return finding };
    let certificate = &named.certificate;
    let by_named = match &examined.result {
        Err(Failure::SignatureValue { by_named: Some(true), .. }) => " (the signature is its own)",
        Err(Failure::SignatureValue { by_named: Some(false), .. }) => " (but the signature is not even its own)",
        _ => "",
    };
    let got = format!("{} {}{by_named}", certificate.thumbprint(), certificate.subject);
    finding.got(got).at(facts.at(named.node))
}

fn describe(key: &TrustedKey) -> String {
    format!("{} {}", key.thumbprint(), key.certificate().subject)
}

/// A verified signature: what is still to be said of it.
fn well(facts: &Facts<'_>, examined: &Examined) -> Option<Finding> {
    if examined.comments_in_reference {
        return Some(
            Finding::warn(
                "the Reference is canonicalised #WithComments, though a Reference to an ID never selects comments",
            )
            .expected("http://www.w3.org/2001/10/xml-exc-c14n#")
            .hint("verifiers disagree on whether comments count: choose exclusive C14N without comments")
            .at(facts.at(examined.signature)),
        );
    }
    let response_only = examined.parent == facts.response.node
        && facts.response.assertion.is_some()
        && facts.signatures.examined().iter().all(|other| other.parent == facts.response.node);
    response_only.then(|| {
        Finding::warn("the Response is signed, the Assertion is not")
            .expected("a Signature in the Assertion")
            .hint("Microsoft's guide for one identity provider does this, its protocol page does not: sign the Assertion (authentik: Sign assertions)")
            .at(facts.at(examined.signature))
    })
}

fn broken(facts: &Facts<'_>, failure: &Failure) -> Finding {
    match failure {
        Failure::Shape(error, node) => Finding::fail(Code::SignatureMissing, error.to_string())
            .expected(
                "one Signature as a direct child of the Assertion, with one Reference to the Assertion's own ID and the transforms \
                 enveloped-signature and exclusive C14N",
            )
            .hint(shape_hint(error))
            .at(facts.at(*node)),
        Failure::Value(ValueError::NotBase64(value), node) => {
            Finding::fail(Code::SignatureInvalid, format!("{value} is not base64"))
                .expected("standard base64 with padding; white space may stand in it")
                .hint("the value was cut or edited after signing")
                .at(facts.at(*node))
        }
        Failure::Value(ValueError::Length { value, expected, got }, node) => {
            Finding::fail(Code::SignatureInvalid, format!("{value} has the wrong length for its algorithm and key"))
                .expected(format!("{expected} bytes"))
                .got(format!("{got} bytes"))
                .hint("RSA: as long as the modulus. ECDSA: r and s joined, not DER. Another length means another key or a cut value")
                .at(facts.at(*node))
        }
        Failure::Canonical(error, node) => {
            Finding::fail(Code::SignatureInvalid, error.to_string()).at(facts.at(*node))
        }
        Failure::SignatureValue { near_miss, node, .. } => {
            let finding = Finding::fail(
                Code::SignatureInvalid,
                "SignatureValue does not verify: SignedInfo was changed after signing, or another key signed it",
            )
            .at(facts.at(*node));
            match near_miss {
                Some(near_miss) => finding
                    .got(format!("SignedInfo would verify if {}", near_miss.story()))
                    .hint(near_miss.hint()),
                None => finding.hint(
                    "compare the signing certificate of the identity provider with the registered one; a key that was replaced under the same certificate name looks like this",
                ),
            }
        }
        Failure::Digest { near_miss, signed, got, node } => {
            let finding = Finding::fail(
                Code::SignatureInvalid,
                "the digest differs: a registered key signed this element, but it was changed afterwards",
            )
            .expected(format!("DigestValue {signed}"))
            .at(facts.at(*node));
            match near_miss {
                Some(near_miss) => finding
                    .got(format!("{got}; it would be the signed one if {}", near_miss.story()))
                    .hint(near_miss.hint()),
                None => finding.got(got.clone()).hint(
                    "something between the identity provider and here edits the response: compare the form that leaves the identity provider with the one that arrives",
                ),
            }
        }
        Failure::Algorithm(..) | Failure::NoKeys => Finding::skip("not judged"),
    }
}

fn shape_hint(error: &crate::dsig::ShapeError) -> &'static str {
    use crate::dsig::ShapeError;
    match error {
        ShapeError::OtherElement { .. } => {
            "authentik 2024.8.4 to 2024.12.1 did this with Sign responses: upgrade it, or sign assertions only. Otherwise somebody moved a signed element"
        }
        ShapeError::Unexpected { child, .. } if child.ends_with("Reference") => {
            "one signature covers two elements: authentik 2024.8 to 2024.12.1 did this with both Sign switches on; upgrade it or sign assertions only"
        }
        ShapeError::Transforms(_) => "choose the transforms enveloped-signature and exclusive C14N in the signer",
        ShapeError::Stray(_) | ShapeError::Several(_) => {
            "remove the second signature; a signature that covers nothing judged is how responses are wrapped"
        }
        _ => "use the identity provider's own signer as it is; what came is not what SAML 2.0 describes (section 5.4)",
    }
}

/// `algorithm`: of every signature, whether or not it verified.
pub(super) fn algorithm(facts: &Facts<'_>) -> Option<Findings> {
    let mut findings = Findings::new();
    let mut judged = false;
    for examined in facts.signatures.examined() {
        if let Err(Failure::Algorithm(error, node)) = &examined.result {
            findings.push(refused(error).at(facts.at(*node)));
            judged = true;
            continue;
        }
        judged |= examined.algorithm.is_some();
        let mut warn = |text: String, hint: &'static str| {
            findings.push(
                Finding::warn(text).expected("rsa-sha256 and sha256").hint(hint).at(facts.at(examined.signature)),
            );
        };
        if let Some(algorithm) = examined.algorithm {
            if algorithm.hash == Hash::Sha1 {
                warn(
                    format!("the signature algorithm {} uses SHA-1, which is deprecated", algorithm.as_str()),
                    SHA256_HINT,
                );
            } else if !algorithm.is_rsa_pkcs1() || algorithm.hash != Hash::Sha256 {
                warn(undocumented("signature", algorithm.as_str()), SHA256_HINT);
            }
        }
        match examined.digest {
            Some(Hash::Sha1) => warn("the digest algorithm is SHA-1, which is deprecated".to_owned(), SHA256_HINT),
            Some(other) if other != Hash::Sha256 => warn(undocumented("digest", other.as_str()), SHA256_HINT),
            _ => {}
        }
        if let Some(unusual) = examined.unusual_canonicalization {
            let what = match (unusual.exclusive, unusual.comments) {
                (true, _) => "exclusive C14N with comments",
                (false, true) => "inclusive C14N with comments",
                (false, false) => "inclusive C14N 1.0",
            };
            warn(
                format!("SignedInfo is canonicalised by {what}"),
                "choose exclusive C14N (http://www.w3.org/2001/10/xml-exc-c14n#) in the signer",
            );
        }
        let key = examined.result.as_ref().ok().and_then(|index| keys(facts).get(*index));
        if let Some(KeyKind::Rsa { bits, .. }) = key.map(|key| key.key.kind())
            && bits < 2048
        {
            warn(
                format!("the signing key is RSA of {bits} bits, which is too short today"),
                "make a new key of at least 2048 bits and register its certificate",
            );
        }
    }
    judged.then_some(findings)
}

const SHA256_HINT: &str =
    "choose RSA-SHA256 and SHA-256 (authentik: Signature algorithm and Digest algorithm of the SAML provider)";

fn undocumented(what: &str, algorithm: &str) -> String {
    format!("Microsoft does not document the {what} algorithm {algorithm}")
}

fn refused(error: &AlgorithmError) -> Finding {
    let finding = Finding::fail(Code::SignatureInvalid, error.to_string());
    match error {
        AlgorithmError::Unknown { uri, .. } if uri.starts_with("https://www.w3.org/") => finding
            .expected(format!("http{}", uri.strip_prefix("https").unwrap_or_default()))
            .got(uri.clone())
            .hint("the identifiers of XML signatures begin with http://, though Microsoft's page prints https://: take them back to http://"),
        AlgorithmError::Unknown { role, uri } => finding
            .expected(expected_uri(role))
            .got(if uri.is_empty() { "no Algorithm".to_owned() } else { uri.clone() })
            .hint(SHA256_HINT),
        AlgorithmError::Parameters { .. } => finding.expected("no child elements"),
        AlgorithmError::KeyKind { .. } | AlgorithmError::Unsupported { .. } => {
            finding.hint("register the certificate of the key that signs, or choose the algorithm that goes with the registered key")
        }
        AlgorithmError::WeakKey(_) => {
            finding.expected("RSA of at least 2048 bits with exponent 65537").hint("make a new key and register its certificate")
        }
    }
}

fn expected_uri(role: &str) -> &'static str {
    match role {
        "SignatureMethod" => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "DigestMethod" => "http://www.w3.org/2001/04/xmlenc#sha256",
        _ => "http://www.w3.org/2001/10/xml-exc-c14n#",
    }
}

/// `certificate`: of the key that verified, else of the registered one that KeyInfo names.
pub(super) fn certificate(facts: &Facts<'_>) -> Option<Findings> {
    let is_used = |index: usize| {
        facts.signatures.examined().iter().any(|examined| match &examined.result {
            Ok(by) => *by == index,
            Err(_) => examined.named.as_ref().is_some_and(|named| named.registered == Some(index)),
        })
    };
    let used = || (0..).zip(keys(facts)).filter(|(index, _)| is_used(*index));
    used().next()?;
    Some(used().flat_map(|(_, registered)| one_certificate(facts, registered)).collect())
}

fn one_certificate(facts: &Facts<'_>, registered: &RegisteredKey) -> Findings {
    let certificate = registered.key.certificate();
    let mut findings = Findings::new();
    let mut warn = |text: &'static str, expected: String, hint: &'static str| {
        findings.push(Finding::warn(text).expected(expected).got(describe(&registered.key)).hint(hint));
    };
    let until = || format!("a certificate valid from {} until {}", certificate.not_before, certificate.not_after);
    if facts.now > certificate.not_after {
        warn("the signing certificate has expired", until(), ROLLOVER);
    } else if facts.now < certificate.not_before {
        warn(
            "the signing certificate is not valid yet",
            until(),
            "check the clocks, or sign with the certificate that is in force",
        );
    } else if certificate.not_after.duration_since(facts.now) < EXPIRY_WARNING {
        warn("the signing certificate expires within 30 days", until(), ROLLOVER);
    }
    if registered.pem_in_settings {
        warn(
            "the federation settings hold the certificate as PEM text",
            "base64 of the DER certificate, without BEGIN and END lines".to_owned(),
            "Microsoft Graph wants the base64 of the DER alone in signingCertificate: strip the BEGIN and END lines and the line breaks",
        );
    }
    findings
}

const ROLLOVER: &str = "register the next certificate before the identity provider uses it: Update-MgDomainFederationConfiguration \
     -NextSigningCertificate, then change the identity provider";
