//! What holds of every message: what was signed is what is read, what was changed is not signed, and a verdict is always whole.

use std::sync::LazyLock;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use samlgate::inspect::{Effort, Judge, Posted};
use samlgate::limits::Limits;
use samlgate::personal::Personal;
use samlgate::saml::{ASSERTION, PROTOCOL};
use samlgate::tenant::Federation;
use samlgate::verdict::{CheckId, Claims, Outcome, Provenance, Verdict};
use samlgate::xml::{Canonical, Document, parse};

use super::corpus::{Sample, samples};
use super::sign::{OF_ASSERTION, OF_RESPONSE, Signer};

const ISSUER: &str = "https://idp.test/metadata";
const ACS: &str = "https://login.microsoftonline.com/login.srf";
const AUDIENCE: &str = "urn:federation:MicrosoftOnline";

static SIGNERS: LazyLock<[Signer; 4]> =
    LazyLock::new(|| [Signer::rsa(), Signer::p256(), Signer::p384(), Signer::p521()]);
static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(samples);

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn judge_of(signer: &Signer) -> Judge {
    let federation = Federation {
        issuer: Some(ISSUER.to_owned()),
        keys: vec![signer.registered()],
        acs: ACS.to_owned(),
        audience: AUDIENCE.to_owned(),
        ..Federation::default()
    };
    Judge { federations: vec![federation], ..Judge::default() }
}

// --- responses -------------------------------------------------------------------------------------------------------

/// A piece of character data: how it is written, and what it says.
#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    CData(String),
    Reference(char),
    Comment(String),
    /// A carriage return as it stands, and a letter.
    Return,
}

impl Piece {
    fn written(&self, in_attribute: bool) -> String {
        match self {
            Self::Text(text) => {
                text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
            }
            Self::Reference(c) => format!("&#{};", u32::from(*c)),
            Self::Return => "\rx".to_owned(),
            Self::CData(_) | Self::Comment(_) if in_attribute => String::new(),
            Self::CData(text) => format!("<![CDATA[{text}]]>"),
            Self::Comment(text) => format!("<!--{text}-->"),
        }
    }

    fn said(&self, in_attribute: bool) -> String {
        match self {
            Self::Text(text) if in_attribute => text.replace(['\t', '\n'], " "),
            Self::Reference(c) => c.to_string(),
            Self::Return if in_attribute => " x".to_owned(),
            Self::Return => "\nx".to_owned(),
            Self::CData(_) | Self::Comment(_) if in_attribute => String::new(),
            Self::Text(text) | Self::CData(text) => text.clone(),
            Self::Comment(_) => String::new(),
        }
    }
}

fn written(pieces: &[Piece], in_attribute: bool) -> String {
    pieces.iter().map(|piece| piece.written(in_attribute)).collect()
}

fn said(pieces: &[Piece], in_attribute: bool) -> String {
    pieces.iter().map(|piece| piece.said(in_attribute)).collect()
}

fn character() -> impl Strategy<Value = char> {
    let xml = |c: &char| !matches!(c, '\r' | '\u{fffe}' | '\u{ffff}') && (*c >= ' ' || matches!(c, '\t' | '\n'));
    prop_oneof![
        4 => select("abAB01+/=.@ <>&'\"-]\t\n".chars().collect::<Vec<_>>()),
        1 => select("éß\u{301}\u{200b}\u{202e}\u{85}\u{2028}\u{feff}山\u{10ffff}".chars().collect::<Vec<_>>()),
        1 => any::<char>().prop_filter("a character of XML", xml),
    ]
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let text = || proptest::collection::vec(character(), 0..8).prop_map(String::from_iter);
    let piece = prop_oneof![
        4 => text().prop_map(Piece::Text),
        1 => text().prop_filter("no end of a section", |text| !text.contains("]]>")).prop_map(Piece::CData),
        1 => prop_oneof![character(), Just('\r')].prop_map(Piece::Reference),
        1 => text().prop_map(|text| Piece::Comment(text.replace('-', "&"))),
        1 => Just(Piece::Return),
    ];
    proptest::collection::vec(piece, 0..5)
}

/// A response to be signed.
#[derive(Debug, Clone)]
struct Shape {
    name_id: Vec<Piece>,
    idp_email: Vec<Piece>,
    group: Vec<Piece>,
    in_response_to: Vec<Piece>,
    /// Prefixes of the protocol and of assertions; the second may be none.
    prefixes: (&'static str, &'static str),
    prefix_list: &'static str,
    between: &'static str,
    signed: &'static [&'static str],
    signer: usize,
}

fn shape() -> impl Strategy<Value = Shape> {
    let lists = ["", "", "xs", "#default", "#default xs xsi samlp saml unknown", "ds xml"];
    let between = ["", "", "\n  ", "\t\r\n", "<!-- between -->"];
    let signed: [&'static [&'static str]; 3] = [&[OF_ASSERTION], &[OF_RESPONSE], &[OF_ASSERTION, OF_RESPONSE]];
    let prefixes = [("samlp", "saml"), ("saml2p", "saml2"), ("ns0", "ns1"), ("samlp", ""), ("山", "é")];
    let texts = (pieces(), pieces(), pieces(), pieces());
    (
        texts,
        select(prefixes.to_vec()),
        select(lists.to_vec()),
        select(between.to_vec()),
        select(signed.to_vec()),
        0..4_usize,
    )
        .prop_map(
            |((name_id, idp_email, group, in_response_to), prefixes, prefix_list, between, signed, signer)| Shape {
                name_id,
                idp_email,
                group,
                in_response_to,
                prefixes,
                prefix_list,
                between,
                signed,
                signer,
            },
        )
}

impl Shape {
    fn plain() -> Self {
        Self {
            name_id: vec![
                Piece::Text("aWQrLz0=".to_owned()),
                Piece::Comment("c".to_owned()),
                Piece::CData("&".to_owned()),
            ],
            idp_email: vec![Piece::Text("é@domain.company".to_owned())],
            group: vec![Piece::Reference('山')],
            in_response_to: vec![Piece::Text("_request".to_owned())],
            prefixes: ("samlp", "saml"),
            prefix_list: "xs",
            between: "\n",
            signed: &[OF_ASSERTION],
            signer: 1,
        }
    }

    fn signed(&self) -> String {
        let (p, a) = self.prefixes;
        let (a, declared) = if a.is_empty() {
            (String::new(), format!("xmlns=\"{ASSERTION}\""))
        } else {
            (format!("{a}:"), format!("xmlns:{a}=\"{ASSERTION}\""))
        };
        let mark = |mark: &'static str| if self.signed.contains(&mark) { mark } else { "" };
        let (of_response, of_assertion) = (mark(OF_RESPONSE), mark(OF_ASSERTION));
        let (name_id, idp_email) = (written(&self.name_id, false), written(&self.idp_email, false));
        let (group, in_response_to) = (written(&self.group, false), written(&self.in_response_to, true));
        let w = self.between;
        let xml = format!(
            r#"<{p}:Response xmlns:{p}="{PROTOCOL}" xmlns:xs="http://www.w3.org/2001/XMLSchema" ID="_r" Version="2.0" IssueInstant="2026-11-23T12:00:00Z" Destination="{ACS}">{w}{of_response}{w}<{p}:Status><{p}:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></{p}:Status>{w}<{a}Assertion {declared} ID="_a" IssueInstant="2026-11-23T12:00:00Z" Version="2.0">{w}<{a}Issuer>{ISSUER}</{a}Issuer>{of_assertion}{w}<{a}Subject>{w}<{a}NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{name_id}</{a}NameID><{a}SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><{a}SubjectConfirmationData InResponseTo="{in_response_to}" NotOnOrAfter="2026-11-23T12:05:00Z" Recipient="{ACS}"/></{a}SubjectConfirmation>{w}</{a}Subject>{w}<{a}Conditions NotBefore="2026-11-23T11:55:00Z" NotOnOrAfter="2026-11-23T12:05:00Z"><{a}AudienceRestriction><{a}Audience>{AUDIENCE}</{a}Audience></{a}AudienceRestriction></{a}Conditions><{a}AuthnStatement AuthnInstant="2026-11-23T12:00:00Z"><{a}AuthnContext><{a}AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</{a}AuthnContextClassRef></{a}AuthnContext></{a}AuthnStatement>{w}<{a}AttributeStatement><{a}Attribute Name="IDPEmail"><{a}AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">{idp_email}</{a}AttributeValue></{a}Attribute><{a}Attribute Name="group"><{a}AttributeValue>{group}</{a}AttributeValue></{a}Attribute></{a}AttributeStatement></{a}Assertion>{w}</{p}:Response>"#
        );
        SIGNERS[self.signer].sign(&xml, self.prefix_list)
    }
}

// --- verdicts --------------------------------------------------------------------------------------------------------

/// Judges, and holds what must be true of every verdict.
fn judged(judge: &Judge, posted: Posted<'_>, now: Timestamp, effort: Effort) -> Verdict {
    let verdict = judge.inspect(posted, now, effort).verdict;
    let ids: Vec<CheckId> = verdict.checks.iter().map(|check| check.id).collect();
    assert_eq!(ids, CheckId::ALL);
    let any = |outcome| verdict.with_outcome(outcome).next().is_some();
    let has_keys = judge.federations.iter().any(|federation| !federation.keys.is_empty());
    if verdict.accepted {
        assert_eq!(verdict.provenance, Provenance::Signed);
        assert!(verdict.signature.is_some() && verdict.claims.is_some() && !any(Outcome::Fail));
    } else {
        let strict = judge.policy.strict && any(Outcome::Warn);
        assert!(any(Outcome::Fail) || strict || !has_keys, "rejected for no reason: {verdict:?}");
    }
    assert_eq!(verdict.signature.is_some(), verdict.provenance == Provenance::Signed, "{verdict:?}");
    verdict
}

/// The claims without Destination, which belongs to the envelope.
fn claims(verdict: &Verdict) -> Option<Claims> {
    verdict.claims.clone().map(|claims| Claims { destination: None, ..claims })
}

/// The canonical form of the assertion, its signature taken out or not, alone in a bare Response.
fn read_again(document: &Document, without_signature: bool) -> Option<Vec<u8>> {
    let assertion = document.children_named(document.root(), ASSERTION, "Assertion").next()?;
    let without = document.child_elements(assertion).find(|child| document.local_name(*child) == "Signature");
    let mut bytes = format!("<p:Response xmlns:p=\"{PROTOCOL}\" ID=\"_other\" Version=\"2.0\">").into_bytes();
    let without = without.filter(|_| without_signature);
    Canonical { without, ..Canonical::exclusive(document, assertion) }.write(&mut bytes).unwrap();
    bytes.extend_from_slice(b"</p:Response>");
    Some(bytes)
}

// --- properties ------------------------------------------------------------------------------------------------------

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_signed_verifies_and_says_what_was_written(shape in shape()) {
        let xml = shape.signed();
        let judge = judge_of(&SIGNERS[shape.signer]);
        let verdict = judged(&judge, Posted::Xml(xml.as_bytes()), now(), Effort::Verdict);
        prop_assert!(verdict.accepted, "{xml}\n{verdict:?}");
        let covers = match *shape.signed {
            [_, _] => "both",
            [one] if one == OF_RESPONSE => "response",
            _ => "assertion",
        };
        prop_assert_eq!(verdict.signature.map(|signature| signature.covers.as_str()), Some(covers));
        let claims = verdict.claims.unwrap();
        prop_assert_eq!(claims.name_id, Some(Personal::new(said(&shape.name_id, false))));
        prop_assert_eq!(claims.idp_email, Some(Personal::new(said(&shape.idp_email, false))));
        prop_assert_eq!(claims.in_response_to, Some(said(&shape.in_response_to, true)));
    }

    #[test]
    fn a_signature_by_another_key_is_none(shape in shape(), other in 1..4_usize) {
        let judge = judge_of(&SIGNERS[(shape.signer + other) % SIGNERS.len()]);
        let verdict = judged(&judge, Posted::Xml(shape.signed().as_bytes()), now(), Effort::Diagnose);
        prop_assert_eq!(verdict.provenance, Provenance::Unsigned);
    }

    #[test]
    fn claims_are_the_same_when_the_digested_bytes_are_read_again(shape in shape(), without in any::<bool>()) {
        let xml = shape.signed();
        let judge = judge_of(&SIGNERS[shape.signer]);
        let verdict = judged(&judge, Posted::Xml(xml.as_bytes()), now(), Effort::Verdict);
        let again = read_again(&parse(xml.into_bytes(), &Limits::default()).unwrap(), without).unwrap();
        let second = judged(&judge, Posted::Xml(&again), now(), Effort::Verdict);
        prop_assert_eq!(claims(&verdict), claims(&second));
    }
}

#[test]
fn claims_of_every_fixture_are_the_same_when_the_digested_bytes_are_read_again() {
    let mut compared = 0;
    for sample in SAMPLES.iter() {
        let Ok(document) = parse(sample.xml.clone(), &sample.judge.limits) else { continue };
        let verdict = judged(&sample.judge, Posted::Xml(&sample.xml), sample.now, Effort::Diagnose);
        let Some(again) = read_again(&document, true).filter(|_| verdict.claims.is_some()) else { continue };
        // canonical forms grow: a document at a limit may pass it
        if parse(again.clone(), &sample.judge.limits).is_err() {
            continue;
        }
        let second = judged(&sample.judge, Posted::Xml(&again), sample.now, Effort::Verdict);
        assert_eq!(claims(&verdict), claims(&second), "{}", sample.name);
        compared += 1;
    }
    assert!(compared > 700, "only {compared} compared");
}

/// The same claims, or nobody vouches for them.
fn assert_unforged(judge: &Judge, genuine: &Verdict, changed: &[u8], effort: Effort) {
    let verdict = judged(judge, Posted::Xml(changed), now(), effort);
    if verdict.provenance == Provenance::Signed {
        assert_eq!(claims(genuine), claims(&verdict), "{}", String::from_utf8_lossy(changed));
    }
}

#[test]
fn no_byte_of_a_signed_element_can_be_changed_left_out_or_doubled() {
    for (signed, element) in [(&[OF_ASSERTION][..], "<saml:Assertion"), (&[OF_RESPONSE][..], "<samlp:Response")] {
        let shape = Shape { signed, ..Shape::plain() };
        let xml = shape.signed().into_bytes();
        let judge = judge_of(&SIGNERS[shape.signer]);
        let genuine = judged(&judge, Posted::Xml(&xml), now(), Effort::Verdict);
        assert!(genuine.accepted, "{genuine:?}");
        let start = xml.windows(element.len()).position(|window| window == element.as_bytes()).unwrap();
        for at in start..xml.len() {
            let mut changed = xml.clone();
            match at % 3 {
                0 => changed[at] ^= 1 << (at % 7),
                1 => _ = changed.remove(at),
                _ => changed.insert(at, xml[at]),
            }
            assert_unforged(&judge, &genuine, &changed, Effort::Verdict);
        }
    }
}

#[test]
fn a_signed_response_without_an_assertion_vouches_for_nothing() {
    let xml = format!(
        r#"<p:Response xmlns:p="{PROTOCOL}" ID="_r" Version="2.0">{OF_RESPONSE}<p:Status><p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"/></p:Status></p:Response>"#
    );
    let xml = SIGNERS[1].sign(&xml, "");
    let verdict = judged(&judge_of(&SIGNERS[1]), Posted::Xml(xml.as_bytes()), now(), Effort::Verdict);
    assert!(!verdict.accepted && verdict.claims.is_none() && verdict.signature.is_none());
}

#[test]
fn a_flood_is_refused_in_a_few_words() {
    const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
    let floods = [
        (format!("<x:S xmlns:x=\"{DS}\">"), "<x:Signature/>", "</x:S>"),
        ("<saml:X>".to_owned(), "<saml:Assertion/>", "</saml:X>"),
        (String::new(), "<saml:AuthnStatement AuthnInstant=\"\"/>", ""),
        ("<saml:Conditions>".to_owned(), "<saml:AudienceRestriction/>", "</saml:Conditions>"),
        ("<saml:AttributeStatement>".to_owned(), "<saml:Attribute Name=\"a\"/>", "</saml:AttributeStatement>"),
    ];
    let shape = Shape::plain();
    let judge = judge_of(&SIGNERS[shape.signer]);
    let genuine = shape.signed();
    for (open, one, close) in floods {
        let flood = format!("{open}{}{close}</saml:Assertion>", one.repeat(5_000));
        let xml = genuine.replace("</saml:Assertion>", &flood);
        let verdict = judged(&judge, Posted::Xml(xml.as_bytes()), now(), Effort::Diagnose);
        assert!(!verdict.accepted, "{one}");
        let told: usize = verdict.checks.iter().map(|check| format!("{:?}", check.detail).len()).sum();
        assert!(told < 20_000, "{one}: {told} bytes are told");
    }
}

/// Bytes that mean something to a parser or to a verifier.
const TOKENS: [&str; 28] = [
    "<",
    ">",
    "\"",
    "&",
    "&amp;",
    "&#0;",
    "&#13;",
    "\r",
    "\n",
    "\t",
    "\0",
    "\u{feff}",
    "<!---->",
    "<!--",
    "-->",
    "<?p?>",
    "<![CDATA[",
    "]]>",
    "<!DOCTYPE r [<!ENTITY e \"x\">]>",
    "<x>",
    "</x>",
    "<x/>",
    " xmlns=\"\"",
    " xmlns=\"urn:x\"",
    " ID=\"_a\"",
    "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"/>",
    "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>",
    "é",
];

/// What is done to bytes.
#[derive(Debug, Clone)]
enum Edit {
    Flip(Index, u8),
    Remove(Index, usize),
    Double(Index, usize),
    Move(Index, usize, Index),
    Insert(Index, usize),
    Splice(Index, Index, Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        (at(), 1..200_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        (at(), 1..2000_usize).prop_map(|(at, length)| Edit::Double(at, length)),
        (at(), 1..2000_usize, at()).prop_map(|(at, length, to)| Edit::Move(at, length, to)),
        (at(), 0..TOKENS.len()).prop_map(|(at, token)| Edit::Insert(at, token)),
        (at(), at(), at(), 1..2000_usize).prop_map(|(at, of, from, length)| Edit::Splice(at, of, from, length)),
    ]
}

fn edited(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for edit in edits {
        if bytes.is_empty() {
            break;
        }
        let range = |bytes: &[u8], at: &Index, length: usize| {
            let at = at.index(bytes.len());
            at..bytes.len().min(at + length)
        };
        match edit {
            Edit::Flip(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Edit::Remove(at, length) => _ = bytes.drain(range(&bytes, at, *length)),
            Edit::Double(at, length) => {
                let range = range(&bytes, at, *length);
                let (end, piece) = (range.end, bytes[range].to_vec());
                bytes.splice(end..end, piece);
            }
            Edit::Move(at, length, to) => {
                let range = range(&bytes, at, *length);
                let piece: Vec<u8> = bytes.drain(range).collect();
                let to = to.index(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            Edit::Insert(at, token) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, TOKENS[*token].bytes());
            }
            Edit::Splice(at, of, from, length) => {
                let other = &SAMPLES[of.index(SAMPLES.len())].xml;
                let piece = other.get(range(other, from, *length)).unwrap_or_default().to_vec();
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_edited_response_is_unsigned_or_says_the_same(
        shape in shape(),
        edits in proptest::collection::vec(proptest::collection::vec(edit(), 1..4), 6),
    ) {
        let xml = shape.signed().into_bytes();
        let judge = judge_of(&SIGNERS[shape.signer]);
        let genuine = judged(&judge, Posted::Xml(&xml), now(), Effort::Verdict);
        for edits in edits {
            // a splice may bring in a whole other response, but none that this key has signed
            assert_unforged(&judge, &genuine, &edited(&xml, &edits), Effort::Diagnose);
        }
    }

    #[test]
    fn an_edited_fixture_has_a_whole_verdict(
        of in any::<Index>(),
        edits in proptest::collection::vec(edit(), 1..5),
        form in 0..3_u8,
    ) {
        let sample = &SAMPLES[of.index(SAMPLES.len())];
        let bytes = edited(&sample.xml, &edits);
        let posted = match form {
            0 => Posted::Form(&bytes),
            1 => Posted::Base64(&bytes),
            _ => Posted::Xml(&bytes),
        };
        judged(&sample.judge, posted, sample.now, Effort::Diagnose);
    }

    #[test]
    fn any_bytes_have_a_whole_verdict(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        tokens in proptest::collection::vec((any::<Index>(), 0..TOKENS.len()), 0..6),
        strict in any::<bool>(),
        keys in any::<bool>(),
    ) {
        let edits: Vec<Edit> = tokens.into_iter().map(|(at, token)| Edit::Insert(at, token)).collect();
        let bytes = edited(&bytes, &edits);
        let mut judge = if keys { judge_of(&SIGNERS[0]) } else { Judge::default() };
        judge.policy.strict = strict;
        let field = [b"RelayState=x&SAMLResponse=", &bytes[..]].concat();
        for posted in [Posted::Form(&bytes), Posted::Form(&field), Posted::Base64(&bytes), Posted::Xml(&bytes)] {
            judged(&judge, posted, now(), Effort::Diagnose);
        }
    }
}
