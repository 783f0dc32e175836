//! Which bodies the POST binding carries.

use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};

/// Whether a body is what the POST binding carries: a form, not compressed. Where several types are claimed, one is enough to
/// be judged: the upstream may believe that one.
pub(super) fn is_plain_form(headers: &HeaderMap) -> bool {
    let is_form = |value: &HeaderValue| {
        let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    };
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    headers.get_all(CONTENT_TYPE).iter().any(is_form)
        && codings.all(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}
