//! A certificate as operators have it: DER, base64 of it, or PEM.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::{PemObject, SectionKind};

use crate::dsig::{Certificate, KeyError};
use crate::file_text::{self, FileTextError};

/// A certificate, and how it was written. It has been read as X.509 once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInput {
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// How it was written.
    pub form: CertificateForm,
}

/// How a certificate was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateForm {
    /// DER, as `.cer` files of Windows.
    Der,
    /// Base64 of DER without lines around it, as Microsoft Graph wants it.
    Base64,
    /// PEM.
    Pem,
    /// PEM that was put in base64 once more.
    PemInBase64,
}

impl CertificateInput {
    /// Whether it is PEM text in some wrapping; federation settings want base64 of DER.
    pub fn is_pem(&self) -> bool {
        matches!(self.form, CertificateForm::Pem | CertificateForm::PemInBase64)
    }
}

/// Reads the one certificate of a file: PEM, base64 or DER; text in UTF-8 or UTF-16.
pub fn certificate(bytes: &[u8]) -> Result<CertificateInput, CertificateError> {
    // an ASN.1 SEQUENCE; no text that is wanted here begins with `0` and one of these
    if let [0x30, 0x80..=0x84, ..] = bytes {
        return checked(bytes.to_vec(), CertificateForm::Der);
    }
    certificate_text(&file_text::decode(bytes)?)
}

/// Reads the one certificate of a text: PEM (also on one line) or base64 (with white space).
pub fn certificate_text(text: &str) -> Result<CertificateInput, CertificateError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(CertificateError::Empty);
    }
    if text.contains("-----BEGIN ") {
        return checked(pem(text)?, CertificateForm::Pem);
    }
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let der = STANDARD.decode(compact).map_err(|error| CertificateError::NotBase64(error.to_string()))?;
    match std::str::from_utf8(&der) {
        Ok(inner) if inner.contains("-----BEGIN ") => checked(pem(inner)?, CertificateForm::PemInBase64),
        _ => checked(der, CertificateForm::Base64),
    }
}

fn checked(der: Vec<u8>, form: CertificateForm) -> Result<CertificateInput, CertificateError> {
    Certificate::from_der(&der)?;
    Ok(CertificateInput { der, form })
}

/// The DER within PEM. Lines that PowerShell joined (`Get-Content` without `-Raw`) are taken apart first.
fn pem(text: &str) -> Result<Vec<u8>, CertificateError> {
    let lines = text
        .replace("\\n", "\n")
        .replace("-----BEGIN ", "\n-----BEGIN ")
        .replace("-----END ", "\n-----END ")
        .replace("CERTIFICATE-----", "CERTIFICATE-----\n");
    let mut certificates = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(lines.as_bytes()) {
        match section.map_err(|error| CertificateError::Pem(error.to_string()))? {
            (SectionKind::Certificate, der) => certificates.push(der),
            (SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey, _) => {
                return Err(CertificateError::PrivateKey);
            }
            _ => {}
        }
    }
    match <[Vec<u8>; 1]>::try_from(certificates) {
        Ok([der]) => Ok(der),
        Err(certificates) if certificates.is_empty() => Err(CertificateError::NoCertificate),
        Err(certificates) => Err(CertificateError::Several(certificates.len())),
    }
}

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Nothing.
    #[error("expected a certificate, got nothing")]
    Empty,
    /// Neither DER nor text.
    #[error("expected a certificate as PEM, base64 or DER, got: {0}")]
    Text(#[from] FileTextError),
    /// Text that is neither PEM nor base64.
    #[error("expected a certificate as PEM or base64, got text that is neither: {0}")]
    NotBase64(String),
    /// Broken PEM.
    #[error("expected a certificate as PEM, got broken PEM: {0}")]
    Pem(String),
    /// A secret where there should be none.
    #[error("expected a certificate, got a private key")]
    PrivateKey,
    /// PEM of something else.
    #[error("expected a certificate, got PEM of something else")]
    NoCertificate,
    /// A chain.
    #[error("expected one certificate, got {0}")]
    Several(usize),
    /// Not X.509.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl CertificateError {
    /// How to mend it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::PrivateKey => {
                "never give the private key away: give the certificate alone, and replace the key if this file has left the identity provider"
            }
            Self::Several(_) => "Entra holds the signing certificate itself, not its chain: keep the first block alone",
            Self::Key(KeyError::TrailingBytes(_)) => "the file has something behind the certificate: export it anew",
            _ => {
                "download the signing certificate from the identity provider (authentik: System > Certificates > Download Certificate)"
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use super::*;

    /// Self-signed, P-256, made up for tests: CN=authentik.company.
    pub(in super::super) const BASE64: &str = "MIIBjTCCATOgAwIBAgIUWZOkbP3+ClbRb7MLRPbFkd67S9QwCgYIKoZIzj0EAwIwHDEaMBgGA1UEAwwRYXV0aGVudGlrLmNvbXBhbnkwHhcNMjYxMTIzMDUxOTE4WhcNMzYxMTIwMDUxOTE4WjAcMRowGAYDVQQDDBFhdXRoZW50aWsuY29tcGFueTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPRqbLo3OocSM5dzgRtLdJVo9Dk08nDgoig0vvTCgou/bdqUs0h1FoA34HuTiWp64ybnLCKLU9BqP7fW+WeA0BWjUzBRMB0GA1UdDgQWBBSRd4xZElZR3aSjCxqtpguuPKPMrzAfBgNVHSMEGDAWgBSRd4xZElZR3aSjCxqtpguuPKPMrzAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIHt9OfUMIueHjbusXjbZ9FAh2Nb7V/DTWBRyWo6EIUQpAiEA46+1+D3ZDl5rh7wgRezzvakiU43tuQelPIeBcMzrfSA=";

    pub(in super::super) fn as_pem() -> String {
        let lines: Vec<_> = BASE64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    #[test]
    fn every_form_gives_the_same_certificate() {
        let der = STANDARD.decode(BASE64).unwrap();
        let utf16 = |text: &str| {
            [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect::<Vec<u8>>()
        };
        let pem = as_pem();
        let (start, end) = BASE64.split_at(64);
        let cases = [
            (der.clone(), CertificateForm::Der),
            (BASE64.into(), CertificateForm::Base64),
            (format!("\u{feff}{start} \r\n\t{end}\n").into(), CertificateForm::Base64),
            (utf16(BASE64), CertificateForm::Base64),
            (pem.clone().into(), CertificateForm::Pem),
            (format!("Bag Attributes\n  friendlyName: x\n{}", pem.replace('\n', "\r\n")).into(), CertificateForm::Pem),
            (pem.replace('\n', " ").into(), CertificateForm::Pem),
            (pem.replace('\n', "\\n").into(), CertificateForm::Pem),
            (pem.replace('\n', "").into(), CertificateForm::Pem),
            (utf16(&pem), CertificateForm::Pem),
            (STANDARD.encode(&pem).into(), CertificateForm::PemInBase64),
        ];
        for (file, form) in cases {
            let read = certificate(&file).unwrap_or_else(|error| unreachable!("{error}: {form:?}"));
            assert_eq!((read.form, read.der), (form, der.clone()));
        }
    }

    #[test]
    fn what_is_no_certificate_is_named() {
        let pem = as_pem();
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let cases = [
            (String::new(), "got nothing"),
            (key.to_owned(), "private key"),
            (format!("{pem}{key}"), "private key"),
            (format!("{pem}{pem}"), "expected one certificate, got 2"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n".to_owned(), "broken PEM"),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_owned(), "PEM of something else"),
            ("<html>".to_owned(), "neither"),
            ("AAAA".to_owned(), "X.509"),
            (BASE64.chars().take(400).collect(), "X.509"),
        ];
        for (file, words) in cases {
            let error = certificate(file.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert!(!error.hint().is_empty());
        }
    }
}
