//! How canonical forms escape text and the values of attributes ([xml-c14n 2.3]).

use super::canonical::{Overflow, Sink};

/// In text nodes.
pub(super) fn text_escape(byte: u8) -> Option<&'static str> {
    match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    }
}

/// In attribute nodes.
pub(super) fn attribute_escape(byte: u8) -> Option<&'static str> {
    match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#x9;"),
        b'\n' => Some("&#xA;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    }
}

/// Writes text with what must be escaped in it.
pub(super) fn escape_into(
    sink: &mut impl Sink,
    text: &str,
    escaped: impl Fn(u8) -> Option<&'static str>,
) -> Result<(), Overflow> {
    let mut rest = text.as_bytes();
    while let Some((at, replacement)) =
        rest.iter().enumerate().find_map(|(at, byte)| escaped(*byte).map(|replacement| (at, replacement)))
    {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        sink.write(before)?;
        sink.write(replacement.as_bytes())?;
        rest = after.get(1..).unwrap_or_default();
    }
    sink.write(rest)
}
