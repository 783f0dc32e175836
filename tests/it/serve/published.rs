//! Metadata by URL: asked for again while the proxy runs, and the last good one judged by whatever happens there.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::StatusCode;
use samlgate::app::{AppError, Published, serve};
use samlgate::config::Config;
use samlgate::saml::metadata::METADATA_MAX;
use samlgate::source::{Ask, Bounds, Client, Failure, Pace, Url};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::bench::{Bench, PATIENCE, Speak, full, posted};
use super::{metric, post};
use crate::https::{Https, Say, document, metadata};

const ISSUER: &str = "https://authentik.company/application/saml/m365/metadata/";
/// As good as at once.
const OFTEN: Pace = Pace { every: Duration::from_millis(5), retry: Duration::from_millis(1) };
const FAILURES: &str = "samlgate_source_refresh_failures_total{federation=\"domain.company\",source=\"metadata\"}";
const ACCEPTED: &str = "samlgate_responses_total{federation=\"domain.company\",verdict=\"accepted\"}";

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A configuration with one federation whose metadata is at the server, `beside` what else is known of it.
fn write(folder: &Path, ends: &str, server: &Https, beside: &str) {
    fs::write(folder.join("idp.pem"), server.root.pem()).unwrap();
    let text = format!(
        "environment = \"test\"\n{ends}\n[[federation]]\ndomain = \"domain.company\"\nmetadata = \"{}\"\n\
         metadata_ca = \"idp.pem\"\nusers = {:?}\n{beside}",
        server.url(),
        fixtures().join("tenants/users.csv"),
    );
    fs::write(folder.join("samlgate.toml"), text).unwrap();
}

fn certificates() -> String {
    format!("issuer = \"{ISSUER}\"\ncertificates = [{:?}]\n", fixtures().join("certificates/current.cer"))
}

async fn publishing(server: &Https, beside: &str) -> Bench {
    Bench::publishing(OFTEN, Bounds::default(), |folder, ends| write(folder, ends, server, beside)).await
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let there = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, there).await.map_err(|_| what.to_owned()).unwrap();
}

fn number(bench: &Bench, series: &str) -> f64 {
    let metrics = bench.metrics();
    let line = metrics.lines().find(|line| line.starts_with(series));
    line.map_or(-1.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_is_not_sent_again_and_changes_nothing() {
    let server = Https::saying(Say::Document { etag: Some("\"one\""), body: metadata(ISSUER, &["current.cer"]) }).await;
    let bench = publishing(&server, "").await;
    until("it is asked again", || server.unchanged() > 3).await;
    // the first answer alone had a document in it
    assert!(server.asked() <= server.unchanged() + 2);
    assert!(metric(&bench, &format!("{FAILURES} 0")), "{}", bench.metrics());
    assert!(metric(&bench, "samlgate_config_reloads_total{result=\"ok\"} 0"));
    assert!(number(&bench, "samlgate_source_age_seconds{federation=\"domain.company\",source=\"metadata\"}") >= 0.0);
    // one connection serves them all
    assert!(server.connections() <= 2, "{}", server.connections());
    bench.stop().await;
    let asked = server.asked();
    tokio::task::yield_now().await;
    assert!(server.asked() <= asked + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_document_is_in_force_without_a_lost_request() {
    let server = Https::saying(document(metadata(ISSUER, &["next.cer"]))).await;
    let bench = publishing(&server, "").await;
    let (stop, body) = (Arc::new(AtomicBool::new(false)), posted("sound_and_strict"));
    let mut client = bench.client(Speak::Http2).await;
    let posting = {
        let (stop, body) = (Arc::clone(&stop), body.clone());
        tokio::spawn(async move {
            let mut sent = 0;
            while !stop.load(Ordering::Acquire) {
                assert_eq!(client.send(post("/login.srf"), full(&body)).await.status, StatusCode::OK);
                sent += 1;
            }
            sent
        })
    };
    bench.until("samlgate_checks_total{check=\"signing_key\",federation=\"domain.company\",outcome=\"pass\"} 0").await;
    until("it is rejected", || {
        number(&bench, "samlgate_responses_total{federation=\"domain.company\",verdict=\"rejected\"}") > 0.0
    })
    .await;
    server.say(document(metadata(ISSUER, &["next.cer", "current.cer"])));
    until("it is accepted", || number(&bench, ACCEPTED) > 0.0).await;
    stop.store(true, Ordering::Release);
    let sent: usize = posting.await.unwrap();
    assert_eq!(bench.seen().len(), sent);
    assert!(metric(&bench, "samlgate_config_reloads_total{result=\"ok\"} 1"));
    assert!(metric(&bench, "samlgate_config_reloads_total{result=\"failed\"} 0"));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_the_last_good_one_is_judged_by() {
    let good = metadata(ISSUER, &["current.cer"]);
    let server = Https::saying(document(good.clone())).await;
    let bench = publishing(&server, "").await;
    let three = metadata(ISSUER, &["current.cer", "next.cer", "p256.cer"]);
    for (say, words) in [
        (Say::Status(500, "x-why", String::new()), "status 500"),
        (Say::Status(503, "retry-after", "1".to_owned()), "status 503"),
        // nobody said that it is known
        (Say::Status(304, "x-why", String::new()), ""),
        (document(" ".repeat(METADATA_MAX + 1)), "at most 1048576 bytes"),
        (document("<!DOCTYPE html><html><body>Log in</body></html>"), "HTML page"),
        (document(good.replace("</md:EntityDescriptor>", "")), "expected SAML metadata"),
        (document(three), "cannot be judged by"),
        (Say::Status(302, "location", "http://127.0.0.1:1/metadata/".to_owned()), "expected an https URL"),
        (Say::Status(302, "location", "/metadata/".to_owned()), "at most 3 redirects"),
    ] {
        let failures = number(&bench, FAILURES);
        server.say(say);
        if words.is_empty() {
            let asked = server.asked();
            until("it is asked again", || server.asked() > asked + 2).await;
        } else {
            until(words, || number(&bench, FAILURES) > failures + 1.0).await;
            let page = bench.admin("/").await.body;
            assert!(page.contains(words), "{words}: {page}");
            let ready = bench.admin("/readyz").await;
            assert_eq!(ready.status, StatusCode::OK);
            assert!(ready.body.contains("metadata of domain.company was had last at 2026-11-23"), "{}", ready.body);
        }
        let accepted = number(&bench, ACCEPTED).max(0.0);
        let answer = bench.client(Speak::Http1).await.send(post("/login.srf"), full(&posted("sound_and_strict"))).await;
        assert_eq!(answer.status, StatusCode::OK);
        until("it is accepted", || number(&bench, ACCEPTED) > accepted).await;
        // and then it is there again
        server.say(document(good.clone()));
        let wanted = "ready\n";
        while bench.admin("/readyz").await.body != wanted {
            tokio::task::yield_now().await;
        }
    }
    // what came was the same all the time, but for what was not taken
    assert!(metric(&bench, "samlgate_config_reloads_total{result=\"ok\"} 0"));
    assert!(!bench.admin("/").await.body.contains("class=\"bad\""));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_compared_may_be_away_and_come_later() {
    let server = Https::saying(Say::Nothing).await;
    let bounds = Bounds { total: Duration::from_secs(1), ..Bounds::default() };
    let bench = Bench::publishing(OFTEN, bounds, |folder, ends| write(folder, ends, &server, &certificates())).await;
    assert!(number(&bench, FAILURES) >= 1.0);
    assert!(bench.admin("/").await.body.contains("was never had: no answer within 1 s"));
    assert!(bench.admin("/readyz").await.body.contains("ready\nmetadata of domain.company was never had"));
    assert!(!bench.metrics().contains("source_age_seconds{federation=\"domain.company\",source=\"metadata\"}"));
    let answer = bench.client(Speak::Http1).await.send(post("/login.srf"), full(&posted("sound_and_strict"))).await;
    assert_eq!(answer.status, StatusCode::OK);
    bench.until(&format!("{ACCEPTED} 1")).await;
    let published =
        "certificate_not_after_timestamp_seconds{federation=\"domain.company\",role=\"current\",source=\"metadata\"}";
    assert!(!bench.metrics().contains(published));
    server.say(document(metadata(ISSUER, &["current.cer"])));
    bench.until("samlgate_config_reloads_total{result=\"ok\"} 1").await;
    // shown beside what is judged by, and not judged by
    assert!(bench.metrics().contains(published), "{}", bench.metrics());
    assert!(bench.admin("/").await.body.contains("(metadata)"));
    assert_eq!(bench.admin("/readyz").await.body, "ready\n");

    // another configuration that does not name it: nobody asks any more
    let text = fs::read_to_string(bench.folder().join("samlgate.toml")).unwrap();
    let without: Vec<&str> = text.lines().filter(|line| !line.starts_with("metadata")).collect();
    fs::write(bench.folder().join("samlgate.toml"), without.join("\n")).unwrap();
    bench.reload();
    bench.until("samlgate_config_reloads_total{result=\"ok\"} 2").await;
    assert!(!bench.metrics().contains("source_age_seconds{federation=\"domain.company\",source=\"metadata\"}"));
    // and one that names another place, which is asked before anything is changed
    let elsewhere = Https::saying(document(metadata(ISSUER, &["current.cer"]))).await;
    fs::write(bench.folder().join("idp.pem"), elsewhere.root.pem()).unwrap();
    fs::write(bench.folder().join("samlgate.toml"), text.replace(&server.url(), &elsewhere.url())).unwrap();
    bench.reload();
    bench.until("samlgate_config_reloads_total{result=\"ok\"} 3").await;
    assert!(elsewhere.asked() > 0);
    // with nobody who vouches for it any more, what was had is known all the same
    fs::write(bench.folder().join("idp.pem"), server.root.pem()).unwrap();
    bench.reload();
    bench.until("samlgate_config_reloads_total{result=\"ok\"} 4").await;
    // the reload is counted first
    let told = async { while !bench.admin("/").await.body.contains("TLS failed") {} };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
    assert!(bench.metrics().contains("source_age_seconds{federation=\"domain.company\",source=\"metadata\"}"));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_what_is_judged_by_nothing_starts() {
    let server = Https::saying(Say::Status(500, "x-why", String::new())).await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "[listen]\nreverse = \"127.0.0.1:0\"\n", &server, "");
    let path = folder.path().join("samlgate.toml");
    let refused = {
        let path = path.clone();
        tokio::task::spawn_blocking(move || serve(&path)).await.unwrap()
    };
    assert!(matches!(refused, Err(AppError::Config(_))), "{refused:?}");
    let said = refused.unwrap_err().to_string();
    assert!(said.contains(&server.url()) && said.contains("got status 500") && said.contains("hint: "), "{said}");

    // beside something else, it is told and no more
    write(folder.path(), "", &server, &certificates());
    let published = Published::of(&path, Bounds::default()).await;
    let config = Config::load_with(&path, published.documents()).unwrap();
    assert!(config.notes.iter().any(|note| note.contains("got status 500")), "{:?}", config.notes);
    let config = Config::load(&path).unwrap();
    assert!(config.notes.iter().any(|note| note.contains("was not fetched")), "{:?}", config.notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_led_only_so_far_and_never_with_a_secret() {
    let end = Https::saying(document("the end")).await;
    let way = Https::saying(Say::Status(307, "location", end.url())).await;
    let both = [way.root.der().to_vec(), end.root.der().to_vec()];
    let ask = || Ask::get(Url::parse(&way.url()).unwrap(), 7);
    let client = Client::new(&both, Bounds::default()).unwrap();
    let answer = client.ask(ask()).await.unwrap();
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, b"the end".as_slice()));
    assert!(answer.date.is_some());
    assert_eq!(answer.peer.unwrap().not_after.to_string(), "4096-01-01T00:00:00Z");

    let asked = end.asked();
    let secret = ask().header(hyper::header::AUTHORIZATION, "Bearer secret".parse().unwrap());
    assert!(matches!(client.ask(secret).await, Err(Failure::Led(_))));
    let form = Ask::post_form(Url::parse(&way.url()).unwrap(), b"client_secret=secret".to_vec(), 7);
    assert!(matches!(client.ask(form).await, Err(Failure::Led(_))));
    assert_eq!(end.asked(), asked);

    // nobody vouches for the end
    let client = Client::new(&both[..1], Bounds::default()).unwrap();
    let said = client.ask(ask()).await.unwrap_err().to_string();
    assert_eq!(said, "TLS failed: its certificate comes from nobody who is trusted here");
    let by_name = Url::parse(&end.url().replace("127.0.0.1", "localhost")).unwrap();
    let client = Client::new(&both, Bounds::default()).unwrap();
    let said = client.ask(Ask::get(by_name, 7)).await.unwrap_err().to_string();
    assert_eq!(said, "TLS failed: its certificate is for another name");
    end.say(document("the end."));
    let client = Client::new(&both, Bounds::default()).unwrap();
    assert_eq!(client.ask(ask()).await.unwrap_err(), Failure::TooLarge(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_tls_is_told_from_a_broken_one() {
    let alert = |description| vec![21, 3, 1, 0, 2, 2, description];
    // a ServerHello of TLS 1.1: version, 32 bytes of chance, no session, a cipher suite, no compression
    let hello = [&[3, 2][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
    let hello = [&[22, 3, 2, 0, 42, 2, 0, 0, 38][..], &hello].concat();
    for (answer, is_old) in
        [(alert(70), true), (hello, true), (alert(40), false), (b"HTTP/1.1 400 \r\n\r\n".to_vec(), false)]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("https://{}/", listener.local_addr().unwrap())).unwrap();
        let answering = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(&answer).await.unwrap();
            // until the other side has gone
            let _ = stream.read(&mut [0; 4096]).await;
        });
        let root = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap().cert;
        let client = Client::new(&[root.der().to_vec()], Bounds::default()).unwrap();
        let failure = client.ask(Ask::get(url, 7)).await.unwrap_err();
        assert!(matches!(failure, Failure::OldTls | Failure::Tls(_)), "{failure:?}");
        assert_eq!(failure == Failure::OldTls, is_old, "{failure:?}");
        answering.await.unwrap();
    }
}
