//! The attributes of a start tag, as written ([XML 1.0 3.1]).

use super::chars::{ascii_name, is_space};
use super::error::XmlProblem;

/// One attribute as written: nothing decoded, nothing resolved.
#[derive(Clone, Copy)]
pub(super) struct RawAttribute<'t> {
    pub(super) name: &'t str,
    /// Where its local part begins, if the name is known to be one.
    pub(super) local_at: Option<usize>,
    pub(super) value: &'t str,
    /// Offset of the name within the text that was given.
    pub(super) at: usize,
    /// Offset of the value.
    pub(super) value_at: usize,
    /// Whether it stands between double quotes, and so holds none.
    pub(super) in_double_quotes: bool,
    /// Whether one space stands before it, nothing around its `=`, and its value between double quotes.
    pub(super) bare: bool,
}

impl<'t> RawAttribute<'t> {
    /// The prefix that this declares, if it is a namespace declaration; empty for the default namespace.
    pub(super) fn declares(&self) -> Option<&'t str> {
        let rest = self.name.strip_prefix("xmlns")?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix(':') }
    }
}

/// Takes attributes off what follows the name of a tag, one by one.
pub(super) struct RawAttributes<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> RawAttributes<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'t [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Goes on to the first byte that is none of these.
    fn skip(&mut self, these: impl Fn(u8) -> bool) {
        let rest = self.rest();
        self.at += rest.iter().position(|byte| !these(*byte)).unwrap_or(rest.len());
    }

    fn syntax<T>(&self, expected: &'static str) -> Result<T, (XmlProblem, usize)> {
        let got = excerpt(self.text.get(self.at..).unwrap_or_default());
        Err((XmlProblem::Syntax { expected, got }, self.at))
    }

    /// The next attribute; an error carries the offset of its trouble.
    pub(super) fn next(&mut self) -> Result<Option<RawAttribute<'t>>, (XmlProblem, usize)> {
        let before = self.at;
        self.skip(is_space);
        if self.rest().is_empty() {
            return Ok(None);
        }
        if self.at == before {
            return self.syntax("white space before an attribute");
        }
        let at = self.at;
        let known = ascii_name(self.rest());
        self.at += known.map_or(0, |name| name.len);
        let known_to = self.at;
        self.skip(|byte| !is_space(byte) && byte != b'=');
        let local_at = known.filter(|_| self.at == known_to).map(|name| name.local_at);
        let name = self.text.get(at..self.at).unwrap_or_default();
        self.skip(is_space);
        if self.rest().first() != Some(&b'=') {
            return self.syntax("`=` and a value behind the name of an attribute");
        }
        self.at += 1;
        self.skip(is_space);
        let Some(quote @ (b'"' | b'\'')) = self.rest().first().copied() else {
            return self.syntax("a quoted value");
        };
        self.at += 1;
        let value_at = self.at;
        let Some(len) = memchr::memchr2(quote, b'<', self.rest()) else {
            return self.syntax("the end of a quoted value");
        };
        self.at += len;
        if self.rest().first() == Some(&b'<') {
            return self.syntax("`&lt;` in the value of an attribute");
        }
        let value = self.text.get(value_at..self.at).unwrap_or_default();
        self.at += 1;
        let in_double_quotes = quote == b'"';
        let one_space = at == before + 1 && self.text.as_bytes().get(before) == Some(&b' ');
        let bare = one_space && value_at == at + name.len() + 2 && in_double_quotes;
        Ok(Some(RawAttribute { name, local_at, value, at, value_at, in_double_quotes, bare }))
    }
}

/// The beginning of hostile text, short enough for a sentence.
pub(super) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.is_empty() {
        return "the end".to_owned();
    }
    let short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() { format!("`{short}…`") } else { format!("`{short}`") }
}
