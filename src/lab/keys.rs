//! Signing keys made on the spot, with certificates that sign themselves, as identity providers make them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_RSA_SHA256, RsaKeySize,
};

use crate::dsig::{SignError, SigningKey};

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// RSA of 2048 bits: what most identity providers have.
    Rsa2048,
    /// RSA of 3072 bits.
    Rsa3072,
    /// RSA of 4096 bits: what authentik makes.
    Rsa4096,
    /// ECDSA over P-256.
    P256,
    /// ECDSA over P-384.
    P384,
}

/// A new key whose certificate bears this name and is valid between these instants.
///
/// # Errors
/// When the system has no random numbers, or the name cannot stand in a certificate.
pub fn signing_key(
    form: KeyForm,
    name: &str,
    not_before: Timestamp,
    not_after: Timestamp,
) -> Result<SigningKey, KeysError> {
    let rsa = |bits| KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, bits);
    let key = match form {
        KeyForm::Rsa2048 => rsa(RsaKeySize::_2048),
        KeyForm::Rsa3072 => rsa(RsaKeySize::_3072),
        KeyForm::Rsa4096 => rsa(RsaKeySize::_4096),
        KeyForm::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        KeyForm::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
    }?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_the_epoch(not_before);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_the_epoch(not_after);
    let certificate = params.self_signed(&key)?;
    Ok(SigningKey::from_der(key.serialized_der(), certificate.der())?)
}

fn since_the_epoch(instant: Timestamp) -> Duration {
    let since: SignedDuration = instant.duration_since(Timestamp::UNIX_EPOCH);
    Duration::from_secs(u64::try_from(since.as_secs()).unwrap_or_default())
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It could not be made.
    #[error("a key with its certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    /// It could not be read back.
    #[error(transparent)]
    Read(#[from] SignError),
}
