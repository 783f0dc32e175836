//! Where things stand in the source, for people: lines and columns.

use smallvec::SmallVec;

use crate::verdict::Position;

/// Positions every so many bytes. A hostile document has thousands of places to report, all of them on one long line: each is
/// counted from the mark before it, and not from the beginning.
#[derive(Debug)]
pub(super) struct Marks(SmallVec<[Position; 4]>);

/// Bytes between two marks.
const APART: usize = 4096;

const START: Position = Position { line: 1, column: 1 };

impl Marks {
    pub(super) fn of(source: &str) -> Self {
        let mut marks = SmallVec::with_capacity(source.len().div_ceil(APART));
        let mut at = START;
        for piece in source.as_bytes().chunks(APART) {
            marks.push(at);
            at = after(at, piece);
        }
        Self(marks)
    }

    /// Line and column of an offset, both from 1; a column is a character.
    pub(super) fn position(&self, source: &str, offset: usize) -> Position {
        let mark = self.0.get(offset / APART).copied().unwrap_or(START);
        let since = source.as_bytes().get(offset / APART * APART..offset).unwrap_or_default();
        after(mark, since)
    }
}

/// Line and column of an offset, counted from the beginning.
pub(super) fn position(source: &str, offset: usize) -> Position {
    after(START, source.as_bytes().get(..offset).unwrap_or(source.as_bytes()))
}

/// Where the text goes on after these bytes of it.
fn after(at: Position, bytes: &[u8]) -> Position {
    let lines = number(memchr::memchr_iter(b'\n', bytes).count());
    let (column, line) = match memchr::memrchr(b'\n', bytes) {
        Some(end) => (1, bytes.get(end + 1..).unwrap_or_default()),
        None => (at.column, bytes),
    };
    // a character is counted where it begins: in a piece of text it may be cut
    let begins = |byte: &&u8| (**byte & 0xc0) != 0x80;
    let characters = if line.is_ascii() { line.len() } else { line.iter().filter(begins).count() };
    Position { line: at.line.saturating_add(lines), column: column.saturating_add(number(characters)) }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{APART, Marks, position};
    use crate::verdict::Position;

    #[test]
    fn positions_are_the_same_from_the_marks_and_from_the_beginning() {
        let text = format!("{}\n{}\r\n\n{}", "é".repeat(APART), "x".repeat(3 * APART), "a€\n".repeat(APART));
        let marks = Marks::of(&text);
        for (offset, _) in text.char_indices() {
            assert_eq!(marks.position(&text, offset), position(&text, offset), "{offset}");
        }
        assert_eq!(position("aé\nb€c", 8), Position { line: 2, column: 3 });
        assert_eq!(marks.position(&text, text.len()), position(&text, text.len()));
    }
}
