//! Strings that come again and again (prefixes, namespace URIs) as small numbers.

use std::collections::HashMap;

/// Strings by number. Looking one up costs the same whatever a hostile document declares: the first few are compared one by
/// one, which is what real documents need, all others are found by hash.
#[derive(Debug, Default)]
pub(super) struct Interner {
    strings: Vec<Box<str>>,
    by_text: HashMap<Box<str>, u32>,
}

const COMPARED: usize = 8;

impl Interner {
    pub(super) fn with(known: &[&str]) -> Self {
        let mut interner = Self::default();
        for text in known {
            interner.intern(text);
        }
        interner
    }

    /// The number of this string, if it has one.
    pub(super) fn find(&self, text: &str) -> Option<u32> {
        let first = self.strings.iter().take(COMPARED).position(|known| **known == *text);
        match first.and_then(|index| u32::try_from(index).ok()) {
            None if self.strings.len() > COMPARED => self.by_text.get(text).copied(),
            found => found,
        }
    }

    /// The number of this string, from now on.
    pub(super) fn intern(&mut self, text: &str) -> u32 {
        if let Some(id) = self.find(text) {
            return id;
        }
        let id = u32::try_from(self.strings.len()).unwrap_or(u32::MAX);
        if self.strings.len() >= COMPARED {
            self.by_text.insert(text.into(), id);
        }
        self.strings.push(text.into());
        id
    }

    pub(super) fn text(&self, id: u32) -> &str {
        self.strings.get(id as usize).map_or("", |text| text)
    }

    pub(super) fn len(&self) -> usize {
        self.strings.len()
    }
}
