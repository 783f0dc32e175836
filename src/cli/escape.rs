//! Hostile text made safe for terminals, cut and wrapped.

use std::fmt::Write as _;

/// Whether a character can move the cursor, hide, or turn the direction of what is read.
pub(super) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One line: every control, invisible or direction character is shown as an escape.
pub(super) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            character if is_unsafe(character) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
            character => out.push(character),
        }
    }
    out
}

/// Several lines: as [`line()`], but line breaks stay.
pub(super) fn lines(text: &str) -> String {
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A value of at most `limit` characters: the middle of a longer one is left out, and how much of it.
pub(super) fn cut(text: &str, limit: usize) -> String {
    let count = text.chars().count();
    if count <= limit {
        return text.to_owned();
    }
    let left_out = format!(" …{} characters… ", count - limit);
    let head: String = text.chars().take(limit.div_ceil(2)).collect();
    let tail: String = text.chars().skip(count - limit / 2).collect();
    head + &left_out + &tail
}

/// Text in lines of at most `width` characters where blanks allow, each after the first behind `indent` blanks.
/// The first line begins at column `indent` too, but its blanks are the caller's. A line that begins with a blank is a
/// command or a value to be copied, and stays whole.
pub(super) fn wrap(text: &str, indent: usize, width: usize) -> String {
    let room = width.saturating_sub(indent).max(20);
    let mut out = String::new();
    let fresh = format!("\n{}", " ".repeat(indent));
    for (index, paragraph) in text.split('\n').enumerate() {
        if index > 0 {
            out.push_str(&fresh);
        }
        if paragraph.starts_with(' ') {
            out.push_str(paragraph.trim_end());
            continue;
        }
        let mut column = 0;
        for (index, word) in paragraph.split_ascii_whitespace().enumerate() {
            let length = word.chars().count();
            if index > 0 && column + 1 + length > room {
                out.push_str(&fresh);
                column = 0;
            } else if index > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            column += length;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_or_hides_reaches_the_terminal() {
        let hostile = "a\u{1b}[2J\u{9b}31m\u{7}b\u{202e}c\u{200b}d\u{2066}e\r\nACCEPTED\u{7f}\u{feff}\u{e0041}";
        let shown = line(hostile);
        assert!(!shown.chars().any(is_unsafe), "{shown}");
        assert!(shown.contains("\\u{1b}[2J"));
        assert!(shown.contains("\\r\\nACCEPTED"));
    }

    #[test]
    fn plain_text_of_any_script_stays_as_it_is() {
        assert_eq!(line("Müller 東京 · 👋"), "Müller 東京 · 👋");
    }

    #[test]
    fn a_long_value_keeps_its_ends() {
        let long = format!("{}{}", "a".repeat(100), "b".repeat(100));
        let shown = cut(&long, 20);
        assert_eq!(shown, "aaaaaaaaaa …180 characters… bbbbbbbbbb");
        assert_eq!(cut("short", 20), "short");
        assert_eq!(cut("ééééé", 3), "éé …2 characters… é");
    }

    #[test]
    fn lines_are_wrapped_at_blanks_and_indented() {
        assert_eq!(wrap("one two three four five", 4, 24), "one two three four\n    five");
        assert_eq!(wrap("a\n  b c", 2, 80), "a\n    b c");
        assert_eq!(wrap("do\n  a command of many words", 0, 20), "do\n  a command of many words");
        let unbroken = "x".repeat(90);
        assert_eq!(wrap(&unbroken, 4, 24), unbroken);
    }
}
