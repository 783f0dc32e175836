//! What an input is, by the look of it; and texts of other encodings brought to UTF-8.

use std::borrow::Cow;

use super::form;

/// What the bytes of an input look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// XML.
    Xml,
    /// The body of a form post with a message in it.
    Form,
    /// JSON, of a browser's recording.
    Json,
    /// Anything else is taken for base64.
    Base64,
}

/// The shape of an input, by its first bytes and the names of its fields.
pub(super) fn shape(bytes: &[u8]) -> Shape {
    // UTF-16 XML may do without a mark
    if let [0, b'<', ..] | [b'<', 0, ..] = bytes {
        return Shape::Xml;
    }
    let text = text(bytes);
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'<') => Shape::Xml,
        Some(b'{') => Shape::Json,
        _ if form::holds_a_message(&text) => Shape::Form,
        _ => Shape::Base64,
    }
}

/// The text of a file as UTF-8, without a byte order mark. What has no mark is left as it is, whatever it may be.
///
/// Windows PowerShell writes UTF-16 with a mark when a value is sent to a file.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, [u8]> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(rest),
        [0xff, 0xfe, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)),
        _ => Cow::Borrowed(bytes),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut text: String = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .map(|decoded| decoded.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    if !odd.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16le(text: &str) -> Vec<u8> {
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
    }

    #[test]
    fn inputs_are_known_by_their_look() {
        assert_eq!(shape(b"<samlp:Response/>"), Shape::Xml);
        assert_eq!(shape(b"\xef\xbb\xbf\n <a/>"), Shape::Xml);
        assert_eq!(shape(b"<\0a\0"), Shape::Xml);
        assert_eq!(shape(&utf16le("<a/>")), Shape::Xml);
        assert_eq!(shape(b"PHNhbWxwOlJlc3BvbnNlPg=="), Shape::Base64);
        assert_eq!(shape(b"RelayState=&SAMLResponse=PHNh"), Shape::Form);
        assert_eq!(shape(b"\xef\xbb\xbf  {\"log\":{}}"), Shape::Json);
        assert_eq!(shape(&utf16le("SAMLResponse=PHNh")), Shape::Form);
        assert_eq!(shape(b""), Shape::Base64);
    }

    #[test]
    fn texts_of_windows_are_brought_to_utf8() {
        assert_eq!(text(&utf16le("PHNh")), b"PHNh".as_slice());
        assert_eq!(text(b"\xfe\xff\0P\0H"), b"PH".as_slice());
        assert_eq!(text(b"\xef\xbb\xbfPHNh"), b"PHNh".as_slice());
        assert_eq!(text(b"\xff\xfeP\0H"), "P\u{fffd}".as_bytes());
    }
}
