//! Keys that are trusted: parsed once, when they are registered, so that a verification does arithmetic alone.

use std::sync::Arc;

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use jiff::Timestamp;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey as SpkiKey;

use super::algorithm::{Hash, SignatureAlgorithm, SignatureScheme};

/// A certificate as Entra registers it, with what reports say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate itself.
    pub der: Vec<u8>,
    /// Subject, as RFC 4514 text.
    pub subject: String,
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last instant of validity.
    pub not_after: Timestamp,
}

impl Certificate {
    /// Reads one DER certificate and nothing after it.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        Ok(Self::read(der)?.0)
    }

    fn read(der: &[u8]) -> Result<(Self, X509Certificate<'_>), KeyError> {
        let (rest, parsed) =
            X509Certificate::from_der(der).map_err(|error| KeyError::NotACertificate(error.to_string()))?;
        if !rest.is_empty() {
            return Err(KeyError::TrailingBytes(rest.len()));
        }
        let instant = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp()).map_err(|error| KeyError::NotACertificate(error.to_string()))
        };
        let certificate = Self {
            der: der.to_vec(),
            subject: parsed.subject().to_string(),
            not_before: instant(parsed.validity().not_before)?,
            not_after: instant(parsed.validity().not_after)?,
        };
        Ok((certificate, parsed))
    }

    /// SHA-1 of the DER in 40 upper-case hexadecimal digits, as PowerShell's `Thumbprint` shows it.
    pub fn thumbprint(&self) -> String {
        hex_upper(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &self.der).as_ref())
    }

    /// SHA-256 of the DER in upper-case hexadecimal digits.
    pub fn thumbprint_sha256(&self) -> String {
        hex_upper(digest::digest(&digest::SHA256, &self.der).as_ref())
    }
}

fn hex_upper(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// What kind of key a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, with the size of its modulus and whether its exponent is at least 65537.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
        /// Whether the public exponent is at least 65537.
        sound_exponent: bool,
    },
    /// ECDSA over NIST P-256.
    P256,
    /// ECDSA over NIST P-384.
    P384,
    /// ECDSA over NIST P-521.
    P521,
}

impl std::fmt::Display for KeyKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rsa { bits, .. } => write!(f, "RSA-{bits}"),
            Self::P256 => f.write_str("P-256"),
            Self::P384 => f.write_str("P-384"),
            Self::P521 => f.write_str("P-521"),
        }
    }
}

/// A public key, parsed for each algorithm that it can verify.
#[derive(Clone)]
pub struct TrustedKey {
    certificate: Certificate,
    thumbprint: Arc<str>,
    thumbprint_sha256: Arc<str>,
    kind: KeyKind,
    parsed: Vec<(SignatureAlgorithm, ParsedPublicKey)>,
}

impl std::fmt::Debug for TrustedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TrustedKey({}, {})", self.kind, self.thumbprint)
    }
}

impl TrustedKey {
    /// The key of a DER certificate.
    ///
    /// Nothing else of the certificate is trusted or checked: a self-signed certificate need not be signed well, and no
    /// chain is built. Its dates are kept for reports.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let (certificate, parsed) = Certificate::read(der)?;
        let spki = parsed.public_key();
        let kind = match spki.parsed() {
            Ok(SpkiKey::RSA(rsa)) => {
                let strip = |bytes: &[u8]| bytes.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<_>>();
                let modulus = strip(rsa.modulus);
                let leading = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
                let sound_exponent = match strip(rsa.exponent).as_slice() {
                    [a, b, c] => u32::from_be_bytes([0, *a, *b, *c]) >= 65537,
                    longer => longer.len() > 3,
                };
                KeyKind::Rsa { bits: (modulus.len() * 8).saturating_sub(leading), sound_exponent }
            }
            Ok(SpkiKey::EC(point)) => match point.key_size() {
                256 => KeyKind::P256,
                384 => KeyKind::P384,
                521.. => KeyKind::P521,
                other => return Err(KeyError::UnknownKey(format!("an elliptic curve of {other} bits"))),
            },
            Ok(_) => return Err(KeyError::UnknownKey(spki.algorithm.algorithm.to_string())),
            Err(error) => return Err(KeyError::NotACertificate(error.to_string())),
        };
        // the size of a point does not tell the curve: only the right one can be parsed
        let parsed: Vec<_> = SignatureAlgorithm::all()
            .filter_map(|algorithm| {
                let backend = backend(algorithm, kind)?;
                Some((algorithm, ParsedPublicKey::new(backend, spki.raw).ok()?))
            })
            .collect();
        if parsed.is_empty() && !matches!(kind, KeyKind::Rsa { .. }) {
            return Err(KeyError::UnknownKey("another elliptic curve".to_owned()));
        }
        let (thumbprint, thumbprint_sha256) = (certificate.thumbprint().into(), certificate.thumbprint_sha256().into());
        Ok(Self { certificate, thumbprint, thumbprint_sha256, kind, parsed })
    }

    /// The certificate that the key came in.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// SHA-1 thumbprint, as PowerShell shows it.
    pub fn thumbprint(&self) -> &Arc<str> {
        &self.thumbprint
    }

    /// SHA-256 thumbprint.
    pub fn thumbprint_sha256(&self) -> &Arc<str> {
        &self.thumbprint_sha256
    }

    /// What kind of key this is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Whether this key is of the kind that the algorithm needs.
    pub(super) fn fits(&self, algorithm: SignatureAlgorithm) -> bool {
        matches!(self.kind, KeyKind::Rsa { .. })
            == matches!(algorithm.scheme, SignatureScheme::RsaPkcs1 | SignatureScheme::RsaPss)
    }

    /// Whether a verification by this key with this algorithm can be done at all.
    pub(super) fn supports(&self, algorithm: SignatureAlgorithm) -> bool {
        self.parsed.iter().any(|(known, _)| *known == algorithm)
    }

    /// Bytes of a signature value by this key: the modulus of RSA, r and s joined of ECDSA ([RFC 4050], [xmldsig 6.4.3]).
    pub(super) fn signature_len(&self) -> usize {
        match self.kind {
            KeyKind::Rsa { bits, .. } => bits.div_ceil(8),
            KeyKind::P256 => 64,
            KeyKind::P384 => 96,
            KeyKind::P521 => 132,
        }
    }

    /// Whether `signature` is this key's over the digest of the algorithm's own hash.
    pub(super) fn verifies(&self, algorithm: SignatureAlgorithm, digest: &Digest, signature: &[u8]) -> bool {
        if signature.len() != self.signature_len() {
            return false;
        }
        let Some((_, key)) = self.parsed.iter().find(|(known, _)| *known == algorithm) else { return false };
        if algorithm.scheme == SignatureScheme::Ecdsa && !is_fixed(algorithm, self.kind) {
            return ecdsa_der(signature).is_some_and(|der| key.verify_digest_sig(digest, &der).is_ok());
        }
        key.verify_digest_sig(digest, signature).is_ok()
    }
}

/// The pairs of curve and hash that the library verifies in the fixed-length form of XML signatures; others go by way of DER.
fn is_fixed(algorithm: SignatureAlgorithm, kind: KeyKind) -> bool {
    matches!((kind, algorithm.hash), (KeyKind::P256, Hash::Sha256) | (KeyKind::P384, Hash::Sha384) | (KeyKind::P521, _))
}

/// The library's verifier for an algorithm and a kind of key, where it has one.
fn backend(algorithm: SignatureAlgorithm, kind: KeyKind) -> Option<&'static dyn VerificationAlgorithm> {
    use SignatureScheme::{Ecdsa, RsaPkcs1, RsaPss};
    Some(match (algorithm.scheme, algorithm.hash, kind) {
        (RsaPkcs1, Hash::Sha1, KeyKind::Rsa { .. }) => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        (RsaPkcs1, Hash::Sha256, KeyKind::Rsa { .. }) => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        (RsaPkcs1, Hash::Sha384, KeyKind::Rsa { bits, .. }) if bits >= 2048 => &signature::RSA_PKCS1_2048_8192_SHA384,
        (RsaPkcs1, Hash::Sha512, KeyKind::Rsa { .. }) => &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        (RsaPss, Hash::Sha256, KeyKind::Rsa { .. }) => &signature::RSA_PSS_2048_8192_SHA256,
        (RsaPss, Hash::Sha384, KeyKind::Rsa { .. }) => &signature::RSA_PSS_2048_8192_SHA384,
        (RsaPss, Hash::Sha512, KeyKind::Rsa { .. }) => &signature::RSA_PSS_2048_8192_SHA512,
        (Ecdsa, Hash::Sha1, KeyKind::P256) => &signature::ECDSA_P256_SHA1_ASN1,
        (Ecdsa, Hash::Sha256, KeyKind::P256) => &signature::ECDSA_P256_SHA256_FIXED,
        (Ecdsa, Hash::Sha384, KeyKind::P256) => &signature::ECDSA_P256_SHA384_ASN1,
        (Ecdsa, Hash::Sha512, KeyKind::P256) => &signature::ECDSA_P256_SHA512_ASN1,
        (Ecdsa, Hash::Sha256, KeyKind::P384) => &signature::ECDSA_P384_SHA256_ASN1,
        (Ecdsa, Hash::Sha384, KeyKind::P384) => &signature::ECDSA_P384_SHA384_FIXED,
        (Ecdsa, Hash::Sha512, KeyKind::P384) => &signature::ECDSA_P384_SHA512_ASN1,
        (Ecdsa, Hash::Sha1, KeyKind::P521) => &signature::ECDSA_P521_SHA1_FIXED,
        (Ecdsa, Hash::Sha256, KeyKind::P521) => &signature::ECDSA_P521_SHA256_FIXED,
        (Ecdsa, Hash::Sha384, KeyKind::P521) => &signature::ECDSA_P521_SHA384_FIXED,
        (Ecdsa, Hash::Sha512, KeyKind::P521) => &signature::ECDSA_P521_SHA512_FIXED,
        _ => return None,
    })
}

/// r and s of fixed length as the DER SEQUENCE of two INTEGERs ([RFC 3279 2.2.3]).
fn ecdsa_der(joined: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = joined.split_at_checked(joined.len() / 2)?;
    let integer = |bytes: &[u8]| {
        let value: Vec<u8> = bytes.iter().skip_while(|byte| **byte == 0).copied().collect();
        let positive = value.first().is_none_or(|byte| *byte >= 0x80);
        let mut out = vec![0x02, u8::try_from(value.len() + usize::from(positive)).ok()?];
        out.extend(positive.then_some(0));
        out.extend(value);
        Some(out)
    };
    let (r, s) = (integer(r)?, integer(s)?);
    // two integers of at most 50 bytes each: the short form of a length reaches
    let mut der = vec![0x30, u8::try_from(r.len() + s.len()).ok().filter(|len| *len < 0x80)?];
    der.extend(r);
    der.extend(s);
    Some(der)
}

/// Why a certificate cannot be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not DER X.509.
    #[error("expected an X.509 certificate in DER, got something else: {0}")]
    NotACertificate(String),
    /// A certificate with something behind it.
    #[error("expected one certificate, got {0} more bytes behind it")]
    TrailingBytes(usize),
    /// A key that no signature algorithm of SAML goes with.
    #[error("expected an RSA, P-256, P-384 or P-521 key, got {0}")]
    UnknownKey(String),
}
