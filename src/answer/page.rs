//! The `$Config` of a page of Entra: its name, its error, the id under which Microsoft knows the sign-in.

use memchr::memmem;
use serde_json::Value;

/// Characters of a name or an id that are kept.
const KEPT: usize = 64;
/// Digits of an AADSTS code.
const DIGITS: std::ops::RangeInclusive<usize> = 4..=8;

/// What a page tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) code: Option<u32>,
    pub(super) id: Option<String>,
    pub(super) correlation_id: Option<String>,
}

/// The keys that are read, each whatever its type.
#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct Config {
    #[serde(rename = "strServiceExceptionMessage")]
    message: Value,
    #[serde(rename = "sErrorCode")]
    text_code: Value,
    #[serde(rename = "iErrorCode")]
    number_code: Value,
    pgid: Value,
    #[serde(rename = "correlationId")]
    correlation_id: Value,
}

/// Reads a page, or the beginning of one.
pub(super) fn read(body: &[u8]) -> Page {
    let Some(config) = config(body) else { return Page { code: written_code(body, false), ..Page::default() } };
    let parsed = serde_json::Deserializer::from_slice(config).into_iter::<Config>().next();
    let Some(Ok(parsed)) = parsed else {
        // a copy that was cut: the message stands near the beginning
        return Page { code: written_code(config, false), ..Page::default() };
    };
    let in_message = parsed.message.as_str().and_then(|message| written_code(message.as_bytes(), true));
    Page {
        code: in_message.or_else(|| number(&parsed.text_code)).or_else(|| number(&parsed.number_code)),
        id: word(&parsed.pgid),
        correlation_id: word(&parsed.correlation_id),
    }
}

/// What follows `$Config=`.
fn config(body: &[u8]) -> Option<&[u8]> {
    memmem::find_iter(body, b"$Config").find_map(|at| {
        let rest = body.get(at..)?.strip_prefix(b"$Config")?.trim_ascii_start();
        let object = rest.strip_prefix(b"=")?.trim_ascii_start();
        object.starts_with(b"{").then_some(object)
    })
}

/// The first `AADSTSnnnnn`. A message may quote what was posted, after its own code. Where the text may be cut, a code counts
/// when something follows it.
fn written_code(text: &[u8], whole: bool) -> Option<u32> {
    memmem::find_iter(text, b"AADSTS").find_map(|at| {
        let digits = text.get(at..)?.strip_prefix(b"AADSTS")?;
        let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let ends = whole || length < digits.len();
        let digits = digits.get(..length).filter(|_| ends && DIGITS.contains(&length))?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    })
}

/// A code as a number or as text; 0 is none.
fn number(value: &Value) -> Option<u32> {
    let code = match value {
        Value::Number(number) => u32::try_from(number.as_u64()?).ok()?,
        Value::String(text) => text.trim().trim_start_matches("AADSTS").parse().ok()?,
        _ => return None,
    };
    (code != 0).then_some(code)
}

/// A name or an id, if it looks like one.
fn word(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    (plain && !text.is_empty() && text.len() <= KEPT).then(|| text.to_owned())
}
