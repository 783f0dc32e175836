//! The answers of the fake Graph as JSON, and its errors in Graph's words.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::super::page::Page;

/// What the token endpoint objects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: &'static str,
    pub(super) description: String,
}

pub(super) fn json(status: StatusCode, value: &Value) -> Page {
    let headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
    Page { headers, ..Page::new(status, value.to_string()) }
}

pub(super) fn ok(value: &Value) -> Page {
    json(StatusCode::OK, value)
}

pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Page {
    let request = "00000000-0000-0000-0000-000000000000";
    let inner = json!({"date": "2026-01-01T00:00:00", "request-id": request, "client-request-id": request});
    json(status, &json!({"error": {"code": code, "message": message, "innerError": inner}}))
}

pub(super) fn token(token: &str, seconds: u32) -> Page {
    ok(&json!({"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}))
}

pub(super) fn token_refused(refusal: &Refusal) -> Page {
    json(refusal.status, &json!({"error": refusal.error, "error_description": refusal.description}))
}

pub(super) fn expired() -> Page {
    let message = "Lifetime validation failed, the token is expired.";
    error(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
}

pub(super) fn forbidden() -> Page {
    let message = "Insufficient privileges to complete the operation.";
    error(StatusCode::FORBIDDEN, "Authorization_RequestDenied", message)
}

pub(super) fn no_such_resource(path: &str) -> Page {
    let message = format!("Resource not found for the segment '{}'.", path.rsplit('/').next().unwrap_or_default());
    error(StatusCode::NOT_FOUND, "ResourceNotFound", &message)
}

pub(super) fn not_found(what: &str) -> Page {
    let message =
        format!("Resource '{what}' does not exist or one of its queried reference-property objects are not present.");
    error(StatusCode::NOT_FOUND, "Request_ResourceNotFound", &message)
}

pub(super) fn bad(message: &str) -> Page {
    error(StatusCode::BAD_REQUEST, "Request_BadRequest", message)
}

/// Graph's answer to a delta link that is too old.
pub(super) fn gone() -> Page {
    error(StatusCode::GONE, "syncStateNotFound", "The sync state generation is not found; resynchronize.")
}
