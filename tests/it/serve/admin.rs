//! What the admin listener shows, and to whom.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use hyper::header::{HOST, ORIGIN};
use hyper::{Request, Response, StatusCode};
use samlgate::dsig::TrustedKey;
use serde_json::Value;

use super::bench::{Answer, Bench, Speak, full, panicking, posted};
use super::post;

/// Posts fixtures, so that there are verdicts.
async fn verdicts(fixtures: &[&str]) -> (Bench, Answer) {
    let page = "<html><script>$Config={\"iErrorCode\":51004,\"pgid\":\"ConvergedError\"};</script>";
    let bench = Bench::judging("", Arc::new(move |_| Response::new(full(page)))).await;
    for fixture in fixtures {
        let request = post("/login.srf").header("x-request-id", *fixture);
        bench.client(Speak::Http1).await.send(request, full(&posted(fixture))).await;
    }
    let all_answered = || async {
        let known: Vec<Value> = serde_json::from_str(&bench.admin("/api/verdicts").await.body).unwrap();
        known.iter().filter(|known| known["actual"] == "AADSTS51004").count() == fixtures.len()
    };
    while !all_answered().await {
        tokio::task::yield_now().await;
    }
    let answer = bench.admin("/api/verdicts").await;
    (bench, answer)
}

/// Text about anybody: the directory's, and what the messages say.
fn assert_impersonal(text: &str) {
    let users = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tenants/users.csv")).unwrap();
    let words = users.lines().skip(1).flat_map(|line| line.split([',', ';', '"'])).filter(|word| word.len() > 6);
    let words = words.filter(|word| *word != "Member").chain(["first.user", "second.user", "mail.domain.company"]);
    let quoted: Vec<_> = words.filter(|word| text.contains(*word)).collect();
    assert!(quoted.is_empty(), "{quoted:?} in {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_registered_is_named_by_the_thumbprint_of_its_certificate() {
    let (bench, answer) = verdicts(&["signing_key_not_registered"]).await;
    let der = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/certificates/stranger.cer")).unwrap();
    let stranger = TrustedKey::from_der(&der).unwrap();
    let known: Vec<Value> = serde_json::from_str(&answer.body).unwrap();
    let failing = &known[0]["checks"][0];
    assert_eq!(failing["id"], "signing_key");
    assert!(failing["finding"].as_str().unwrap().contains(stranger.thumbprint().as_ref()), "{failing}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_verdicts_are_there_newest_first_with_their_findings_and_no_claims() {
    let all = ["sound_and_strict", "immutable_id_is_the_mail_address", "unsigned"];
    let (bench, answer) = verdicts(&all).await;
    assert_eq!(answer.headers["content-type"], "application/json");
    let known: Vec<Value> = serde_json::from_str(&answer.body).unwrap();
    let mut ids: Vec<_> = known.iter().map(|known| known["request_id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    let mut expected = all;
    expected.sort_unstable();
    assert_eq!(ids, expected);
    let of = |id: &str| known.iter().find(|known| known["request_id"] == id).unwrap();
    let mail = of("immutable_id_is_the_mail_address");
    assert_eq!((&mail["verdict"], &mail["predicted"]), (&"rejected".into(), &"AADSTS51004".into()));
    assert_eq!((&mail["agree"], &mail["federation"]), (&true.into(), &"domain.company".into()));
    assert_eq!(mail["time"], "2026-11-23T12:00:00Z");
    let failing = &mail["checks"][0];
    assert_eq!((&failing["id"], &failing["outcome"]), (&"immutable_id".into(), &"fail".into()));
    assert!(failing["finding"].as_str().unwrap().contains("the NameID is the mail address of #"), "{failing}");
    assert!(failing["hint"].as_str().unwrap().contains("authentik"), "{failing}");
    assert_eq!(of("sound_and_strict")["checks"], Value::Array(vec![]));
    assert!(["claims", "name_id\"", "NameID>", "expected", "got"].iter().all(|word| !answer.body.contains(word)));
    assert_impersonal(&answer.body);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_is_in_force_without_scripts_and_without_persons() {
    let (bench, _) = verdicts(&["sound_and_strict", "immutable_id_is_the_mail_address"]).await;
    let Answer { status, headers, body, .. } = bench.admin("/").await;
    assert_eq!(status, StatusCode::OK);
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && policy.contains("frame-ancestors 'none'"));
    for words in ["ready", "observe", "domain.company", "https://authentik.company/", "days left", "AADSTS51004"] {
        assert!(body.contains(words), "{words}: {body}");
    }
    assert!(["<script", "<img", "<form", " style=", "http-equiv=\"Content"].iter().all(|word| !body.contains(word)));
    assert_impersonal(&body);
    // the clock of the bench
    assert!(body.contains("<td>2026-11-23 12:00 UTC</tr>"), "{body}");
    let metrics = bench.admin("/metrics").await.body;
    let last = "samlgate_certificate_last_verified_timestamp_seconds";
    assert!(
        metrics.contains(&format!("{last}{{federation=\"domain.company\",role=\"current\"}} 1795435200\n")),
        "{metrics}"
    );
    // for whoever wants to look at it
    if let Some(path) = std::env::var_os("SAMLGATE_PAGE") {
        fs::write(path, &body).unwrap();
    }
    bench.stop().await;
}

/// The links of the alerts lead here.
#[tokio::test(flavor = "multi_thread")]
async fn every_alert_and_every_check_has_its_page_and_nothing_else_has_one() {
    let bench = Bench::start("", panicking()).await;
    let manual = |page: &str| {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual").join(page).with_extension("md"))
            .unwrap()
    };
    let (alerts, checks) = (manual("alerts"), manual("checks"));
    let sections = alerts.lines().filter_map(|line| line.strip_prefix("## ").map(str::to_owned));
    let guides = checks.lines().filter_map(|line| line.strip_prefix("## ").filter(|name| !name.contains(' ')));
    let names: Vec<String> = sections.chain(guides.map(str::to_owned)).collect();
    assert_eq!(names.len(), 31 + 23);
    let all = bench.admin("/runbooks").await;
    for name in names {
        let Answer { status, headers, body, .. } = bench.admin(&format!("/runbooks/{name}")).await;
        assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &"text/html; charset=utf-8".parse().unwrap()));
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        assert!(body.contains(&format!("<h1>{name}</h1>")) && body.contains("<li>"), "{name}: {body}");
        assert!(all.body.contains(&format!("href=\"/runbooks/{name}\"")), "{name}");
    }
    for path in ["/runbooks/SamlgateNowhere", "/runbooks/../metrics", "/runbooks/SamlgateDown/", "/runbooksx"] {
        assert_eq!(bench.admin(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_pages_neither_see_nor_change_anything() {
    let bench = Bench::start("", panicking()).await;
    let get = |path: &str, host: &str| Request::get(path).header(HOST, host);
    for path in ["/", "/api/verdicts", "/api/log-level", "/runbooks/SamlgateDown", "/nowhere"] {
        let answer = bench.admin_asked(get(path, "stranger.example"), "").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    // a scraper knows this program by any name
    assert_eq!(bench.admin_asked(get("/metrics", "samlgate.internal:9464"), "").await.status, StatusCode::OK);

    let long = "debug".repeat(100);
    let put = || Request::put("/api/log-level").header(HOST, "127.0.0.1:9464");
    let of = |request, body| bench.admin_asked(request, body);
    assert_eq!(of(put().header(ORIGIN, "https://stranger.example"), "debug").await.status, StatusCode::FORBIDDEN);
    assert_eq!(of(put(), "loud").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(of(put(), &long).await.status, StatusCode::BAD_REQUEST);
    // the log of a test is no log of samlgate's
    assert_eq!(of(put().header(ORIGIN, "http://localhost:9464"), "debug\n").await.status, StatusCode::CONFLICT);
    let answer = of(Request::delete("/api/log-level").header(HOST, "localhost"), "").await;
    assert_eq!(
        (answer.status, &answer.headers["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET, HEAD, PUT".parse().unwrap())
    );
    bench.stop().await;
}
