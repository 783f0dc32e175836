//! The attributes of a start tag, as written ([XML 1.0 3.1]).

use super::chars::is_space;
use super::error::XmlProblem;

/// One attribute as written: nothing decoded, nothing resolved.
pub(super) struct RawAttribute<'t> {
    pub(super) name: &'t str,
    pub(super) value: &'t str,
    /// Offset of the name within the text that was given.
    pub(super) at: usize,
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

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) -> bool {
        let space = self.rest().bytes().take_while(|byte| is_space(*byte)).count();
        self.at += space;
        space > 0
    }

    fn syntax(&self, expected: &'static str) -> XmlProblem {
        XmlProblem::Syntax { expected, got: excerpt(self.rest()) }
    }

    /// The next attribute; an error carries the offset of its trouble.
    pub(super) fn next(&mut self) -> Result<Option<RawAttribute<'t>>, (XmlProblem, usize)> {
        let spaced = self.skip_space();
        if self.rest().is_empty() {
            return Ok(None);
        }
        if !spaced {
            return Err((self.syntax("white space before an attribute"), self.at));
        }
        let at = self.at;
        let len = self.rest().bytes().take_while(|byte| !is_space(*byte) && *byte != b'=').count();
        let name = self.rest().get(..len).unwrap_or_default();
        self.at += len;
        self.skip_space();
        if !self.rest().starts_with('=') {
            return Err((self.syntax("`=` and a value behind the name of an attribute"), self.at));
        }
        self.at += 1;
        self.skip_space();
        let quote = match self.rest().bytes().next() {
            Some(quote @ (b'"' | b'\'')) => quote,
            _ => return Err((self.syntax("a quoted value"), self.at)),
        };
        self.at += 1;
        let Some(len) = memchr::memchr(quote, self.rest().as_bytes()) else {
            return Err((self.syntax("the end of a quoted value"), self.at));
        };
        let value = self.rest().get(..len).unwrap_or_default();
        if let Some(found) = memchr::memchr(b'<', value.as_bytes()) {
            self.at += found;
            return Err((self.syntax("`&lt;` in the value of an attribute"), self.at));
        }
        self.at += len + 1;
        Ok(Some(RawAttribute { name, value, at }))
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
