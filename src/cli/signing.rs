//! The federation that sign-ins are made for, and the keys that sign them.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use super::expect;
use super::terminal::Trouble;
use crate::dsig::SigningKey;
use crate::lab::{self, KeyForm};
use crate::mint::{Keys, Minter};
use crate::tenant::Federation;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The federation of this domain, or the first.
pub(super) fn federation(federations: &[Federation], domain: Option<&str>) -> Result<Federation, Trouble> {
    let is_it = |federation: &&Federation| domain.is_none_or(|domain| federation.domain.as_deref() == Some(domain));
    federations.iter().find(is_it).cloned().ok_or_else(|| {
        let known: Vec<&str> = federations.iter().filter_map(|federation| federation.domain.as_deref()).collect();
        Trouble::new(format!("the configuration has no federation of {}", domain.unwrap_or("any domain")))
            .hint(format!("it has: {}", known.join(", ")))
    })
}

/// The key of this file. The certificate is of the other file, or else the registered one that
/// the key belongs to.
pub(super) fn of_file(
    federation: &Federation,
    key: &Path,
    certificate: Option<&PathBuf>,
) -> Result<SigningKey, Trouble> {
    let private = private_key(key)?;
    let private = private.secret_der();
    match certificate {
        Some(file) => {
            let der = expect::certificate(file)?;
            SigningKey::from_der(private, &der)
                .map_err(|error| Trouble::new(format!("{} and {}: {error}", key.display(), file.display())))
        }
        None => {
            let registered = federation.keys.iter().map(|known| &known.key.certificate().der);
            registered.filter_map(|der| SigningKey::from_der(private, der).ok()).next().ok_or_else(|| {
                Trouble::new(format!("{} is the key of no certificate that is registered", key.display()))
                    .hint("give its certificate by --certificate: Entra will then not know it")
            })
        }
    }
}

/// A key that is made on the spot.
pub(super) fn generated(form: KeyForm, now: Timestamp) -> Result<SigningKey, Trouble> {
    let (from, to) = (now.checked_sub(DAY).unwrap_or(now), now.checked_add(DAY * 365).unwrap_or(now));
    lab::signing_key(form, "samlgate lab", from, to).map_err(|error| Trouble::new(error.to_string()))
}

/// A minter of sign-ins to the federation. Whoever is no party to it signs by a key that is made on the spot.
pub(super) fn minter(federation: &Federation, current: SigningKey) -> Result<Minter, Trouble> {
    let stranger = generated(KeyForm::Rsa2048, Timestamp::now())?;
    let keys = Keys { current, expired: None, stranger: Some(stranger) };
    Minter::new(federation.clone(), keys).map_err(|error| Trouble::new(error.to_string()))
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Trouble> {
    let bytes = expect::read(file)?;
    PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|error| Trouble::new(format!("{}: expected a private key in PEM, got none: {error}", file.display())))
}
