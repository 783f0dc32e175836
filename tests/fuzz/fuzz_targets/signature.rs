//! Responses: what is accepted is signed, and the claims are those of the canonical bytes read again.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use samlgate::dsig::TrustedKey;
use samlgate::inspect::{Effort, Judge, Posted};
use samlgate::limits::Limits;
use samlgate::saml::{ASSERTION, Claims, Response};
use samlgate::tenant::{Directory, Federation, MfaBehavior, RegisteredKey};
use samlgate::verdict::{self, CheckId, Provenance};
use samlgate::xml::{Canonical, Document, NodeId, parse};

/// What the default tenant of the fixtures expects.
static JUDGE: LazyLock<Judge> = LazyLock::new(|| {
    let certificates = [
        &include_bytes!("../../../fixtures/certificates/current.cer")[..],
        &include_bytes!("../../../fixtures/certificates/next.cer")[..],
    ];
    let register = |der: &[u8]| RegisteredKey { key: TrustedKey::from_der(der).expect("a key"), pem_in_settings: false };
    let users = Directory::load(include_bytes!("../../../fixtures/tenants/users.csv")).expect("users").directory;
    let federation = Federation {
        domain: Some("domain.company".to_owned()),
        issuer: Some("https://authentik.company/application/saml/m365/metadata/".to_owned()),
        keys: certificates.into_iter().map(register).collect(),
        mfa_behavior: Some(MfaBehavior::AcceptIfMfaDoneByFederatedIdp),
        acs: "https://login.microsoftonline.com/login.srf".to_owned(),
        audience: "urn:federation:MicrosoftOnline".to_owned(),
        users: Some(Arc::new(users)),
        ..Federation::default()
    };
    Judge { federations: vec![federation], ..Judge::default() }
});

/// 2026-11-23T12:00:00Z, the clock of the fixtures.
const NOW: i64 = 1_795_435_200;

fuzz_target!(|xml: &[u8]| {
    let now = jiff::Timestamp::from_second(NOW).expect("in range");
    let verdict = JUDGE.inspect(Posted::Xml(xml), now, Effort::Diagnose).verdict;
    assert!(verdict.checks.iter().map(|check| check.id).eq(CheckId::ALL));
    assert!(!verdict.accepted || (verdict.provenance == Provenance::Signed && verdict.signature.is_some()));
    let limits = Limits::default();
    let Ok(document) = parse(xml.to_vec(), &limits) else { return };
    let Some(assertion) = assertion_of(&document) else { return };
    let mut again = b"<p:Response xmlns:p=\"urn:oasis:names:tc:SAML:2.0:protocol\">".to_vec();
    Canonical::exclusive(&document, assertion).write(&mut again).expect("a vector takes all");
    again.extend_from_slice(b"</p:Response>");
    let again = parse(again, &Limits { xml_bytes: usize::MAX, depth: limits.depth + 1, elements: limits.elements + 1, ..limits }).expect("canonical");
    let assertion_again = assertion_of(&again).expect("the same element");
    assert_eq!(claims(&document, assertion), claims(&again, assertion_again));
});

fn assertion_of(document: &Document) -> Option<NodeId> {
    document.children_named(document.root(), ASSERTION, "Assertion").next()
}

fn claims(document: &Document, assertion: NodeId) -> verdict::Claims {
    let response = Response::read(document);
    verdict::Claims { destination: None, ..Claims::of_unsigned(document, assertion).report(&response) }
}
