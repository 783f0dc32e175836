//! What is remembered from one message to the next, by the real judge: requests that passed, and assertions that were used.

use std::sync::Arc;

use base64::Engine as _;
use hyper::header::HOST;
use hyper::{Request, Response, StatusCode};

use super::bench::{Bench, HOST_NAME, Reply, Speak, full, posted};
use super::{metric, post};

/// The request that the fixture answers.
const REQUEST: &str = "_3f1c0b52-5d8f-4f0e-9a43-0d1c3b0b7f11";

/// An upstream whose pages carry this request to the identity provider.
fn asking(id: &str) -> Reply {
    let xml = format!(
        "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"{id}\" Version=\"2.0\" IssueInstant=\"2026-11-23T11:59:00Z\"/>"
    );
    let value = base64::engine::general_purpose::STANDARD.encode(xml);
    let page =
        format!("<form action=\"https://authentik.company/\"><input name=\"SAMLRequest\" value=\"{value}\"></form>");
    Arc::new(move |seen| {
        let response = Response::builder().header("content-type", "text/html; charset=utf-8");
        response.body(full(if seen.method == "GET" { &page } else { "" })).unwrap()
    })
}

fn check(check: &str, outcome: &str, count: u32) -> String {
    format!("samlgate_checks_total{{check=\"{check}\",federation=\"domain.company\",outcome=\"{outcome}\"}} {count}")
}

async fn visit(bench: &Bench) {
    let get = Request::get("/common/oauth2/authorize?x=y").header(HOST, HOST_NAME);
    assert_eq!(bench.client(Speak::Http2).await.send(get, full("")).await.status, StatusCode::OK);
}

async fn sign_in(bench: &Bench) -> StatusCode {
    bench.client(Speak::Http1).await.send(post("/login.srf"), full(&posted("in_response_to_present"))).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_to_a_request_that_passed_is_known_and_a_second_one_is_noticed() {
    let bench = Bench::judging("", asking(REQUEST)).await;
    sign_in(&bench).await;
    bench.until(&check("in_response_to", "skip", 1)).await;
    bench.until(&check("replay", "pass", 1)).await;
    bench.until("samlgate_replay_entries 1").await;
    visit(&bench).await;
    // the page is read beside the visit: who is very quick still finds the request unknown
    let mut replays = 0;
    while !metric(&bench, &check("in_response_to", "pass", 1)) {
        sign_in(&bench).await;
        replays += 1;
        bench.until(&check("replay", "warn", replays)).await;
    }
    sign_in(&bench).await;
    bench.until(&check("in_response_to", "warn", 1)).await;
    bench.until(&check("in_response_to", "pass", 1)).await;
    bench.until("samlgate_replay_entries 1").await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_refused_where_the_policy_says_so() {
    let bench = Bench::judging("mode = \"enforce\"\n[policy]\nreplay = \"reject\"\n", asking(REQUEST)).await;
    assert_eq!(sign_in(&bench).await, StatusCode::OK);
    assert_eq!(sign_in(&bench).await, StatusCode::FORBIDDEN);
    assert_eq!(bench.seen().len(), 1);
    bench.until(&check("replay", "fail", 1)).await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_signed_is_not_remembered() {
    let bench = Bench::judging("", asking(REQUEST)).await;
    for count in 1..3 {
        bench.client(Speak::Http1).await.send(post("/login.srf"), full(&posted("unsigned"))).await;
        bench.until(&check("replay", "skip", count)).await;
    }
    bench.until("samlgate_replay_entries 0").await;
    bench.stop().await;
}
