//! The AuthnRequest in a page that posts it to the identity provider by itself: its ID.

use memchr::memmem;

use crate::limits::Limits;
use crate::saml::{self, PROTOCOL};
use crate::xml;

/// Input elements that are looked at: a page has one that counts.
const INPUTS: usize = 16;

/// The ID of the AuthnRequest in the field `SAMLRequest` of a form.
pub(super) fn id(page: &[u8], limits: &Limits) -> Option<String> {
    memmem::find_iter(page, b"SAMLRequest").take(INPUTS).find_map(|at| {
        let tag = tag_around(page, at)?;
        if attribute(tag, b"name")? != b"SAMLRequest" {
            return None;
        }
        let xml = saml::decode(unescaped(attribute(tag, b"value")?), limits).ok()?;
        let document = xml::parse(xml, limits).ok()?;
        let root = document.root();
        let is_request = (document.namespace(root), document.local_name(root)) == (PROTOCOL, "AuthnRequest");
        document.attribute(root, "ID").filter(|id| is_request && !id.is_empty()).map(str::to_owned)
    })
}

/// The tag that this offset lies in, without its angle brackets.
fn tag_around(page: &[u8], at: usize) -> Option<&[u8]> {
    let before = page.get(..at)?;
    let start = memchr::memrchr(b'<', before)?;
    // base64 holds no angle bracket, and neither does a name
    let length = memchr::memchr(b'>', page.get(start..)?)?;
    page.get(start..)?.get(1..length)
}

/// The value of an attribute that stands in quotes.
fn attribute<'a>(tag: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = tag;
    loop {
        let equals = memchr::memchr(b'=', rest)?;
        let (before, after) = rest.split_at_checked(equals)?;
        let after = after.get(1..)?.trim_ascii_start();
        let (quote, after) = after.split_first()?;
        if !matches!(quote, b'"' | b'\'') {
            return None;
        }
        let end = memchr::memchr(*quote, after)?;
        let written = before.trim_ascii_end().rsplit(u8::is_ascii_whitespace).next()?;
        if written.eq_ignore_ascii_case(name) {
            return after.get(..end);
        }
        rest = after.get(end..)?.get(1..)?;
    }
}

/// The characters of base64 that pages write as references.
fn unescaped(value: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(value);
    let mut plain = text.into_owned();
    for (written, character) in [
        (["&#x2B;", "&#x2b;", "&#43;"], "+"),
        (["&#x2F;", "&#x2f;", "&#47;"], "/"),
        (["&#x3D;", "&#x3d;", "&#61;"], "="),
    ] {
        for reference in written {
            plain = plain.replace(reference, character);
        }
    }
    plain.into_bytes()
}
