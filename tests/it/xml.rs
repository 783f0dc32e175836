//! What the parser takes and what it refuses, where it says so, and that libxml2 would take everything it takes.

use samlgate::limits::Limits;
use samlgate::xml::{XmlProblem, parse};

use crate::libxml2::Libxml2;
use crate::random_xml::{Dice, document};

const MUTATIONS: u64 = 12_000;

/// Where libxml2 refuses and this program does not.
fn stricter_for_a_reason(why: &[String]) -> bool {
    // A namespace URI with characters that no URI has ([Namespaces 2.2] makes that no error): it is compared as text.
    why.iter().all(|complaint| complaint.starts_with("3/99 "))
}

/// Flips, drops, doubles and inserts; most results are broken just a little.
fn mutate(source: &str, dice: &mut Dice) -> Vec<u8> {
    const PIECES: [&str; 40] = [
        "<",
        ">",
        "/",
        "&",
        ";",
        "\"",
        "'",
        "=",
        "!",
        "?",
        "-",
        "--",
        "]]>",
        "<!--",
        "-->",
        "<![CDATA[",
        "<?",
        "?>",
        " ",
        "\n",
        "\r",
        ":",
        "xmlns=''",
        " xmlns:a=''",
        " xmlns:a='urn:a'",
        " a:x='1' b:x='2'",
        "&#0;",
        "&#x110000;",
        "&#xFFFE;",
        "&nbsp;",
        "\u{0}",
        "\u{fffe}",
        "\u{1}",
        "\u{feff}",
        "<a/>",
        "</x>",
        "<?xml version='1.0'?>",
        "1",
        "é",
        "\u{b7}",
    ];
    let mut bytes = source.as_bytes().to_vec();
    for _ in 0..1 + dice.below(3) {
        let at = dice.below(bytes.len());
        match dice.below(8) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => drop(bytes.remove(at)),
            2 => bytes.truncate(at),
            3 => drop(bytes.splice(at..(at + dice.below(20)).min(bytes.len()), [])),
            4 => {
                let copy = bytes[at..(at + dice.below(20)).min(bytes.len())].to_vec();
                let to = dice.below(bytes.len());
                drop(bytes.splice(to..to, copy));
            }
            _ => drop(bytes.splice(at..at, dice.pick(&PIECES).bytes())),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

#[test]
fn whatever_is_accepted_libxml2_accepts_too() {
    let mut libxml2 = Libxml2::start();
    let mut both = 0;
    let mut stricter = 0;
    for seed in 0..MUTATIONS {
        let mut dice = Dice::new(!seed);
        let bytes = mutate(&document(seed).0, &mut dice);
        libxml2.ask(&bytes, &[]);
        let ours = parse(bytes.clone(), &Limits::default());
        let theirs = libxml2.answer();
        match &ours {
            Ok(_) if theirs.accepted => both += 1,
            Ok(_) => assert!(
                stricter_for_a_reason(&theirs.why),
                "mutation {seed} is accepted; libxml2: {:?}\n{}",
                theirs.why,
                String::from_utf8_lossy(&bytes)
            ),
            Err(error) if theirs.accepted => {
                stricter += 1;
                println!("STRICT {error}");
                if matches!(error.problem, XmlProblem::Syntax { .. } | XmlProblem::Name(_)) {
                    println!("{}", String::from_utf8_lossy(&bytes));
                }
            }
            Err(_) => {}
        }
    }
    println!("{both} {stricter}");
}
