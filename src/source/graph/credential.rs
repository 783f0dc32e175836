//! What an application proves itself by: a secret, or a certificate with its key. Never shown.

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::dsig::{KeyKind, SignError, SigningKey};

/// What an application proves itself by.
#[derive(Clone)]
pub enum Credential {
    /// A client secret.
    Secret(Box<str>),
    /// A certificate that is registered with the application, with its key.
    Certificate(SigningKey),
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Secret(one), Self::Secret(other)) => one == other,
            // one certificate has one key
            (Self::Certificate(one), Self::Certificate(other)) => {
                one.public().certificate().der == other.public().certificate().der
            }
            _ => false,
        }
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(..)",
            Self::Certificate(_) => "Certificate(..)",
        })
    }
}

impl Credential {
    /// A secret as a file or the environment holds it: without the line end behind it.
    ///
    /// # Errors
    /// It is empty, or more than one line.
    pub fn secret(text: &str) -> Result<Self, CredentialError> {
        match text.trim() {
            "" => Err(CredentialError::Empty),
            secret if secret.contains(char::is_whitespace) => Err(CredentialError::Words),
            secret => Ok(Self::Secret(secret.into())),
        }
    }

    /// A certificate and its private key, both PEM.
    ///
    /// # Errors
    /// They are not, do not belong together, or are of no kind that Entra takes.
    pub fn certificate(certificate: &[u8], key: &[u8]) -> Result<Self, CredentialError> {
        let certificate = CertificateDer::from_pem_slice(certificate).map_err(|_| CredentialError::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CredentialError::NoKey)?;
        let key = SigningKey::from_der(key.secret_der(), &certificate)?;
        match key.public().kind() {
            KeyKind::Rsa { .. } => Ok(Self::Certificate(key)),
            other => Err(CredentialError::Kind(other)),
        }
    }
}

/// Why nothing can be proved.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CredentialError {
    /// No secret.
    #[error("expected a client secret, got nothing")]
    Empty,
    /// Not a secret.
    #[error("expected a client secret in one word, got several")]
    Words,
    /// No certificate.
    #[error("expected a certificate in PEM, got none")]
    NoCertificate,
    /// No key.
    #[error("expected a private key in PEM, got none")]
    NoKey,
    /// Not a pair.
    #[error(transparent)]
    Pair(#[from] SignError),
    /// What Entra does not take.
    #[error("expected an RSA key, got {0}")]
    Kind(KeyKind),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_word_and_is_not_shown() {
        let secret = Credential::secret("s3cret~value\r\n");
        assert!(matches!(&secret, Ok(Credential::Secret(secret)) if secret.as_ref() == "s3cret~value"));
        assert!(!format!("{secret:?}").contains("s3cret"));
        assert!(matches!(Credential::secret(" \n"), Err(CredentialError::Empty)));
        assert!(matches!(Credential::secret("two words"), Err(CredentialError::Words)));
    }
}
