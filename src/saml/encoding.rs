//! The base64 of a SAMLResponse field, strictly; and what damaged it where it is none.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::binding::percent_decode;
use crate::limits::Limits;

/// What is wrong with the encoding of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodingProblem {
    /// Nothing there.
    #[error("the SAMLResponse field is empty")]
    Empty,
    /// A percent escape that is none.
    #[error("a percent escape is broken (`{0}`)")]
    BadEscape(String),
    /// Spaces stand where plus signs were.
    #[error("the base64 holds spaces where plus signs belong")]
    Spaces,
    /// The alphabet of base64url.
    #[error("the base64 uses the URL alphabet (`-` and `_` in place of `+` and `/`)")]
    UrlAlphabet,
    /// The `=` at the end are missing.
    #[error("the padding (`=`) of the base64 is missing")]
    NoPadding,
    /// Bits or padding at the end that no encoder writes.
    #[error("the end of the base64 is not canonical")]
    NotCanonical,
    /// Escaped twice.
    #[error("the field was percent-encoded twice")]
    PercentTwice,
    /// Encoded twice.
    #[error("the message was encoded as base64 twice")]
    Base64Twice,
    /// Compressed, as the Redirect binding does.
    #[error("the message was compressed ({0}), which the POST binding does not do")]
    Compressed(&'static str),
    /// Something that base64 does not have.
    #[error("{got} at byte {at} of the field is not base64")]
    NotBase64 {
        /// The byte.
        got: String,
        /// Its offset, from 1.
        at: usize,
    },
}

impl EncodingProblem {
    /// How to mend it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty => {
                "the identity provider's form posts an empty field: look at its own log for the error that it met"
            }
            Self::BadEscape(_) => "a percent sign must be written %25: encode the form with a library",
            Self::Spaces => {
                "a `+` in a form is a space: the value must be percent-encoded (`%2B`) before it is posted, as every browser does"
            }
            Self::UrlAlphabet => "SAML uses standard base64: use the plain encoder, not the URL-safe one",
            Self::NoPadding => "something cut the `=` off the end: post the value as the identity provider wrote it",
            Self::NotCanonical => "the value was cut, joined or edited: post it as the identity provider wrote it",
            Self::PercentTwice => {
                "the value was percent-encoded before a client encoded it again: hand the raw base64 to the client"
            }
            Self::Base64Twice => "encode the XML once: the template that fills the form may do it too",
            Self::Compressed(_) => {
                "set the binding to HTTP-POST (authentik: Service Provider Binding = Post); DEFLATE belongs to the Redirect binding alone"
            }
            Self::NotBase64 { .. } => {
                "the value was cut or edited on its way: compare it with what the identity provider wrote"
            }
        }
    }
}

/// Decodes the value of a SAMLResponse field: base64 of the standard alphabet with canonical padding; line breaks may stand in it.
pub fn decode(mut field: Vec<u8>, limits: &Limits) -> Result<Vec<u8>, EncodingProblem> {
    // checked before it is decoded in its place: what is no base64 must still be there to be looked at
    if base64_simd::STANDARD.check(&field).is_err() {
        field.retain(|byte| !matches!(byte, b'\r' | b'\n'));
        if base64_simd::STANDARD.check(&field).is_err() {
            return Err(damage(&field));
        }
    }
    if field.is_empty() {
        return Err(EncodingProblem::Empty);
    }
    let length = base64_simd::STANDARD.decode_inplace(&mut field).map_or(0, |decoded| decoded.len());
    field.truncate(length);
    match disguise(&field, limits) {
        Some(problem) => Err(problem),
        None => Ok(field),
    }
}

/// What happened to base64 that is none.
fn damage(field: &[u8]) -> EncodingProblem {
    let decodes = |bytes: &[u8]| STANDARD.decode(bytes).is_ok();
    let with = |from: u8, to: u8| field.iter().map(|byte| if *byte == from { to } else { *byte }).collect::<Vec<_>>();
    let padded = |bytes: &[u8]| {
        let missing = (4 - bytes.len() % 4) % 4;
        [bytes, b"==".get(..missing).unwrap_or_default()].concat()
    };
    if field.contains(&b' ') && decodes(&padded(with(b' ', b'+').trim_ascii_end())) {
        return EncodingProblem::Spaces;
    }
    if URL_SAFE.decode(padded(field)).is_ok() {
        return EncodingProblem::UrlAlphabet;
    }
    if percent_decode(field).is_ok_and(|once| once.len() < field.len() && decodes(&padded(&once))) {
        return EncodingProblem::PercentTwice;
    }
    let end = field.iter().position(|byte| *byte == b'=').unwrap_or(field.len());
    let (body, padding) = field.split_at_checked(end).unwrap_or((field, &[]));
    let stray = |byte: &u8| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    if let Some(at) = body.iter().position(stray) {
        let got = body.get(at).map_or_else(String::new, |byte| format!("{:?}", char::from(*byte)));
        return EncodingProblem::NotBase64 { got, at: at + 1 };
    }
    if padding.is_empty() && body.len() % 4 != 1 && decodes(&padded(body)) {
        return EncodingProblem::NoPadding;
    }
    EncodingProblem::NotCanonical
}

/// What a decoded message is that does not begin as XML does. It is inflated, within bounds, to be named and for nothing else.
fn disguise(decoded: &[u8], limits: &Limits) -> Option<EncodingProblem> {
    let begins_as_xml = |bytes: &[u8]| {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        bytes.trim_ascii_start().starts_with(b"<")
    };
    if begins_as_xml(decoded) {
        return None;
    }
    let trimmed: Vec<u8> = decoded.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if STANDARD.decode(&trimmed).is_ok_and(|twice| begins_as_xml(&twice)) {
        return Some(EncodingProblem::Base64Twice);
    }
    if decoded.starts_with(&[0x1f, 0x8b, 8]) {
        return Some(EncodingProblem::Compressed("gzip"));
    }
    let inflates = |reader: &mut dyn std::io::Read| {
        let mut out = Vec::new();
        // an error further on does not matter: the beginning tells
        let _ = reader.take(limits.inflate_bytes as u64).read_to_end(&mut out);
        begins_as_xml(&out)
    };
    if inflates(&mut flate2::read::DeflateDecoder::new(decoded)) {
        Some(EncodingProblem::Compressed("DEFLATE"))
    } else if inflates(&mut flate2::read::ZlibDecoder::new(decoded)) {
        Some(EncodingProblem::Compressed("zlib"))
    } else {
        None
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use std::io::Write as _;

    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};

    use super::{EncodingProblem, decode};
    use crate::limits::Limits;

    // its base64 holds a plus sign, a slash and padding
    const XML: &str = "<a>\u{3fe}\u{3fe}~~~?????></a>";

    fn problem(field: impl AsRef<[u8]>) -> EncodingProblem {
        decode(field.as_ref().to_vec(), &Limits::default()).expect_err("damaged")
    }

    #[test]
    fn base64_is_standard_and_may_be_wrapped() {
        let plain = STANDARD.encode(XML);
        assert!(plain.contains('+') && plain.contains('/') && plain.ends_with('='), "{plain}");
        let (first, second) = plain.split_at(10);
        for field in [plain.clone(), format!("{first}\r\n{second}\n")] {
            assert_eq!(decode(field.into_bytes(), &Limits::default()).as_deref(), Ok(XML.as_bytes()));
        }
    }

    #[test]
    fn each_damage_is_named() {
        let plain = STANDARD.encode(XML);
        assert_eq!(problem(""), EncodingProblem::Empty);
        assert_eq!(problem(plain.replace('+', " ")), EncodingProblem::Spaces);
        assert_eq!(problem(URL_SAFE.encode(XML)), EncodingProblem::UrlAlphabet);
        assert_eq!(problem(STANDARD_NO_PAD.encode(XML)), EncodingProblem::NoPadding);
        assert_eq!(problem(plain.replace('+', "%2B").replace('=', "%3D")), EncodingProblem::PercentTwice);
        assert_eq!(problem(STANDARD.encode(&plain)), EncodingProblem::Base64Twice);
        assert_eq!(problem(format!("{plain}{plain}")), EncodingProblem::NotCanonical);
        assert_eq!(problem("PGE*"), EncodingProblem::NotBase64 { got: "'*'".to_owned(), at: 4 });
        // the unused bits of the last character are not zero
        assert_eq!(problem("PGE+PC9hPl=="), EncodingProblem::NotCanonical);
    }

    #[test]
    fn compressed_messages_are_named_and_never_read() {
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        deflate.write_all(XML.as_bytes()).expect("memory");
        assert_eq!(problem(STANDARD.encode(deflate.finish().expect("memory"))), EncodingProblem::Compressed("DEFLATE"));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(XML.as_bytes()).expect("memory");
        assert_eq!(problem(STANDARD.encode(gzip.finish().expect("memory"))), EncodingProblem::Compressed("gzip"));
    }
}
