//! Access tokens by client credentials: asked for, and renewed before they end.

use hyper::header::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::Access;
use super::assertion::assertion;
use super::credential::Credential;
use super::error::GraphError;
use crate::source::client::Ask;
use crate::source::url::Url;

/// Bytes of the answer.
const ANSWER: usize = 256 * 1024;
/// Seconds before the end of a token at which another is had.
const AHEAD: i64 = 300;
const BY_JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A token, and until when it is used.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// `Bearer …`, which shows itself as "Sensitive".
    pub(super) header: HeaderValue,
    pub(super) until: Timestamp,
}

/// The request for one. It holds a secret.
pub(super) fn ask(access: &Access, now: Timestamp) -> Result<Ask, GraphError> {
    let url = format!("{}/{}/oauth2/v2.0/token", access.login.to_string().trim_end_matches('/'), access.tenant);
    let scope = format!("{}/.default", access.endpoint.to_string().trim_end_matches('/'));
    let to = Url::parse(&url).map_err(|error| GraphError::Link(error.to_string()))?;
    let mut fields =
        vec![("grant_type", "client_credentials"), ("client_id", access.client_id.as_str()), ("scope", &scope)];
    let signed;
    match &access.credential {
        Credential::Secret(secret) => fields.push(("client_secret", secret)),
        Credential::Certificate(key) => {
            signed =
                assertion(key, &url, &access.client_id, now).map_err(|error| GraphError::Sign(error.to_string()))?;
            fields.extend([("client_assertion_type", BY_JWT), ("client_assertion", &signed)]);
        }
    }
    Ok(Ask::post_form(to, crate::mint::urlencoded(&fields).into_bytes(), ANSWER))
}

#[derive(Deserialize)]
struct Granted<'a> {
    access_token: &'a str,
    expires_in: i64,
}

/// The token that was granted.
pub(super) fn granted(body: &[u8], now: Timestamp) -> Result<Token, GraphError> {
    let granted: Granted<'_> = serde_json::from_slice(body).map_err(|_| GraphError::NoToken)?;
    let mut header =
        HeaderValue::from_str(&format!("Bearer {}", granted.access_token)).map_err(|_| GraphError::NoToken)?;
    header.set_sensitive(true);
    let life = granted.expires_in.clamp(0, 7 * 24 * 3600);
    let until = now.saturating_add(SignedDuration::from_secs(life - AHEAD.min(life / 2))).unwrap_or(now);
    Ok(Token { header, until })
}

#[derive(Deserialize)]
struct Refused {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Why none was granted. The description may hold names: only its code is kept.
pub(super) fn refused(status: u16, body: &[u8]) -> GraphError {
    let refused: Option<Refused> = serde_json::from_slice(body).ok();
    let code = refused.map_or_else(String::new, |refused| {
        let digits = refused.error_description.strip_prefix("AADSTS").unwrap_or_default();
        let digits: String = digits.chars().take_while(char::is_ascii_digit).take(12).collect();
        let word: String = refused.error.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect();
        if digits.is_empty() { word } else { format!("AADSTS{digits}") }
    });
    GraphError::Refused { status, code }
}
