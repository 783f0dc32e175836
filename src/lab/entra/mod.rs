//! A fake Entra: a page that asks the identity provider, and `login.srf`, which answers as Entra does.

mod decision;
mod page;
mod signature;

pub use decision::Refusal;

use hyper::{Method, StatusCode};
use jiff::Timestamp;

use super::page::{Asked, Page};
use super::server::End;
use crate::tenant::Federation;

/// A fake Entra.
#[derive(Debug)]
pub struct Entra {
    /// What it is set to expect.
    pub federations: Vec<Federation>,
    /// Where its AuthnRequests go (`passiveSignInUri`).
    pub sign_in: String,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// What Entra left with the browser when it asked: `estsrequest` of RelayState, which comes back with the answer.
fn context(form: &[(String, String)]) -> &str {
    let relay_state = form.iter().find(|(name, _)| name == "RelayState").map_or("", |(_, value)| value.as_str());
    relay_state.split('&').find_map(|field| field.strip_prefix("estsrequest=")).unwrap_or_default()
}

impl End for Entra {
    fn answer(&self, asked: &Asked) -> Page {
        let path = asked.head.uri.path();
        let mut page = match asked.head.method {
            Method::POST if path == "/login.srf" => {
                let form = asked.form();
                let decision = decision::decide(&self.federations, &form, (self.now)());
                page::answered(&decision, context(&form), (self.now)())
            }
            Method::GET if path == "/login.srf" || path.ends_with("/authorize") => {
                page::request(&self.sign_in, (self.now)())
            }
            Method::GET if path == "/" => Page::new(StatusCode::OK, page::FRONT.to_owned()),
            _ => Page::not_found(),
        };
        page.gzip = asked.takes_gzip();
        page
    }
}
