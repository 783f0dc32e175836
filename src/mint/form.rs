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
    let length: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    // base64 has an escape in some thirty characters
    let mut out = String::with_capacity(length + length / 8);
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

/// Adds text; what stays as it is goes in one piece.
fn escape(out: &mut String, text: &str) {
    let stays = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let mut rest = text;
    while let Some((before, from)) = rest.bytes().position(|byte| !stays(byte)).and_then(|at| rest.split_at_checked(at))
    {
        out.push_str(before);
        let mut characters = from.chars();
        let mut bytes = [0; 4];
        for byte in characters.next().map_or("", |first| first.encode_utf8(&mut bytes)).bytes() {
            let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0').to_ascii_uppercase();
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
}
