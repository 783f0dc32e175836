//! The pages of the fake: the one that asks, the one that signs in, and the one that is sorry, which also says 200.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::decision::Refusal;
use crate::lab::page::Page;

/// What stands at `/`.
pub(super) const FRONT: &str = "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>A fake Entra</title></head><body>\n\
    <h1>A fake Entra</h1>\n<p><a href=\"/common/oauth2/v2.0/authorize\">Sign in</a>\n</body></html>\n";

/// The page that posts an AuthnRequest to the identity provider.
pub(super) fn request(sign_in: &str, now: Timestamp) -> Page {
    let (id, relay_state) = (guid(), guid());
    let request = format!(
        r#"<samlp:AuthnRequest ID="_{id}" Version="2.0" IssueInstant="{now}" xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"><Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">urn:federation:MicrosoftOnline</Issuer><samlp:NameIDPolicy Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"/></samlp:AuthnRequest>"#
    );
    let fields = [
        ("SAMLRequest", STANDARD.encode(request)),
        ("RelayState", format!("estsredirect=2&estsrequest={}", relay_state.replace('-', ""))),
    ];
    Page::posting("Redirecting", sign_in, &fields)
}

/// The page that answers a posted response.
pub(super) fn answered(decision: &Result<String, Refusal>, context: &str, now: Timestamp) -> Page {
    let correlation = guid();
    let mut page = match decision {
        Ok(upn) => {
            let config = json!({
                "pgid": "KmsiInterrupt",
                "sPOST_Username": upn,
                "sCtx": context,
                "correlationId": correlation,
                "urlPost": "/kmsi",
            });
            let mut page = shown("Stay signed in?", "Stay signed in?", &config);
            let session = guid();
            let flags = "path=/; secure; HttpOnly; SameSite=None";
            for name in ["ESTSAUTH", "ESTSAUTHPERSISTENT"] {
                page.headers.push(("set-cookie", format!("{name}={session}; {flags}")));
            }
            page
        }
        Err(refusal) => {
            let time = now.strftime("%Y-%m-%d %H:%M:%SZ");
            let message = format!(
                "AADSTS{}: {} Trace ID: {correlation} Correlation ID: {correlation} Timestamp: {time}",
                refusal.code, refusal.text
            );
            let config = json!({
                "pgid": "ConvergedError",
                "iErrorCode": refusal.code.parse::<u32>().unwrap_or_default(),
                "sErrorCode": refusal.code,
                "strServiceExceptionMessage": message,
                "strMainMessage": "Sorry, but we\u{2019}re having trouble signing you in.",
                "correlationId": correlation,
            });
            shown("Sign in to your account", "Sorry, but we&#8217;re having trouble signing you in.", &config)
        }
    };
    page.headers.push(("x-ms-request-id", correlation));
    page
}

/// A page whose script holds `$Config`, as all of Entra's do.
fn shown(title: &str, text: &str, config: &Value) -> Page {
    // no text of anybody's ends the script
    let config = config.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let html = format!(
        "<!DOCTYPE html>\n<html dir=\"ltr\" lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <script type=\"text/javascript\">//<![CDATA[\n$Config={config};\n//]]></script></head>\n<body><p>{text}</p></body></html>\n"
    );
    Page::new(StatusCode::OK, html)
}

/// A random GUID; the fake's sessions are worth nothing, so a system without random numbers is no reason to stop.
fn guid() -> String {
    let mut bytes = [0; 16];
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    let mut text = format!("{:032x}", u128::from_be_bytes(bytes));
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    text
}
