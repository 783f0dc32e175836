//! An error and everything beneath it.

use std::error::Error;

/// An error and everything beneath it, in one sentence.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut texts = vec![error.to_string()];
    let mut cause = beneath(error);
    while let Some(error) = cause {
        let text = error.to_string();
        // what wraps an I/O error often repeats it
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        cause = beneath(error);
    }
    texts.join(": ")
}

/// What an error wraps; an I/O error hides it from `source`.
pub(crate) fn beneath<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
