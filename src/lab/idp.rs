//! A fake identity provider: signs in whoever asks, soundly or with a fault that the tester chooses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::{Method, StatusCode};
use jiff::Timestamp;

use super::page::{Asked, Page};
use super::server::End;
use crate::html::Escaped;
use crate::limits::Limits;
use crate::mint::{Errand, Fault, Minted, Minter};
use crate::saml::PROTOCOL;
use crate::xml;

/// Where AuthnRequests go to.
const SIGN_IN: &str = "/sso";
/// Where programs get the body of a post.
const FORM: &str = "/form";
/// The word for a sign-in without a fault.
const SOUND: &str = "sound";

/// What becomes of a sign-in that names no fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unasked {
    /// The tester is asked.
    Ask,
    /// It has this fault, or none.
    Sign(Option<Fault>),
}

/// A fake identity provider.
#[derive(Debug)]
pub struct Idp {
    /// Makes the sign-ins.
    pub minter: Minter,
    /// Where browsers post them.
    pub post_to: String,
    /// Who may be chosen to sign in: UPNs. Others may be named all the same.
    pub users: Vec<crate::personal::Personal>,
    /// What becomes of a sign-in that names no fault.
    pub unasked: Unasked,
    /// The clock.
    pub now: fn() -> Timestamp,
}

impl End for Idp {
    fn answer(&self, asked: &Asked) -> Page {
        match (asked.head.uri.path(), &asked.head.method) {
            ("/", &Method::GET) => self.choice("", ""),
            (SIGN_IN, &Method::GET | &Method::POST) => self.sign_in(asked),
            (FORM, &Method::GET) => match self.minted(asked, "", None) {
                Ok(minted) => Page::plain(String::from_utf8_lossy(&minted.form()).into_owned()),
                Err(cause) => bad(&cause),
            },
            _ => Page::not_found(),
        }
    }
}

impl Idp {
    /// Every kind of sign-in, to be chosen from. What Entra asked goes along.
    fn choice(&self, request: &str, relay_state: &str) -> Page {
        let users: String =
            self.users.iter().map(|user| format!("<option>{}</option>\n", Escaped(user.expose()))).collect();
        let users = match users.as_str() {
            "" => String::new(),
            users => format!(
                "<p><label>User <select name=\"user\">\n<option value=\"\">whoever fits</option>\n{users}</select></label>\n"
            ),
        };
        let button = |word: &str, story: &str| {
            format!("<li><button name=\"fault\" value=\"{word}\">{word}</button> {}\n", Escaped(story))
        };
        let faults: String = Fault::ALL.into_iter().map(|fault| button(fault.as_str(), fault.story())).collect();
        let hidden = |name: &str, value: &str| match value {
            "" => String::new(),
            value => format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", Escaped(value)),
        };
        let html = format!(
            "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>A fake identity provider</title></head><body>\n\
             <h1>Sign in</h1>\n<form method=\"POST\" action=\"{SIGN_IN}\">\n{}{}{users}<ul>\n{}{faults}</ul>\n\
             </form></body></html>\n",
            hidden("SAMLRequest", request),
            hidden("RelayState", relay_state),
            button(SOUND, "nothing is wrong"),
        );
        Page::new(StatusCode::OK, html)
    }

    fn sign_in(&self, asked: &Asked) -> Page {
        let request = asked.field("SAMLRequest").unwrap_or_default();
        let relay_state = asked.field("RelayState").unwrap_or_default();
        if self.unasked == Unasked::Ask && asked.field("fault").is_none() {
            return self.choice(&request, &relay_state);
        }
        match self.minted(asked, &relay_state, request_id(&request).as_deref()) {
            Ok(minted) => Page::posting("Signing in", &self.post_to, &minted.fields),
            Err(cause) => bad(&cause),
        }
    }

    fn minted(&self, asked: &Asked, relay_state: &str, request: Option<&str>) -> Result<Minted, String> {
        let fault = match (asked.field("fault").as_deref(), self.unasked) {
            (None | Some(""), Unasked::Sign(fault)) => fault,
            (None | Some("" | SOUND), _) => None,
            (Some(word), _) => Some(Fault::parse(word).ok_or("There is no such fault: see the list at /.")?),
        };
        let told = |error: crate::mint::MintError| error.to_string();
        let errand = Errand { request, relay_state, ..Errand::default() };
        match asked.field("user").filter(|user| !user.is_empty()) {
            Some(user) => self.minter.for_user(&user).map_err(told)?.mint(fault, (self.now)(), errand),
            None => self.minter.mint(fault, (self.now)(), errand),
        }
        .map_err(told)
    }
}

fn bad(cause: &str) -> Page {
    let html = format!("<!DOCTYPE html><title>Not possible</title><p>{}\n", Escaped(cause));
    Page::new(StatusCode::BAD_REQUEST, html)
}

/// The ID of a posted AuthnRequest.
fn request_id(request: &str) -> Option<String> {
    let document = xml::parse(STANDARD.decode(request.trim()).ok()?, &Limits::default()).ok()?;
    let root = document.root();
    let id = document.attribute(root, "ID").filter(|_| document.is(root, PROTOCOL, "AuthnRequest"))?;
    Some(id.to_owned())
}
