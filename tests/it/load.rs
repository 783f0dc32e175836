//! Loads on this machine: stalls, lies, deaths, and the whole mix through the proxy with three sides that count alike.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use hyper::StatusCode;
use jiff::Timestamp;
use samlgate::app;
use samlgate::config::Config;
use samlgate::lab::{self, Asked, End, Entra, Page};
use samlgate::load::{Latencies, Report};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

const HOST: &str = "login.microsoftonline.com";

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// A folder with the configuration of a tenant, and these lines before it.
pub(crate) fn tenant(lines: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let federation = format!(
        "environment = \"test\"\n{lines}\n[[federation]]\ndomain = \"domain.company\"\n\
         issuer = \"https://authentik.company/application/saml/m365/metadata/\"\n\
         certificates = [{:?}, {:?}]\nusers = {:?}\nmfa_behavior = \"acceptIfMfaDoneByFederatedIdp\"\n",
        fixture("certificates/current.cer"),
        fixture("certificates/expired.cer"),
        fixture("tenants/users.csv"),
    );
    std::fs::write(folder.path().join("samlgate.toml"), federation).unwrap();
    folder
}

fn federations(folder: &TempDir) -> Vec<samlgate::tenant::Federation> {
    Config::load(&folder.path().join("samlgate.toml")).unwrap().judge.federations
}

/// What a target says.
struct Saying<F>(F);

impl<F: Fn(&Asked) -> Page + Send + Sync + 'static> End for Saying<F> {
    fn answer(&self, asked: &Asked) -> Page {
        (self.0)(asked)
    }
}

fn says(status: StatusCode, html: &str) -> Page {
    Page { status, headers: Vec::new(), html: html.to_owned(), gzip: false, cut: false }
}

const LET_IN: &str = "<script>$Config={\"pgid\":\"KmsiInterrupt\"};</script>";

/// A target that serves until the sender is dropped.
pub(crate) async fn started(end: impl End) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stops) = watch::channel(false);
    tokio::spawn(lab::serve(listener, None, Arc::new(end), stops));
    (address, stop)
}

fn entra(folder: &TempDir) -> Entra {
    Entra { federations: federations(folder), sign_in: String::new(), now: Timestamp::now }
}

/// Runs the command beside the servers of the test.
pub(crate) async fn run(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new(cargo_bin!("samlgate"));
    command.current_dir(folder.path()).arg("load").args(arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// A load of this URL by the keys of the tenant, with its report.
pub(crate) async fn load(folder: &TempDir, url: &str, arguments: &[&str]) -> (Output, Report) {
    let (current, expired) = (fixture("keys/current.pem"), fixture("keys/expired.pem"));
    let keys = ["--key", current.to_str().unwrap(), "--key", expired.to_str().unwrap()];
    let common = [url, "--config", "samlgate.toml", "--json", "report.json"];
    let out = run(folder, &[&common[..], &keys, arguments].concat()).await;
    let text = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
    let report = serde_json::from_str(&text).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(text.is_empty(), "{error}");
        assert!(!said.is_empty());
        Report { target: said.into_owned(), ..Report::default() }
    });
    (out, report)
}

fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// A target that holds everything up once, for so long.
fn stalling(at: u64, stall: Duration) -> impl End {
    let (answered, door) = (AtomicU64::new(0), Mutex::new(()));
    Saying(move |_: &Asked| {
        let _door = door.lock().unwrap();
        if answered.fetch_add(1, Ordering::Relaxed) == at {
            std::thread::sleep(stall);
        }
        says(StatusCode::OK, LET_IN)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_load_shows_a_stall_that_a_closed_one_hides() {
    const STALL: Duration = Duration::from_millis(900);
    let folder = tenant("");
    let (address, _stop) = started(stalling(60, STALL)).await;
    let url = format!("http://{address}/login.srf");
    let (out, open) = load(&folder, &url, &["--rate", "100", "--duration", "3s", "--pool", "300"]).await;
    assert_eq!(out.status.code(), Some(0), "{}", text(&out));
    assert_eq!((open.totals.sent, open.totals.as_expected), (300, 300));
    // of those that were due in the stall, the first waited for all of it
    assert!(open.tally.latency.percentile(99.0) > 700_000, "{}", text(&out));
    assert!(open.tally.latency.above(400_000) > 30, "{}", text(&out));

    let (address, _stop) = started(stalling(60, STALL)).await;
    let url = format!("http://{address}/login.srf");
    let arguments = ["--closed", "--connections", "1", "--requests", "300", "--pool", "300", "--threads", "1"];
    let (out, closed) = load(&folder, &url, &arguments).await;
    assert_eq!((out.status.code(), closed.totals.sent), (Some(0), 300), "{}", text(&out));
    assert!(closed.tally.latency.percentile(99.0) < 450_000, "{}", text(&out));
    assert!(closed.tally.latency.max() >= 900_000 - 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lets_a_forged_response_in_is_named() {
    let folder = tenant("");
    let honest = entra(&folder);
    // this one does not look at signatures
    let lying = Saying(move |asked: &Asked| {
        let page = honest.answer(asked);
        if page.html.contains("AADSTS50006") { says(StatusCode::OK, LET_IN) } else { page }
    });
    let (address, _stop) = started(lying).await;
    let url = format!("http://{address}/login.srf");
    let mix =
        ["--rate", "40", "--duration", "1s", "--mix", "sound=6,altered=1,expired=1", "--fail-if", "false_accepts>99"];
    let (out, report) = load(&folder, &url, &mix).await;
    assert_eq!(out.status.code(), Some(1), "{}", text(&out));
    assert_eq!((report.totals.false_accepts, report.totals.false_rejects), (5, 0));
    assert_eq!((report.tally.cases["altered"].false_accepts, report.tally.cases["expired"].false_accepts), (5, 0));
    let text = text(&out);
    assert!(text.starts_with("5 false accepts, 0 false rejects\n"), "{text}");
    assert!(text.contains("  altered: expected AADSTS50006, got accepted (number "), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_refuses_for_the_wrong_reason_fails() {
    let folder = tenant("");
    let page = "$Config={\"sErrorCode\":\"50008\",\"pgid\":\"ConvergedError\"};";
    let (address, _stop) = started(Saying(move |_: &Asked| says(StatusCode::OK, page))).await;
    let url = format!("http://{address}/login.srf");
    let mix = ["--rate", "40", "--duration", "1s", "--mix", "expired=1,wrong_key=1", "--html", "load.html"];
    let (out, report) = load(&folder, &url, &mix).await;
    assert_eq!((out.status.code(), report.totals.wrong_codes), (Some(1), 40), "{}", text(&out));
    assert!(text(&out).contains("failed       wrong_codes>0: got 40"), "{}", text(&out));
    let html = std::fs::read_to_string(folder.path().join("load.html")).unwrap();
    assert!(html.contains("class=\"verdict bad\""), "{html}");
    let (out, _) = load(&folder, &url, &[&mix[..], &["--fail-if", "wrong_codes>40"]].concat()).await;
    assert_eq!(out.status.code(), Some(0), "{}", text(&out));

    // of half of them nobody says what became
    let answered = AtomicU64::new(0);
    let vague = Saying(move |_: &Asked| match answered.fetch_add(1, Ordering::Relaxed) % 2 {
        0 => says(StatusCode::OK, LET_IN),
        _ => says(StatusCode::OK, "hello"),
    });
    let (address, _stop) = started(vague).await;
    let (out, report) = load(&folder, &format!("http://{address}/"), &["--rate", "40", "--requests", "20"]).await;
    assert_eq!((out.status.code(), report.totals.unclear), (Some(1), 10), "{}", text(&out));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_slow_and_dying_targets_are_told_apart() {
    let folder = tenant("");
    let few = ["--rate", "50", "--requests", "20"];
    let wrong = started(Saying(|_: &Asked| says(StatusCode::NOT_FOUND, "nothing"))).await;
    let (out, report) = load(&folder, &format!("http://{}/", wrong.0), &few).await;
    assert_eq!((out.status.code(), report.totals.errors), (Some(2), 20), "{}", text(&out));
    assert_eq!(report.tally.errors, BTreeMap::from([("http_404".to_owned(), 20)]));

    let another = started(Saying(|_: &Asked| says(StatusCode::OK, "hello"))).await;
    let (out, report) = load(&folder, &format!("http://{}/", another.0), &few).await;
    assert_eq!((out.status.code(), report.totals.unclear), (Some(2), 20), "{}", text(&out));
    assert!(text(&out).contains("no answer says what became of a sign-in"), "{}", text(&out));

    let slow = started(stalling(5, Duration::from_millis(600))).await;
    let arguments = [&few[..], &["--timeout", "200ms", "--connections", "2", "--fail-if", "p50>1us"]].concat();
    let (out, report) = load(&folder, &format!("http://{}/", slow.0), &arguments).await;
    assert_eq!(out.status.code(), Some(1), "{}", text(&out));
    assert!(report.tally.errors["timeout"] >= 1 && report.limits[0].contains("connections were busy"), "{report:?}");

    let answered = AtomicU64::new(0);
    let cutting =
        move |_: &Asked| Page { cut: answered.fetch_add(1, Ordering::Relaxed) >= 10, ..says(StatusCode::OK, LET_IN) };
    let dying = started(Saying(cutting)).await;
    let (out, report) = load(&folder, &format!("http://{}/", dying.0), &few).await;
    assert_eq!((out.status.code(), report.totals.as_expected), (Some(1), 10), "{}", text(&out));
    assert_eq!(report.tally.errors, BTreeMap::from([("broken".to_owned(), 10)]));

    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (out, report) = load(&folder, &format!("http://{gone}/"), &few).await;
    assert_eq!((out.status.code(), report.tally.errors["connect"]), (Some(2), 20), "{}", text(&out));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_somebody_else_fails() {
    let folder = tenant("");
    let (honest, before) = (entra(&folder), Mutex::new(None));
    let mixing = Saying(move |asked: &Asked| {
        let page = honest.answer(asked);
        before.lock().unwrap().replace(page.clone()).unwrap_or(page)
    });
    let (address, _stop) = started(mixing).await;
    let arguments = ["--rate", "50", "--requests", "20"];
    let (out, report) = load(&folder, &format!("http://{address}/login.srf"), &arguments).await;
    assert_eq!((out.status.code(), report.totals.as_expected), (Some(1), 20), "{}", text(&out));
    assert_eq!((report.tally.relay_state.kept, report.tally.relay_state.mixed), (1, 19));
}

/// Microsoft's own sign-in is left alone, and what cannot be read is refused before anything is sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_or_cannot_be_loaded_is_refused() {
    let folder = tenant("");
    for (url, arguments, said) in [
        ("https://login.microsoftonline.com/login.srf", &[][..], "Microsoft's own sign-in"),
        ("https://login.test/", &["--connect-to", "Login.Microsoftonline.com.:443"], "Microsoft's own sign-in"),
        ("ftp://127.0.0.1/", &[], "expected a URL"),
        ("http://127.0.0.1:9/", &["--mix", "nonsense=1"], "got `nonsense`"),
        ("http://127.0.0.1:9/", &["--fail-if", "speed>1"], "expected a measure"),
        ("http://127.0.0.1:9/", &["--stages", "1s"], "30s:100"),
        ("http://127.0.0.1:9/", &["--fail-if", "p99>baseline*1.2"], "by --baseline FILE"),
        ("http://127.0.0.1:9/", &["--shard", "1/2"], "as --seed 7"),
    ] {
        let key = fixture("keys/current.pem");
        let common = [url, "--config", "samlgate.toml", "--key", key.to_str().unwrap()];
        let out = run(&folder, &[&common[..], arguments].concat()).await;
        assert_eq!(out.status.code(), Some(2), "{url} {}", text(&out));
        assert!(text(&out).contains(said), "{url} {}", text(&out));
    }
}

/// An Entra that counts what it answers, by code.
struct Counting(Entra, Arc<Mutex<BTreeMap<String, u64>>>);

impl End for Counting {
    fn answer(&self, asked: &Asked) -> Page {
        let page = self.0.answer(asked);
        let code = page.html.split_once("\"sErrorCode\":\"").map(|(_, rest)| rest.split_once('"').unwrap().0);
        let name = code.map_or_else(|| "accepted".to_owned(), |code| format!("AADSTS{code}"));
        *self.1.lock().unwrap().entry(name).or_default() += 1;
        page
    }
}

/// `samlgate_predictions_total` by the actual code.
fn of_proxy(metrics: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in metrics.lines() {
        let Some(rest) = line.strip_prefix("samlgate_predictions_total{actual=\"") else { continue };
        let (actual, rest) = rest.split_once('"').unwrap();
        let count: u64 = rest.rsplit_once(' ').unwrap().1.parse().unwrap();
        let name = if actual == "none" { "accepted".to_owned() } else { format!("AADSTS{actual}") };
        *counts.entry(name).or_default() += count;
    }
    counts.retain(|_, count| *count > 0);
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_mix_through_the_proxy_is_counted_alike_on_three_sides() {
    for http in ["1.1", "2"] {
        // long enough for every case to come twice: a replay waits for somebody who was let in
        counted_alike(http, "2s").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes two and a half minutes"]
async fn the_whole_mix_for_two_minutes_is_counted_alike_on_three_sides() {
    counted_alike("1.1", "2m").await;
}

async fn counted_alike(http: &str, duration: &str) {
    let folder = tenant("");
    let counted = Arc::new(Mutex::new(BTreeMap::new()));
    let (upstream, _stop) = started(Counting(entra(&folder), Arc::clone(&counted))).await;
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    std::fs::write(folder.path().join("proxy.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("proxy.key"), made.signing_key.serialize_pem()).unwrap();
    let file = folder.path().join("samlgate.toml");
    let proxy = format!(
        "{}\n[listen]\nreverse = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[upstream]\nurl = \"http://{upstream}\"\n\
         [tls]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n[capture]\nfile = \"verdicts.jsonl\"\n",
        std::fs::read_to_string(&file).unwrap()
    );
    std::fs::write(&file, proxy).unwrap();
    let running = app::start(Config::load(&file).unwrap()).await.unwrap();
    let place = running.addresses().reverse.unwrap().to_string();
    let arguments = [
        "--connect-to",
        &place,
        "--ca",
        "proxy.pem",
        "--http",
        http,
        "--rate",
        "80",
        "--duration",
        duration,
        "--mix",
        "sound=20,all=1",
        "--hdr",
        "latencies.hdr",
        "--seed",
        "7",
        "--spread",
        "zipf:1.1",
    ];
    let (out, report) = load(&folder, &format!("https://{HOST}/login.srf"), &arguments).await;
    assert_eq!(out.status.code(), Some(0), "{}", text(&out));
    let totals = report.totals;
    assert_eq!(totals.sent, totals.as_expected, "{}", text(&out));
    assert_eq!((totals.false_accepts, totals.false_rejects, totals.wrong_codes, totals.errors), (0, 0, 0, 0));
    assert!(report.tally.cases.len() >= 45 && report.tally.cases.contains_key("replayed"), "{}", text(&out));

    let mut got: BTreeMap<String, u64> = BTreeMap::new();
    for counts in report.tally.cases.values() {
        counts.got.iter().for_each(|(name, count)| *got.entry(name.clone()).or_default() += count);
    }
    assert_eq!(got, *counted.lock().unwrap());
    // a form without a response is forwarded, and not judged
    let unjudged = report.tally.cases["no_response"].sent;
    got.entry("AADSTS90081".to_owned()).and_modify(|count| *count -= unjudged);
    let metrics = running.metrics().render().unwrap();
    assert!(metrics.contains(&format!("samlgate_messages_total{{kind=\"other\"}} {unjudged}\n")), "{metrics}");
    // the proxy reads an answer after the client has it
    let until = tokio::time::timeout(Duration::from_secs(20), async {
        while of_proxy(&running.metrics().render().unwrap()) != got {
            tokio::task::yield_now().await;
        }
    });
    assert!(until.await.is_ok(), "{got:?} {:?}", of_proxy(&running.metrics().render().unwrap()));

    assert_eq!(report.tally.relay_state.kept, got["accepted"]);
    assert_eq!(report.tally.relay_state.mixed, 0);
    assert!(report.tally.connections.full_handshakes >= 1 && report.tally.connections.sent_bytes > totals.sent * 1000);
    let log = std::fs::read_to_string(folder.path().join("latencies.hdr")).unwrap();
    let mut all = Latencies::new();
    for line in log.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit())) {
        all.add(&Latencies::decoded(line.rsplit_once(',').unwrap().1).unwrap());
    }
    assert_eq!(all, report.tally.latency);
    running.stop(Duration::from_secs(1)).await;

    // what was captured, made anew, is answered alike; here by Entra itself
    counted.lock().unwrap().clear();
    let (current, expired) = (fixture("keys/current.pem"), fixture("keys/expired.pem"));
    let (url, keys) = (format!("http://{upstream}/login.srf"), [current.to_str().unwrap(), expired.to_str().unwrap()]);
    let arguments = [
        "capture",
        "verdicts.jsonl",
        "--to",
        &url,
        "--speed",
        "4",
        "--config",
        "samlgate.toml",
        "--key",
        keys[0],
        "--key",
        keys[1],
        "--json",
        "again.json",
    ];
    let out = run(&folder, &arguments).await;
    assert_eq!(out.status.code(), Some(0), "{}", text(&out));
    assert_eq!(*counted.lock().unwrap(), got);
    let again: Report = serde_json::from_slice(&std::fs::read(folder.path().join("again.json")).unwrap()).unwrap();
    assert_eq!(again.totals.sent, totals.sent - unjudged);
    assert_eq!(again.tally.cases["replayed"].sent, report.tally.cases["replayed"].sent);
}

#[test]
fn a_report_keeps_to_its_schema() {
    let out = std::process::Command::new(cargo_bin!("samlgate")).args(["load", "schema"]).output().unwrap();
    let schema: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let report = serde_json::to_value(Report::default()).unwrap();
    let described = schema["properties"].as_object().unwrap();
    let silent: Vec<_> = report.as_object().unwrap().keys().filter(|name| !described.contains_key(*name)).collect();
    assert!(silent.is_empty(), "{silent:?}");
    assert!(schema["required"].as_array().unwrap().iter().all(|name| report.get(name.as_str().unwrap()).is_some()));
}
