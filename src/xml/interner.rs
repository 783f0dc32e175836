//! Strings that come again and again (prefixes, namespace URIs) as small numbers.

use std::collections::HashMap;

use smallvec::SmallVec;

/// Strings by number. Looking one up costs the same whatever a hostile document declares: the first few are compared one by
/// one, which is what real documents need, all others are found by hash.
#[derive(Debug, Default)]
pub(super) struct Interner {
    /// All strings in a row.
    text: String,
    /// Where each one ends.
    ends: SmallVec<[usize; COMPARED]>,
    by_text: HashMap<Box<str>, u32>,
}

const COMPARED: usize = 24;

impl Interner {
    pub(super) fn with(known: &[&str]) -> Self {
        let mut interner = Self { text: String::with_capacity(512), ends: SmallVec::new(), by_text: HashMap::new() };
        for text in known {
            interner.intern(text);
        }
        interner
    }

    /// The number of this string, if it has one.
    pub(super) fn find(&self, wanted: &str) -> Option<u32> {
        let mut start = 0;
        for (id, end) in (0..).zip(self.ends.iter().take(COMPARED)) {
            if end - start == wanted.len() && self.text.get(start..*end) == Some(wanted) {
                return Some(id);
            }
            start = *end;
        }
        if self.ends.len() > COMPARED { self.by_text.get(wanted).copied() } else { None }
    }

    /// The number of this string, from now on.
    pub(super) fn intern(&mut self, text: &str) -> u32 {
        if let Some(id) = self.find(text) {
            return id;
        }
        let id = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        if self.ends.len() >= COMPARED {
            self.by_text.insert(text.into(), id);
        }
        self.text.push_str(text);
        self.ends.push(self.text.len());
        id
    }

    pub(super) fn text(&self, id: u32) -> &str {
        let id = id as usize;
        let start = id.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        start.and_then(|start| self.text.get(start..*self.ends.get(id)?)).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{COMPARED, Interner};

    #[test]
    fn strings_keep_their_numbers_however_many_there_are() {
        let mut interner = Interner::with(&["", "xml"]);
        let all: Vec<String> = (0..4 * COMPARED).map(|n| format!("urn:{n}")).collect();
        let numbers: Vec<u32> = all.iter().map(|text| interner.intern(text)).collect();
        assert_eq!((interner.find(""), interner.find("xml"), interner.find("urn:")), (Some(0), Some(1), None));
        for (text, number) in all.iter().zip(numbers) {
            assert_eq!((interner.find(text), interner.intern(text)), (Some(number), number));
            assert_eq!(interner.text(number), text);
        }
        assert_eq!(interner.len(), 2 + all.len());
        assert_eq!(interner.text(9_999), "");
    }
}
