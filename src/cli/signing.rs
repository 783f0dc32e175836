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

/// The federation of this domain, or the first.
pub(super) fn federation(federations: &[Federation], domain: Option<&str>) -> Result<Federation, Trouble> {
    let is_it = |federation: &&Federation| domain.is_none_or(|domain| federation.domain.as_deref() == Some(domain));
    federations.iter().find(is_it).cloned().ok_or_else(|| {
        let known: Vec<&str> = federations.iter().filter_map(|federation| federation.domain.as_deref()).collect();
        Trouble::new(format!("the configuration has no federation of {}", domain.unwrap_or("any domain")))
            .hint(format!("it has: {}", known.join(", ")))
    })
}

/// A minter for the federation, whose key is of this file. The certificate is of the other file, or else the registered one that
/// the key belongs to.
pub(super) fn minter(federation: &Federation, key: &Path, certificate: Option<&PathBuf>) -> Result<Minter, Trouble> {
    let private = private_key(key)?;
    let private = private.secret_der();
    let current = match certificate {
        Some(file) => {
            let der = expect::certificate(file)?;
            SigningKey::from_der(private, &der)
                .map_err(|error| Trouble::new(format!("{} and {}: {error}", key.display(), file.display())))?
        }
        None => {
            let registered = federation.keys.iter().map(|known| &known.key.certificate().der);
            registered.filter_map(|der| SigningKey::from_der(private, der).ok()).next().ok_or_else(|| {
                Trouble::new(format!("{} is the key of no certificate that is registered", key.display()))
                    .hint("give its certificate by --certificate: Entra will then not know it")
            })?
        }
    };
    with_strangers(federation, current)
}

/// A minter whose keys are made on the spot.
pub(super) fn generated(federation: &Federation, form: KeyForm, now: Timestamp) -> Result<Minter, Trouble> {
    let until = now.checked_add(SignedDuration::from_hours(24 * 365)).unwrap_or(now);
    let key = lab::signing_key(form, "samlgate lab", now, until).map_err(|error| Trouble::new(error.to_string()))?;
    with_strangers(federation, key)
}

/// Whoever is no party to it gets a key that is made on the spot.
fn with_strangers(federation: &Federation, current: SigningKey) -> Result<Minter, Trouble> {
    let now = Timestamp::now();
    let ago = |days: i64| now.checked_sub(SignedDuration::from_hours(24 * days)).unwrap_or(now);
    let stranger =
        lab::signing_key(KeyForm::P256, "nobody", ago(1), now).map_err(|error| Trouble::new(error.to_string()))?;
    let keys = Keys { current, expired: None, stranger: Some(stranger) };
    Minter::new(federation.clone(), keys).map_err(|error| Trouble::new(error.to_string()))
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Trouble> {
    let bytes = expect::read(file)?;
    PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|error| Trouble::new(format!("{}: expected a private key in PEM, got none: {error}", file.display())))
}
