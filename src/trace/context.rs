//! Trace context, as the W3C has it: taken from the headers of a request, and passed on in them.

use hyper::header::{HeaderMap, HeaderName};
use opentelemetry::Context;
use opentelemetry::propagation::{Injector, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;

const PARENT: HeaderName = HeaderName::from_static("traceparent");
const STATE: HeaderName = HeaderName::from_static("tracestate");

/// What a request says of the trace that it belongs to.
pub(super) fn brought(headers: &HeaderMap) -> Context {
    let mut parents = headers.get_all(PARENT).iter();
    // of two, nobody knows which one is meant
    match (parents.next(), parents.next()) {
        (Some(_), None) => {
            TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers))
        }
        _ => Context::new(),
    }
}

/// Makes a span the parent of what the next one does with this request. What others wrote beside it goes on as it came, unless it
/// belongs to no trace.
pub(super) fn pass_on(span: &Context, headers: &mut HeaderMap) {
    if !span.span().span_context().is_valid() {
        return;
    }
    if !brought(headers).span().span_context().is_valid() {
        headers.remove(STATE);
    }
    TraceContextPropagator::new().inject_context(span, &mut Parent(headers));
}

/// Writes the parent, and nothing else.
struct Parent<'a>(&'a mut HeaderMap);

impl Injector for Parent<'_> {
    fn set(&mut self, key: &str, value: String) {
        if key == PARENT {
            HeaderInjector(self.0).set(key, value);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use hyper::header::HeaderValue;
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    const THEIRS: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const OURS: &str = "00-0af7651916cd43dd8448eb211c80319c-00000000000000ff-01";

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn span() -> Context {
        let trace = TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap();
        let context = SpanContext::new(trace, SpanId::from(0xff), TraceFlags::SAMPLED, false, TraceState::default());
        Context::new().with_remote_span_context(context)
    }

    #[test]
    fn one_sound_parent_is_taken_and_nothing_else() {
        let taken = brought(&headers(&[(PARENT, THEIRS), (STATE, "a=1")]));
        assert_eq!(taken.span().span_context().span_id().to_string(), "b7ad6b7169203331");
        assert!(taken.span().span_context().is_sampled());
        for parents in [&[][..], &[THEIRS, THEIRS], &["00-0-0-01"], &["00-0af7651916cd43dd8448eb211c80319c"], &[""]] {
            let lines: Vec<_> = parents.iter().map(|parent| (PARENT, *parent)).collect();
            assert!(!brought(&headers(&lines)).span().span_context().is_valid(), "{parents:?}");
        }
    }

    #[test]
    fn the_parent_alone_is_changed() {
        let mut map = headers(&[(PARENT, THEIRS), (STATE, "a=1"), (STATE, "b=2"), (HeaderName::from_static("x"), "y")]);
        pass_on(&span(), &mut map);
        assert_eq!(
            map,
            headers(&[(PARENT, OURS), (STATE, "a=1"), (STATE, "b=2"), (HeaderName::from_static("x"), "y")])
        );
        // what came with no trace, or with two
        for parents in [&[][..], &[(PARENT, THEIRS), (PARENT, THEIRS)]] {
            let mut map = headers(&[parents, &[(STATE, "a=1")]].concat());
            pass_on(&span(), &mut map);
            assert_eq!(map, headers(&[(PARENT, OURS)]));
        }
        // who traces nothing changes nothing
        let untouched = headers(&[(PARENT, "junk"), (STATE, "a=1")]);
        let mut map = untouched.clone();
        pass_on(&Context::new(), &mut map);
        assert_eq!(map, untouched);
    }
}
