//! The forms that an ImmutableId takes by mistake, each turned back into what it should have been.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
/// The standard alphabet, with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);

/// Base64 as Entra Connect writes it.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// What base64 holds, with padding or without.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// The other byte order of a GUID: its first three fields are little-endian in `Guid.ToByteArray()`, big-endian in text.
pub(crate) fn swapped(guid: [u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = guid;
    let mut out = [d, c, b, a, f, e, h, g, 0, 0, 0, 0, 0, 0, 0, 0];
    for (to, from) in out.iter_mut().skip(8).zip(rest) {
        *to = from;
    }
    out
}

/// The bytes of a GUID or of 16 bytes in hexadecimal digits, in the order written: `{f7cc…-…}`, `urn:uuid:…`, `0xF7CC…`,
/// `\F7\CC…`, `F7 CC …`. The flag tells whether it was grouped like a GUID.
pub(super) fn hexadecimal(text: &str) -> Option<([u8; 16], bool)> {
    let text = text.trim().trim_start_matches("urn:uuid:").trim_start_matches("0x");
    let grouped = text.matches('-').count() == 4;
    let mut out = [0u8; 16];
    let mut digits = 0;
    for c in text.chars().filter(|c| !matches!(c, '-' | '{' | '}' | '(' | ')' | '\\' | ' ' | ':')) {
        let digit = u8::try_from(c.to_digit(16)?).ok()?;
        let byte = out.get_mut(digits / 2)?;
        *byte = *byte << 4 | digit;
        digits += 1;
    }
    (digits == 32).then_some((out, grouped))
}

/// Text with escapes of the given kind resolved; none when there is not one of them.
pub(super) fn unescaped(text: &str) -> Option<(String, &'static str)> {
    let percent = |rest: &str| hex_pair(rest.strip_prefix('%')?).map(|c| (c, 3));
    let dotted = |rest: &str| {
        ["2B", "2F", "3D"]
            .into_iter()
            .find(|code| rest.get(1..3).is_some_and(|pair| pair.eq_ignore_ascii_case(code)) && rest.starts_with('.'))
            .and_then(hex_pair)
            .map(|c| (c, 3))
    };
    let entity = |rest: &str| {
        let (name, _) = rest.strip_prefix('&')?.split_once(';')?;
        let c = match name.strip_prefix('#') {
            Some(number) => {
                let hex = number.strip_prefix(['x', 'X']);
                let code = hex.map_or_else(|| number.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())?;
                char::from_u32(code)?
            }
            None => match name {
                "amp" => '&',
                "plus" => '+',
                "sol" => '/',
                "equals" => '=',
                _ => return None,
            },
        };
        Some((c, name.len() + 2))
    };
    type Escape<'e> = (&'static str, &'e dyn Fn(&str) -> Option<(char, usize)>);
    let escapes: [Escape<'_>; 3] = [("percent", &percent), ("dot", &dotted), ("XML", &entity)];
    escapes.into_iter().find_map(|(kind, escape)| {
        let once = replaced(text, escape)?;
        // escaped twice is a common fault of chains of proxies
        Some((replaced(&once, escape).unwrap_or(once), kind))
    })
}

fn hex_pair(rest: &str) -> Option<char> {
    let byte = u8::from_str_radix(rest.get(..2)?, 16).ok()?;
    byte.is_ascii().then(|| char::from(byte))
}

fn replaced(text: &str, escape: impl Fn(&str) -> Option<(char, usize)>) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut any = false;
    while let Some(c) = rest.chars().next() {
        let (c, len) = escape(rest).inspect(|_| any = true).unwrap_or((c, c.len_utf8()));
        out.push(c);
        rest = rest.get(len..).unwrap_or_default();
    }
    any.then_some(out)
}

/// Base64 with the alphabet of URLs as the standard one, padded.
pub(super) fn from_url_alphabet(text: &str) -> Option<String> {
    text.contains(['-', '_']).then(|| padded(&text.replace('-', "+").replace('_', "/")))
}

/// Base64 with as much padding as belongs to it.
pub(super) fn padded(text: &str) -> String {
    let mut out = text.trim_end_matches('=').to_owned();
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}

/// Text within base64, in UTF-8 or UTF-16LE.
pub(super) fn text_within(text: &str) -> Option<String> {
    let bytes = decode(text)?;
    let (pairs, rest) = bytes.as_chunks::<2>();
    if rest.is_empty() && pairs.iter().all(|[_, high]| *high == 0) {
        return Some(pairs.iter().map(|[low, _]| char::from(*low)).collect());
    }
    String::from_utf8(bytes).ok()
}

/// The text as ASCII, where it is ASCII but for characters that nobody sees, other blanks, and look-alikes.
pub(super) fn without_disguise(text: &str) -> Option<String> {
    const CYRILLIC_GREEK: &str =
        "АAВBЕEКKМMНHОOРPСCТTХXІIЈJЅSаaеeоoрpсcуyхxіiјjѕsԁdһhԛqԝwΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXοoνv";
    let plain = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        '\u{2044}' | '\u{2215}' => Some('/'),
        _ => {
            let mut pairs = CYRILLIC_GREEK.chars();
            std::iter::from_fn(|| Some((pairs.next()?, pairs.next()?))).find(|(like, _)| *like == c).map(|(_, c)| c)
        }
    };
    let hidden = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
    };
    let out: String = text.chars().filter(|c| !hidden(*c)).map(|c| plain(c).unwrap_or(c)).collect();
    (out != text).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_in_the_order_written() {
        let raw = [0xf7, 0xcc, 0x07, 0xd7, 0x7c, 0x15, 0x44, 0x7d, 0x87, 0x6d, 0xc0, 0x1b, 0x0e, 0x5a, 0x9e, 0x38];
        for text in ["f7cc07d7-7c15-447d-876d-c01b0e5a9e38", "{F7CC07D7-7C15-447D-876D-C01B0E5A9E38}"] {
            assert_eq!(hexadecimal(text), Some((raw, true)));
        }
        for text in
            ["0xf7cc07d77c15447d876dc01b0e5a9e38", "\\f7\\cc\\07\\d7\\7c\\15\\44\\7d\\87\\6d\\c0\\1b\\0e\\5a\\9e\\38"]
        {
            assert_eq!(hexadecimal(text), Some((raw, false)));
        }
        for text in ["", "f7cc", "f7cc07d7-7c15-447d-876d-c01b0e5a9e3800", "ä7cc07d7-7c15-447d-876d-c01b0e5a9e38"] {
            assert_eq!(hexadecimal(text), None);
        }
        assert_eq!(encode(&swapped(raw)), "1wfM9xV8fUSHbcAbDlqeOA==");
        assert_eq!(swapped(swapped(raw)), raw);
    }

    #[test]
    fn escapes_are_resolved_one_kind_at_a_time() {
        let cases = [
            ("a%2Bb%3d", Some("a+b=")),
            ("a%252Bb", Some("a+b")),
            ("a.2Bb.3D", Some("a+b=")),
            ("a&#43;b&#x3D;", Some("a+b=")),
            ("a&amp;#43;b", Some("a+b")),
            ("a.2", None),
            ("a%", None),
            ("ä%zz&x", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(unescaped(text).as_ref().map(|(text, _)| text.as_str()), wanted, "{text}");
        }
    }

    #[test]
    fn disguises_are_taken_off() {
        assert_eq!(without_disguise("\u{feff}а\u{200b}b\u{a0}＝").as_deref(), Some("ab="));
        assert_eq!(without_disguise("ab="), None);
    }
}
