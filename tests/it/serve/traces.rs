//! Traces of the real program: what a collector of the test's own is sent, and what the upstream is told of them.

use std::process::Command;

use hyper::StatusCode;

use super::bench::{Seen, full, posted};
use super::post;
use super::process::{Process, Stage};

impl Stage {
    fn start_by(&self, variables: &[(&str, &str)]) -> Process {
        let mut command = Command::new("env");
        command.args(variables.iter().map(|(name, value)| format!("{name}={value}")));
        Process::run(command, &self.configured())
    }

    /// What the upstream was asked last.
    fn seen(&self) -> Seen {
        self.record.lock().unwrap().last().unwrap().clone()
    }

    /// A sign-in of this trace, and what the upstream saw of it.
    async fn sign_in(&self, process: &Process, headers: &[(&str, &str)]) -> Seen {
        let request = post("/login.srf?login_hint=first.user").header("x-request-id", "request-of-the-test");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = process.client().await.send(request, full(&posted("sound_and_strict"))).await;
        assert_eq!(answer.status, StatusCode::OK);
        self.seen()
    }
}

fn header<'a>(seen: &'a Seen, name: &str) -> Vec<&'a str> {
    seen.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_traced_the_context_goes_on_as_it_came() {
    let stage = Stage::new().await;
    let nowhere = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let mut cases =
        vec![vec![], vec![nowhere, ("OTEL_SDK_DISABLED", "true")], vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "")]];
    // without the feature an endpoint is nothing
    if !cfg!(feature = "otlp") {
        cases.push(vec![nowhere]);
    }
    for variables in cases {
        let process = stage.start_by(&variables);
        let came = [("traceparent", "junk"), ("tracestate", "a=1"), ("tracestate", "")];
        let seen = stage.sign_in(&process, &came).await;
        assert_eq!(header(&seen, "traceparent"), ["junk"]);
        assert_eq!(header(&seen, "tracestate"), ["a=1", ""]);
        let seen = stage.sign_in(&process, &[]).await;
        assert!(header(&seen, "traceparent").is_empty() && header(&seen, "tracestate").is_empty());
    }
}

#[cfg(feature = "otlp")]
mod collected {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use hyper::{Request, Response};
    use rustix::process::Signal;
    use serde_json::Value;
    use tokio::net::TcpListener;

    use super::super::bench::{HOST_NAME, Record, upstream_replying};
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// A collector, and where it is.
    async fn collector() -> (Record, String) {
        let record = Record::default();
        let reply = Arc::new(|seen: &Seen| {
            let is_json = seen.headers["content-type"] == "application/json";
            Response::new(full(if is_json { "{}" } else { "" }))
        });
        let address = upstream_replying(record.clone(), None, reply).await;
        (record, format!("http://{address}"))
    }

    fn end(process: &mut Process) {
        process.signal(Signal::TERM);
        assert_eq!(process.ended(), Some(0));
    }

    /// All that was collected, as JSON.
    struct Collected(Vec<Value>);

    impl Collected {
        fn of(record: &Record) -> Self {
            Self(record.lock().unwrap().iter().map(|seen| serde_json::from_slice(&seen.body).unwrap()).collect())
        }

        fn each<'a>(values: impl Iterator<Item = &'a Value>, key: &'a str) -> impl Iterator<Item = &'a Value> {
            values.flat_map(move |value| value[key].as_array().unwrap())
        }

        /// What `service.name` and the like are.
        fn resource(&self, key: &str) -> Option<String> {
            let all = Self::each(self.0.iter(), "resourceSpans");
            let mut found = all.filter_map(|spans| attribute(&spans["resource"], key));
            found.next()
        }

        fn spans(&self) -> Vec<&Value> {
            let scopes = Self::each(Self::each(self.0.iter(), "resourceSpans"), "scopeSpans");
            Self::each(scopes, "spans").collect()
        }

        /// The one of this kind and name: 1 is inside, 2 a server, 3 a client.
        fn span(&self, kind: u64, name: &str) -> &Value {
            let spans = self.spans();
            let mut found = spans.iter().filter(|span| span["kind"] == kind && span["name"] == name);
            match (found.next(), found.next()) {
                (Some(span), None) => span,
                other => unreachable!("{kind} {name}: {other:#?}\n{:#?}", self.0),
            }
        }
    }

    fn attribute(of: &Value, key: &str) -> Option<String> {
        let found = of["attributes"].as_array()?.iter().find(|attribute| attribute["key"] == key)?;
        let value = found["value"].as_object()?.values().next()?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_sign_in_is_one_trace_from_the_browser_to_the_upstream() {
        let (stage, (record, endpoint)) = (Stage::new().await, collector().await);
        // what is not sent at the end would not come while this test waits
        let mut process = stage.start_by(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=key-of-the-test"),
            ("OTEL_SERVICE_NAME", "service-of-the-test"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging"),
            ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
        ]);
        let seen = stage.sign_in(&process, &[("traceparent", PARENT), ("tracestate", "a=1,b=2")]).await;
        end(&mut process);

        let collected = Collected::of(&record);
        assert_eq!(collected.spans().len(), 3);
        let (request, judge, upstream) =
            (collected.span(2, "POST"), collected.span(1, "judge"), collected.span(3, "POST"));
        for span in [request, judge, upstream] {
            assert_eq!(span["traceId"], "0af7651916cd43dd8448eb211c80319c");
        }
        assert_eq!(request["parentSpanId"], "b7ad6b7169203331");
        assert_eq!(judge["parentSpanId"], request["spanId"]);
        assert_eq!(upstream["parentSpanId"], request["spanId"]);
        let passed_on = format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", upstream["spanId"].as_str().unwrap());
        assert_eq!(header(&seen, "traceparent"), [passed_on]);
        assert_eq!(header(&seen, "tracestate"), ["a=1,b=2"]);

        for (span, key, value) in [
            (request, "http.request.method", "POST"),
            (request, "http.response.status_code", "200"),
            (request, "network.protocol.version", "1.1"),
            (request, "samlgate.listener", "reverse"),
            (request, "samlgate.route", "inspect"),
            (request, "samlgate.request_id", "request-of-the-test"),
            (judge, "samlgate.kind", "saml_response"),
            (judge, "samlgate.federation", "domain.company"),
            (judge, "samlgate.verdict", "rejected"),
            // made long ago
            (judge, "samlgate.predicted", "AADSTS500089"),
            (upstream, "http.request.method", "POST"),
            (upstream, "http.response.status_code", "200"),
            (upstream, "server.address", "127.0.0.1"),
        ] {
            assert_eq!(attribute(span, key).as_deref(), Some(value), "{key}: {span:#?}");
        }
        assert!(attribute(judge, "samlgate.failing").is_some_and(|ids| ids.contains("\"time\"")), "{judge:#?}");
        assert_eq!(collected.resource("service.name").as_deref(), Some("service-of-the-test"));
        assert_eq!(collected.resource("deployment.environment.name").as_deref(), Some("staging"));
        let sent = record.lock().unwrap()[0].clone();
        assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v1/traces"));
        assert_eq!(header(&sent, "x-key"), ["key-of-the-test"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_about_a_person_is_sent() {
        let xml = include_str!("../../../fixtures/responses/sound_and_strict/response.xml");
        let name_id = xml.split("NameID").nth(1).unwrap().split(['>', '<']).nth(1).unwrap();
        assert!(name_id.len() > 10, "{name_id}");
        for protocol in ["http/protobuf", "http/json", ""] {
            let (stage, (record, endpoint)) = (Stage::new().await, collector().await);
            let traces = format!("{endpoint}/traces-of-the-test");
            let mut process = stage.start_by(&[
                ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &traces),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ]);
            stage.sign_in(&process, &[]).await;
            let path = "/common/userrealm/first.user@domain.company?login_hint=first.user";
            let visit = Request::get(path).header("host", HOST_NAME).header("cookie", "of=first.user");
            assert_eq!(process.client().await.send(visit, full("")).await.status, StatusCode::OK);
            let odd = Request::builder().method("first.user").uri("/").header("host", HOST_NAME);
            process.client().await.send(odd, full("")).await;
            end(&mut process);

            let all: Vec<Seen> = record.lock().unwrap().clone();
            assert!(!all.is_empty(), "{protocol}");
            for sent in all {
                assert_eq!(sent.target, "/traces-of-the-test");
                let wanted = if protocol == "http/json" { "application/json" } else { "application/x-protobuf" };
                assert_eq!(header(&sent, "content-type"), [wanted]);
                let text = String::from_utf8_lossy(&sent.body);
                assert!(text.contains("samlgate") && text.contains("judge"), "{text}");
                for personal in [name_id, "first.user", "userrealm", "login_hint", "SAMLResponse", "@domain"] {
                    assert!(!text.contains(personal), "{personal}: {text}");
                }
                assert!(!text.contains("unknown_service"), "{text}");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_sampler_that_wants_nothing_is_obeyed() {
        let (stage, (record, endpoint)) = (Stage::new().await, collector().await);
        let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_TRACES_SAMPLER", "always_off")];
        let mut process = stage.start_by(&variables);
        let seen = stage.sign_in(&process, &[("traceparent", PARENT)]).await;
        let passed_on = header(&seen, "traceparent")[0];
        assert!(passed_on.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && passed_on.ends_with("-00"));
        end(&mut process);
        assert!(record.lock().unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_collector_that_is_away_or_stuck_delays_no_sign_in_and_not_the_end() {
        // connections are taken by the system, and nobody ever answers
        let stuck = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stuck_at = stuck.local_addr().unwrap();
        let away = {
            let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
            free.local_addr().unwrap()
        };
        for collector in [away, stuck_at] {
            let stage = Stage::new().await;
            let endpoint = format!("http://{collector}");
            let mut process = stage.start_by(&[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000"),
                ("OTEL_BSP_SCHEDULE_DELAY", "1"),
                ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
                ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8"),
            ]);
            let start = Instant::now();
            for _ in 0..50 {
                stage.sign_in(&process, &[]).await;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
            // PATIENCE is less than the collector was given
            end(&mut process);
        }
    }
}
