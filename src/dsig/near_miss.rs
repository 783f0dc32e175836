//! What was done to a document after it was signed, found by doing it to what came: a bounded number of tries.

use super::algorithm::{Hash, SignatureAlgorithm};
use super::digest::digest_bytes;
use super::key::TrustedKey;
use crate::xml::{Algorithm, Canonical, Overflow, Sink};

/// Something that happens to signed documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NearMiss {
    /// Indented after it was signed.
    PrettyPrinted,
    /// Line ends were CR LF (or CR) when it was signed, and were normalised on the way.
    CarriageReturns,
    /// The signer counted comments in.
    CommentsSigned,
    /// UTF-8 was read as Latin-1 or Windows-1252 and written as UTF-8 again.
    ReEncoded,
    /// Text was escaped once more.
    EscapedTwice,
    /// The signer canonicalised inclusively and declared exclusive.
    InclusiveSigned,
    /// The signer canonicalised exclusively and declared inclusive.
    ExclusiveSigned,
    /// The signer ignored InclusiveNamespaces.
    PrefixListIgnored,
}

impl NearMiss {
    /// What happened, as the continuation of "the signature would hold if …".
    pub fn story(self) -> &'static str {
        match self {
            Self::PrettyPrinted => {
                "the white space between the elements were left out: the document was pretty-printed after signing"
            }
            Self::CarriageReturns => {
                "its line feeds were carriage return and line feed (CR LF): a CR was signed and then written raw, and XML turns a raw CR into a line feed"
            }
            Self::CommentsSigned => {
                "comments were counted in: the signer digested comments, which a Reference to an ID never selects"
            }
            Self::ReEncoded => {
                "its text were re-encoded: UTF-8 was read as Latin-1 or Windows-1252 and written as UTF-8 once more"
            }
            Self::EscapedTwice => "its text were unescaped once: it was escaped twice (`&amp;amp;`)",
            Self::InclusiveSigned => {
                "canonicalisation were inclusive: the signer used inclusive C14N and declared exclusive"
            }
            Self::ExclusiveSigned => {
                "canonicalisation were exclusive: the signer used exclusive C14N and declared inclusive"
            }
            Self::PrefixListIgnored => "the PrefixList of InclusiveNamespaces were ignored, as the signer did",
        }
    }

    /// How to mend it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::PrettyPrinted => {
                "send the signed document as it is: no formatter, XML editor or logging filter may rewrite it between signing and the form post"
            }
            Self::CarriageReturns => {
                "remove carriage returns from the user's attributes, or let the identity provider write them as &#13;; do not convert line ends of a signed document"
            }
            Self::CommentsSigned => {
                "let the signer canonicalise without comments (the transform http://www.w3.org/2001/10/xml-exc-c14n#), or send no comments"
            }
            Self::ReEncoded => {
                "the identity provider signs one encoding and sends another: make the response UTF-8 from end to end (database connection, template, servlet filter)"
            }
            Self::EscapedTwice => {
                "something escapes the signed document once more before it is sent: sign last, then encode as base64 only"
            }
            Self::InclusiveSigned | Self::ExclusiveSigned => {
                "the algorithm that is declared must be the one that is used: set canonicalisation to http://www.w3.org/2001/10/xml-exc-c14n# in the signer"
            }
            Self::PrefixListIgnored => "upgrade the signer, or make it leave out InclusiveNamespaces",
        }
    }
}

/// Tries what may have happened to a signed element.
pub(super) fn of_reference(form: &Canonical<'_>, hash: Hash, expected: &[u8], longest: usize) -> Option<NearMiss> {
    first(form, longest, |bytes| digest_bytes(hash, bytes).as_ref() == expected)
}

/// Tries what may have happened to SignedInfo. Each try costs a verification by each candidate.
pub(super) fn of_signed_info(
    form: &Canonical<'_>,
    algorithm: SignatureAlgorithm,
    candidates: &[(usize, &TrustedKey)],
    value: &[u8],
    longest: usize,
) -> Option<NearMiss> {
    first(form, longest, |bytes| {
        let digest = digest_bytes(algorithm.hash, bytes);
        candidates.iter().any(|(_, key)| key.verifies(algorithm, &digest, value))
    })
}

/// The first of the known stories under which `holds` is true. At most nine canonical forms are made.
fn first(form: &Canonical<'_>, longest: usize, holds: impl Fn(&[u8]) -> bool) -> Option<NearMiss> {
    let plain = bytes_of(form, longest)?;
    let other = Algorithm { exclusive: !form.algorithm.exclusive, ..form.algorithm };
    let other_story = if form.algorithm.exclusive { NearMiss::InclusiveSigned } else { NearMiss::ExclusiveSigned };
    let commented = Algorithm { comments: true, ..form.algorithm };
    let variants = [
        (NearMiss::PrettyPrinted, Canonical { without_blank_text: true, ..*form }),
        (NearMiss::CommentsSigned, Canonical { algorithm: commented, ..*form }),
        (other_story, Canonical { algorithm: other, ..*form }),
        (NearMiss::PrefixListIgnored, Canonical { prefix_list: &[], ..*form }),
    ];
    for (story, variant) in variants {
        // a variant that changes nothing cannot be the reason
        if bytes_of(&variant, longest).is_some_and(|bytes| bytes != plain && holds(&bytes)) {
            return Some(story);
        }
    }
    let rewritten = [
        (NearMiss::CarriageReturns, line_feeds_to(&plain, b"&#xD;\n")),
        (NearMiss::CarriageReturns, line_feeds_to(&plain, b"&#xD;")),
        (NearMiss::ReEncoded, latin1_undone(&plain)),
        (NearMiss::EscapedTwice, unescaped_once(&plain)),
    ];
    rewritten.into_iter().find_map(|(story, bytes)| bytes.filter(|bytes| holds(bytes)).map(|_| story))
}

struct BoundedVec {
    bytes: Vec<u8>,
    longest: usize,
}

impl Sink for BoundedVec {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Overflow> {
        if self.bytes.len() + bytes.len() > self.longest {
            return Err(Overflow);
        }
        self.bytes.write(bytes)
    }
}

fn bytes_of(form: &Canonical<'_>, longest: usize) -> Option<Vec<u8>> {
    let mut sink = BoundedVec { bytes: Vec::new(), longest };
    form.write(&mut sink).ok()?;
    Some(sink.bytes)
}

/// Every line feed as something else; none when there is no line feed.
fn line_feeds_to(bytes: &[u8], replacement: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'\n', bytes)?;
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut out = lines.next().unwrap_or_default().to_vec();
    for line in lines {
        out.extend_from_slice(replacement);
        out.extend_from_slice(line);
    }
    Some(out)
}

/// Bytes of characters 0x80–0x9f of Windows-1252, by their Unicode code point.
const WINDOWS_1252: [(char, u8); 27] = [
    ('€', 0x80),
    ('‚', 0x82),
    ('ƒ', 0x83),
    ('„', 0x84),
    ('…', 0x85),
    ('†', 0x86),
    ('‡', 0x87),
    ('ˆ', 0x88),
    ('‰', 0x89),
    ('Š', 0x8a),
    ('‹', 0x8b),
    ('Œ', 0x8c),
    ('Ž', 0x8e),
    ('‘', 0x91),
    ('’', 0x92),
    ('“', 0x93),
    ('”', 0x94),
    ('•', 0x95),
    ('–', 0x96),
    ('—', 0x97),
    ('˜', 0x98),
    ('™', 0x99),
    ('š', 0x9a),
    ('›', 0x9b),
    ('œ', 0x9c),
    ('ž', 0x9e),
    ('Ÿ', 0x9f),
];

/// The bytes that were read as Latin-1 or Windows-1252, where every character fits and the result is UTF-8.
fn latin1_undone(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    if text.is_ascii() {
        return None;
    }
    let byte = |c: char| {
        let special = || WINDOWS_1252.iter().find(|(known, _)| *known == c).map(|(_, byte)| *byte);
        u8::try_from(u32::from(c)).ok().or_else(special)
    };
    let undone: Vec<u8> = text.chars().map(byte).collect::<Option<_>>()?;
    std::str::from_utf8(&undone).is_ok().then_some(undone)
}

/// `&amp;lt;` as `&lt;`; none when nothing was escaped twice.
fn unescaped_once(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let once = ["amp;", "lt;", "gt;", "quot;", "#"]
        .iter()
        .fold(text.to_owned(), |text, entity| text.replace(&format!("&amp;{entity}"), &format!("&{entity}")));
    (once != text).then(|| canonical_references(&once))
}

/// References that canonical text does not have (`&#43;`, `&quot;`) as their characters.
fn canonical_references(text: &str) -> Vec<u8> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("&") {
        let (before, reference) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let end = reference.find(';').map_or(reference.len(), |end| end + 1);
        let (entity, after) = reference.split_at_checked(end).unwrap_or((reference, ""));
        let digits = entity.strip_prefix("&#").and_then(|digits| digits.strip_suffix(';'));
        let number = digits.and_then(|digits| match digits.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        });
        match number.and_then(char::from_u32) {
            Some(c) if !matches!(c, '&' | '<' | '>' | '\r') => out.push(c),
            _ => out.push_str(entity),
        }
        rest = after;
    }
    out.push_str(rest);
    out.into_bytes()
}
