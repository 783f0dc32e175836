//! The spans: a request, its verdict, the upstream; each ends when nobody holds it any more.

use std::sync::OnceLock;

use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Method, Version};
use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::SdkTracer;

use super::context::{brought, pass_on};
use crate::verdict::{Outcome, Verdict};

/// A process has one; none where nothing is traced.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Traces from now on.
pub(super) fn trace_by(tracer: SdkTracer) {
    // a process begins once
    let _ = TRACER.set(tracer);
}

fn start(
    name: &'static str,
    kind: SpanKind,
    parent: &Context,
    attributes: impl IntoIterator<Item = KeyValue>,
) -> Option<Context> {
    let tracer = TRACER.get()?;
    let span = tracer.span_builder(name).with_kind(kind).with_attributes(attributes).start_with_context(tracer, parent);
    Some(Context::new().with_span(span))
}

/// A request that is answered. Its clones are the same span.
#[derive(Debug, Clone)]
pub struct RequestSpan(Option<Context>);

impl RequestSpan {
    /// Begins with the head of a request. Its path is told nowhere: who signs in may stand in it.
    pub fn begin(request: &Parts, request_id: &HeaderValue, listener: &'static str) -> Self {
        if TRACER.get().is_none() {
            return Self(None);
        }
        let (name, method) = method(&request.method);
        let id = request_id.to_str().unwrap_or_default().to_owned();
        let mut attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("url.scheme", "https"),
            KeyValue::new("samlgate.listener", listener),
            KeyValue::new("samlgate.request_id", id),
        ];
        attributes.extend(version(request.version).map(|version| KeyValue::new("network.protocol.version", version)));
        Self(start(name, SpanKind::Server, &brought(&request.headers), attributes))
    }

    /// What was done with the request, and the status of the answer.
    pub fn answered(&self, route: &'static str, status: u16) {
        let Some(context) = &self.0 else { return };
        context.span().set_attribute(KeyValue::new("samlgate.route", route));
        tell_status(context, status, 500);
    }

    /// What else is done for this request; it does not hold up the end of the span.
    pub fn within(&self) -> Within {
        Within(self.0.as_ref().map(|context| context.span().span_context().clone()))
    }

    /// Begins with a request to the upstream, whose headers then say by whom it is asked.
    pub fn ask(&self, request: &mut Parts, host: &str, port: u16) -> UpstreamSpan {
        let Some(context) = &self.0 else { return UpstreamSpan(None) };
        let (name, method) = method(&request.method);
        let attributes = [
            KeyValue::new("http.request.method", method),
            KeyValue::new("server.address", host.to_owned()),
            KeyValue::new("server.port", i64::from(port)),
        ];
        let span = start(name, SpanKind::Client, context, attributes);
        if let Some(span) = &span {
            pass_on(span, &mut request.headers);
        }
        UpstreamSpan(span)
    }
}

/// The request that something is done for.
#[derive(Debug, Clone)]
pub struct Within(Option<SpanContext>);

impl Within {
    /// Begins to judge.
    pub fn judge(&self) -> JudgeSpan {
        let parent = self.0.clone().map(|request| Context::new().with_remote_span_context(request));
        JudgeSpan(parent.and_then(|parent| start("judge", SpanKind::Internal, &parent, [])))
    }
}

/// A message that is judged.
#[derive(Debug)]
pub struct JudgeSpan(Option<Context>);

impl JudgeSpan {
    /// What came of it: the kind of the message and, where it has a verdict, that, the federation, the code that was predicted
    /// and the checks that fail.
    pub fn judged<D: AsRef<str>>(self, kind: &'static str, domain: impl FnOnce() -> D, verdict: Option<&Verdict>) {
        let Some(context) = self.0 else { return };
        let span = context.span();
        span.set_attribute(KeyValue::new("samlgate.kind", kind));
        let Some(verdict) = verdict else { return };
        let predicted = verdict.predicted.map_or_else(|| "none".to_owned(), |code| code.to_string());
        let failing = verdict.with_outcome(Outcome::Fail).map(|id| StringValue::from(id.as_str())).collect();
        span.set_attributes([
            KeyValue::new("samlgate.federation", domain().as_ref().to_owned()),
            KeyValue::new("samlgate.verdict", verdict.word()),
            KeyValue::new("samlgate.predicted", predicted),
            KeyValue::new("samlgate.failing", Value::Array(Array::String(failing))),
        ]);
    }
}

/// The upstream is asked.
#[derive(Debug)]
pub struct UpstreamSpan(Option<Context>);

impl UpstreamSpan {
    /// The head of its answer.
    pub fn answered(self, status: u16) {
        if let Some(context) = &self.0 {
            tell_status(context, status, 400);
        }
    }

    /// There is no answer, for this reason.
    pub fn failed(self, reason: &'static str) {
        let Some(context) = self.0 else { return };
        context.span().set_attribute(KeyValue::new("error.type", reason));
        context.span().set_status(Status::error(""));
    }
}

/// The status of an answer, which is an error from this one on.
fn tell_status(context: &Context, status: u16, error: u16) {
    let span = context.span();
    span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
    if status >= error {
        span.set_attribute(KeyValue::new("error.type", status.to_string()));
        span.set_status(Status::error(""));
    }
}

/// The name of a span, and the method: a closed set, for anybody may write anything there.
fn method(method: &Method) -> (&'static str, &'static str) {
    let known = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"];
    known.into_iter().find(|known| method == *known).map_or(("HTTP", "_OTHER"), |known| (known, known))
}

fn version(version: Version) -> Option<&'static str> {
    [(Version::HTTP_10, "1.0"), (Version::HTTP_11, "1.1"), (Version::HTTP_2, "2")]
        .into_iter()
        .find_map(|(known, word)| (known == version).then_some(word))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_of_a_closed_set() {
        assert_eq!(method(&Method::POST), ("POST", "POST"));
        assert_eq!(method(&Method::from_bytes(b"first.user").unwrap()), ("HTTP", "_OTHER"));
        assert_eq!(version(Version::HTTP_2), Some("2"));
        assert_eq!(version(Version::HTTP_09), None);
    }
}
