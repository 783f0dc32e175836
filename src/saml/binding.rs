//! The form of the HTTP POST binding ([SAMLBind 3.5.4]): its fields, strictly read.

use std::borrow::Cow;

use crate::limits::Limits;
use crate::xml;

/// A form post, as far as sign-ins are concerned.
#[derive(Debug, Default)]
pub struct Form {
    /// The first field named exactly `SAMLResponse`, percent-decoded; or why it cannot be.
    pub saml_response: Option<Vec<u8>>,
    /// The first `RelayState`, percent-decoded.
    pub relay_state: Option<Vec<u8>>,
    /// Whether there is a `SAMLRequest`.
    pub saml_request: bool,
    /// Whether there is a `wresult`, or `wa=wsignin1.0`: WS-Federation.
    pub ws_fed: bool,
    /// What is wrong with the fields.
    pub problems: Vec<FormProblem>,
    /// The first percent escape that is none, in any field.
    pub bad_escape: Option<String>,
}

/// What is wrong with the fields of a form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormProblem {
    /// `SAMLResponse` stands there again.
    #[error("the form has more than one SAMLResponse field")]
    SecondResponse,
    /// A name that other software takes for `SAMLResponse`.
    #[error("the form has a field named {0}, which other software may take for SAMLResponse")]
    Lookalike(String),
    /// A field of another protocol beside it.
    #[error("the form has both a SAMLResponse and a {0} field")]
    SecondProtocol(&'static str),
    /// More fields than are read.
    #[error("the form has more than {0} fields")]
    TooManyFields(usize),
}

impl Form {
    /// Reads the fields of an `application/x-www-form-urlencoded` body.
    pub fn read(body: &[u8], limits: &Limits) -> Self {
        let mut form = Self::default();
        let mut rest = Some(body);
        for _ in 0..limits.form_fields {
            let Some(fields) = rest else { break };
            let end = memchr::memchr(b'&', fields);
            let field = fields.get(..end.unwrap_or(fields.len())).unwrap_or_default();
            rest = end.and_then(|end| fields.get(end + 1..));
            let at = memchr::memchr(b'=', field).unwrap_or(field.len());
            let (name, value) = field.split_at_checked(at).unwrap_or((field, &[]));
            form.field(name, value.strip_prefix(b"=").unwrap_or_default());
        }
        if rest.is_some() {
            form.problems.push(FormProblem::TooManyFields(limits.form_fields));
        }
        if form.saml_response.is_some() {
            let others = [(form.saml_request, "SAMLRequest"), (form.ws_fed, "wresult")];
            let others = others.into_iter().filter(|(there, _)| *there);
            form.problems.extend(others.map(|(_, name)| FormProblem::SecondProtocol(name)));
        }
        form
    }

    fn field(&mut self, name: &[u8], value: &[u8]) {
        let Some(name) = self.decoded(name) else { return };
        match name.as_ref() {
            b"SAMLResponse" if self.saml_response.is_some() => self.problems.push(FormProblem::SecondResponse),
            b"SAMLResponse" => {
                let decoded = self.decoded_into(value, xml::buffer);
                self.saml_response = Some(decoded.map(Cow::into_owned).unwrap_or_default());
            }
            b"RelayState" if self.relay_state.is_none() => {
                self.relay_state = self.decoded(value).map(Cow::into_owned);
            }
            other => {
                self.saml_request |= other == b"SAMLRequest";
                self.ws_fed |= other == b"wresult" || (other == b"wa" && value.starts_with(b"wsignin"));
                if is_lookalike(other) {
                    let shown = String::from_utf8_lossy(other).chars().take(40).collect::<String>();
                    self.problems.push(FormProblem::Lookalike(format!("{shown:?}")));
                }
                // the strictness of escapes goes for all fields: software behind us may read them otherwise
                let _ = self.decoded(value);
            }
        }
    }

    /// Percent escapes and plus signs decoded; a bad escape is remembered and gives nothing.
    fn decoded<'b>(&mut self, text: &'b [u8]) -> Option<Cow<'b, [u8]>> {
        self.decoded_into(text, Vec::with_capacity)
    }

    /// The same, into such a buffer.
    fn decoded_into<'b>(&mut self, text: &'b [u8], buffer: fn(usize) -> Vec<u8>) -> Option<Cow<'b, [u8]>> {
        match percent_decode_into(text, buffer) {
            Ok(decoded) => Some(decoded),
            Err(at) => {
                let shown = text.get(at..text.len().min(at + 3)).unwrap_or_default();
                self.bad_escape.get_or_insert_with(|| String::from_utf8_lossy(shown).into_owned());
                None
            }
        }
    }
}

/// A name that is not `SAMLResponse` but that some framework makes it: other case, `[]`, a NUL or white space.
fn is_lookalike(name: &[u8]) -> bool {
    let end = name.iter().position(|byte| matches!(byte, 0 | b'[')).unwrap_or(name.len());
    let name = name.get(..end).unwrap_or_default().trim_ascii();
    name.eq_ignore_ascii_case(b"SAMLResponse")
}

/// Decodes; an error is the offset of an escape that is none.
pub(super) fn percent_decode(text: &[u8]) -> Result<Cow<'_, [u8]>, usize> {
    percent_decode_into(text, Vec::with_capacity)
}

/// The same, into such a buffer.
fn percent_decode_into(text: &[u8], buffer: fn(usize) -> Vec<u8>) -> Result<Cow<'_, [u8]>, usize> {
    let Some(first) = memchr::memchr2(b'%', b'+', text) else { return Ok(Cow::Borrowed(text)) };
    let mut out = buffer(text.len());
    let mut rest = text;
    let mut found = Some(first);
    while let Some(at) = found {
        let (before, special) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(before);
        rest = match special {
            [b'+', after @ ..] => {
                out.push(b' ');
                after
            }
            [b'%', high, low, after @ ..] => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                let value = digit(high).zip(digit(low)).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                out.push(value.ok_or(text.len() - special.len())?);
                after
            }
            _ => return Err(text.len() - special.len()),
        };
        found = memchr::memchr2(b'%', b'+', rest);
    }
    out.extend_from_slice(rest);
    Ok(Cow::Owned(out))
}

#[cfg(test)]
mod tests {
    use super::{Form, FormProblem, percent_decode};
    use crate::limits::Limits;

    fn read(body: &str) -> Form {
        Form::read(body.as_bytes(), &Limits::default())
    }

    #[test]
    fn escapes_and_plus_signs_are_decoded() {
        assert_eq!(percent_decode(b"a%2Bb+c%3d").as_deref(), Ok(&b"a+b c="[..]));
        assert_eq!(percent_decode(b"abc").as_deref(), Ok(&b"abc"[..]));
        assert_eq!(percent_decode(b"ab%2"), Err(2));
        assert_eq!(percent_decode(b"ab%zz"), Err(2));
        assert_eq!(percent_decode(b"%+1"), Err(0));
    }

    #[test]
    fn a_second_response_in_any_spelling_is_found() {
        assert_eq!(read("SAMLResponse=YQ&RelayState=x").problems, []);
        for second in ["SAMLResponse", "%53AMLResponse", "SAML%52esponse"] {
            let form = read(&format!("SAMLResponse=YQ&{second}=Yg"));
            assert_eq!(form.problems, [FormProblem::SecondResponse], "{second}");
            assert_eq!(form.saml_response.as_deref(), Some(&b"YQ"[..]));
        }
        for second in ["samlresponse", "SAMLResponse[]", "SAMLResponse%00", "SAMLResponse[0]", "+SAMLResponse"] {
            let form = read(&format!("SAMLResponse=YQ&{second}=Yg"));
            assert!(matches!(form.problems[..], [FormProblem::Lookalike(_)]), "{second}");
        }
        assert_eq!(read("SAMLRequest=a&SAMLResponse=b").problems, [FormProblem::SecondProtocol("SAMLRequest")]);
    }

    #[test]
    fn the_number_of_fields_is_bounded() {
        let body = "a=b&".repeat(64) + "SAMLResponse=YQ";
        let form = read(&body);
        assert_eq!(form.problems, [FormProblem::TooManyFields(64)]);
        assert_eq!(form.saml_response, None);
    }

    #[test]
    fn a_bad_escape_anywhere_is_remembered() {
        assert_eq!(read("SAMLResponse=YQ&x=%G0").bad_escape.as_deref(), Some("%G0"));
    }
}
