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
    let mut roots = RootCertStore::empty();
    for certificate in certificates(extra_roots)? {
        roots.add(certificate).map_err(TrustError::Rustls)?;
    }
    with(roots)
}

/// The same roots in PEM, for a library that makes its own of them.
///
/// # Errors
/// There is nobody to vouch for anything.
pub fn pem(extra_roots: &[Vec<u8>]) -> Result<String, TrustError> {
    let framed = |certificate: &CertificateDer<'_>| {
        let encoded = base64_simd::STANDARD.encode_to_string(certificate);
        format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n")
    };
    Ok(certificates(extra_roots)?.iter().map(framed).collect())
}

/// The roots of this machine that can be used, and these.
fn certificates(extra_roots: &[Vec<u8>]) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "some root certificates of this machine could not be read");
    }
    let mut certificates = native.certs;
    certificates.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
    certificates.extend(extra_roots.iter().map(|root| CertificateDer::from(root.as_slice()).into_owned()));
    if certificates.is_empty() {
        return Err(TrustError::NoRoots);
    }
    Ok(certificates)
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
