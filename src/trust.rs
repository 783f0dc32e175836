//! By what a server is verified: the roots of this machine, and those of the operator beside them.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;

/// How TLS is spoken to servers that these roots, in DER, or this machine's own vouch for.
///
/// # Errors
/// There is nobody to vouch for anything.
pub fn client(extra_roots: &[Vec<u8>]) -> Result<ClientConfig, TrustError> {
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "some root certificates of this machine could not be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(native.certs);
    for root in extra_roots {
        roots.add(CertificateDer::from(root.as_slice()).into_owned()).map_err(TrustError::Rustls)?;
    }
    if roots.is_empty() {
        return Err(TrustError::NoRoots);
    }
    with(roots)
}

/// A connector needs a TLS configuration even where none is spoken; this one trusts nobody.
///
/// # Errors
/// The library has no TLS.
pub fn nobody() -> Result<ClientConfig, TrustError> {
    with(RootCertStore::empty())
}

fn with(roots: RootCertStore) -> Result<ClientConfig, TrustError> {
    Ok(ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Rustls)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Why no server could be verified.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Nothing to verify by.
    #[error(
        "expected root certificates to verify servers by, got none: this machine has none, and no further ones are configured"
    )]
    NoRoots,
    /// What the library says.
    #[error("{0}")]
    Rustls(rustls::Error),
}
