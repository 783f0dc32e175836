//! What the upstream answered, beside what was predicted: counted, and the browser sees nothing of it.

use std::io::Write as _;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use samlgate::inspect::MessageKind;
use samlgate::verdict::Code;

use super::bench::{Bench, Reply, Speak, full, judge};
use super::{POSTED, metric, post};

/// An error page of Entra.
fn error_page(code: u32) -> String {
    format!(
        "<html><script>$Config={{\"strServiceExceptionMessage\":\"AADSTS{code}: no\",\"iErrorCode\":{code},\"pgid\":\"ConvergedError\"}};</script>"
    )
}

fn gzip(text: &str) -> Bytes {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap().into()
}

/// An upstream that always says these bytes, with these fields.
fn saying(bytes: &Bytes, fields: &[(&'static str, &'static str)]) -> Reply {
    let (bytes, fields) = (bytes.clone(), fields.to_vec());
    Arc::new(move |_| {
        let builder = fields.iter().fold(Response::builder(), |builder, (name, value)| builder.header(*name, *value));
        builder.body(Full::new(bytes.clone()).boxed()).unwrap()
    })
}

fn predictions(predicted: &str, actual: &str, count: u32) -> String {
    format!("samlgate_predictions_total{{actual=\"{actual}\",predicted=\"{predicted}\"}} {count}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_compared_with_the_prediction_and_reaches_the_browser_untouched() {
    let page = gzip(&error_page(51_004));
    for speak in [Speak::Http1, Speak::Http2] {
        for (code, predicted) in
            [(Some(Code::UserUnknown), "51004"), (Some(Code::RealmUnknown), "50107"), (None, "none")]
        {
            let judge = judge(MessageKind::SamlResponse, code.is_none(), code);
            let bench = Bench::replying("", judge, saying(&page, &[("content-encoding", "gzip")])).await;
            let answer = bench.client(speak).await.send(post("/login.srf"), full(POSTED)).await;
            assert_eq!((answer.status, &answer.bytes), (StatusCode::OK, &page));
            assert_eq!(answer.headers["content-encoding"], "gzip");
            bench.until(&predictions(predicted, "51004", 1)).await;
            bench.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_what_was_predicted_of_a_sound_response() {
    let cookie = ("set-cookie", "ESTSAUTH=0.AX; path=/; secure");
    for mode in ["", "mode = \"enforce\"\n"] {
        let reply = saying(&Bytes::new(), &[("set-cookie", "first=1"), cookie]);
        let bench = Bench::replying(mode, judge(MessageKind::SamlResponse, true, None), reply).await;
        assert!(metric(&bench, &predictions("none", "none", 0)));
        let answer = bench.client(Speak::Http1).await.send(post("/login.srf"), full(POSTED)).await;
        assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
        bench.until(&predictions("none", "none", 1)).await;
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_larger_than_the_copy_goes_through_whole() {
    let page = Bytes::from(error_page(50_107) + &"x".repeat(3 << 20) + &error_page(51_004));
    let bench = Bench::replying("", judge(MessageKind::SamlResponse, true, None), saying(&page, &[])).await;
    let answer = bench.client(Speak::Http2).await.send(post("/login.srf"), full(POSTED)).await;
    assert_eq!(answer.bytes, page);
    bench.until(&predictions("none", "50107", 1)).await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_says_nothing_is_unknown_and_what_is_no_sign_in_is_not_counted() {
    let reply = || saying(&Bytes::from_static(b"hello"), &[]);
    let bench = Bench::replying("", judge(MessageKind::SamlResponse, true, None), reply()).await;
    bench.client(Speak::Http1).await.send(post("/login.srf"), full(POSTED)).await;
    bench.until(&predictions("none", "unknown", 1)).await;
    bench.stop().await;

    let bench = Bench::replying("", judge(MessageKind::Logout, false, None), reply()).await;
    bench.client(Speak::Http1).await.send(post("/login.srf"), full(POSTED)).await;
    bench.until("samlgate_messages_total{kind=\"logout\"} 1").await;
    let metrics = bench.metrics();
    assert!(
        metrics.lines().filter(|line| line.starts_with("samlgate_predictions_total")).all(|line| line.ends_with(" 0"))
    );
    // 11 codes that come true, and 11 codes, a session, others and silence after a sound response
    assert_eq!(metrics.lines().filter(|line| line.starts_with("samlgate_predictions_total{")).count(), 25);
    bench.stop().await;
}
