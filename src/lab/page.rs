//! What the fake ends are asked and answer: a request with its whole body, and a page.

use hyper::http::request::Parts;
use hyper::{HeaderMap, StatusCode};

use crate::html::Escaped;

/// A request, its body read.
#[derive(Debug)]
pub struct Asked {
    /// Everything but the body.
    pub head: Parts,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// The value of a field of the form, or of the query.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let query = fields(self.head.uri.query().unwrap_or_default().as_bytes());
        self.form().into_iter().chain(query).find_map(|(field, value)| (field == name).then_some(value))
    }

    /// The value of a field of the query.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let query = fields(self.head.uri.query().unwrap_or_default().as_bytes());
        query.into_iter().find_map(|(field, value)| (field == name).then_some(value))
    }

    /// The fields of a posted form.
    pub(super) fn form(&self) -> Vec<(String, String)> {
        fields(&self.body)
    }

    /// Whether an answer may be packed with gzip.
    pub(super) fn takes_gzip(&self) -> bool {
        let accepted = |headers: &HeaderMap| {
            let values = headers.get_all(hyper::header::ACCEPT_ENCODING).iter();
            values.filter_map(|value| value.to_str().ok()).any(|value| value.contains("gzip"))
        };
        accepted(&self.head.headers)
    }
}

/// The fields of a form or a query, read as leniently as servers do.
fn fields(text: &[u8]) -> Vec<(String, String)> {
    let pieces = text.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty());
    pieces
        .map(|piece| {
            let (name, value) = match piece.iter().position(|byte| *byte == b'=') {
                Some(at) => piece.split_at_checked(at).unwrap_or((piece, b"")),
                None => (piece, &b""[..]),
            };
            (decoded(name), decoded(value.strip_prefix(b"=").unwrap_or(value)))
        })
        .collect()
}

fn decoded(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let pair = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match (byte, pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(value)) => {
                out.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(*byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// An answer: a page, with the headers that go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The status.
    pub status: StatusCode,
    /// Headers beside those that every page has.
    pub headers: Vec<(&'static str, String)>,
    /// The HTML, or plain text where a header says so.
    pub html: String,
    /// Whether the client takes it packed.
    pub gzip: bool,
    /// Whether the connection breaks in the middle of it.
    pub cut: bool,
}

impl Page {
    pub(super) fn new(status: StatusCode, html: String) -> Self {
        Self { status, headers: Vec::new(), html, gzip: false, cut: false }
    }

    /// Text for programs.
    pub(super) fn plain(text: String) -> Self {
        let headers = vec![("content-type", "text/plain; charset=utf-8".to_owned())];
        Self { headers, ..Self::new(StatusCode::OK, text) }
    }

    /// A page that posts these fields as soon as it is shown.
    pub(super) fn posting(title: &str, to: &str, fields: &[(&str, String)]) -> Self {
        let inputs: String = fields
            .iter()
            .map(|(name, value)| {
                format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">\n", Escaped(name), Escaped(value))
            })
            .collect();
        let html = format!(
            "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{}</title></head>\n\
             <body onload=\"document.forms[0].submit()\">\n<form method=\"POST\" action=\"{}\">\n{inputs}\
             <noscript><button>Continue</button></noscript>\n</form></body></html>\n",
            Escaped(title),
            Escaped(to)
        );
        Self::new(StatusCode::OK, html)
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "<!DOCTYPE html><title>Not found</title><p>Nothing is here.\n".to_owned())
    }
}
