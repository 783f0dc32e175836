//! The form around a response, as the page of an identity provider posts it.

use std::io::Write as _;

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::{Fault, MintError};

const RESPONSE: &str = "SAMLResponse";

/// The fields, with the faults that lie in the form.
pub(super) fn fields(
    fault: Option<Fault>,
    xml: &str,
    relay_state: &str,
) -> Result<Vec<(&'static str, String)>, MintError> {
    let sound = || (RESPONSE, STANDARD.encode_to_string(xml));
    let mut fields = match fault {
        Some(Fault::NoResponse) => Vec::new(),
        Some(Fault::TwoResponses) => vec![sound(), sound()],
        Some(Fault::Deflated) => vec![(RESPONSE, STANDARD.encode_to_string(deflated(xml)?))],
        // without the last character, one document in some thousands would be right in either alphabet
        Some(Fault::Base64Url) => vec![(RESPONSE, URL_SAFE_NO_PAD.encode_to_string(xml) + "_")],
        _ => vec![sound()],
    };
    fields.push(("RelayState", relay_state.to_owned()));
    Ok(fields)
}

fn deflated(xml: &str) -> Result<Vec<u8>, MintError> {
    let failed = |error: std::io::Error| MintError::Deflate(error.to_string());
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(xml.as_bytes()).map_err(failed)?;
    encoder.finish().map_err(failed)
}

/// `application/x-www-form-urlencoded`, by the strictest reading: what is not a letter or a digit is escaped.
pub fn urlencoded(fields: &[(&str, &str)]) -> String {
    let escape = |out: &mut String, text: &str| {
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
                _ => out.push_str(&format!("%{byte:02X}")),
            }
        }
    };
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        escape(&mut out, name);
        out.push('=');
        escape(&mut out, value);
    }
    out
}
