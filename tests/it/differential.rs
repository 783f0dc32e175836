//! Every signature of every fixture, as two other implementations see it: bergshamra, and xmlsec1 of Debian.
//!
//! Where we say that a signature holds, both must say so. Where a value or a digest is wrong to us, it must be wrong to both.
//! What our profile of SAML refuses before any arithmetic (a shape, an algorithm, a canonical form without bound) says
//! nothing about the arithmetic, and is not compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use samlgate::dsig::{self, Context, Failure, KeyKind, SignatureAlgorithm, SignatureScheme, TrustedKey};
use samlgate::saml::{MessageForm, Response};
use samlgate::xml::{Document, NodeId, XmlProblem, parse};

use super::corpus::{Sample, samples};

const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Bergshamra,
    Xmlsec1,
}

/// One signature of one fixture, and what we say of it.
struct Question<'a> {
    sample: &'a Sample,
    document: &'a Document,
    keys: &'a [&'a TrustedKey],
    /// Place among all signatures of the document, from 0.
    place: usize,
    algorithm: Option<SignatureAlgorithm>,
    comments_in_signed_info: bool,
    /// The key that verified it, by its place.
    verified_by: Option<usize>,
}

/// Faults of the tools, each measured: their answer to such a question does not count.
type Fault = (Tool, &'static str, fn(&Question<'_>) -> bool);
const FAULTS: [Fault; 5] = [
    (Tool::Xmlsec1, "1.2 has no RSA-PSS", |question| {
        question.algorithm.is_some_and(|algorithm| algorithm.scheme == SignatureScheme::RsaPss)
    }),
    (
        Tool::Xmlsec1,
        "1.2 splits a PrefixList at each blank, and finds prefixes without a letter between two",
        |question| {
            question
                .any_attribute(|name, value| name == "PrefixList" && (value.contains("  ") || value.trim() != value))
        },
    ),
    (Tool::Bergshamra, "the library below it verifies no RSA under 2048 bits", |question| {
        question.keys.iter().any(|key| matches!(key.kind(), KeyKind::Rsa { bits, .. } if bits < 2048))
    }),
    (Tool::Bergshamra, "comments of SignedInfo are never part of it, though #WithComments says so", |question| {
        question.comments_in_signed_info
    }),
    (Tool::Bergshamra, "literal white space in attributes does not become blanks", |question| {
        let mut tags = question.document.source().split('<').filter_map(|rest| rest.split_once('>'));
        tags.any(|(tag, _)| {
            let values = tag.split(['"', '\'']).skip(1).step_by(2);
            values.into_iter().any(|value| value.contains(['\t', '\n', '\r']))
        })
    }),
];

#[test]
fn two_other_verifiers_agree_on_every_signature() {
    let version = Command::new("xmlsec1").arg("--version").output();
    assert!(version.is_ok(), "this test asks xmlsec1 for its opinion: install it (Debian: apt-get install xmlsec1)");
    let samples = samples();
    let next = AtomicUsize::new(0);
    let disagreements = Mutex::new(Vec::new());
    let counts = Mutex::new(BTreeMap::<&str, usize>::new());
    let folder = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(sample) = samples.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (wrong, outcome) = compare(sample, folder.path());
                    disagreements.lock().unwrap().extend(wrong);
                    for outcome in outcome {
                        *counts.lock().unwrap().entry(outcome).or_default() += 1;
                    }
                }
            });
        }
    });
    let mut disagreements = disagreements.into_inner().unwrap();
    disagreements.sort();
    let counts = counts.into_inner().unwrap();
    assert!(disagreements.is_empty(), "{} disagreements:\n{}", disagreements.len(), disagreements.join("\n"));
    assert!(counts["holds"] > 300 && counts["is wrong"] > 100, "too little was compared: {counts:?}");
}

/// What nobody can explain, and what was compared.
fn compare(sample: &Sample, folder: &Path) -> (Vec<String>, Vec<&'static str>) {
    let (mut wrong, mut outcomes) = (Vec::new(), Vec::new());
    let document = match parse(sample.xml.clone(), &sample.judge.limits) {
        Ok(document) => document,
        Err(error) if is_profile(&error.problem) => return (wrong, vec!["XML of another profile"]),
        Err(error) => {
            // not well-formed: nothing that reads XML by the book verifies it
            let keys = sample.judge.federations.iter().flat_map(|federation| &federation.keys);
            if keys.into_iter().any(|key| xmlsec1(sample, 0, &key.key, folder)) {
                wrong.push(format!("{}: xmlsec1 verifies what is no XML to us ({})", sample.name, error.problem));
            }
            return (wrong, vec!["not well-formed"]);
        }
    };
    if MessageForm::of(&document) != MessageForm::Response {
        return (wrong, vec!["another message"]);
    }
    let response = Response::read(&document);
    let verdict = sample.judge.inspect(
        samlgate::inspect::Posted::Xml(&sample.xml),
        sample.now,
        samlgate::inspect::Effort::Verdict,
    );
    let federations = &sample.judge.federations;
    let federation = verdict.federation.or((federations.len() == 1).then_some(0)).and_then(|at| federations.get(at));
    let keys: Vec<&TrustedKey> = federation.iter().flat_map(|known| &known.keys).map(|known| &known.key).collect();
    let signable: Vec<NodeId> = [Some(response.node), response.assertion].into_iter().flatten().collect();
    let context = Context { keys: &keys, limits: &sample.judge.limits, diagnose: false };
    let signatures = dsig::verify(&document, &signable, &context);
    let places: Vec<NodeId> =
        document.descendants(NodeId::DOCUMENT).filter(|node| document.is(*node, DS, "Signature")).collect();
    for examined in signatures.examined() {
        let outcome = match &examined.result {
            Ok(_) if !response.id_problems.is_empty() => "IDs are not unique (R5)",
            Ok(_) => "holds",
            Err(Failure::Shape(..)) => "another shape (R5, R6, R7)",
            Err(Failure::Algorithm(..)) => "another algorithm (R7)",
            Err(Failure::Canonical(..)) => "a canonical form without bound (R3, R9)",
            Err(Failure::NoKeys) => "no key",
            Err(Failure::Value(..)) => "a value written otherwise (R8)",
            Err(Failure::SignatureValue { .. } | Failure::Digest { .. }) => "is wrong",
        };
        outcomes.push(outcome);
        if !matches!(outcome, "holds" | "is wrong") {
            continue;
        }
        let question = Question {
            sample,
            document: &document,
            keys: &keys,
            place: places.iter().position(|node| *node == examined.signature).unwrap(),
            algorithm: examined.algorithm,
            comments_in_signed_info: examined.unusual_canonicalization.is_some_and(|unusual| unusual.comments),
            verified_by: examined.result.as_ref().ok().copied(),
        };
        for tool in [Tool::Bergshamra, Tool::Xmlsec1] {
            let excused = FAULTS.iter().any(|(by, _, is_met)| *by == tool && is_met(&question));
            if !excused && question.asked(tool, folder) != question.verified_by.is_some() {
                wrong.push(format!("{}: signature {} {outcome} to us, not to {tool:?}", sample.name, question.place));
            }
        }
    }
    (wrong, outcomes)
}

/// Whether XML that others read is refused by a rule of ours, not for being none.
fn is_profile(problem: &XmlProblem) -> bool {
    match problem {
        // R1: UTF-8 and XML 1.0 alone
        XmlProblem::OtherEncoding(_) | XmlProblem::DeclaredEncoding(_) | XmlProblem::Version(_) => true,
        // R2: no document type declaration, no relative namespace URI
        XmlProblem::Doctype | XmlProblem::Namespace(_) => true,
        // R2: names well-formed with namespaces, where libxml2 complains and goes on
        XmlProblem::Name(_) | XmlProblem::Prefix(_) | XmlProblem::DuplicateAttribute(_) => true,
        XmlProblem::Syntax { expected, got } => expected.contains("processing instruction") && got.contains(':'),
        // R2: libxml2 takes a NUL for the end of the document
        XmlProblem::Character(0) => true,
        // R3
        XmlProblem::Limit { .. } => true,
        _ => false,
    }
}

impl Question<'_> {
    fn any_attribute(&self, is_met: impl Fn(&str, &str) -> bool) -> bool {
        let document = self.document;
        document
            .descendants(NodeId::DOCUMENT)
            .flat_map(|node| document.attributes(node))
            .any(|attribute| is_met(document.attribute_local_name(attribute), document.attribute_value(attribute)))
    }

    /// Whether a tool verifies the signature: with the very key that verified it here, else with any registered one.
    fn asked(&self, tool: Tool, folder: &Path) -> bool {
        let own = self.verified_by.and_then(|index| self.keys.get(index)).map(std::slice::from_ref);
        own.unwrap_or(self.keys).iter().any(|key| match tool {
            Tool::Bergshamra => bergshamra(self.sample, self.place, key),
            Tool::Xmlsec1 => xmlsec1(self.sample, self.place, key, folder),
        })
    }
}

fn bergshamra(sample: &Sample, place: usize, key: &TrustedKey) -> bool {
    let mut keys = bergshamra::KeysManager::new();
    keys.add_key(bergshamra::keys::loader::load_x509_cert_der(&key.certificate().der).unwrap());
    let Ok(text) = std::str::from_utf8(&sample.xml) else { return false };
    let results = bergshamra::verify_all(&bergshamra::DsigContext::new(keys), text.trim_start_matches('\u{feff}'));
    results.is_ok_and(|results| results.get(place).is_some_and(bergshamra::VerifyResult::is_valid))
}

/// The registered key alone is given, and of KeyInfo nothing but names is read: no key of the message is trusted.
fn xmlsec1(sample: &Sample, place: usize, key: &TrustedKey, folder: &Path) -> bool {
    let certificate = folder.join(key.thumbprint().as_ref()).with_extension("der");
    let document = folder.join(sample.name.replace('/', "-")).with_extension("xml");
    for (file, bytes) in [(&certificate, &key.certificate().der), (&document, &sample.xml)] {
        if !file.exists() {
            let unfinished = file.with_extension(format!("{:?}", thread::current().id()));
            fs::write(&unfinished, bytes).unwrap();
            fs::rename(&unfinished, file).unwrap();
        }
    }
    let answer = Command::new("xmlsec1")
        .args(["--verify", "--enabled-key-data", "key-name"])
        .args(["--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion"])
        .args(["--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:protocol:Response"])
        .arg("--node-xpath")
        .arg(format!("(//*[local-name()='Signature' and namespace-uri()='{DS}'])[{}]", place + 1))
        .arg("--pubkey-cert-der")
        .args([&certificate, &document])
        .output()
        .unwrap();
    answer.status.success()
}
