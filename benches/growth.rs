//! How the work grows with what a hostile document has most of, up to the limits: in proportion to its bytes, or it is a fault.
//!
//! `cargo bench --bench growth` prints a curve for each dimension and the exponent that fits it, and fails above 1.15;
//! `-- --quick` measures less often.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "benchmark")]

mod documents;

use std::fmt::Write as _;
use std::hint::black_box;
use std::process::ExitCode;

use documents::{Covers, Key, Wish, cpu, form, judge, now, response};
use samlgate::inspect::{Effort, Judge, Posted};

/// Above this, work is not taken to be in proportion to size.
const STEEPEST: f64 = 1.15;

/// Something that a document has a number of.
struct Dimension {
    name: &'static str,
    /// The largest number that stays within the limits.
    most: usize,
    /// Whether it stands at the end of the AttributeStatement, or else of the Response.
    in_assertion: bool,
    accepted: bool,
    /// The XML of so many.
    xml: fn(usize) -> String,
    prefix_list: &'static str,
}

const fn accepted(name: &'static str, most: usize, xml: fn(usize) -> String) -> Dimension {
    Dimension { name, most, in_assertion: true, accepted: true, xml, prefix_list: "" }
}

/// In the Assertion, and refused.
const fn refused(name: &'static str, most: usize, xml: fn(usize) -> String) -> Dimension {
    Dimension { name, most, in_assertion: true, accepted: false, xml, prefix_list: "" }
}

const fn outside(name: &'static str, most: usize, xml: fn(usize) -> String) -> Dimension {
    Dimension { name, most, in_assertion: false, accepted: false, xml, prefix_list: "" }
}

const DIMENSIONS: [Dimension; 20] = [
    accepted("attribute values", 4_800, |n| wrap(repeat(n, |_| "<saml:AttributeValue>x</saml:AttributeValue>".into()))),
    accepted("bytes of one text", 240_000, |n| wrap(value(&"x".repeat(n)))),
    accepted("attributes of an element, at 64 elements", 56, |n| {
        let attributes = repeat(n, |at| format!(" an-attribute-{at:04}=\"some value of it\""));
        wrap(repeat(64, |_| format!("<saml:AttributeValue{attributes}/>")))
    }),
    accepted("namespaces of an element, all used, at 48 elements", 56, |n| {
        let attributes = repeat(n, |at| format!(" xmlns:p{at:03}=\"urn:namespace:{at:03}\" p{at:03}:a=\"b\""));
        wrap(repeat(48, |_| format!("<saml:AttributeValue{attributes}/>")))
    }),
    accepted("namespaces of an element, none used, at 32 elements", 128, |n| {
        let declarations = repeat(n, |at| format!(" xmlns:p{at:03}=\"urn:namespace:{at:03}\""));
        wrap(repeat(32, |_| format!("<saml:AttributeValue{declarations}/>")))
    }),
    accepted("namespaces of a document", 4_000, |n| {
        wrap(repeat(n, |at| format!("<p{at:04}:e xmlns:p{at:04}=\"urn:namespace:{at:04}\"></p{at:04}:e>")))
    }),
    Dimension {
        name: "elements that declare namespaces, with a PrefixList at its limit",
        most: 2_000,
        in_assertion: true,
        accepted: true,
        xml: |n| {
            wrap(repeat(n, |at| {
                format!("<saml:AttributeValue xmlns:p{0}=\"urn:a:{1}\" xmlns:q{0}=\"urn:b:{1}\"/>", at % 16, at % 99)
            }))
        },
        prefix_list: "p0 p1 p2 p3 p4 p5 p6 p7 p8 p9 p10 p11 p12 p13 p14 p15",
    },
    accepted("depth, at 80 places", 56, |n| {
        let tower = format!("{}{}", "<saml:AttributeValue>".repeat(n), "</saml:AttributeValue>".repeat(n));
        wrap(tower.repeat(80))
    }),
    accepted("depth, with a default namespace at each level, at 80 places", 56, |n| {
        let open = repeat(n, |at| format!("<e xmlns=\"urn:namespace:{at:02}\">"));
        wrap(format!("{open}{}", "</e>".repeat(n)).repeat(80))
    }),
    accepted("comments in one text", 990, |n| {
        wrap(value(&repeat(n, |at| format!("some words <!-- and comment {at:06} among them -->"))))
    }),
    accepted("character references in one text", 30_000, |n| wrap(value(&"&#x41;".repeat(n)))),
    accepted("character references in one attribute", 30_000, |n| {
        wrap(format!("<saml:AttributeValue a=\"{}\"/>", "&#x41;".repeat(n)))
    }),
    accepted("characters that canonical forms escape", 40_000, |n| wrap(value(&"&amp;".repeat(n)))),
    accepted("CDATA sections", 12_000, |n| wrap(value(&"<![CDATA[<x>]]>".repeat(n)))),
    accepted("identifiers", 6_000, |n| wrap(repeat(n, |at| format!("<saml:AttributeValue ID=\"_{at:06}\"/>")))),
    refused("statements", 8_000, |n| beside(&"<saml:AuthnStatement/>".repeat(n))),
    refused("conditions", 8_000, |n| beside(&"<saml:Conditions/>".repeat(n))),
    outside("further assertions", 12_000, |n| "<saml:Assertion/>".repeat(n)),
    outside("further signatures", 12_000, |n| {
        "<x:y xmlns:x=\"http://www.w3.org/2000/09/xmldsig#\">".to_owned() + &"<x:Signature/>".repeat(n) + "</x:y>"
    }),
    outside("children that no response has", 19_000, |n| "<saml:x/>".repeat(n)),
];

fn repeat(n: usize, each: impl Fn(usize) -> String) -> String {
    (0..n).map(each).collect()
}

fn wrap(mut values: String) -> String {
    values.insert_str(0, r#"<saml:Attribute Name="x">"#);
    values.push_str("</saml:Attribute>");
    values
}

fn value(text: &str) -> String {
    format!("<saml:AttributeValue>{text}</saml:AttributeValue>")
}

/// Beside the AttributeStatement.
fn beside(xml: &str) -> String {
    format!("</saml:AttributeStatement>{xml}<saml:AttributeStatement>")
}

fn main() -> ExitCode {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    let rounds = match (has("--bench"), has("--quick")) {
        (true, false) => 40,
        (true, true) => 8,
        (false, _) => 1,
    };
    let key = Key::of_fixture("current");
    let judge = judge(&key);
    let mut steep = 0;
    println!("| dimension | of the most | bytes | ns a byte | exponent |\n|---|---|---|---|---|");
    for dimension in &DIMENSIONS {
        let exponent = curve(dimension, &key, &judge, rounds);
        steep += usize::from(exponent > STEEPEST);
    }
    println!("\n{steep} of {} dimensions are steeper than {STEEPEST}", DIMENSIONS.len());
    // a single round only shows that everything runs
    if steep == 0 || rounds == 1 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the curve of one dimension and gives back its exponent.
fn curve(dimension: &Dimension, key: &Key, judge: &Judge, rounds: usize) -> f64 {
    let numbers = [0, dimension.most / 8, dimension.most / 4, dimension.most / 2, dimension.most];
    let posts = numbers.map(|n| {
        let xml = (dimension.xml)(n);
        let (attributes, after) = if dimension.in_assertion { (xml.as_str(), "") } else { ("", xml.as_str()) };
        let wish =
            Wish { covers: Covers::Both, attributes, after, prefix_list: dimension.prefix_list, ..Wish::default() };
        form(&response(key, n, &wish))
    });
    let mut best = [f64::INFINITY; 5];
    for _ in 0..rounds {
        let mut accepted = false;
        for (post, best) in posts.iter().zip(&mut best) {
            let begun = cpu();
            accepted = black_box(judge.inspect(Posted::Form(post), now(), Effort::Verdict)).verdict.accepted;
            *best = best.min(cpu() - begun);
        }
        assert_eq!(accepted, dimension.accepted, "{}", dimension.name);
    }
    // what the rest of the document costs is taken away
    let points: Vec<(f64, f64)> = (1..posts.len())
        .map(|at| ((posts[at].len() - posts[0].len()) as f64, (best[at] - best[0]).max(0.01)))
        .collect();
    let exponent = exponent(&points);
    for (at, (bytes, time)) in points.iter().enumerate() {
        let mut line = format!("| {} | {} | {bytes} | {:.2} |", dimension.name, numbers[at + 1], time * 1e3 / bytes);
        if at + 1 == points.len() {
            let _ = write!(line, " {exponent:.2}{} |", if exponent > STEEPEST { " TOO STEEP" } else { "" });
        } else {
            line.push_str(" |");
        }
        println!("{line}");
    }
    exponent
}

/// The slope of the line through the logarithms: time grows as bytes to this power.
fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let mean_x = logs.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = logs.iter().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    covariance / variance
}
