//! The source cut into tokens ([XML 1.0 2.4-2.7, 3.1, 4.1]): where each begins and ends, and nothing of what it means.
//!
//! quick-xml's parsers find where markup ends. Its `Reader` around them would check the UTF-8 of each token again, and copy
//! the names of open elements, both of which were half the time of a parse.

use quick_xml::parser::{CommentParser, ElementParser, Parser, PiParser};

use super::chars::{AsciiName, ascii_name};
use super::error::XmlProblem;
use super::parse::Located;
use super::tag::excerpt;

/// A token, without its delimiters.
pub(super) enum Token<'t> {
    /// Character data up to the next markup or reference, and whether it holds a `>`.
    Text(&'t str, bool),
    /// What stands between `&` and `;`.
    Reference(&'t str),
    /// What stands in a CDATA section.
    Cdata(&'t str),
    /// What stands in a comment.
    Comment(&'t str),
    /// An instruction, or the XML declaration, from its target on.
    Instruction(&'t str),
    /// A start tag from its name on, and that name where it is a plain one.
    Start(&'t str, Option<AsciiName>),
    /// The tag of an empty element from its name on, and that name where it is a plain one.
    Empty(&'t str, Option<AsciiName>),
    /// An end tag from its name on.
    End(&'t str),
}

/// The token at an offset, and where the next one begins; none at the end.
pub(super) fn token(source: &str, at: usize) -> Located<Option<(Token<'_>, usize)>> {
    let rest = source.get(at..).unwrap_or_default();
    let unended = |what: &'static str| {
        let problem = XmlProblem::Syntax { expected: "well-formed XML", got: format!("{what} that does not end") };
        (problem, at)
    };
    // what stands between two delimiters, and where the token ends
    let between = |open: usize, length: Option<usize>, close: usize| {
        let content = rest.get(open..open + length?)?;
        Some((content, at + open + content.len() + close))
    };
    let (token, end) = match rest.as_bytes() {
        [] => return Ok(None),
        [b'<', b'/', tag @ ..] => {
            let (name, end) = between(2, memchr::memchr(b'>', tag), 1).ok_or_else(|| unended("an end tag"))?;
            (Token::End(name), end)
        }
        [b'<', b'?', instruction @ ..] => {
            // the parser finds the `>`
            let length = PiParser::default().feed(instruction).and_then(|close| close.checked_sub(1));
            let (content, end) = between(2, length, 2).ok_or_else(|| unended("an instruction"))?;
            (Token::Instruction(content), end)
        }
        [b'<', b'!', b'-', b'-', comment @ ..] => {
            // the parser finds what follows the `>`
            let length = CommentParser::default().feed(comment).and_then(|after| after.checked_sub(3));
            let (content, end) = between(4, length, 3).ok_or_else(|| unended("a comment"))?;
            (Token::Comment(content), end)
        }
        [b'<', b'!', b'[', b'C', b'D', b'A', b'T', b'A', b'[', data @ ..] => {
            let length = memchr::memmem::find(data, b"]]>");
            let (content, end) = between(9, length, 3).ok_or_else(|| unended("a CDATA section"))?;
            (Token::Cdata(content), end)
        }
        [b'<', b'!', ..] => return Err((other_declaration(rest), at).into()),
        [b'<', tag @ ..] => {
            let name = ascii_name(tag);
            // most tags have no attributes: nothing in them can hide their end
            let alone = name.map(|name| name.len).filter(|len| tag.get(*len) == Some(&b'>'));
            let length = alone.or_else(|| ElementParser::default().feed(tag));
            let (content, end) = between(1, length, 1).ok_or_else(|| unended("a tag"))?;
            let token = match content.strip_suffix('/') {
                None => Token::Start(content, name),
                Some(content) => Token::Empty(content, name),
            };
            (token, end)
        }
        [b'&', reference @ ..] => {
            let length = memchr::memchr3(b';', b'&', b'<', reference).filter(|end| reference.get(*end) == Some(&b';'));
            let (name, end) = between(1, length, 1).ok_or_else(|| unended("a reference"))?;
            (Token::Reference(name), end)
        }
        text => {
            let end = |text: &[u8]| memchr::memchr2(b'<', b'&', text).unwrap_or(text.len());
            // hardly any text holds a `>`: the end of nearly every one is found by the search for it
            let found = memchr::memchr3(b'<', b'&', b'>', text).unwrap_or(text.len());
            let greater = text.get(found) == Some(&b'>');
            let length = if greater { found + end(text.get(found..).unwrap_or_default()) } else { found };
            (Token::Text(rest.get(..length).unwrap_or_default(), greater), at + length)
        }
    };
    Ok(Some((token, end)))
}

/// `<!` that begins neither a comment nor a CDATA section.
fn other_declaration(rest: &str) -> XmlProblem {
    const DOCTYPE: &str = "<!DOCTYPE";
    if rest.get(..DOCTYPE.len()).is_some_and(|keyword| keyword.eq_ignore_ascii_case(DOCTYPE)) {
        return XmlProblem::Doctype;
    }
    XmlProblem::Syntax { expected: "well-formed XML", got: excerpt(rest) }
}
