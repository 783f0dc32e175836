//! Just enough of form bodies to know one when it is seen; they are judged elsewhere, as the very bytes.

/// The fields that make a form body a sign-in message.
const MESSAGES: [&str; 3] = ["samlresponse", "samlrequest", "wresult"];

/// The names of the fields of a body, as written.
fn names(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == b'&').filter_map(|pair| pair.split(|byte| *byte == b'=').next())
}

/// Percent escapes and plus signs undone; a broken escape stays as it is.
fn decoded(text: &[u8]) -> Vec<u8> {
    let digit =
        |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, digit(after.first()), digit(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', ..) => out.push(b' '),
            (byte, ..) => out.push(*byte),
        }
    }
    out
}

/// Whether a name is that of a message field, in whatever spelling a confused sender gave it.
pub(super) fn names_a_message(name: &[u8]) -> bool {
    // real names are short; a long one is base64 whose padding was taken for the sign of a value
    if name.len() > 128 {
        return false;
    }
    let letters: Vec<u8> =
        decoded(name).into_iter().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()).collect();
    MESSAGES.into_iter().any(|message| letters.starts_with(message.as_bytes()))
}

/// Whether a recorded post answers a sign-in. A request on its way to the identity provider is part of every recording, and
/// nothing is wrong with it.
pub(super) fn names_an_answer(name: &[u8]) -> bool {
    names_a_message(name) && !decoded(name).eq_ignore_ascii_case(b"SAMLRequest")
}

/// Whether a recorded body holds such an answer.
pub(super) fn holds_an_answer(body: &[u8]) -> bool {
    body.contains(&b'=') && names(body).any(names_an_answer)
}

/// Whether a body is a form with a message in it.
pub(super) fn holds_a_message(body: &[u8]) -> bool {
    body.contains(&b'=') && names(body).any(names_a_message)
}

/// A body made of fields that were recorded decoded.
pub(super) fn encoded<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push(b'&');
        }
        escape(name, &mut out);
        out.push(b'=');
        escape(value, &mut out);
    }
    out
}

/// A body made of fields that were recorded as they were sent.
pub(super) fn joined<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let pairs: Vec<String> = fields.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&").into_bytes()
}

fn escape(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => out.push(byte),
            b' ' => out.push(b'+'),
            byte => out.extend(format!("%{byte:02X}").bytes()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_message_field_is_known_in_any_spelling() {
        for body in [
            "SAMLResponse=a",
            "RelayState=x&samlresponse=a",
            "SAML%52esponse=a",
            "SAMLResponse%5B%5D=a",
            "SAMLResponse%00=a",
            "wa=wsignin1.0&wresult=a",
            "SAMLRequest=a",
        ] {
            assert!(holds_a_message(body.as_bytes()), "{body}");
        }
        for body in ["PHNhbWxwOlJlc3BvbnNlPg==", "login=a&password=b", "", "SAMLResponse"] {
            assert!(!holds_a_message(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn fields_go_out_as_they_would_be_posted() {
        let body = encoded([("SAMLResponse", "a+b/c=="), ("RelayState", "é x")]);
        assert_eq!(String::from_utf8(body).unwrap(), "SAMLResponse=a%2Bb%2Fc%3D%3D&RelayState=%C3%A9+x");
    }
}
