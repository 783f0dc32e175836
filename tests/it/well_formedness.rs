//! What the parser takes libxml2 takes too, and what it refuses libxml2 refuses, but for the differences that are named here.

use samlgate::limits::Limits;
use samlgate::xml::{XmlError, XmlProblem, parse};

use crate::libxml2::Libxml2;
use crate::random_xml::{Dice, document};
use crate::xml::{ACCEPTED, REFUSED, REFUSED_NAMES, mutate};

const MUTATIONS: u64 = 12_000;

/// Where libxml2 refuses and this program does not.
fn laxer_for_a_reason(why: &[String]) -> bool {
    // A namespace URI with characters that no URI has ([Namespaces 2.2] makes that no error): it is compared as text.
    why.iter().all(|complaint| complaint.starts_with("3/99 "))
}

/// What this program refuses and libxml2 takes.
fn stricter_on_purpose(problem: &XmlProblem) -> bool {
    match problem {
        XmlProblem::Doctype | XmlProblem::Version(_) | XmlProblem::DeclaredEncoding(_) => true,
        XmlProblem::Namespace(text) => text.starts_with("the relative URI"),
        _ => false,
    }
}

#[test]
fn what_is_accepted_libxml2_accepts_too() {
    let mut libxml2 = Libxml2::start();
    for source in ACCEPTED {
        libxml2.ask(source.as_bytes(), &[]);
        let theirs = libxml2.answer();
        assert!(theirs.accepted || laxer_for_a_reason(&theirs.why), "{source}: libxml2: {:?}", theirs.why);
    }
}

#[test]
fn what_is_refused_as_not_well_formed_libxml2_refuses_too() {
    let mut libxml2 = Libxml2::start();
    for (source, ..) in REFUSED.into_iter().chain(REFUSED_NAMES) {
        libxml2.ask(source.as_bytes(), &[]);
        let theirs = libxml2.answer();
        let ours = parse(source.as_bytes().to_vec(), &Limits::default()).unwrap_err();
        assert!(!theirs.accepted || stricter_on_purpose(&ours.problem), "{source:?}: {ours}; libxml2 takes it");
    }
}

#[test]
fn mutated_documents_are_accepted_where_libxml2_accepts_them() {
    let mut libxml2 = Libxml2::start();
    let mut both = 0;
    for seed in 0..MUTATIONS {
        let mut dice = Dice::new(!seed);
        let bytes = mutate(&document(seed).0, &mut dice);
        libxml2.ask(&bytes, &[]);
        let ours = parse(bytes.clone(), &Limits::default());
        let theirs = libxml2.answer();
        match &ours {
            Ok(_) if theirs.accepted => both += 1,
            Ok(_) => assert!(
                laxer_for_a_reason(&theirs.why),
                "mutation {seed} is accepted; libxml2: {:?}\n{}",
                theirs.why,
                String::from_utf8_lossy(&bytes)
            ),
            // it stops reading at a NUL, and takes an XML declaration that lacks white space
            Err(_) if bytes.contains(&0) => {}
            Err(XmlError { problem: XmlProblem::Declaration(_), .. }) => {}
            Err(error) => assert!(
                !theirs.accepted || stricter_on_purpose(&error.problem),
                "mutation {seed} is refused: {error}; libxml2 takes it\n{}",
                String::from_utf8_lossy(&bytes)
            ),
        }
    }
    assert!(both > 1_000, "{both} of {MUTATIONS} mutations were accepted: too few to say anything");
}
