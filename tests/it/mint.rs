//! Minted sign-ins before the judge: each fault trips what it names, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use samlgate::check::{Memory, Seen, Setting, Use};
use samlgate::config::Config;
use samlgate::dsig::{Hash, SignatureAlgorithm, SignatureScheme, TrustedKey};
use samlgate::inspect::{Effort, Judge, Posted};
use samlgate::mint::{Errand, Fault, Keys, Manner, Minter, Shape};
use samlgate::tenant::RegisteredKey;
use samlgate::verdict::{CheckId, Outcome, Verdict};

use crate::sign::signing_key;

pub(crate) fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// The tenant of the fixtures, which also holds a certificate that has expired.
pub(crate) fn tenant() -> (Judge, Minter) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tenants/default.toml");
    let mut judge = Config::load(&file).unwrap().judge;
    let keys = Keys {
        current: signing_key("current"),
        expired: Some(signing_key("expired")),
        stranger: Some(signing_key("stranger")),
    };
    let key = |key: &TrustedKey| RegisteredKey { key: key.clone(), pem_in_settings: false };
    judge.federations[0].keys = vec![key(keys.current.public()), key(keys.expired.as_ref().unwrap().public())];
    let minter = Minter::new(judge.federations[0].clone(), keys).unwrap();
    (judge, minter)
}

fn judged(judge: &Judge, minter: &Minter, fault: Option<Fault>, errand: Errand<'_>) -> Verdict {
    let minted = minter.mint(fault, now(), errand).unwrap();
    judge.inspect(Posted::Form(&minted.form()), now(), Effort::Diagnose).verdict
}

fn in_shape(minter: &Minter, shape: Shape) -> Minter {
    minter.clone().in_manner(Manner { shape, ..Manner::default() })
}

#[test]
fn a_sound_sign_in_passes_every_check_in_every_shape() {
    let (judge, minter) = tenant();
    for (request, shape) in [None, Some("_00000000-0000-4000-8000-000000000001")]
        .into_iter()
        .flat_map(|request| Shape::ALL.map(|shape| (request, shape)))
    {
        let errand = Errand { request, relay_state: "estsredirect=2&estsrequest=rQQIARAA+/ ü", number: 0 };
        let verdict = judged(&judge, &in_shape(&minter, shape), None, errand);
        assert!(verdict.accepted && verdict.predicted.is_none(), "{shape:?} {verdict:#?}");
        assert_eq!(verdict.with_outcome(Outcome::Warn).count(), 0, "{shape:?} {verdict:#?}");
    }
}

#[test]
fn every_fault_trips_exactly_the_checks_it_names_in_every_shape() {
    let (judge, minter) = tenant();
    let mut wrong = Vec::new();
    for shape in Shape::ALL {
        let minter = in_shape(&minter, shape);
        for fault in Fault::ALL {
            let verdict = judged(&judge, &minter, Some(fault), Errand::default());
            let of = |outcome| verdict.with_outcome(outcome).collect::<Vec<CheckId>>();
            let (fails, warns) = (of(Outcome::Fail), of(Outcome::Warn));
            let predicted = verdict.predicted == fault.code();
            if fails != fault.fails() || warns != fault.warns() || !predicted || verdict.accepted != fails.is_empty() {
                wrong.push(format!("{shape:?} {fault}: fails {fails:?}, warns {warns:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn a_seed_makes_the_same_sign_in_again_and_another_number_another() {
    let (_, minter) = tenant();
    let minter = minter.seeded(7);
    let mint = |number| minter.mint(None, now(), Errand { number, ..Errand::default() }).unwrap().xml;
    assert_eq!(mint(1), mint(1));
    assert_ne!(mint(1), mint(2));
    let other = minter.clone().seeded(8).mint(None, now(), Errand { number: 1, ..Errand::default() }).unwrap().xml;
    assert_ne!(mint(1), other);
}

#[test]
fn every_algorithm_that_a_key_signs_by_is_verified() {
    let (mut judge, minter) = tenant();
    let algorithm = |scheme, hash| SignatureAlgorithm { scheme, hash };
    let rsa = [SignatureScheme::RsaPkcs1, SignatureScheme::RsaPss].into_iter().flat_map(|scheme| {
        [Hash::Sha256, Hash::Sha384, Hash::Sha512].map(|hash| ("current", Some(algorithm(scheme, hash))))
    });
    for (key, algorithm) in rsa.chain([("p256", None), ("p384", None), ("p521", None), ("rsa4096", None)]) {
        let current = signing_key(key);
        judge.federations[0].keys = vec![RegisteredKey { key: current.public().clone(), pem_in_settings: false }];
        let keys = Keys { current, expired: None, stranger: None };
        let minter = Minter::new(judge.federations[0].clone(), keys).unwrap();
        let minter = minter.in_manner(Manner { algorithm, response_too: true, ..Manner::default() });
        let verdict = judged(&judge, &minter, None, Errand::default());
        let algorithm = algorithm.map(SignatureAlgorithm::as_str);
        assert!(verdict.accepted, "{key} {algorithm:?} {verdict:#?}");
        let said = verdict.signature.unwrap().algorithm;
        assert!(algorithm.is_none_or(|algorithm| algorithm == said), "{algorithm:?} {said}");
    }
    let sha1 = Some(algorithm(SignatureScheme::RsaPkcs1, Hash::Sha1));
    let refused = minter.in_manner(Manner { algorithm: sha1, ..Manner::default() });
    let refused = refused.mint(None, now(), Errand::default()).unwrap_err().to_string();
    assert!(refused.contains("rsa-sha1"), "{refused}");
}

#[test]
fn every_check_is_tripped_by_some_fault_but_for_replay_which_needs_two_posts() {
    let tripped: BTreeSet<CheckId> =
        Fault::ALL.into_iter().flat_map(|fault| fault.fails().iter().chain(fault.warns()).copied()).collect();
    let missing: Vec<CheckId> = CheckId::ALL.into_iter().filter(|id| !tripped.contains(id)).collect();
    assert_eq!(missing, [CheckId::Replay]);
}

#[test]
fn every_name_reads_back_and_no_two_are_alike() {
    for fault in Fault::ALL {
        assert_eq!(Fault::parse(fault.as_str()), Some(fault));
        assert!(!fault.story().is_empty());
        assert!(fault.fails().len() + fault.warns().len() > 0);
    }
}

#[test]
fn no_two_sign_ins_are_alike() {
    let (_, minter) = tenant();
    let mint = || minter.mint(None, now(), Errand::default()).unwrap();
    assert_ne!(mint(), mint());
}

#[test]
fn what_samael_writes_as_it_is_given_is_escaped_before() {
    let (mut judge, minter) = tenant();
    judge.federations[0].issuer = Some("https://authentik.company/?a=1&b=<2>".to_owned());
    let keys = Keys { current: signing_key("current"), expired: None, stranger: None };
    let other = Minter::new(judge.federations[0].clone(), keys).unwrap();
    assert!(judged(&judge, &other, None, Errand::default()).accepted);
    assert!(!judged(&judge, &minter, None, Errand::default()).accepted);
}

/// Knows every assertion, and counts who asks.
#[derive(Default)]
struct Asked(AtomicUsize);

impl Memory for Asked {
    fn assertion(&self, _: &str, _: &str, _: Timestamp, _: Timestamp) -> Use {
        self.0.fetch_add(1, Ordering::AcqRel);
        Use::Again
    }

    fn request(&self, _: &str, _: bool, _: Timestamp) -> Seen {
        Seen::Never
    }
}

#[test]
fn nobody_is_asked_for_a_replay_that_nobody_wants_to_hear_of() {
    let (mut judge, minter) = tenant();
    let form = minter.mint(None, now(), Errand::default()).unwrap().form();
    let asked = Asked::default();
    let judged = |judge: &Judge| {
        let verdict = judge.inspect_with(Posted::Form(&form), now(), Effort::Verdict, Some(&asked)).verdict;
        verdict.check(CheckId::Replay).unwrap().outcome
    };
    assert_eq!((judged(&judge), asked.0.load(Ordering::Acquire)), (Outcome::Warn, 1));
    judge.policy.set(CheckId::Replay, Setting::Off).unwrap();
    assert_eq!((judged(&judge), asked.0.load(Ordering::Acquire)), (Outcome::Skip, 1));
}

#[test]
fn who_shows_no_claims_hears_the_same_of_everything_else() {
    let (judge, minter) = tenant();
    for fault in [None].into_iter().chain(Fault::ALL.map(Some)) {
        let Ok(minted) = minter.mint(fault, now(), Errand::default()) else { continue };
        let judged = |effort| judge.inspect(Posted::Form(&minted.form()), now(), effort).verdict;
        let whole = judged(Effort::Verdict);
        assert_eq!(judged(Effort::Outcome), Verdict { claims: None, ..whole.clone() }, "{fault:?}");
        assert!(fault.is_some() || whole.claims.is_some());
    }
}
