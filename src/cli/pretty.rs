//! XML indented for people. Works on the text, judges nothing, and gives up where the text is not well nested.

use std::fmt::Write as _;

use super::escape;

/// Elements within elements that are indented; deeper ones only by this much.
const DEEPEST: usize = 64;

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Open(&'a str),
    Empty(&'a str),
    Close(&'a str),
    /// Comment, processing instruction, DOCTYPE.
    Aside(&'a str),
    /// Character data, CDATA sections among it.
    Text(&'a str),
}

/// The text with one element a line; or what keeps it from being indented.
///
/// Blanks between elements are not kept; all other characters are, those that a terminal would act upon as character
/// references.
pub(super) fn indented(xml: &str) -> Result<String, String> {
    let tokens = tokens(xml)?;
    let mut out = String::with_capacity(xml.len() * 5 / 4);
    let mut open: Vec<&str> = Vec::new();
    let mut rest = tokens.as_slice();
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        let close = |tag: &str, open: &mut Vec<&str>| match open.pop() {
            Some(expected) if expected == name(tag) => Ok(()),
            Some(expected) => Err(format!("</{}> closes <{expected}>", name(tag))),
            None => Err(format!("</{}> closes nothing", name(tag))),
        };
        match *token {
            Token::Open(tag) => {
                indent(&mut out, open.len());
                out.push_str(tag);
                open.push(name(tag));
                // an element that holds text alone stays on its line
                let texts = after.iter().take_while(|token| matches!(token, Token::Text(_))).count();
                if let Some(Token::Close(end)) = after.get(texts) {
                    for token in after.iter().take(texts) {
                        if let Token::Text(text) = token {
                            out.push_str(text);
                        }
                    }
                    close(end, &mut open)?;
                    out.push_str(end);
                    rest = after.get(texts + 1..).unwrap_or_default();
                }
            }
            Token::Close(tag) => {
                close(tag, &mut open)?;
                indent(&mut out, open.len());
                out.push_str(tag);
            }
            Token::Text(text) if text.trim().is_empty() => {}
            Token::Text(text) => {
                indent(&mut out, open.len());
                out.push_str(text.trim());
            }
            Token::Empty(tag) | Token::Aside(tag) => {
                indent(&mut out, open.len());
                out.push_str(tag);
            }
        }
    }
    match open.pop() {
        Some(name) => Err(format!("<{name}> is not closed")),
        None => Ok(safe(&out)),
    }
}

/// The text as it is, but for characters that a terminal would act upon.
pub(super) fn safe(xml: &str) -> String {
    let mut out = String::with_capacity(xml.len() + 1);
    for character in xml.trim_end().chars() {
        if escape::is_unsafe(character) && !matches!(character, '\n' | '\t') {
            let _ = write!(out, "&#x{:X};", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out.push('\n');
    out
}

fn indent(out: &mut String, depth: usize) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.extend(std::iter::repeat_n("  ", depth.min(DEEPEST)));
}

fn name(tag: &str) -> &str {
    let tag = tag.trim_start_matches(['<', '/']);
    tag.split(|character: char| character.is_ascii_whitespace() || matches!(character, '/' | '>'))
        .next()
        .unwrap_or_default()
}

fn tokens(xml: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = xml.trim_start_matches('\u{feff}');
    while !rest.is_empty() {
        let (token, after) = token(rest).ok_or_else(|| {
            let line = xml.lines().count().saturating_sub(rest.lines().count()) + 1;
            format!("markup that begins in line {line} does not end")
        })?;
        tokens.push(token);
        rest = after;
    }
    Ok(tokens)
}

fn token(rest: &str) -> Option<(Token<'_>, &str)> {
    let until = |end: &str| rest.find(end).and_then(|at| rest.split_at_checked(at + end.len()));
    if rest.starts_with("<!--") {
        return until("-->").map(|(comment, after)| (Token::Aside(comment), after));
    }
    if rest.starts_with("<![CDATA[") {
        return until("]]>").map(|(section, after)| (Token::Text(section), after));
    }
    if rest.starts_with("<?") {
        return until("?>").map(|(instruction, after)| (Token::Aside(instruction), after));
    }
    if !rest.starts_with('<') {
        return rest
            .split_at_checked(rest.find('<').unwrap_or(rest.len()))
            .map(|(text, after)| (Token::Text(text), after));
    }
    let (tag, after) = rest.split_at_checked(end_of_tag(rest)?)?;
    let token = if tag.starts_with("<!") {
        Token::Aside(tag)
    } else if tag.starts_with("</") {
        Token::Close(tag)
    } else if tag.ends_with("/>") {
        Token::Empty(tag)
    } else {
        Token::Open(tag)
    };
    Some((token, after))
}

/// Behind the `>` that ends a tag: not one in quotes, nor one in the brackets of a DOCTYPE.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quote = None;
    let mut brackets = 0_usize;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (Some(mark), byte) if mark == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'[') => brackets += 1,
            (None, b']') => brackets = brackets.saturating_sub(1),
            (None, b'>') if brackets == 0 => return Some(at + 1),
            (None, _) => {}
        }
    }
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn elements_go_on_lines_of_their_own_and_texts_stay_with_theirs() {
        let xml = "<?xml version=\"1.0\"?><a x='1>2'><!-- c --><b>text &amp; <![CDATA[<raw>]]></b>\n\n<c/><d></d></a>";
        let expected = "<?xml version=\"1.0\"?>\n<a x='1>2'>\n  <!-- c -->\n  <b>text &amp; <![CDATA[<raw>]]></b>\n  <c/>\n  <d></d>\n</a>\n";
        assert_eq!(indented(xml).unwrap(), expected);
        assert_eq!(indented(expected).unwrap(), expected);
    }

    #[test]
    fn mixed_content_loses_nothing_but_blanks() {
        assert_eq!(indented("<a>one<b/>two</a>").unwrap(), "<a>\n  one\n  <b/>\n  two\n</a>\n");
    }

    #[test]
    fn line_breaks_within_a_value_are_kept() {
        let xml = "<X509Certificate>\nMII\nC\n</X509Certificate>";
        assert_eq!(indented(xml).unwrap(), format!("{xml}\n"));
    }

    #[test]
    fn what_is_not_well_nested_is_not_indented() {
        for (xml, why) in [
            ("<a><b></a>", "</a> closes <b>"),
            ("<a>", "<a> is not closed"),
            ("</a>", "</a> closes nothing"),
            ("<a>\n<b c=\"", "line 2"),
            ("<!-- a", "does not end"),
        ] {
            let error = indented(xml).unwrap_err();
            assert!(error.contains(why), "{xml}: {error}");
        }
    }

    #[test]
    fn what_a_terminal_would_act_upon_is_written_as_references() {
        assert_eq!(indented("<a>\u{9b}2J\u{202e}</a>").unwrap(), "<a>&#x9B;2J&#x202E;</a>\n");
        assert_eq!(safe("<a\u{1b}[0m\r\n"), "<a&#x1B;[0m\n");
    }

    #[test]
    fn a_doctype_with_an_internal_subset_is_one_piece() {
        let xml = "<!DOCTYPE a [<!ENTITY x \"]>\">]><a/>";
        assert_eq!(indented(xml).unwrap(), "<!DOCTYPE a [<!ENTITY x \"]>\">]>\n<a/>\n");
    }
}
