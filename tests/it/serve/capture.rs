//! The capture: what is kept of a sign-in, for how long, and that it can be judged again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assert_cmd::Command;
use hyper::{Response, StatusCode};
use samlgate::app::{AppError, start};
use samlgate::capture::CaptureError;
use samlgate::inspect::MessageKind;
use serde_json::Value;
use tempfile::TempDir;

use super::bench::{Bench, Reply, Speak, config, full, judge, panicking, posted};
use super::{POSTED, metric, post};

/// A folder for captures, and `[capture]` with these keys.
fn capture(keys: &str) -> (TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("verdicts.jsonl");
    let settings = format!("[capture]\nfile = {file:?}\n{keys}\n");
    (folder, file, settings)
}

fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn refusing() -> Reply {
    let page = "<html><script>$Config={\"strServiceExceptionMessage\":\"AADSTS51004: no\",\"iErrorCode\":51004,\"pgid\":\"ConvergedError\"};</script>";
    Arc::new(move |_| Response::new(full(page)))
}

async fn sign_in(bench: &Bench, fixture: &str) -> StatusCode {
    let request = post("/login.srf").header("x-request-id", fixture);
    bench.client(Speak::Http1).await.send(request, full(&posted(fixture))).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_leaves_a_verdict_and_an_answer_that_name_nobody() {
    let (_folder, file, settings) = capture("");
    let bench = Bench::judging(&settings, refusing()).await;
    assert!(metric(&bench, "samlgate_capture_raw 0"));
    for fixture in ["sound_and_strict", "in_response_to_present"] {
        sign_in(&bench, fixture).await;
    }
    // what is no sign-in leaves nothing
    bench.client(Speak::Http1).await.send(post("/login.srf"), full("wresult=x")).await;
    bench.until("samlgate_messages_total{kind=\"ws_fed\"} 1").await;
    bench.stop().await;

    let lines = lines(&file);
    assert_eq!(lines.len(), 4, "{lines:#?}");
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
    let verdict = of("verdict")[0];
    assert_eq!((&verdict["request_id"], &verdict["kind"]), (&"sound_and_strict".into(), &"saml_response".into()));
    assert_eq!((&verdict["federation"], &verdict["verdict"]), (&"domain.company".into(), &"accepted".into()));
    assert_eq!((&verdict["time"], &verdict["predicted"]), (&"2026-11-23T12:00:00Z".into(), &Value::Null));
    assert_eq!(verdict["checks"].as_array().unwrap().len(), 23);
    assert_eq!(verdict["signature"]["algorithm"], "rsa-sha256");
    assert!(verdict["micros"].as_u64().is_some() && verdict.get("body").is_none());
    let answer = of("answer").into_iter().find(|line| line["request_id"] == "sound_and_strict").unwrap();
    assert_eq!((&answer["actual"], &answer["agree"]), (&"AADSTS51004".into(), &false.into()));
    assert_eq!(answer["page"], "ConvergedError");

    let text = fs::read_to_string(&file).unwrap();
    let users = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tenants/users.csv")).unwrap();
    let words = users.lines().skip(1).flat_map(|line| line.split([',', ';', '"']));
    for word in words.filter(|word| word.len() > 6 && *word != "Member") {
        assert!(!text.contains(word), "{word}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_verdicts_can_be_judged_again_and_others_say_why_not() {
    let verify = |file: &Path| {
        let tenant = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tenants/default.toml");
        let output = Command::new(assert_cmd::cargo::cargo_bin!("samlgate"))
            .args(["verify", "--json", "--config"])
            .args([&tenant, file])
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    for raw in [true, false] {
        let (_folder, file, settings) = capture(&format!("raw = {raw}\n"));
        let bench = Bench::judging(&settings, refusing()).await;
        assert!(metric(&bench, &format!("samlgate_capture_raw {}", u8::from(raw))));
        for fixture in ["sound_and_strict", "unsigned"] {
            sign_in(&bench, fixture).await;
            bench.until("samlgate_requests_in_flight{listener=\"reverse\"} 0").await;
        }
        bench.stop().await;
        let (code, out, errors) = verify(&file);
        if !raw {
            assert_eq!((code, out.as_str()), (Some(2), ""));
            assert!(errors.contains("its 2 verdicts were captured without the bodies"), "{errors}");
            continue;
        }
        assert_eq!(code, Some(1), "{errors}");
        let again: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let captured: Vec<Value> = lines(&file).into_iter().filter(|line| line["type"] == "verdict").collect();
        assert_eq!((again.len(), captured.len()), (2, 2));
        for (number, (again, captured)) in again.iter().zip(&captured).enumerate() {
            assert_eq!(again["input"], format!("{}#{}", file.display(), number + 1));
            assert_eq!((&again["verdict"], &again["predicted"]), (&captured["verdict"], &captured["predicted"]));
        }
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_none_is_refused_at_the_start() {
    let (folder, file, settings) = capture("");
    let target = folder.path().join("target");
    fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, &file).unwrap();
    let served = "environment = \"test\"\n[listen]\nreverse = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ntls = false\n";
    let refused = || async {
        let (config, _folder) = config(&settings_after(served, &settings), "");
        match start(config).await {
            Err(AppError::Capture(error)) => Some(error),
            Err(other) => unreachable!("{other}"),
            Ok(running) => {
                running.stop(super::bench::PATIENCE).await;
                None
            }
        }
    };
    assert!(matches!(refused().await, Some(CaptureError::Link(_))));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(refused().await.is_some());
    fs::remove_dir(&file).unwrap();
    let taken = fs::File::create(&file).unwrap();
    taken.lock().unwrap();
    assert!(matches!(refused().await, Some(CaptureError::Taken(_))));
    drop(taken);
    assert!(refused().await.is_none());
    assert_eq!(fs::read(&target).unwrap(), b"");
}

#[cfg(unix)]
fn settings_after(first: &str, then: &str) -> String {
    format!("{first}{then}")
}

#[tokio::test(flavor = "multi_thread")]
async fn full_files_stand_beside_the_one_that_is_written_to() {
    const POSTS: usize = 20;
    let (folder, file, settings) = capture("max_size = \"4kB\"\n");
    let bench = Bench::start(&settings, judge(MessageKind::SamlResponse, true, None)).await;
    let mut client = bench.client(Speak::Http1).await;
    for _ in 0..POSTS {
        assert_eq!(client.send(post("/login.srf"), full(POSTED)).await.status, StatusCode::OK);
    }
    bench.stop().await;
    let files: Vec<PathBuf> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 3 && files.contains(&file), "{files:?}");
    let mut verdicts = 0;
    for file in &files {
        assert!(fs::metadata(file).unwrap().len() <= 4_000);
        verdicts += lines(file).iter().filter(|line| line["type"] == "verdict").count();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    assert_eq!(verdicts, POSTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_durable_verdict_is_there_before_its_answer() {
    for (accepted, status) in [(true, StatusCode::OK), (false, StatusCode::FORBIDDEN)] {
        let (_folder, file, settings) = capture("durable = true\n");
        let settings = format!("mode = \"enforce\"\n{settings}");
        let bench = Bench::start(&settings, judge(MessageKind::SamlResponse, accepted, None)).await;
        for speak in [Speak::Http1, Speak::Http2] {
            let before = fs::read_to_string(&file).unwrap().matches("\"verdict\",\"time\"").count();
            assert_eq!(bench.client(speak).await.send(post("/login.srf"), full(POSTED)).await.status, status);
            let after = fs::read_to_string(&file).unwrap().matches("\"verdict\",\"time\"").count();
            assert_eq!(after, before + 1);
        }
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_taken_away_begins_anew_and_traffic_goes_on() {
    let (folder, file, settings) = capture("");
    let bench = Bench::start(&settings, judge(MessageKind::SamlResponse, true, None)).await;
    let mut client = bench.client(Speak::Http1).await;
    fs::remove_dir_all(folder.path()).unwrap();
    // it is noticed, and what cannot be written is counted
    let noticed = async {
        while bench.metrics().lines().any(|line| line == "samlgate_capture_dropped_total 0") {
            assert_eq!(client.send(post("/login.srf"), full(POSTED)).await.status, StatusCode::OK);
        }
    };
    tokio::time::timeout(super::bench::PATIENCE, noticed).await.unwrap();
    fs::create_dir(folder.path()).unwrap();
    let back = async {
        while !file.exists() {
            assert_eq!(client.send(post("/login.srf"), full(POSTED)).await.status, StatusCode::OK);
        }
    };
    tokio::time::timeout(super::bench::PATIENCE, back).await.unwrap();
    bench.stop().await;
    assert!(!lines(&file).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_judge_leaves_no_line() {
    let (_folder, file, settings) = capture("durable = true\n");
    let bench = Bench::start(&format!("mode = \"enforce\"\n{settings}"), panicking()).await;
    let answer = bench.client(Speak::Http1).await.send(post("/login.srf"), full(POSTED)).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    bench.stop().await;
    assert!(lines(&file).is_empty());
}
