//! A client assertion: the JSON Web Token by which an application proves that it holds the key of its certificate.
//!
//! Source: Microsoft identity platform, "application authentication certificate credentials": PS256, x5t#S256.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jiff::Timestamp;
use serde_json::json;

use crate::dsig::{Hash, SignError, SignatureAlgorithm, SignatureScheme, SigningKey};

/// Seconds that it is good for.
const LIFETIME: i64 = 600;

/// The token for this audience.
pub(super) fn assertion(
    key: &SigningKey,
    audience: &str,
    client_id: &str,
    now: Timestamp,
) -> Result<String, SignError> {
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| SignError::Key("the system has no random numbers".to_owned()))?;
    let thumbprint = BASE64URL.encode(digest(&SHA256, &key.public().certificate().der));
    let second = now.as_second();
    let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint});
    let claims = json!({
        "aud": audience, "iss": client_id, "sub": client_id, "jti": BASE64URL.encode(random),
        "iat": second, "nbf": second, "exp": second + LIFETIME,
    });
    let message = format!("{}.{}", BASE64URL.encode(header.to_string()), BASE64URL.encode(claims.to_string()));
    let algorithm = SignatureAlgorithm { scheme: SignatureScheme::RsaPss, hash: Hash::Sha256 };
    let signature = key.sign_bytes(algorithm, message.as_bytes())?;
    Ok(format!("{message}.{}", BASE64URL.encode(signature)))
}
