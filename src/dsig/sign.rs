//! Signing, for the lab and for tests: the mirror of `verify`, in the one shape that it takes.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaEncoding, RsaKeyPair,
};
use base64_simd::STANDARD as BASE64;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::algorithm::{Hash, SignatureAlgorithm, SignatureScheme};
use super::digest::{CanonicalError, digest};
use super::grammar::DS;
use super::key::{KeyError, KeyKind, TrustedKey};
use super::template::{self, KeyInfoForm, Layout, Template};
use crate::limits::Limits;
use crate::xml::{self, Canonical, Document, NodeId, XmlError};

/// A private key with its certificate.
#[derive(Clone)]
pub struct SigningKey {
    private: Arc<Private>,
    trusted: TrustedKey,
}

enum Private {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({:?})", self.trusted)
    }
}

impl SigningKey {
    /// A private key (DER: PKCS #8, PKCS #1 or SEC 1) and the certificate (DER) that goes with it.
    pub fn from_der(private: &[u8], certificate: &[u8]) -> Result<Self, SignError> {
        let trusted = TrustedKey::from_der(certificate)?;
        let rejected = |error: aws_lc_rs::error::KeyRejected| SignError::Key(error.to_string());
        let ecdsa =
            |algorithm| EcdsaKeyPair::from_private_key_der(algorithm, private).map(Private::Ecdsa).map_err(rejected);
        let private = match trusted.kind() {
            KeyKind::Rsa { .. } => {
                let pair = RsaKeyPair::from_pkcs8(private).or_else(|_| RsaKeyPair::from_der(private));
                pair.map(Private::Rsa).map_err(rejected)?
            }
            KeyKind::P256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)?,
            KeyKind::P384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING)?,
            KeyKind::P521 => ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING)?,
        };
        let public = match &private {
            Private::Rsa(key) => key.public_key().as_ref(),
            Private::Ecdsa(key) => key.public_key().as_ref(),
        };
        let named = X509Certificate::from_der(certificate);
        if named.is_ok_and(|(_, named)| named.public_key().subject_public_key.data.as_ref() != public) {
            return Err(SignError::OtherCertificate);
        }
        Ok(Self { private: Arc::new(private), trusted })
    }

    /// The public side, as a tenant registers it.
    pub fn public(&self) -> &TrustedKey {
        &self.trusted
    }

    /// The algorithm that goes with this key.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        let (scheme, hash) = match self.trusted.kind() {
            KeyKind::Rsa { .. } => (SignatureScheme::RsaPkcs1, Hash::Sha256),
            KeyKind::P256 => (SignatureScheme::Ecdsa, Hash::Sha256),
            KeyKind::P384 => (SignatureScheme::Ecdsa, Hash::Sha384),
            KeyKind::P521 => (SignatureScheme::Ecdsa, Hash::Sha512),
        };
        SignatureAlgorithm { scheme, hash }
    }

    /// The signature value of bytes as they are.
    pub(crate) fn sign_bytes(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let random = SystemRandom::new();
        let failed = |_| SignError::Key("the key does not sign".to_owned());
        match self.private.as_ref() {
            Private::Rsa(key) => {
                let mut value = vec![0; key.public_modulus_len()];
                let encoding: &dyn RsaEncoding = match (algorithm.scheme, algorithm.hash) {
                    (SignatureScheme::RsaPkcs1, Hash::Sha256) => &RSA_PKCS1_SHA256,
                    (SignatureScheme::RsaPkcs1, Hash::Sha384) => &RSA_PKCS1_SHA384,
                    (SignatureScheme::RsaPkcs1, Hash::Sha512) => &RSA_PKCS1_SHA512,
                    (SignatureScheme::RsaPss, Hash::Sha256) => &RSA_PSS_SHA256,
                    (SignatureScheme::RsaPss, Hash::Sha384) => &RSA_PSS_SHA384,
                    (SignatureScheme::RsaPss, Hash::Sha512) => &RSA_PSS_SHA512,
                    _ => return Err(SignError::Algorithm(algorithm.as_str(), self.trusted.kind())),
                };
                key.sign(encoding, &random, message, &mut value).map_err(failed)?;
                Ok(value)
            }
            Private::Ecdsa(_) if algorithm != self.algorithm() => {
                Err(SignError::Algorithm(algorithm.as_str(), self.trusted.kind()))
            }
            Private::Ecdsa(key) => Ok(key.sign(&random, message).map_err(failed)?.as_ref().to_vec()),
        }
    }
}

/// How a signature is made.
#[derive(Debug, Clone, Copy)]
pub struct Manner<'a> {
    /// The algorithm; none for the one that goes with the key.
    pub algorithm: Option<SignatureAlgorithm>,
    /// The digest of the element; none for the hash of the algorithm.
    pub digest: Option<Hash>,
    /// Whether the certificate stands in the signature.
    pub key_info: bool,
    /// PrefixList of both canonicalisations.
    pub prefix_list: &'a str,
    /// Whether algorithms are named `https://…`, as a page of Microsoft prints them: no identifier of XML signatures.
    pub https_names: bool,
    /// Prefix of the signature's elements.
    pub prefix: &'a str,
    /// Whether the signature declares that prefix, or finds it declared.
    pub declared: bool,
    /// Line breaks.
    pub layout: Layout,
    /// What is said of the key, where something is.
    pub key_info_form: KeyInfoForm,
}

impl Default for Manner<'_> {
    fn default() -> Self {
        Self {
            algorithm: None,
            digest: None,
            key_info: true,
            prefix_list: "",
            https_names: false,
            prefix: "ds",
            declared: true,
            layout: Layout::Joined,
            key_info_form: KeyInfoForm::Certificate,
        }
    }
}

/// Signs the element with this ID. The Signature goes behind its Issuer, as SAML wants it.
pub fn sign(xml: &str, id: &str, key: &SigningKey, manner: &Manner<'_>) -> Result<String, SignError> {
    let document = parse(xml)?;
    let element = with_id(&document, id).ok_or_else(|| SignError::NoSuchElement(id.to_owned()))?;
    let place = place(&document, element).ok_or_else(|| SignError::NoPlace(id.to_owned()))?;
    let (before, after) = document.source().split_at_checked(place).unwrap_or_default();
    let (opening, closing) = signature(&document, element, id, key, manner)?;

    // a PrefixList, or a prefix that is declared elsewhere, brings in namespaces from around it: then SignedInfo is digested where it stands
    let (unfinished, signature) = if manner.declared && manner.prefix_list.is_empty() {
        let alone = parse(&format!("{opening}{closing}"))?;
        let signature = alone.root();
        (alone, Some(signature))
    } else {
        let whole = parse(&format!("{before}{opening}{closing}{after}"))?;
        let signature = with_id(&whole, id).and_then(|element| whole.children_named(element, DS, "Signature").next());
        (whole, signature)
    };
    let signed_info = signature
        .and_then(|signature| unfinished.children_named(signature, DS, "SignedInfo").next())
        .ok_or_else(|| SignError::NoPlace(id.to_owned()))?;
    let prefixes = prefixes(manner);
    let mut message = Vec::new();
    let form = Canonical { prefix_list: &prefixes, ..Canonical::exclusive(&unfinished, signed_info) };
    form.write(&mut message).map_err(|xml::Overflow| CanonicalError::TooLong(usize::MAX))?;
    let algorithm = manner.algorithm.unwrap_or_else(|| key.algorithm());
    let value = template::broken(&BASE64.encode_to_string(key.sign_bytes(algorithm, &message)?), manner.layout);
    Ok(format!("{before}{opening}{value}{closing}{after}"))
}

fn parse(xml: &str) -> Result<Document, XmlError> {
    xml::parse(xml.as_bytes().to_vec(), &Limits::default())
}

fn with_id(document: &Document, id: &str) -> Option<NodeId> {
    document.descendants(NodeId::DOCUMENT).find(|node| document.attribute(*node, "ID") == Some(id))
}

fn prefixes<'a>(manner: &Manner<'a>) -> Vec<&'a str> {
    manner.prefix_list.split_ascii_whitespace().collect()
}

/// Where the Signature begins: before the first child that is no Issuer.
fn place(document: &Document, element: NodeId) -> Option<usize> {
    let next = document.child_elements(element).find(|child| document.local_name(*child) != "Issuer")?;
    Some(document.offset(next))
}

/// The Signature up to its value, and from there on.
fn signature(
    document: &Document,
    element: NodeId,
    id: &str,
    key: &SigningKey,
    manner: &Manner<'_>,
) -> Result<(String, String), SignError> {
    let algorithm = manner.algorithm.unwrap_or_else(|| key.algorithm());
    let hash = manner.digest.unwrap_or(algorithm.hash);
    let prefixes = prefixes(manner);
    let form = Canonical { prefix_list: &prefixes, ..Canonical::exclusive(document, element) };
    let digest_value = BASE64.encode_to_string(digest(hash, &form, usize::MAX)?);
    let text = Template {
        manner,
        id,
        method: algorithm.uri().unwrap_or_default(),
        digest_method: hash.uri(),
        digest_value: &digest_value,
        certificate: &key.trusted.certificate().der,
    };
    Ok((text.opening(), text.closing()))
}

/// Why nothing is signed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SignError {
    /// Not a private key, or not of the certificate's kind.
    #[error("expected the private key of the certificate, got something else: {0}")]
    Key(String),
    /// A key and a certificate that do not belong together.
    #[error("expected the certificate of the private key, got that of another key")]
    OtherCertificate,
    /// What this key, or the library beneath, does not sign by.
    #[error("expected an algorithm that a {1} key signs by here, got {0}")]
    Algorithm(&'static str, KeyKind),
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] KeyError),
    /// What should be signed is not XML.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// No element has this ID.
    #[error("expected an element with the ID `{0}`, got none")]
    NoSuchElement(String),
    /// The element is empty.
    #[error("expected a child of the element `{0}` beside its Issuer, got none")]
    NoPlace(String),
    /// There is nothing to digest.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}
