//! The answers that this proxy gives itself: a fixed sentence, the request id, and nothing that came in.

use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, StatusCode};

use super::body::{Body, full};
use super::headers::REQUEST_ID;
use super::judging::Decision;
use crate::answer::{PREDICTED, REFUSAL};
use crate::observe::Unjudged;
use crate::verdict::Code;

/// A sentence for the browser.
pub(super) fn sentence(status: StatusCode, sentence: &str, request_id: &HeaderValue) -> Response<Body> {
    plain(status, format!("samlgate: {sentence}\n\nRequest: {}\n", text(request_id)))
}

/// In place of a message that must not pass, be it for what was decided or because nothing could be.
pub(super) fn refused(decision: Decision, request_id: &HeaderValue) -> Response<Body> {
    match decision {
        Decision::Accepted(predicted) | Decision::Rejected(predicted) => rejected(predicted, request_id),
        Decision::NotJudged => not_judged(request_id),
        Decision::Panicked => {
            let text = "This message could not be judged, and was not forwarded.";
            sentence(StatusCode::INTERNAL_SERVER_ERROR, text, request_id)
        }
        Decision::Unrecorded => {
            let text = "This message could not be recorded, and was not forwarded.";
            sentence(StatusCode::SERVICE_UNAVAILABLE, text, request_id)
        }
    }
}

/// The page in place of a sign-in that was not accepted. It repeats nothing of the message.
fn rejected(predicted: Option<Code>, request_id: &HeaderValue) -> Response<Body> {
    let predicted = predicted.map_or_else(|| "none".to_owned(), |code| code.to_string());
    let text = format!("{REFUSAL}\n\nRequest: {}\n{PREDICTED}{predicted}\n", text(request_id));
    plain(StatusCode::FORBIDDEN, text)
}

/// The client is at fault.
pub(super) fn broken(request_id: &HeaderValue) -> Response<Body> {
    closing(sentence(StatusCode::BAD_REQUEST, "The body of the request could not be read.", request_id))
}

/// In place of a message that is none to be judged, where only those may pass that are accepted.
pub(super) fn not_judged(request_id: &HeaderValue) -> Response<Body> {
    let refusal = "This message is no SAML 2.0 sign-in response, and was not forwarded.";
    sentence(StatusCode::FORBIDDEN, refusal, request_id)
}

/// What is said of a body that could not be judged, and must not pass without.
pub(super) fn unjudged(reason: Unjudged) -> (StatusCode, &'static str) {
    match reason {
        Unjudged::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The body of the request is too large to be judged."),
        Unjudged::Budget => (StatusCode::SERVICE_UNAVAILABLE, "Too much is being judged just now. Please try again."),
    }
}

/// The same answer, and the end of the connection: a body that nobody reads may still be on its way.
pub(super) fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Sets what every answer of this proxy carries.
pub(super) fn mark(response: &mut Response<Body>, mut request_id: HeaderValue) {
    // no two are alike: over HTTP/2 none is worth remembering for the next answer
    request_id.set_sensitive(true);
    response.headers_mut().insert(REQUEST_ID, request_id);
}

fn text(request_id: &HeaderValue) -> &str {
    request_id.to_str().unwrap_or_default()
}

/// Plain text, so that a request id that somebody chose is no markup.
fn plain(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(full(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
