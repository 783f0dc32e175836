//! A fake identity provider: signs in whoever asks, soundly or with the fault that the query names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::{Method, StatusCode};
use jiff::Timestamp;

use super::page::{Asked, Page, escaped};
use super::server::End;
use crate::limits::Limits;
use crate::mint::{Errand, Fault, Minter};
use crate::saml::PROTOCOL;
use crate::xml;

/// Where AuthnRequests go to.
const SIGN_IN: &str = "/sso";

/// A fake identity provider.
#[derive(Debug)]
pub struct Idp {
    /// Makes the sign-ins.
    pub minter: Minter,
    /// Where browsers post them.
    pub post_to: String,
    /// The clock.
    pub now: fn() -> Timestamp,
}

impl End for Idp {
    fn answer(&self, asked: &Asked) -> Page {
        match (asked.head.uri.path(), &asked.head.method) {
            ("/", &Method::GET) => self.index(),
            (SIGN_IN, &Method::GET | &Method::POST) => self.sign_in(asked),
            _ => Page::not_found(),
        }
    }
}

impl Idp {
    /// Every kind of sign-in, to be chosen from.
    fn index(&self) -> Page {
        let line = |word: &str, story: &str| {
            format!("<li><a href=\"{SIGN_IN}?fault={word}\">{word}</a>: {}\n", escaped(story))
        };
        let faults: String = Fault::ALL.into_iter().map(|fault| line(fault.as_str(), fault.story())).collect();
        let html = format!(
            "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>A fake identity provider</title></head><body>\n\
             <h1>Sign in</h1>\n<ul>\n<li><a href=\"{SIGN_IN}\">sound</a>\n{faults}</ul></body></html>\n"
        );
        Page::new(StatusCode::OK, html)
    }

    fn sign_in(&self, asked: &Asked) -> Page {
        let bad = |cause: &str| {
            let html = format!("<!DOCTYPE html><title>Not possible</title><p>{}\n", escaped(cause));
            Page::new(StatusCode::BAD_REQUEST, html)
        };
        let fault = match asked.query("fault").filter(|word| !word.is_empty() && word != "sound") {
            None => None,
            Some(word) => match Fault::parse(&word) {
                Some(fault) => Some(fault),
                None => return bad("There is no such fault: see the list at /."),
            },
        };
        let form = asked.form();
        let field = |name: &str| {
            form.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone()).or_else(|| asked.query(name))
        };
        let request = field("SAMLRequest").and_then(|request| request_id(&request));
        let relay_state = field("RelayState").unwrap_or_default();
        let errand = Errand { request: request.as_deref(), relay_state: &relay_state };
        match self.minter.mint(fault, (self.now)(), errand) {
            Ok(minted) => Page::posting("Signing in", &self.post_to, &minted.fields),
            Err(error) => bad(&error.to_string()),
        }
    }
}

/// The ID of a posted AuthnRequest.
fn request_id(request: &str) -> Option<String> {
    let document = xml::parse(STANDARD.decode(request.trim()).ok()?, &Limits::default()).ok()?;
    let root = document.root();
    let id = document.attribute(root, "ID").filter(|_| document.is(root, PROTOCOL, "AuthnRequest"))?;
    Some(id.to_owned())
}
