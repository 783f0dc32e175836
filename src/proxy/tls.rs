//! TLS towards browsers: our certificate, from files or minted.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::server::WantsServerCert;
use rustls::{ConfigBuilder, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::ca::{self, Authority, AuthorityError};
use super::minting::Minting;
use crate::trust::TrustError;

/// A certificate chain and its key, found to fit each other.
#[derive(Clone)]
pub struct ServerCertificate {
    config: Arc<ServerConfig>,
    /// What browsers pin it by.
    pin: Option<String>,
    /// The digest of what it is made of: equal ones need not take the place of each other.
    made_of: [u8; 32],
}

impl std::fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerCertificate(..)")
    }
}

impl ServerCertificate {
    /// A chain, leaf first, and the key of the leaf, both PEM.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let made_of = digest(&[b"chain", chain, key]);
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>().map_err(TlsError::Chain)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
        let pin = chain.first().and_then(|leaf| ca::pin(leaf));
        Self::of(pin, server()?.with_single_cert(chain, key).map_err(TlsError::Rustls)?, made_of)
    }

    /// A certificate for these hosts that a test CA mints now, and anew before it ends.
    pub fn minted(authority: Authority, hosts: Vec<String>, now: fn() -> Timestamp) -> Result<Self, TlsError> {
        let mut parts = vec![b"minted".as_slice(), authority.der()];
        parts.extend(hosts.iter().map(String::as_bytes));
        let made_of = digest(&parts);
        let minting = Minting::new(authority, hosts, now)?;
        let pin = minting.current().cert.first().and_then(|leaf| ca::pin(leaf));
        Self::of(pin, server()?.with_cert_resolver(Arc::new(minting)), made_of)
    }

    fn of(pin: Option<String>, mut config: ServerConfig, made_of: [u8; 32]) -> Result<Self, TlsError> {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = Ticketer::new().map_err(TlsError::Rustls)?;
        Ok(Self { config: Arc::new(config), pin, made_of })
    }

    /// How a listener speaks TLS with it.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// SHA-256 of the public key in base64, as browsers pin it: that of the first certificate where a CA mints further ones.
    pub fn pin(&self) -> Option<&str> {
        self.pin.as_deref()
    }

    pub(super) fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        Arc::clone(&self.config).into()
    }

    /// This one, or the `old` one where both are made of the same: sessions of that one can then be taken up again.
    pub(super) fn or_same(self, old: Option<&Self>) -> Self {
        old.filter(|old| old.made_of == self.made_of).cloned().unwrap_or(self)
    }
}

/// A digest of parts; no two rows of parts have one.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    let mut digest = [0; 32];
    digest.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    digest
}

fn server() -> Result<ConfigBuilder<ServerConfig, WantsServerCert>, TlsError> {
    Ok(ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Rustls)?
        .with_no_client_auth())
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The chain is not PEM.
    #[error("expected a certificate chain in PEM, got something else: {0}")]
    Chain(rustls_pki_types::pem::Error),
    /// PEM without a certificate.
    #[error("expected a certificate chain in PEM, got no certificate")]
    NoCertificate,
    /// The key is not PEM.
    #[error("expected a private key in PEM, got something else: {0}")]
    Key(rustls_pki_types::pem::Error),
    /// Nothing to verify the upstream by.
    #[error("{0}; `upstream.ca` names some")]
    Trust(#[from] TrustError),
    /// The test CA, or what it should mint.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// What the library says.
    #[error("{0}")]
    Rustls(rustls::Error),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_takes_the_place_of_another_and_not_of_itself() {
        let made = || {
            let made = rcgen::generate_simple_self_signed(["login.microsoftonline.com".to_owned()]).unwrap();
            (made.cert.pem(), made.signing_key.serialize_pem())
        };
        let read = |(pem, key): &(String, String)| ServerCertificate::from_pem(pem.as_bytes(), key.as_bytes()).unwrap();
        let (one, other) = (made(), made());
        let old = read(&one);
        assert!(Arc::ptr_eq(&read(&one).or_same(Some(&old)).config, &old.config));
        assert!(!Arc::ptr_eq(&read(&other).or_same(Some(&old)).config, &old.config));

        let hosts = || vec!["login.microsoftonline.com".to_owned()];
        let created = Authority::create(&hosts(), Timestamp::now(), 4).unwrap();
        let minted = |hosts: Vec<String>| {
            let authority = Authority::from_pem(created.certificate.as_bytes(), created.key.as_bytes()).unwrap();
            ServerCertificate::minted(authority, hosts, Timestamp::now).unwrap()
        };
        let old = minted(hosts());
        assert!(Arc::ptr_eq(&minted(hosts()).or_same(Some(&old)).config, &old.config));
        let sub = vec!["device.login.microsoftonline.com".to_owned()];
        assert!(!Arc::ptr_eq(&minted(sub).or_same(Some(&old)).config, &old.config));
    }
}
