//! Which characters and names XML has ([XML 1.0 2.2, 2.3], [Namespaces 4]).

/// White space of XML.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Whether XML 1.0 has this character at all.
pub(super) fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// What is to be known of all characters of a document.
pub(super) struct Survey {
    /// Offset of the first one that XML 1.0 does not have.
    pub(super) bad: Option<usize>,
    /// Whether there is a carriage return.
    pub(super) returns: bool,
}

/// Looks at every character.
pub(super) fn survey(text: &str) -> Survey {
    // One sweep over the bytes without a branch finds nothing in nearly every document; only then is it looked at by character.
    let (mut suspect, mut returns) = (0, 0);
    for byte in text.bytes() {
        suspect |=
            u8::from((byte < 0x20) & (byte != b'\t') & (byte != b'\n') & (byte != b'\r')) | u8::from(byte == 0xef);
        returns |= u8::from(byte == b'\r');
    }
    let by_character = || text.char_indices().find(|(_, c)| !is_char(*c)).map(|(at, _)| at);
    Survey { bad: if suspect == 0 { None } else { by_character() }, returns: returns != 0 }
}

fn is_name_start(c: char) -> bool {
    matches!(c,
        'A'..='Z' | 'a'..='z' | '_' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

fn is_name_char(c: char) -> bool {
    is_name_start(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// What an ASCII character may be in a name without a colon.
#[derive(Clone, Copy, PartialEq)]
enum InName {
    No,
    Further,
    Start,
}

/// The part of each byte.
static IN_NAME: [InName; 256] = {
    let mut all = [InName::No; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        #[expect(clippy::indexing_slicing, reason = "the compiler computes it, and would refuse what is out of bounds")]
        let slot = &mut all[byte as usize];
        *slot = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => InName::Start,
            b'0'..=b'9' | b'-' | b'.' => InName::Further,
            _ => InName::No,
        };
        byte += 1;
    }
    all
};

fn in_name(byte: u8) -> InName {
    IN_NAME.get(usize::from(byte)).copied().unwrap_or(InName::No)
}

/// Length of the ASCII name without a colon that `text` begins with, if it begins with one.
fn ascii_ncname(text: &[u8]) -> Option<usize> {
    text.first().filter(|first| in_name(**first) == InName::Start)?;
    Some(text.iter().position(|byte| in_name(*byte) == InName::No).unwrap_or(text.len()))
}

/// A name of ASCII characters with one prefix at most, as nearly every one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AsciiName {
    pub(super) len: usize,
    /// Where its local part begins.
    pub(super) local_at: usize,
}

/// The name that `text` begins with; none where it begins with no such one. What follows it is not judged, and may belong to a
/// name that is not ASCII.
pub(super) fn ascii_name(text: &[u8]) -> Option<AsciiName> {
    let first = ascii_ncname(text)?;
    if text.get(first) != Some(&b':') {
        return Some(AsciiName { len: first, local_at: 0 });
    }
    let local_at = first + 1;
    let len = local_at + ascii_ncname(text.get(local_at..)?)?;
    (text.get(len) != Some(&b':')).then_some(AsciiName { len, local_at })
}

/// Whether this is a name without a colon.
pub(crate) fn is_ncname(name: &str) -> bool {
    // nearly every name is ASCII
    if let Some(length) = ascii_ncname(name.as_bytes())
        && length == name.len()
    {
        return true;
    }
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
}

#[cfg(test)]
mod tests {
    use super::{AsciiName, ascii_name, is_ncname, survey};

    #[test]
    fn names_are_those_of_the_recommendation() {
        for good in ["_", "a-1", "é", "ID_x.y", "𐐀"] {
            assert!(is_ncname(good), "{good}");
        }
        for bad in ["", "1a", "-a", "a:b", "a b", "\u{d7}", "a\u{37e}"] {
            assert!(!is_ncname(bad), "{bad}");
        }
    }

    #[test]
    fn names_of_ascii_are_cut_off_what_follows() {
        let known = |len, local_at| Some(AsciiName { len, local_at });
        assert_eq!(ascii_name(b"saml:Issuer Format"), known(11, 5));
        assert_eq!(ascii_name(b"a1=\"\""), known(2, 0));
        // the tail is for the caller to look at
        assert_eq!(ascii_name("aé".as_bytes()), known(1, 0));
        for bad in ["", " a", "1a", ":a", "a:", "a: b", "a:1", "a:b:c", "é"] {
            assert_eq!(ascii_name(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn characters_that_xml_lacks_are_found() {
        let bad = |text| survey(text).bad;
        assert_eq!(bad("a\tb\r\n\u{fffd}\u{feff}"), None);
        assert_eq!(bad("ab\u{1}"), Some(2));
        assert_eq!(bad("é\u{fffe}"), Some(2));
        assert_eq!(bad("\u{ffff}"), Some(0));
        assert!(survey("é\r").returns && !survey("a\t\n").returns);
    }
}
