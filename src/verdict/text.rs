//! Sentences of a report that may quote a person: the quoted parts stay apart until somebody decides who reads them.

use std::borrow::Cow;
use std::fmt;

use crate::personal::Personal;

/// Who reads a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// The operator, on the operator's own files: personal values as they are.
    Personal,
    /// Everybody else: personal values as keyed short hashes.
    Hashed,
}

/// A sentence, part by part. Most have one part alone, which needs no list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    first: Option<Part>,
    more: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Plain(Cow<'static, str>),
    /// To be copied.
    Whole(String),
    Personal(Personal),
    /// The same, and how it is written where it is shown: one person has one hash, however the name is quoted.
    Written(Personal, Personal),
}

impl Text {
    /// A sentence that speaks of nobody.
    pub fn plain(text: impl Into<Cow<'static, str>>) -> Self {
        Self { first: Some(Part::Plain(text.into())), more: Vec::new() }
    }

    /// A value about a person.
    pub fn personal(text: impl Into<Box<str>>) -> Self {
        Self { first: Some(Part::Personal(Personal::new(text))), more: Vec::new() }
    }

    /// The sentence continued.
    #[must_use]
    pub fn then(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.push(Part::Plain(text.into()));
        self
    }

    /// The sentence continued with a value about a person.
    #[must_use]
    pub fn then_personal(mut self, text: impl Into<Box<str>>) -> Self {
        self.push(Part::Personal(Personal::new(text)));
        self
    }

    /// The sentence continued with a value about a person that is written another way, as for between the quotes of a command.
    #[must_use]
    pub fn then_personal_as(mut self, text: impl Into<Box<str>>, written: impl Into<Box<str>>) -> Self {
        self.push(Part::Written(Personal::new(text), Personal::new(written)));
        self
    }

    /// The sentence continued with another.
    #[must_use]
    pub fn then_text(mut self, text: Self) -> Self {
        text.first.into_iter().chain(text.more).for_each(|part| self.push(part));
        self
    }

    /// The same to be copied: half of a command does harm, and the certificate in one is longer than what is quoted elsewhere.
    #[must_use]
    pub fn whole(mut self) -> Self {
        for part in self.first.iter_mut().chain(&mut self.more) {
            if let Part::Plain(Cow::Owned(text)) = part {
                *part = Part::Whole(std::mem::take(text));
            }
        }
        self
    }

    fn push(&mut self, part: Part) {
        match self.first {
            Some(_) => self.more.push(part),
            None => self.first = Some(part),
        }
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.first.iter().chain(&self.more)
    }

    /// The sentence for this reader. What it quotes is cut after the first thousand characters.
    pub fn to_string_for(&self, show: Show) -> String {
        match show {
            Show::Hashed => self.to_string(),
            Show::Personal => self.parts().flat_map(Part::expose).collect(),
        }
    }
}

/// Characters of a quoted value that are shown. A response may hold 250,000 in one attribute; a report of them helps nobody.
const QUOTED: usize = 1_000;
/// Characters of a command; the certificate of an RSA key of 8192 bits has some 3,000.
const WHOLE: usize = 16_000;

impl Part {
    /// The text of it. Our own sentences are whole; made ones may quote.
    fn expose(&self) -> [&str; 2] {
        match self {
            Self::Plain(Cow::Borrowed(text)) => [text, ""],
            Self::Plain(Cow::Owned(text)) => cut(text, QUOTED),
            Self::Whole(text) => cut(text, WHOLE),
            Self::Personal(text) | Self::Written(_, text) => cut(text.expose(), QUOTED),
        }
    }
}

fn cut(text: &str, most: usize) -> [&str; 2] {
    match text.char_indices().nth(most).and_then(|(at, _)| text.get(..at)) {
        Some(beginning) => [beginning, "… (cut)"],
        None => [text, ""],
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().try_for_each(|part| match part {
            Part::Plain(_) | Part::Whole(_) => part.expose().into_iter().try_for_each(|piece| f.write_str(piece)),
            Part::Personal(text) | Part::Written(text, _) => fmt::Display::fmt(text, f),
        })
    }
}

impl From<Personal> for Text {
    fn from(personal: Personal) -> Self {
        Self { first: Some(Part::Personal(personal)), more: Vec::new() }
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self::plain(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{QUOTED, Show, Text};

    #[test]
    fn a_person_has_one_hash_however_the_name_is_written() {
        let (name, command) = (Text::personal("o'fifth"), Text::plain("").then_personal_as("o'fifth", "o''fifth"));
        assert_eq!(name.to_string(), command.to_string());
        assert_eq!(command.to_string_for(Show::Personal), "o''fifth");
    }

    #[test]
    fn long_quotations_are_cut_and_our_own_sentences_are_not() {
        let long = "é".repeat(QUOTED + 1);
        let cut = format!("{}… (cut)", "é".repeat(QUOTED));
        assert_eq!(Text::from(long.clone()).to_string(), cut);
        assert_eq!(Text::personal(long).to_string_for(Show::Personal), cut);
        let command = Text::from("é".repeat(3 * QUOTED)).then_personal("x").whole();
        assert_eq!(command.to_string_for(Show::Personal).chars().count(), 3 * QUOTED + 1);
        assert!(!command.to_string().ends_with('x'));
        let whole = "é".repeat(QUOTED);
        assert_eq!(Text::from(whole.clone()).to_string_for(Show::Hashed), whole);
    }
}
