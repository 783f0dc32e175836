//! Signs responses for tests, with the keys of the fixtures.

use std::fs;
use std::path::Path;

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use samlgate::dsig::TrustedKey;
use samlgate::limits::Limits;
use samlgate::saml::ASSERTION;
use samlgate::tenant::RegisteredKey;
use samlgate::xml::{Canonical, NodeId, parse};

const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

/// Where the signature of the Assertion goes.
pub(super) const OF_ASSERTION: &str = "{signature of the Assertion}";
/// Where the signature of the Response goes.
pub(super) const OF_RESPONSE: &str = "{signature of the Response}";

/// A key of the fixtures, with the signature and digest algorithms that go with it.
pub(super) struct Signer {
    key: Key,
    /// The certificate, DER.
    certificate: Vec<u8>,
    signature_method: &'static str,
    digest_method: &'static str,
    hash: &'static digest::Algorithm,
}

enum Key {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

impl Signer {
    /// RSA-2048, SHA-256.
    pub(super) fn rsa() -> Self {
        let key = Key::Rsa(RsaKeyPair::from_pkcs8(&private("current")).unwrap());
        Self::of("current", key, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", 256)
    }

    /// P-256, SHA-256.
    pub(super) fn p256() -> Self {
        Self::ecdsa("p256", &ECDSA_P256_SHA256_FIXED_SIGNING, 256)
    }

    /// P-384, SHA-384.
    pub(super) fn p384() -> Self {
        Self::ecdsa("p384", &ECDSA_P384_SHA384_FIXED_SIGNING, 384)
    }

    /// P-521, SHA-512.
    pub(super) fn p521() -> Self {
        Self::ecdsa("p521", &ECDSA_P521_SHA512_FIXED_SIGNING, 512)
    }

    fn ecdsa(name: &str, algorithm: &'static EcdsaSigningAlgorithm, bits: u32) -> Self {
        let key = Key::Ecdsa(EcdsaKeyPair::from_pkcs8(algorithm, &private(name)).unwrap());
        let method = match bits {
            256 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
            384 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
            _ => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
        };
        Self::of(name, key, method, bits)
    }

    fn of(name: &str, key: Key, signature_method: &'static str, bits: u32) -> Self {
        let (digest_method, hash) = match bits {
            256 => ("http://www.w3.org/2001/04/xmlenc#sha256", &digest::SHA256),
            384 => ("http://www.w3.org/2001/04/xmldsig-more#sha384", &digest::SHA384),
            _ => ("http://www.w3.org/2001/04/xmlenc#sha512", &digest::SHA512),
        };
        let certificate = fs::read(fixtures().join("certificates").join(name).with_extension("cer")).unwrap();
        Self { key, certificate, signature_method, digest_method, hash }
    }

    /// The public key, as a tenant registers it.
    pub(super) fn registered(&self) -> RegisteredKey {
        RegisteredKey { key: TrustedKey::from_der(&self.certificate).unwrap(), pem_in_settings: false }
    }

    /// Signs what is marked: the Assertion first, since the Response's signature covers that of the Assertion.
    pub(super) fn sign(&self, xml: &str, prefix_list: &str) -> String {
        let inner =
            if xml.contains(OF_ASSERTION) { self.sign_one(xml, OF_ASSERTION, prefix_list) } else { xml.to_owned() };
        if inner.contains(OF_RESPONSE) { self.sign_one(&inner, OF_RESPONSE, prefix_list) } else { inner }
    }

    fn sign_one(&self, xml: &str, mark: &str, prefix_list: &str) -> String {
        let list: Vec<&str> = prefix_list.split_ascii_whitespace().collect();
        let (bytes, id) = canonical(&xml.replace(mark, ""), mark, &list, false);
        let digest_value = STANDARD.encode(digest::digest(self.hash, &bytes));
        let (signature_method, digest_method) = (self.signature_method, self.digest_method);
        let inclusive = if prefix_list.is_empty() {
            String::new()
        } else {
            format!(
                r#"<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="{prefix_list}"/>"#
            )
        };
        let signature = format!(
            r##"<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">{inclusive}</ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="{signature_method}"/><ds:Reference URI="#{id}"><ds:Transforms><ds:Transform Algorithm="{DS}enveloped-signature"/><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">{inclusive}</ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="{digest_method}"/><ds:DigestValue>{digest_value}</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>{{value}}</ds:SignatureValue></ds:Signature>"##
        );
        let unfinished = xml.replace(mark, &signature);
        let (signed_info, _) = canonical(&unfinished, mark, &list, true);
        unfinished.replace("{value}", &STANDARD.encode(self.value(&signed_info)))
    }

    fn value(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Rsa(key) => {
                let mut value = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut value).unwrap();
                value
            }
            Key::Ecdsa(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
        }
    }
}

/// The exclusive canonical form and the ID of the marked element; or the form of the SignedInfo in it.
fn canonical(xml: &str, mark: &str, prefix_list: &[&str], of_signed_info: bool) -> (Vec<u8>, String) {
    let document = parse(xml.as_bytes().to_vec(), &Limits::default()).unwrap();
    let child =
        |node: NodeId, namespace: &str, name: &str| document.children_named(node, namespace, name).next().unwrap();
    let root = document.root();
    let element = if mark == OF_ASSERTION { child(root, ASSERTION, "Assertion") } else { root };
    let id = document.attribute(element, "ID").unwrap().to_owned();
    let apex = if of_signed_info { child(child(element, DS, "Signature"), DS, "SignedInfo") } else { element };
    let mut bytes = Vec::new();
    Canonical { prefix_list, ..Canonical::exclusive(&document, apex) }.write(&mut bytes).unwrap();
    (bytes, id)
}

/// A private key of the fixtures, PKCS #8 DER.
fn private(name: &str) -> Vec<u8> {
    let pem = fs::read_to_string(fixtures().join("keys").join(name).with_extension("pem")).unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).unwrap()
}

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}
