//! What the admin listener answers to which path.

use std::fmt::Write as _;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};

use super::guard::Ends;
use super::{Shown, pac, page, runbook};
use crate::observe::{self, Failing, Listener, LogLevel, Route};

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
/// The text format that the library writes.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const PAC: &str = "application/x-ns-proxy-autoconfig";
/// The paths that there are.
const PATHS: &str =
    "Here are /, /metrics, /healthz, /readyz, /proxy.pac, /runbooks, /api/verdicts and /api/log-level.\n";
/// Bytes of the name of a level, and then some.
const LEVEL_BYTES: usize = 64;

/// Answers one request, and counts it.
pub(super) async fn answer(request: Request<Incoming>, ends: Ends, shown: &Shown) -> Response<Full<Bytes>> {
    let _in_flight = shown.metrics.in_flight(Listener::Admin);
    let response = route(request, ends, shown).await;
    shown.metrics.request(Listener::Admin, Route::Admin, response.status().as_u16());
    response
}

async fn route(request: Request<Incoming>, ends: Ends, shown: &Shown) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let is_level = path == "/api/log-level";
    if !matches!(path, "/metrics" | "/healthz" | "/readyz") && !ends.may_look(request.headers()) {
        return text(StatusCode::FORBIDDEN, "This is shown to who asks for localhost, or for the address itself.\n");
    }
    match *request.method() {
        Method::GET | Method::HEAD => shows(path, ends, shown),
        Method::PUT if is_level && !ends.may_change(request.headers()) => {
            text(StatusCode::FORBIDDEN, "This is changed from this machine alone, and by no page of others.\n")
        }
        Method::PUT if is_level => set_level(request.into_body()).await,
        _ => {
            let allowed = if is_level { "GET, HEAD, PUT" } else { "GET, HEAD" };
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "This is not done with that method.\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            response
        }
    }
}

fn shows(path: &str, ends: Ends, shown: &Shown) -> Response<Full<Bytes>> {
    let metrics = &shown.metrics;
    match path {
        "/metrics" => match metrics.render() {
            Ok(families) => with(StatusCode::OK, METRICS, families),
            Err(error) => {
                tracing::error!(%error, "metrics could not be written");
                text(StatusCode::INTERNAL_SERVER_ERROR, "Metrics could not be written.\n")
            }
        },
        "/healthz" => text(StatusCode::OK, "alive\n"),
        "/readyz" if metrics.is_ready() => with(StatusCode::OK, TEXT, ready(shown)),
        "/readyz" => with(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not ready: {}\n", metrics.not_ready())),
        "/api/verdicts" => match serde_json::to_vec(&shown.recent.newest_first()) {
            Ok(verdicts) => with(StatusCode::OK, JSON, verdicts),
            Err(error) => {
                tracing::error!(%error, "verdicts could not be written");
                text(StatusCode::INTERNAL_SERVER_ERROR, "Verdicts could not be written.\n")
            }
        },
        "/api/log-level" => match observe::level() {
            Some(level) => with(StatusCode::OK, TEXT, format!("{}\n", level.as_str())),
            None => no_log(),
        },
        "/proxy.pac" => match &shown.explicit {
            Some(explicit) => with(StatusCode::OK, PAC, pac::render(explicit, ends.own)),
            None => text(StatusCode::NOT_FOUND, "There is no explicit proxy: `listen.connect` is not set.\n"),
        },
        "/" => html(page::render(shown)),
        _ => match path.strip_prefix(runbook::PATH).and_then(runbook::render) {
            Some(page) => html(page),
            None => text(StatusCode::NOT_FOUND, PATHS),
        },
    }
}

/// A page that a browser shows, and with which it does nothing else.
fn html(page: String) -> Response<Full<Bytes>> {
    let mut response = with(StatusCode::OK, HTML, page);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, page::policy());
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY"));
    response
}

/// That traffic is welcome, and what is judged by though it could not be had anew. Why is for the page, which fewer may see.
fn ready(shown: &Shown) -> String {
    let mut said = "ready\n".to_owned();
    for Failing { domain, source, last, .. } in shown.metrics.failing_sources() {
        let age = last.map_or_else(|| "was never had".to_owned(), |last| format!("was had last at {last}"));
        // writing to a string does not fail
        let _ = writeln!(said, "{source} of {domain} {age}");
    }
    said
}

/// Sets how much is logged.
async fn set_level(body: Incoming) -> Response<Full<Bytes>> {
    let body = Limited::new(body, LEVEL_BYTES).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let named = |level: &LogLevel| level.as_str().as_bytes() == body.trim_ascii();
    let Some(level) = LogLevel::ALL.into_iter().find(named) else {
        return text(StatusCode::BAD_REQUEST, "The body is one of error, warn, info, debug, trace.\n");
    };
    if !observe::set_level(level) {
        return no_log();
    }
    // said at a level at which most will see it
    tracing::warn!(level = level.as_str(), "the log level was changed by hand");
    with(StatusCode::OK, TEXT, format!("{}\n", level.as_str()))
}

fn no_log() -> Response<Full<Bytes>> {
    text(StatusCode::CONFLICT, "The log of this process is not in the hands of samlgate.\n")
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    with(status, TEXT, text)
}

fn with(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
