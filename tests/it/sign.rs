//! Signs responses for tests, with the keys of the fixtures.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use samlgate::dsig::{Manner, SigningKey, sign};
use samlgate::limits::Limits;
use samlgate::saml::ASSERTION;
use samlgate::tenant::RegisteredKey;
use samlgate::xml::parse;

/// Says that the Assertion is signed.
pub(super) const OF_ASSERTION: &str = "{signature of the Assertion}";
/// Says that the Response is signed.
pub(super) const OF_RESPONSE: &str = "{signature of the Response}";

/// A key of the fixtures, with the signature and digest algorithms that go with it.
pub(super) struct Signer(SigningKey);

impl Signer {
    /// RSA-2048, SHA-256.
    pub(super) fn rsa() -> Self {
        Self::of("current")
    }

    /// P-256, SHA-256.
    pub(super) fn p256() -> Self {
        Self::of("p256")
    }

    /// P-384, SHA-384.
    pub(super) fn p384() -> Self {
        Self::of("p384")
    }

    /// P-521, SHA-512.
    pub(super) fn p521() -> Self {
        Self::of("p521")
    }

    fn of(name: &str) -> Self {
        Self(signing_key(name))
    }

    /// The public key, as a tenant registers it.
    pub(super) fn registered(&self) -> RegisteredKey {
        RegisteredKey { key: self.0.public().clone(), pem_in_settings: false }
    }

    /// Signs what is marked: the Assertion first, since the Response's signature covers that of the Assertion.
    pub(super) fn sign(&self, xml: &str, prefix_list: &str) -> String {
        let mut signed = xml.replace(OF_ASSERTION, "").replace(OF_RESPONSE, "");
        let document = parse(signed.as_bytes().to_vec(), &Limits::default()).unwrap();
        let root = document.root();
        let assertion = document.children_named(root, ASSERTION, "Assertion").next();
        let manner = Manner { prefix_list, key_info: false, ..Manner::default() };
        for (mark, element) in [(OF_ASSERTION, assertion), (OF_RESPONSE, Some(root))] {
            if xml.contains(mark) {
                let id = document.attribute(element.unwrap(), "ID").unwrap();
                signed = sign(&signed, id, &self.0, &manner).unwrap();
            }
        }
        signed
    }
}

/// A key of the fixtures.
pub(super) fn signing_key(name: &str) -> SigningKey {
    let certificate = fs::read(fixtures().join("certificates").join(name).with_extension("cer")).unwrap();
    SigningKey::from_der(&private(name), &certificate).unwrap()
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
