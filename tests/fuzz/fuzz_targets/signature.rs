//! Responses: what is accepted is signed, and the claims are those of the canonical bytes read again.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use samlgate::config::Config;
use samlgate::inspect::{Effort, Posted};
use samlgate::limits::Limits;
use samlgate::saml::{ASSERTION, Claims, Response};
use samlgate::verdict::{self, CheckId, Provenance};
use samlgate::xml::{Canonical, Document, NodeId, parse};

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/tenants/default.toml");
    Config::load(file.as_ref()).expect("the default tenant")
});

/// 2026-11-23T12:00:00Z, the clock of the fixtures.
const NOW: i64 = 1_795_435_200;

fuzz_target!(|xml: &[u8]| {
    let now = jiff::Timestamp::from_second(NOW).expect("in range");
    let verdict = CONFIG.judge.inspect(Posted::Xml(xml), now, Effort::Diagnose).verdict;
    assert!(verdict.checks.iter().map(|check| check.id).eq(CheckId::ALL));
    assert!(!verdict.accepted || (verdict.provenance == Provenance::Signed && verdict.signature.is_some()));
    let limits = Limits::default();
    let Ok(document) = parse(xml.to_vec(), &limits) else { return };
    let Some(assertion) = assertion_of(&document) else { return };
    let mut again = b"<p:Response xmlns:p=\"urn:oasis:names:tc:SAML:2.0:protocol\">".to_vec();
    Canonical::exclusive(&document, assertion).write(&mut again).expect("a vector takes all");
    again.extend_from_slice(b"</p:Response>");
    let again = parse(again, &Limits { xml_bytes: usize::MAX, depth: limits.depth + 1, ..limits }).expect("canonical");
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
