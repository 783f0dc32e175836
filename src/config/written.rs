//! From text to the file as written: every key that cannot be read is reported and left out, and reading goes on.

use std::ops::Range;

use serde::Deserialize as _;
use toml::de::{DeTable, DeValue, Deserializer};

use super::file::File;
use super::problem::Problems;

/// Problems of reading that are reported before giving up.
const PROBLEMS: usize = 100;

/// Reads what can be read; nothing can be when the text is no TOML.
pub(super) fn read(text: &str, problems: &mut Problems<'_>) -> Option<File> {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors.iter().take(PROBLEMS) {
            problems.push(error.span(), format!("this is not TOML: {}", error.message()), None);
        }
        return None;
    }
    for _ in 0..PROBLEMS {
        // a deserializer stops at the first error: without the key that it stopped at, it finds the next one
        let error = match File::deserialize(Deserializer::from(table.clone())) {
            Ok(file) => return Some(file),
            Err(error) => error,
        };
        let (cause, hint) = reworded(error.message());
        problems.push(error.span(), cause, hint);
        if !error.span().is_some_and(|span| remove(table.get_mut(), &span)) {
            break;
        }
    }
    None
}

/// Removes the key or the value that lies exactly there, else the smallest value around it.
fn remove(table: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    remove_where(table, &|at| at == *span) || remove_where(table, &|at| at.start <= span.start && span.end <= at.end)
}

fn remove_where(table: &mut DeTable<'_>, is_it: &dyn Fn(Range<usize>) -> bool) -> bool {
    let in_a_value = |value: &mut DeValue<'_>| match value {
        DeValue::Table(inner) => remove_where(inner, is_it),
        DeValue::Array(items) => items.iter_mut().any(|item| match item.get_mut() {
            DeValue::Table(inner) => remove_where(inner, is_it),
            _ => false,
        }),
        _ => false,
    };
    if table.iter_mut().any(|(_, value)| in_a_value(value.get_mut())) {
        return true;
    }
    // an item of a list takes the list with it
    let item = |value: &DeValue<'_>| value.as_array().is_some_and(|items| items.iter().any(|item| is_it(item.span())));
    let found = table.iter().find(|(key, value)| is_it(key.span()) || is_it(value.span()) || item(value.get_ref()));
    let Some(key) = found.map(|(key, _)| key.get_ref().to_string()) else { return false };
    table.remove(key.as_str()).is_some()
}

/// The deserializer's sentence in our words, and what may have been meant.
fn reworded(message: &str) -> (String, Option<String>) {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(came) = quoted.next() else { return (message.to_owned(), None) };
    let known: Vec<&str> = quoted.collect();
    let list = known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    if message.starts_with("unknown field") {
        let hint = match nearest(came, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys here are {list}"),
        };
        return (format!("unknown key `{came}`"), Some(hint));
    }
    if message.starts_with("unknown variant") {
        let hint = nearest(came, &known).map(|near| format!("did you mean `{near}`?"));
        return (format!("expected one of {list}, got `{came}`"), hint);
    }
    (message.to_owned(), None)
}

/// The word that a slip of the finger would make of this one.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let reach = (word.chars().count() / 3).clamp(1, 3);
    let distances = known.iter().map(|candidate| (distance(word, candidate), *candidate));
    distances.filter(|(distance, _)| *distance <= reach).min_by_key(|(distance, _)| *distance).map(|(_, near)| near)
}

/// How many letters are added, left out or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (index, left) in a.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(b.chars()) {
            let substituted = diagonal + usize::from(left != right);
            diagonal = *cell;
            before = substituted.min(before + 1).min(*cell + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn the_nearest_word_is_the_one_that_was_meant() {
        assert_eq!(distance("isuer", "issuer"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(nearest("isuer", &["domain", "issuer", "users"]), Some("issuer"));
        assert_eq!(nearest("colour", &["domain", "issuer"]), None);
    }
}
