//! The keys: what the identity provider publishes against what Entra holds, and of what kind they are.

use super::command::{quoted, update};
use super::{Case, Diagnosis, Harm, days};
use crate::dsig::{Certificate, KeyKind, TrustedKey};
use crate::tenant::{RegisteredKey, Sources};
use crate::verdict::Code;

/// Smaller RSA keys are within reach of those who want them.
const RSA_BITS: usize = 2048;

pub(super) fn examine(case: &Case<'_>, found: &mut Vec<Diagnosis>) {
    let keys = &case.federation.keys;
    let published = published(case.sources);
    found.extend(differ(case, keys, &published));
    days::examine(case, &published, found);
    found.extend(pem(case));
    found.extend(keys.iter().filter_map(|key| weak(case, &key.key)));
    found.extend(files(case, keys));
    found.extend(encryption(case));
}

/// What the metadata says that the provider signs with. A certificate that cannot be read was noted when it was loaded.
pub(super) fn published(sources: &Sources) -> Vec<TrustedKey> {
    let all = sources.metadata.iter().flat_map(|metadata| &metadata.signing_certificates);
    all.filter_map(|der| TrustedKey::from_der(der).ok()).collect()
}

fn differ(case: &Case<'_>, keys: &[RegisteredKey], published: &[TrustedKey]) -> Option<Diagnosis> {
    let (held, shown) = (thumbprints(keys.iter().map(|key| &key.key)), thumbprints(published));
    let is_held = |key: &TrustedKey| keys.iter().any(|held| held.key.thumbprint() == key.thumbprint());
    let first = published.first()?;
    let (id, harm, finding) = if !published.iter().any(is_held) {
        let finding =
            "no certificate of the metadata is registered in Entra: whatever the identity provider signs is refused";
        ("certificate_unknown", Harm::Everybody, finding)
    } else if published.iter().all(is_held) {
        return None;
    } else {
        let finding = "a certificate of the metadata is not registered in Entra: from the day that the identity provider signs with it, \
                       every sign-in is refused";
        ("certificate_unregistered", Harm::Soon, finding)
    };
    let new = published.iter().find(|key| !is_held(key)).unwrap_or(first);
    let parameter = if harm == Harm::Everybody { "-SigningCertificate" } else { "-NextSigningCertificate" };
    Some(
        Diagnosis::new(id, harm, finding)
            .code(Code::KeyUnknown)
            .entra(held)
            .provider(shown)
            .mend(update(case.domain(), &format!("{parameter} {}", quoted(&base64(new.certificate()))))),
    )
}

fn pem(case: &Case<'_>) -> Option<Diagnosis> {
    let settings = case.sources.settings.as_ref()?;
    let bad = settings.certificates.iter().find(|certificate| certificate.is_pem())?;
    let certificate = Certificate::from_der(&bad.der).ok()?;
    let finding = "a signing certificate of the federation settings is PEM text, where Entra reads base64 of DER";
    let parameter =
        if settings.current_certificate() == Some(bad) { "-SigningCertificate" } else { "-NextSigningCertificate" };
    Some(
        Diagnosis::new("certificate_pem", Harm::Everybody, finding)
            .code(Code::KeyUnknown)
            .entra("-----BEGIN CERTIFICATE-----…")
            .mend(update(case.domain(), &format!("{parameter} {}", quoted(&base64(&certificate))))),
    )
}

fn weak(case: &Case<'_>, key: &TrustedKey) -> Option<Diagnosis> {
    let certificate = key.certificate();
    let (id, finding) = match key.kind() {
        KeyKind::Rsa { bits, .. } if bits < RSA_BITS => {
            ("key_weak", format!("a registered key is RSA of {bits} bits, which is within reach of an attacker"))
        }
        KeyKind::Rsa { sound_exponent: false, .. } => {
            ("key_weak", "a registered RSA key has a public exponent below 65537".to_owned())
        }
        KeyKind::Rsa { .. } => return None,
        kind => ("key_undocumented", format!("a registered key is {kind}: Microsoft documents RSA alone")),
    };
    Some(Diagnosis::new(id, Harm::Around, finding).entra(certificate.subject.clone()).mend(format!(
        "make an RSA certificate of {RSA_BITS} bits or more at the identity provider, then {}",
        update(case.domain(), "-NextSigningCertificate with base64 of its DER")
    )))
}

/// Certificate files beside settings are not judged by; where they differ, somebody believes something that is not so.
fn files(case: &Case<'_>, keys: &[RegisteredKey]) -> Option<Diagnosis> {
    case.sources.settings.as_ref()?;
    let files: Vec<_> =
        case.sources.certificates.iter().filter_map(|input| TrustedKey::from_der(&input.der).ok()).collect();
    let is_held = |file: &TrustedKey| keys.iter().any(|held| held.key.thumbprint() == file.thumbprint());
    let other = files.iter().find(|file| !is_held(file))?;
    Some(
        Diagnosis::new("configuration_differs", Harm::Around, "a file of `certificates` is not what Entra holds")
            .entra(thumbprints(keys.iter().map(|key| &key.key)))
            .provider(format!("configuration: {}", other.thumbprint()))
            .mend("take `certificates` out of the configuration, or register the certificate in Entra"),
    )
}

fn encryption(case: &Case<'_>) -> Option<Diagnosis> {
    let metadata = case.sources.metadata.as_ref().filter(|metadata| metadata.encryption_keys > 0)?;
    let finding =
        "the metadata has a certificate for encryption: if the provider encrypts, Entra cannot read its assertions";
    Some(
        Diagnosis::new("encryption", Harm::Around, finding)
            .code(Code::AssertionMissing)
            .entra("no key to decrypt with")
            .provider(format!("{} key for encryption", metadata.encryption_keys))
            .mend("leave Encryption Certificate of the provider empty (authentik: under Advanced protocol settings)"),
    )
}

fn thumbprints<'a>(keys: impl IntoIterator<Item = &'a TrustedKey>) -> String {
    let all: Vec<_> = keys.into_iter().map(|key| key.thumbprint().to_string()).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

pub(super) fn base64(certificate: &Certificate) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(&certificate.der)
}
