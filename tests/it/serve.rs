//! The proxy between a client and an upstream that writes down what it is sent.

mod admin;
mod answers;
pub(crate) mod bench;
mod capture;
mod connect;
mod connect_hostile;
#[cfg(target_os = "linux")]
mod crowd;
mod faults;
mod hostile;
mod memory;
#[cfg(unix)]
mod process;
mod published;
#[cfg(feature = "oracles")]
mod redis;
mod reload;
mod shared;
#[cfg(target_os = "linux")]
mod supervisor;
#[cfg(unix)]
mod traces;
mod tunnel;
mod upstream;
mod wire;

use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use samlgate::app::{AppError, start};
use samlgate::inspect::MessageKind;
use samlgate::verdict::Code;

use bench::{Answer, Bench, Body, FORM, HOST_NAME, Speak, chunks, config, full, judge, panicking, raw, unread};

const POSTED: &str = "SAMLResponse=PHNhbWw%2B%0d%0a&RelayState=a+b%20c&x=%zz";

fn post(path: &str) -> hyper::http::request::Builder {
    Request::post(path).header(HOST, HOST_NAME).header(CONTENT_TYPE, FORM)
}

fn metric(bench: &Bench, line: &str) -> bool {
    bench.metrics().lines().any(|known| known == line)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_that_came_are_the_bytes_that_go_on() {
    for speak in [Speak::Http1, Speak::Http2] {
        let bench = Bench::start("", judge(MessageKind::SamlResponse, true, None)).await;
        let mut client = bench.client(speak).await;
        let whole = client.send(post("/login.srf?wa=1"), full(POSTED)).await;
        assert_eq!((whole.status, whole.body.as_str()), (StatusCode::OK, "from the upstream"));
        let pieces =
            client.send(post("/LOGIN%2esrf/"), chunks(&["SAMLResponse=PHNhb", "WwvPg%3D%3D&Rel", "ayState=%F0"])).await;
        assert_eq!(pieces.status, StatusCode::OK);

        let seen = bench.seen();
        assert_eq!(seen[0].body, POSTED.as_bytes());
        assert_eq!((seen[0].method.as_str(), seen[0].target.as_str()), ("POST", "/login.srf?wa=1"));
        assert_eq!(seen[0].headers.get_all(HOST).iter().collect::<Vec<_>>(), [HOST_NAME]);
        assert_eq!(seen[1].body, b"SAMLResponse=PHNhbWwvPg%3D%3D&RelayState=%F0");
        assert_eq!(seen[1].target, "/LOGIN%2esrf/");
        bench.until("samlgate_responses_total{federation=\"domain.company\",verdict=\"accepted\"} 2").await;
        assert!(metric(
            &bench,
            "samlgate_requests_total{listener=\"reverse\",route=\"inspect\",status_class=\"2xx\"} 2"
        ));
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_never_keeps_an_observed_message_from_the_upstream() {
    for judge in [judge(MessageKind::SamlResponse, false, Some(Code::UserUnknown)), panicking()] {
        let bench = Bench::start("", judge).await;
        let mut client = bench.client(Speak::Http1).await;
        assert_eq!(client.send(post("/login.srf"), full(POSTED)).await.status, StatusCode::OK);
        // and the next one, after a panic
        assert_eq!(client.send(post("/login.srf"), full(POSTED)).await.status, StatusCode::OK);
        assert_eq!(bench.seen().len(), 2);
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_judge_is_counted_and_refuses_in_enforce() {
    let bench = Bench::start("mode = \"enforce\"\n", panicking()).await;
    let answer = bench.client(Speak::Http1).await.send(post("/login.srf"), full(POSTED)).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(bench.seen().is_empty());
    assert!(metric(&bench, "samlgate_panics_total 1"));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enforce_forwards_what_is_accepted_and_refuses_the_rest_in_one_sentence() {
    let accepting = Bench::start("mode = \"enforce\"\n", judge(MessageKind::SamlResponse, true, None)).await;
    assert_eq!(
        accepting.client(Speak::Http2).await.send(post("/login.srf"), full(POSTED)).await.status,
        StatusCode::OK
    );
    assert_eq!(accepting.seen()[0].body, POSTED.as_bytes());
    accepting.stop().await;

    let bench =
        Bench::start("mode = \"enforce\"\n", judge(MessageKind::SamlResponse, false, Some(Code::UserUnknown))).await;
    let request = post("/login.srf").header("x-request-id", "id-of-the-test");
    let Answer { status, headers, body, .. } = bench.client(Speak::Http1).await.send(request, full(POSTED)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("Request: id-of-the-test\nPredicted: AADSTS51004\n"), "{body}");
    assert_eq!(headers["x-request-id"], "id-of-the-test");
    assert!(bench.seen().is_empty());
    assert!(metric(&bench, "samlgate_responses_total{federation=\"domain.company\",verdict=\"rejected\"} 1"));
    assert!(metric(
        &bench,
        "samlgate_checks_total{check=\"immutable_id\",federation=\"domain.company\",outcome=\"fail\"} 1"
    ));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_sign_in_is_counted_and_goes_on_unless_it_may_not() {
    let strict = "mode = \"enforce\"\n[intercept]\npass_unjudged = false\n";
    for (settings, status) in [("mode = \"enforce\"\n", StatusCode::OK), (strict, StatusCode::FORBIDDEN)] {
        let bench = Bench::start(settings, judge(MessageKind::WsFed, false, None)).await;
        let mut client = bench.client(Speak::Http1).await;
        assert_eq!(client.send(post("/login.srf"), full("wresult=")).await.status, status);
        let json = Request::post("/login.srf").header(HOST, HOST_NAME).header(CONTENT_TYPE, "application/json");
        assert_eq!(client.send(json, full("{}")).await.status, status);
        assert_eq!(client.send(post("/login.srf").header("content-encoding", "gzip"), full("x")).await.status, status);
        assert!(metric(&bench, "samlgate_messages_total{kind=\"ws_fed\"} 1"));
        assert!(metric(&bench, "samlgate_messages_total{kind=\"other\"} 2"));
        assert!(metric(&bench, "samlgate_responses_total{federation=\"domain.company\",verdict=\"rejected\"} 0"));
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_streams_on_unjudged_or_is_refused() {
    let limit = "[limits]\nbody_bytes = 16\n";
    let long = "SAMLResponse=0123456789";
    let bodies: [fn(&str) -> Body; 2] = [full, |text| chunks(&[text.split_at(10).0, text.split_at(10).1])];
    for body in bodies {
        let bench = Bench::start(limit, panicking()).await;
        let answer = bench.client(Speak::Http1).await.send(post("/login.srf"), body(long)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(bench.seen()[0].body, long.as_bytes());
        assert!(metric(&bench, "samlgate_bodies_unjudged_total{reason=\"too_large\"} 1"));
        bench.stop().await;

        let bench = Bench::start(&format!("mode = \"enforce\"\n{limit}"), panicking()).await;
        let answer = bench.client(Speak::Http1).await.send(post("/login.srf"), body(long)).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(bench.seen().is_empty());
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_go_through_unread_without_what_belongs_to_a_connection() {
    let bench = Bench::start("", panicking()).await;
    let mut client = bench.client(Speak::Http1).await;
    let request =
        post("/common/login").header("connection", "x-private").header("x-private", "1").header("upgrade", "h2c");
    let answer = client.send(request, chunks(&["password=", "secret"])).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.headers.get("keep-alive").is_none() && answer.headers.contains_key("x-upstream"));
    let get = Request::builder().method(Method::GET).uri("/login.srf?SAMLResponse=x").header(HOST, HOST_NAME);
    assert_eq!(client.send(get, full("")).await.status, StatusCode::OK);

    let seen = bench.seen();
    assert_eq!(seen[0].body, b"password=secret");
    assert!(["x-private", "upgrade", "expect"].iter().all(|name| !seen[0].headers.contains_key(*name)));
    assert_eq!(seen[1].target, "/login.srf?SAMLResponse=x");
    assert!(metric(&bench, "samlgate_requests_total{listener=\"reverse\",route=\"pass\",status_class=\"2xx\"} 2"));
    assert!(metric(&bench, "samlgate_panics_total 0"));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_nobody_or_for_somebody_else_is_refused() {
    let bench = Bench::start("", panicking()).await;
    let own = "Host: login.microsoftonline.com\r\n";
    let cases = [
        ("GET / HTTP/1.1\r\n".to_owned(), 400),
        ("GET / HTTP/1.0\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{own}{own}"), 400),
        (format!("GET https://other.example/ HTTP/1.1\r\n{own}"), 400),
        ("GET / HTTP/1.1\r\nHost: other.example\r\n".to_owned(), 421),
        ("CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n".to_owned(), 405),
        (format!("POST / HTTP/1.1\r\n{own}Transfer-Encoding: gzip, chunked\r\n"), 400),
        (format!("POST / HTTP/1.1\r\n{own}Content-Length: 1\r\nContent-Length: 2\r\n"), 400),
        (format!("POST / HTTP/1.1\r\n{own}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400),
        (format!("POST / HTTP/1.1\r\n{own}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), 400),
    ];
    for (head, status) in cases {
        let answer = raw(&bench, &format!("{head}Connection: close\r\n\r\n")).await;
        assert_eq!(answer.split(' ').nth(1), Some(status.to_string().as_str()), "{head}{answer}");
    }
    assert!(bench.seen().is_empty());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_follows_a_request_whose_length_could_be_read_in_two_ways() {
    let bench = Bench::start("", panicking()).await;
    let smuggled = "GET / HTTP/1.1\r\nHost: login.microsoftonline.com\r\n\r\n\
         POST /a HTTP/1.1\r\nHost: login.microsoftonline.com\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: login.microsoftonline.com\r\n\r\n";
    // the server closes: nobody else does
    let answer = raw(&bench, smuggled).await;
    assert!(answer.contains(" 400 "), "{answer}");
    assert!(bench.seen().iter().all(|seen| seen.target == "/"));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_upstream_is_a_502_and_counted() {
    let bench = Bench::without_upstream(judge(MessageKind::SamlResponse, true, None)).await;
    let answer = bench.client(Speak::Http2).await.send(post("/login.srf"), full(POSTED)).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.headers["x-request-id"].len(), 32);
    assert!(metric(&bench, "samlgate_upstream_errors_total{reason=\"connect\"} 1"));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_is_believed_by_its_certificate_alone() {
    let bench = Bench::with_tls_upstream(true, "").await;
    assert_eq!(bench.client(Speak::Http1).await.send(post("/a"), full("x")).await.status, StatusCode::OK);
    assert_eq!(bench.seen()[0].headers[HOST], HOST_NAME);
    bench.stop().await;

    let bench = Bench::with_tls_upstream(false, "").await;
    assert_eq!(bench.client(Speak::Http1).await.send(post("/a"), full("x")).await.status, StatusCode::BAD_GATEWAY);
    assert!(metric(&bench, "samlgate_upstream_errors_total{reason=\"tls\"} 1"));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_series_is_there_before_anything_happens() {
    let bench = Bench::start("", panicking()).await;
    let scraped = bench.admin("/metrics").await;
    assert_eq!(scraped.status, StatusCode::OK);
    for line in [
        "samlgate_messages_total{kind=\"saml_response\"} 0",
        "samlgate_responses_total{federation=\"unknown\",verdict=\"rejected\"} 0",
        "samlgate_checks_total{check=\"replay\",federation=\"domain.company\",outcome=\"warn\"} 0",
        "samlgate_judge_duration_seconds_count{verdict=\"accepted\"} 0",
        "samlgate_requests_total{listener=\"reverse\",route=\"refuse\",status_class=\"4xx\"} 0",
        "samlgate_requests_in_flight{listener=\"reverse\"} 0",
        "samlgate_requests_total{listener=\"connect\",route=\"refuse\",status_class=\"4xx\"} 0",
        "samlgate_tunnels_open 0",
        "samlgate_tunnel_bytes_total{direction=\"down\"} 0",
        "samlgate_tunnel_errors_total{reason=\"forbidden\"} 0",
        "samlgate_bodies_unjudged_total{reason=\"budget\"} 0",
        "samlgate_upstream_errors_total{reason=\"timeout\"} 0",
        "samlgate_config_reloads_total{result=\"ok\"} 0",
        "samlgate_config_reloads_total{result=\"failed\"} 0",
        "samlgate_config_last_reload_successful 1",
        "samlgate_config_last_success_timestamp_seconds 0",
        "samlgate_source_refresh_failures_total{federation=\"domain.company\",source=\"file\"} 0",
        "samlgate_source_failures_in_a_row{federation=\"domain.company\",source=\"file\"} 0",
        "samlgate_replay_entries 0",
        "samlgate_replay_full_total 0",
        "samlgate_replay_store_errors_total 0",
        "samlgate_upstream_duration_seconds_count{outcome=\"error\"} 0",
        "samlgate_capture_dropped_total 0",
        "samlgate_capture_raw 0",
        "samlgate_panics_total 0",
        "samlgate_ready 1",
    ] {
        assert!(scraped.body.lines().any(|known| known == line), "{line}\n{}", scraped.body);
    }
    let of_the_file = "{federation=\"domain.company\",role=\"current\",source=\"file\"} ";
    assert!(scraped.body.contains(&format!("samlgate_certificate_not_after_timestamp_seconds{of_the_file}")));
    assert!(scraped.body.contains("samlgate_source_age_seconds{federation=\"domain.company\",source=\"file\"} 0"));
    assert!(scraped.body.contains("samlgate_build_info{") && scraped.body.contains("process_start_time_seconds "));
    let manual = include_str!("../../src/manual/operation.md");
    let families = scraped.body.lines().filter_map(|line| line.strip_prefix("# HELP samlgate_")?.split(' ').next());
    let silent: Vec<_> = families.filter(|family| !manual.contains(&format!("| `{family}` |"))).collect();
    assert!(silent.is_empty(), "src/manual/operation.md lacks {silent:?}");
    assert_eq!(bench.admin("/healthz").await.status, StatusCode::OK);
    assert_eq!(bench.admin("/readyz").await.status, StatusCode::OK);
    assert_eq!(bench.admin("/nowhere").await.status, StatusCode::NOT_FOUND);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_lets_what_was_begun_end() {
    let bench = Bench::start("", judge(MessageKind::SamlResponse, true, None)).await;
    let mut client = bench.client(Speak::Http2).await;
    let (sender, body) = unread();
    let answer = tokio::spawn(async move { client.send(post("/login.srf"), body).await });
    bench.until("samlgate_requests_in_flight{listener=\"reverse\"} 1").await;
    let seen = bench.seen_later();
    let stopped = tokio::spawn(bench.stop());
    sender.send("SAMLResponse=").unwrap();
    assert_eq!(answer.await.unwrap().status, StatusCode::OK);
    stopped.await.unwrap();
    assert_eq!(seen.lock().unwrap()[0].body, b"SAMLResponse=");
}

#[tokio::test]
async fn serve_names_what_it_lacks() {
    let lacking = start(config("", "").0).await.unwrap_err();
    assert!(matches!(&lacking, AppError::Missing(keys) if keys.len() == 3), "{lacking}");
}
