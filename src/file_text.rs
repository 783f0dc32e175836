//! An operator's file as text: byte order marks, and the UTF-16 that Windows PowerShell writes.

use std::borrow::Cow;

/// The text of a file in UTF-8 or UTF-16, without its byte order mark.
///
/// Windows PowerShell 5.1 writes UTF-16LE with `>` and a UTF-8 mark with `Export-Csv -Encoding utf8`. UTF-16 without a mark
/// is known by its first character, which is ASCII in every format that this program reads.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, FileTextError> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest, bytes),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [first, 0, ..] if *first != 0 => utf16(bytes, u16::from_le_bytes),
        [0, second, ..] if *second != 0 => utf16(bytes, u16::from_be_bytes),
        _ => utf8(bytes, bytes),
    }
}

fn utf8<'a>(rest: &'a [u8], whole: &[u8]) -> Result<Cow<'a, str>, FileTextError> {
    std::str::from_utf8(rest).map(Cow::Borrowed).map_err(|error| {
        let offset = whole.len() - rest.len() + error.valid_up_to();
        let before = rest.get(..error.valid_up_to()).unwrap_or_default();
        FileTextError::NotUtf8 { line: before.iter().filter(|byte| **byte == b'\n').count() + 1, offset }
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, str>, FileTextError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(FileTextError::HalfUnit { bytes: bytes.len() });
    }
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .enumerate()
        .map(|(at, decoded)| decoded.map_err(|_| FileTextError::NotUtf16 { character: at + 1 }))
        .collect::<Result<String, _>>()
        .map(Cow::Owned)
}

/// Why a file is not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileTextError {
    /// Bytes that are not UTF-8; a Windows code page, as a rule.
    #[error("expected UTF-8 or UTF-16 text, got something else in line {line} (byte {offset})")]
    NotUtf8 {
        /// Line, from 1.
        line: usize,
        /// Offset of the first bad byte in the file, from 0.
        offset: usize,
    },
    /// A lone surrogate.
    #[error("expected UTF-16 text, got half a character at character {character}")]
    NotUtf16 {
        /// Which character, from 1.
        character: usize,
    },
    /// An odd number of bytes.
    #[error("expected UTF-16 text, got {bytes} bytes, which is odd")]
    HalfUnit {
        /// Bytes behind the byte order mark.
        bytes: usize,
    },
}

impl FileTextError {
    /// How to mend it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotUtf8 { .. } => "write the file with `-Encoding utf8` (PowerShell) or save it as UTF-8",
            Self::NotUtf16 { .. } | Self::HalfUnit { .. } => {
                "the file is cut short or was patched together: write it again"
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{FileTextError, decode};

    #[test]
    fn every_encoding_of_powershell_gives_the_same_text() {
        let text = "{\"Ä\": 1}";
        let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked = |mark: &[u8], rest: &[u8]| [mark, rest].concat();
        let files = [
            text.as_bytes().to_vec(),
            marked(&[0xef, 0xbb, 0xbf], text.as_bytes()),
            marked(&[0xff, 0xfe], &le),
            marked(&[0xfe, 0xff], &be),
            le,
            be,
        ];
        for file in files {
            assert_eq!(decode(&file).unwrap(), text);
        }
        assert_eq!(decode(b"").unwrap(), "");
    }

    #[test]
    fn a_code_page_is_named_with_its_line() {
        assert_eq!(decode(b"a\nb\xe4c"), Err(FileTextError::NotUtf8 { line: 2, offset: 3 }));
        assert!(matches!(decode(&[0xff, 0xfe, 0x41]), Err(FileTextError::HalfUnit { bytes: 1 })));
        assert!(matches!(decode(&[0xff, 0xfe, 0x00, 0xd8]), Err(FileTextError::NotUtf16 { character: 1 })));
    }
}
