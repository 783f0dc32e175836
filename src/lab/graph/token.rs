//! The token endpoint of the fake Graph: client credentials by secret or by a signed assertion, and the tokens that are good.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::answer::Refusal;

/// The assertion type of a JSON Web Token.
const BY_JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Who may ask.
#[derive(Clone)]
pub struct Application {
    /// Tenant; none for any.
    pub tenant: Option<String>,
    /// Client id; none for any.
    pub client_id: Option<String>,
    /// The secret.
    pub secret: String,
    /// The certificate (DER) by whose key assertions may be signed.
    pub certificate: Option<Vec<u8>>,
}

impl Default for Application {
    fn default() -> Self {
        Self { tenant: None, client_id: None, secret: "lab".to_owned(), certificate: None }
    }
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Application({:?} of {:?})", self.client_id, self.tenant)
    }
}

impl Application {
    /// Whether the form asks for a token that may be given.
    pub(super) fn check(&self, tenant: &str, form: &[(String, String)], now: Timestamp) -> Result<(), Refusal> {
        let field = |name: &str| form.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.as_str());
        if self.tenant.as_deref().is_some_and(|known| !known.eq_ignore_ascii_case(tenant)) {
            let description = format!("AADSTS90002: Tenant '{tenant}' not found.");
            return Err(refusal(StatusCode::BAD_REQUEST, "invalid_request", &description));
        }
        if field("grant_type") != "client_credentials" || !field("scope").ends_with("/.default") {
            let description = "AADSTS1002012: The provided value for scope is not valid.";
            return Err(refusal(StatusCode::BAD_REQUEST, "invalid_scope", description));
        }
        let client_id = field("client_id");
        if self.client_id.as_deref().is_some_and(|known| known != client_id) {
            return Err(unknown_application(client_id));
        }
        if field("client_assertion").is_empty() {
            return if field("client_secret") == self.secret { Ok(()) } else { Err(wrong_secret()) };
        }
        let known = field("client_assertion_type") == BY_JWT;
        let checked = known.then(|| self.assertion(field("client_assertion"), tenant, client_id, now));
        checked.unwrap_or(Err("its type is not supported")).map_err(|cause| {
            let description = format!("AADSTS700027: The certificate or the client assertion is not valid: {cause}.");
            refusal(StatusCode::UNAUTHORIZED, "invalid_client", &description)
        })
    }

    fn assertion(&self, jwt: &str, tenant: &str, client_id: &str, now: Timestamp) -> Result<(), &'static str> {
        let certificate = self.certificate.as_deref().ok_or("no certificate is registered")?;
        let (message, signature) = jwt.rsplit_once('.').ok_or("it is no token")?;
        let (header, claims) = message.split_once('.').ok_or("it is no token")?;
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| "it is not in base64url");
        let object = |text| serde_json::from_slice::<Value>(&bytes(text)?).map_err(|_| "it is not JSON");
        let (header, claims) = (object(header)?, object(claims)?);
        let text = |object: &Value, name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate));
        if text(&header, "x5t#S256") != thumbprint {
            return Err("x5t#S256 names no registered certificate");
        }
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| "the certificate is none")?;
        let algorithm = match text(&header, "alg").as_str() {
            "RS256" => &RSA_PKCS1_2048_8192_SHA256,
            "PS256" => &RSA_PSS_2048_8192_SHA256,
            _ => return Err("its algorithm is not supported"),
        };
        let key = UnparsedPublicKey::new(algorithm, parsed.public_key().subject_public_key.data.as_ref());
        key.verify(message.as_bytes(), &bytes(signature)?).map_err(|_| "its signature does not verify")?;
        if text(&claims, "iss") != client_id || text(&claims, "sub") != client_id {
            return Err("iss and sub are not the client id");
        }
        if !text(&claims, "aud").ends_with(&format!("/{tenant}/oauth2/v2.0/token")) {
            return Err("aud is another place");
        }
        if text(&claims, "jti").is_empty() {
            return Err("jti is missing");
        }
        let second = |name| claims.get(name).and_then(Value::as_i64).unwrap_or_default();
        let in_force = second("nbf") <= now.as_second() && now.as_second() < second("exp");
        in_force.then_some(()).ok_or("it is not within its validity")
    }
}

fn refusal(status: StatusCode, error: &'static str, description: &str) -> Refusal {
    Refusal { status, error, description: description.to_owned() }
}

pub(super) fn wrong_secret() -> Refusal {
    let description = "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client \
                       secret value, not the client secret ID.";
    refusal(StatusCode::UNAUTHORIZED, "invalid_client", description)
}

pub(super) fn unknown_application(client_id: &str) -> Refusal {
    let description =
        format!("AADSTS700016: Application with identifier '{client_id}' was not found in the directory.");
    refusal(StatusCode::BAD_REQUEST, "unauthorized_client", &description)
}

/// The tokens that were handed out, each with its end.
#[derive(Debug, Default)]
pub(super) struct Tokens(Vec<Timestamp>);

impl Tokens {
    pub(super) fn issue(&mut self, now: Timestamp, seconds: u32) -> String {
        self.0.push(now.saturating_add(SignedDuration::from_secs(seconds.into())).unwrap_or(now));
        format!("lab-token-{}", self.0.len())
    }

    pub(super) fn is_good(&self, token: &str, now: Timestamp) -> bool {
        let number = token.strip_prefix("lab-token-").and_then(|number| number.parse::<usize>().ok());
        let end = number.and_then(|number| self.0.get(number.checked_sub(1)?));
        end.is_some_and(|end| now < *end)
    }

    pub(super) fn issued(&self) -> usize {
        self.0.len()
    }
}
