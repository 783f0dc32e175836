//! Signing keys made on the spot: RSA-2048 with a certificate that signs itself, as identity providers make them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_RSA_SHA256};

use crate::dsig::{SignError, SigningKey};

/// A new key whose certificate bears this name and is valid between these instants.
///
/// # Errors
/// When the system has no random numbers, or the name cannot stand in a certificate.
pub fn signing_key(name: &str, not_before: Timestamp, not_after: Timestamp) -> Result<SigningKey, KeysError> {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_the_epoch(not_before);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_the_epoch(not_after);
    let certificate = params.self_signed(&key)?;
    Ok(SigningKey::from_pkcs8(key.serialized_der(), certificate.der())?)
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
