//! Responses signed on the spot, and the judge that accepts them. No two have an ID, a user or a signature in common.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64_simd::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use samlgate::dsig::TrustedKey;
use samlgate::inspect::Judge;
use samlgate::limits::Limits;
use samlgate::saml::ASSERTION;
use samlgate::tenant::{DirectoryBuilder, Federation, MfaBehavior, NewUser, RegisteredKey, UserType};
use samlgate::xml::{self, Canonical, Document, NodeId};

/// Namespace of XML signatures.
pub(crate) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
/// The issuer of every document here.
pub(crate) const ISSUER: &str = "https://authentik.company/application/saml/m365/metadata/";
const ACS: &str = "https://login.microsoftonline.com/login.srf";
const AUDIENCE: &str = "urn:federation:MicrosoftOnline";
/// How many users there are.
pub(crate) const USERS: usize = 10_000;

/// The clock by which every document here is valid.
pub(crate) fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// CPU time of this thread in microseconds: on a busy machine the clock on the wall says little.
pub(crate) fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// A file of the fixtures.
pub(crate) fn fixture(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)).unwrap()
}

enum Private {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

/// A key of the fixtures and its certificate.
pub(crate) struct Key {
    /// The certificate in DER.
    pub(crate) certificate: Vec<u8>,
    private: Private,
}

impl Key {
    /// The key of this name.
    pub(crate) fn of_fixture(name: &str) -> Self {
        let pem = PrivatePkcs8KeyDer::from_pem_slice(&fixture(&format!("keys/{name}.pem"))).unwrap();
        let private = match RsaKeyPair::from_pkcs8(pem.secret_pkcs8_der()) {
            Ok(key) => Private::Rsa(key),
            Err(_) => Private::P256(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pem.secret_pkcs8_der()).unwrap(),
            ),
        };
        Self { certificate: fixture(&format!("certificates/{name}.cer")), private }
    }

    /// Whether this is an RSA key.
    pub(crate) fn is_rsa(&self) -> bool {
        matches!(self.private, Private::Rsa(_))
    }

    fn algorithm(&self) -> &'static str {
        if self.is_rsa() {
            "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
        } else {
            "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.private {
            Private::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Private::P256(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
        }
    }
}

/// The judge of a tenant of 10,000 users that trusts this key alone.
pub(crate) fn judge(key: &Key) -> Judge {
    let mut builder = DirectoryBuilder::default();
    for n in 0..USERS {
        let (upn, id) = user(n);
        let mail = upn.replace('@', "@mail.");
        builder
            .push(NewUser {
                upn: &upn,
                mail: Some(&mail),
                immutable_id: Some(&id),
                account_enabled: Some(true),
                user_type: Some(UserType::Member),
                proxy_addresses: "",
            })
            .unwrap();
    }
    let key = TrustedKey::from_der(&key.certificate).unwrap();
    let federation = Federation {
        domain: Some("domain.company".to_owned()),
        issuer: Some(ISSUER.to_owned()),
        keys: vec![RegisteredKey { key, pem_in_settings: false }],
        mfa_behavior: Some(MfaBehavior::AcceptIfMfaDoneByFederatedIdp),
        acs: ACS.to_owned(),
        audience: AUDIENCE.to_owned(),
        users: Some(Arc::new(builder.finish().0)),
        ..Federation::default()
    };
    Judge { federations: vec![federation], ..Judge::default() }
}

/// UPN and ImmutableId of the user of this number.
pub(crate) fn user(n: usize) -> (String, String) {
    let n = n % USERS;
    let hash = digest(&SHA256, &n.to_be_bytes());
    (format!("user.{n}@domain.company"), BASE64.encode_to_string(hash.as_ref().first_chunk::<16>().unwrap()))
}

/// Which elements are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Covers {
    Assertion,
    Response,
    Both,
}

/// What a document should be.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// Which elements are signed.
    pub(crate) covers: Covers,
    /// Whether the certificate stands in the signature.
    pub(crate) key_info: bool,
    /// XML at the end of the AttributeStatement.
    pub(crate) attributes: &'a str,
    /// XML at the end of the Response.
    pub(crate) after: &'a str,
    /// Namespace declarations of the Response.
    pub(crate) declarations: &'a str,
    /// PrefixList of the transform, if any.
    pub(crate) prefix_list: &'a str,
    /// When it is issued.
    pub(crate) issued: Timestamp,
}

impl Default for Wish<'_> {
    fn default() -> Self {
        Self {
            covers: Covers::Assertion,
            key_info: true,
            attributes: "",
            after: "",
            declarations: "",
            prefix_list: "",
            issued: now(),
        }
    }
}

/// The `n`th response of this kind.
pub(crate) fn response(key: &Key, n: usize, wish: &Wish<'_>) -> String {
    let random = |salt: u8| {
        let hash = digest(&SHA256, &[&n.to_be_bytes()[..], &[salt]].concat());
        hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let (upn, immutable_id) = user(n);
    let (response, assertion, session) = (format!("_{}", random(0)), format!("_{}", random(1)), random(2));
    let signature = |here: bool, id: &str, name: &str| match here {
        true => template(key, id, name, wish),
        false => String::new(),
    };
    let on_response = signature(wish.covers != Covers::Assertion, &response, "RESPONSE");
    let on_assertion = signature(wish.covers != Covers::Response, &assertion, "ASSERTION");
    let Wish { attributes, after, declarations, issued, .. } = wish;
    let [begins, authn, ends, session_ends] =
        [-5, -1, 5, 1_440].map(|minutes| *issued + SignedDuration::from_mins(minutes));
    let mut xml = format!(
        r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"{declarations} Version="2.0" IssueInstant="{issued}" Destination="{ACS}" ID="{response}"><saml:Issuer>{ISSUER}</saml:Issuer>{on_response}<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status><saml:Assertion Version="2.0" ID="{assertion}" IssueInstant="{issued}"><saml:Issuer>{ISSUER}</saml:Issuer>{on_assertion}<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{immutable_id}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="{ends}" Recipient="{ACS}"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{begins}" NotOnOrAfter="{ends}"><saml:AudienceRestriction><saml:Audience>{AUDIENCE}</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{authn}" SessionIndex="{session}" SessionNotOnOrAfter="{session_ends}"><saml:AuthnContext><saml:AuthnContextClassRef>http://schemas.microsoft.com/claims/multipleauthn</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement><saml:Attribute Name="IDPEmail"><saml:AttributeValue>{upn}</saml:AttributeValue></saml:Attribute>{attributes}</saml:AttributeStatement></saml:Assertion>{after}</samlp:Response>"#
    );
    if wish.covers != Covers::Response {
        xml = sign(key, &xml, "ASSERTION", assertion_of);
    }
    if wish.covers != Covers::Assertion {
        xml = sign(key, &xml, "RESPONSE", Document::root);
    }
    xml
}

/// The assertion of a document.
pub(crate) fn assertion_of(document: &Document) -> NodeId {
    document.children_named(document.root(), ASSERTION, "Assertion").next().unwrap()
}

/// A signature whose values are not known yet, in lines as signers write them.
fn template(key: &Key, id: &str, name: &str, wish: &Wish<'_>) -> String {
    let algorithm = key.algorithm();
    let lines = |text: &str| {
        text.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect::<String>()
    };
    let key_info = match wish.key_info {
        true => format!(
            "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>",
            lines(&BASE64.encode_to_string(&key.certificate))
        ),
        false => String::new(),
    };
    let inclusive = match wish.prefix_list {
        "" => String::new(),
        list => format!(
            r#"<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="{list}"></ec:InclusiveNamespaces>"#
        ),
    };
    format!(
        r##"<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="{algorithm}"/><ds:Reference URI="#{id}"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">{inclusive}</ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>{name}_DIGEST</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>{name}_VALUE</ds:SignatureValue>{key_info}</ds:Signature>"##
    )
}

/// Fills in the values of the signature of one element.
fn sign(key: &Key, xml: &str, name: &str, element: impl Fn(&Document) -> NodeId) -> String {
    let document = parse(xml);
    let parts = Parts::of(&document, element(&document));
    let value = BASE64.encode_to_string(digest(&SHA256, &parts.element));
    let xml = xml.replacen(&format!("{name}_DIGEST"), &value, 1);
    let document = parse(&xml);
    let parts = Parts::of(&document, element(&document));
    let value = BASE64.encode_to_string(key.sign(&parts.signed_info));
    xml.replacen(&format!("{name}_VALUE"), &value, 1)
}

/// Parses what was made here, which is always well-formed.
pub(crate) fn parse(xml: &str) -> Document {
    xml::parse(xml.as_bytes().to_vec(), &Limits::default()).unwrap()
}

/// The canonical forms of one signed element.
pub(crate) struct Parts {
    /// Of the element without its signature.
    pub(crate) element: Vec<u8>,
    /// Of SignedInfo.
    pub(crate) signed_info: Vec<u8>,
}

impl Parts {
    /// Of an element that holds a signature.
    pub(crate) fn of(document: &Document, element: NodeId) -> Self {
        let signature = document.children_named(element, DS, "Signature").next().unwrap();
        let signed_info = document.children_named(signature, DS, "SignedInfo").next().unwrap();
        let list = document.descendants(signed_info).find_map(|node| document.attribute(node, "PrefixList"));
        let prefix_list: Vec<&str> = list.unwrap_or_default().split_ascii_whitespace().collect();
        let canonical = |form: &Canonical<'_>| {
            let mut bytes = Vec::new();
            form.write(&mut bytes).unwrap();
            bytes
        };
        let element = Canonical::exclusive(document, element);
        Self {
            element: canonical(&Canonical { without: Some(signature), prefix_list: &prefix_list, ..element }),
            signed_info: canonical(&Canonical::exclusive(document, signed_info)),
        }
    }
}

/// The form that a browser posts.
pub(crate) fn form(xml: &str) -> Vec<u8> {
    let field = BASE64.encode_to_string(xml);
    let escaped = field.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("SAMLResponse={escaped}&RelayState=estsredirect%3D2%26estsrequest%3DrQQIARAA").into_bytes()
}
