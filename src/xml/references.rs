//! Character and entity references ([XML 1.0 4.1, 4.6]) and line ends ([XML 1.0 2.11]).

use super::chars::is_char;

/// The character of a reference, given without `&` and `;`. Only the five predefined entities exist.
pub(super) fn resolve(reference: &str) -> Option<char> {
    let c = match reference {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "apos" => '\'',
        "quot" => '"',
        _ => {
            let digits = reference.strip_prefix('#')?;
            let (digits, radix) = digits.strip_prefix('x').map_or((digits, 10), |hex| (hex, 16));
            // from_str_radix would take a sign
            if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
                return None;
            }
            char::from_u32(u32::from_str_radix(digits, radix).ok()?)?
        }
    };
    is_char(c).then_some(c)
}

/// Appends text with CR LF and single CR as LF.
pub(super) fn push_normalised(into: &mut String, text: &str) {
    let mut pieces = text.split('\r');
    into.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        if !piece.starts_with('\n') {
            into.push('\n');
        }
        into.push_str(piece);
    }
}

/// Appends the value of an attribute, normalised as CDATA ([XML 1.0 3.3.3]): written white space becomes spaces, references
/// stand for themselves. Gives back the reference that is none.
pub(super) fn push_attribute_value<'t>(into: &mut String, raw: &'t str) -> Result<(), &'t str> {
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '\t', '\n', '\r']) {
        let (before, found) = rest.split_at_checked(at).unwrap_or((rest, ""));
        into.push_str(before);
        rest = if let Some(reference) = found.strip_prefix('&') {
            let (name, after) = reference.split_once(';').ok_or(found)?;
            into.push(resolve(name).ok_or_else(|| found.get(..name.len() + 2).unwrap_or(found))?);
            after
        } else {
            into.push(' ');
            found.strip_prefix("\r\n").or_else(|| found.get(1..)).unwrap_or_default()
        };
    }
    into.push_str(rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{push_attribute_value, push_normalised, resolve};

    #[test]
    fn references_are_the_five_and_characters_that_xml_has() {
        assert_eq!(resolve("amp"), Some('&'));
        assert_eq!(resolve("#43"), Some('+'));
        assert_eq!(resolve("#x1F600"), Some('😀'));
        for bad in ["nbsp", "#", "#x", "#0", "#x1", "#xD800", "#x110000", "#+43", "#xFFFE", "#X41", "#4_3"] {
            assert_eq!(resolve(bad), None, "{bad}");
        }
    }

    #[test]
    fn line_ends_become_line_feeds() {
        let mut text = String::new();
        push_normalised(&mut text, "a\r\nb\rc\n\r\r\nd\r");
        assert_eq!(text, "a\nb\nc\n\n\nd\n");
    }

    #[test]
    fn written_white_space_in_a_value_is_a_space_and_a_reference_is_not() {
        let mut text = String::new();
        assert_eq!(push_attribute_value(&mut text, "a\tb\r\nc&#9;d&amp;#9;&#13;"), Ok(()));
        assert_eq!(text, "a b c\td&#9;\r");
        assert_eq!(push_attribute_value(&mut text, "x&nope;y"), Err("&nope;"));
        assert_eq!(push_attribute_value(&mut text, "x&nope"), Err("&nope"));
    }
}
