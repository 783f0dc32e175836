//! The page by which this program's own proxy refuses a sign-in, in place of an answer of the upstream.

use memchr::memmem;

use crate::verdict::Code;

/// The sentence of that page.
pub const REFUSAL: &str = "samlgate: This sign-in response was not accepted, and was not forwarded.";
/// What stands before the predicted code.
pub const PREDICTED: &str = "Predicted: ";

/// Whether this is the body of that page, and the code in it.
pub fn refusal(body: &[u8]) -> Option<Option<Code>> {
    let rest = body.strip_prefix(REFUSAL.as_bytes())?;
    let at = memmem::rfind(rest, PREDICTED.as_bytes())?;
    let word = rest.get(at..)?.strip_prefix(PREDICTED.as_bytes())?.trim_ascii_end();
    Some(Code::ALL.into_iter().find(|code| code.to_string().as_bytes() == word))
}
