//! What is made of the reports of loads: several as one, one beside another, a page, and metrics while it runs.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use jiff::Timestamp;
use samlgate::config::Config;
use samlgate::lab::Entra;
use samlgate::load::{Latencies, Report};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::load::{load, run, started, tenant};

fn entra(folder: &TempDir) -> Entra {
    let federations = Config::load(&folder.path().join("samlgate.toml")).unwrap().judge.federations;
    Entra { federations, sign_in: String::new(), now: Timestamp::now }
}

fn report(folder: &TempDir, name: &str) -> Report {
    serde_json::from_slice(&std::fs::read(folder.path().join(name)).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_generators_of_one_seed_share_the_load_and_their_reports_are_one() {
    let folder = tenant("");
    let (address, _stop) = started(entra(&folder)).await;
    let url = format!("http://{address}/login.srf");
    let mut parts = Vec::new();
    for shard in ["1/2", "2/2"] {
        let whole =
            ["--rate", "80", "--duration", "1s", "--seed", "7", "--mix", "sound=3,expired=1", "--warm-up", "200ms"];
        let (out, part) = load(&folder, &url, &[&whole[..], &["--shard", shard]].concat()).await;
        assert_eq!((out.status.code(), part.totals.sent), (Some(0), 40), "{out:?}");
        assert!(part.asked_rate.is_some_and(|rate| (rate - 40.0).abs() < 1.0));
        // a fifth of the times does not count
        assert_eq!((part.tally.warm_up, part.tally.latency.count()), (8, 32));
        std::fs::rename(folder.path().join("report.json"), folder.path().join(format!("{}.json", parts.len())))
            .unwrap();
        parts.push(part);
    }
    let merge = ["merge", "0.json", "1.json", "--json", "whole.json", "--html", "whole.html", "--baseline", "0.json"];
    let out = run(&folder, &merge).await;
    let said = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(0), "{said}");
    assert!(said.starts_with("0 false accepts, 0 false rejects\n80 sign-ins: 80 as expected"), "{said}");
    assert!(said.lines().any(|line| line.starts_with("p99.9 ")), "{said}");
    let whole = report(&folder, "whole.json");
    let mut all = Latencies::new();
    parts.iter().for_each(|part| all.add(&part.tally.latency));
    assert_eq!(whole.tally.latency, all);
    assert_eq!(whole.settings.shards, ["1/2", "2/2"]);
    assert_eq!((whole.tally.cases["sound"].sent, whole.tally.cases["expired"].sent), (60, 20));
    let page = std::fs::read_to_string(folder.path().join("whole.html")).unwrap();
    assert!(
        page.contains("default-src 'none'") && page.matches("<svg").count() == 2 && !page.contains("<script"),
        "{page}"
    );

    let twice = run(&folder, &["merge", "0.json", "0.json"]).await;
    assert_eq!(twice.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("shard 1/2 is there twice"), "{twice:?}");
    let half = run(&folder, &["merge", "1.json", "--json", "half.json"]).await;
    let missing = "no report of shard 1/2 is there";
    assert!(String::from_utf8_lossy(&half.stdout).contains(missing), "{half:?}");
    let tells = |report: &Report| report.limits.iter().any(|limit| limit.contains(missing));
    assert!(tells(&report(&folder, "half.json")) && !tells(&whole), "{:?}", whole.limits);
    let failed = run(&folder, &["merge", "0.json", "1.json", "--fail-if", "p50>1us"]).await;
    assert_eq!(failed.status.code(), Some(1));
    let held = |fail_if: &'static str| ["merge", "0.json", "1.json", "--fail-if", fail_if, "--baseline", "0.json"];
    let kept = run(&folder, &held("sent>baseline*2")).await;
    assert_eq!(kept.status.code(), Some(0), "{kept:?}");
    let missed = run(&folder, &held("sent > baseline * 1.9")).await;
    assert_eq!(missed.status.code(), Some(1), "{missed:?}");
    let said = String::from_utf8(missed.stdout).unwrap();
    assert!(said.contains("sent>baseline*1.9: got 80, where the bound was 76\n"), "{said}");
    let alone = run(&folder, &["merge", "0.json", "1.json", "--fail-if", "sent>baseline"]).await;
    assert_eq!(alone.status.code(), Some(2), "{alone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_keeps_to_nothing() {
    let folder = tenant("");
    let (address, _stop) = started(entra(&folder)).await;
    let url = format!("http://{address}/login.srf");
    let all_warm_up = ["--rate", "40", "--requests", "10", "--warm-up", "10s"];
    assert_eq!(load(&folder, &url, &all_warm_up).await.0.status.code(), Some(0));
    let (out, report) = load(&folder, &url, &[&all_warm_up[..], &["--fail-if", "p99>10s"]].concat()).await;
    let said = String::from_utf8_lossy(&out.stdout);
    assert_eq!((out.status.code(), report.tally.warm_up), (Some(1), 10), "{said}");
    assert!(said.contains("failed       p99>10s: nothing was measured\n"), "{said}");
}

/// The first command of the page on load is the example of the help, too, and does what it says.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_manual_reaches_a_proxy_by_what_init_and_ca_make() {
    let folder = crate::doctor::sound().written();
    let samlgate = |arguments: &[&str]| {
        let out = Command::new(cargo_bin!("samlgate")).current_dir(folder.path()).args(arguments).output().unwrap();
        assert!(out.status.success(), "{out:?}");
        String::from_utf8(out.stdout).unwrap()
    };
    std::fs::remove_file(folder.path().join("samlgate.toml")).unwrap();
    samlgate(&["ca"]);
    samlgate(&["init", "--settings", "federation.json", "--users", "users.csv"]);
    let (upstream, _stop) = started(entra(&folder)).await;
    let file = folder.path().join("samlgate.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let config = config
        .replace("127.0.0.1:8443", "127.0.0.1:0")
        .replace("127.0.0.1:9464", "127.0.0.1:0")
        .replace("https://login.microsoftonline.com", &format!("http://{upstream}"));
    std::fs::write(&file, config).unwrap();
    let running = samlgate::app::start(Config::load(&file).unwrap()).await.unwrap();
    let proxy = running.addresses().reverse.unwrap().to_string();

    let example = include_str!("../../src/manual/load.md").split("```").nth(1).unwrap().strip_prefix("sh\n").unwrap();
    let example = example.replace("\\\n", "").split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let help = samlgate(&["load", "--help"]).split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains(&format!("Example: {example}")), "{example}\n{help}");
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/keys/current.pem");
    let command = example
        .replace("127.0.0.1:8443", &proxy)
        .replace("idp.pem", key)
        .replace("--rate 200 --duration 1m", "--rate 50 --duration 2s");
    let arguments: Vec<&str> = command.strip_prefix("samlgate load ").unwrap().split(' ').collect();
    let out = run(&folder, &arguments).await;
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    assert!(String::from_utf8_lossy(&out.stdout).contains("100 sign-ins: 100 as expected"), "{out:?}");

    // by another name nobody believes the certificate, and it is said how to mend that
    let command = command
        .replace("https://login.microsoftonline.com/", &format!("https://{proxy}/"))
        .replace(&format!("--connect-to {proxy} "), "");
    let arguments: Vec<&str> = command.strip_prefix("samlgate load ").unwrap().split(' ').collect();
    let out = run(&folder, &[&arguments[..], &["--requests", "5"]].concat()).await;
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() == Some(2) && said.contains("--connect-to 127.0.0.1:8443 reaches"), "{out:?}");
    running.stop(Duration::from_secs(1)).await;
}

/// Where a load that was started with `--admin` shows its metrics, and what else it says.
fn metrics_of(child: &mut Child) -> (String, BufReader<ChildStderr>) {
    let (mut talk, mut line) = (BufReader::new(child.stderr.take().unwrap()), String::new());
    talk.read_line(&mut line).unwrap();
    (line.trim().split_once("http://").unwrap().1.trim_end_matches("/metrics").to_owned(), talk)
}

/// Its metrics, as long as it runs.
async fn asked(place: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(place).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_takes_no_more_memory_the_longer_it_is() {
    let folder = tenant("");
    let file = folder.path().join("samlgate.toml");
    let config = std::fs::read_to_string(&file).unwrap().replace("current.cer", "p256.cer");
    std::fs::write(&file, config).unwrap();
    let (address, _stop) = started(entra(&folder)).await;
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/keys/p256.pem");
    let mut command = Command::new(cargo_bin!("samlgate"));
    command.current_dir(folder.path()).arg("load").arg(format!("http://{address}/login.srf"));
    command.args(["--config", "samlgate.toml", "--key", key, "--closed", "--connections", "8", "--requests", "2500"]);
    command.args(["--mix", "sound=8,altered=1,replayed=1", "--admin", "127.0.0.1:0"]);
    command.args(["--json", "report.json", "--hdr", "latencies.hdr", "--html", "load.html"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (place, _talk) = metrics_of(&mut child);
    let mut seen: Vec<(u64, u64)> = Vec::new();
    // to ask without a pause would take the cores from the load
    let mut now_and_then = tokio::time::interval(Duration::from_millis(100));
    while let Ok(text) = asked(&place).await {
        let count = text.lines().find_map(|line| line.strip_prefix("samlgate_load_latency_seconds_count "));
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        if let (Some(count), Some(resident)) = (count, resident) {
            let kilobytes = resident.split_ascii_whitespace().next().unwrap().parse().unwrap();
            seen.push((count.parse().unwrap(), kilobytes));
        }
        now_and_then.tick().await;
    }
    let out = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    assert_eq!(report(&folder, "report.json").totals.sent, 2500);
    let early = seen.iter().find(|(count, _)| *count >= 250).unwrap();
    let late = seen.last().unwrap();
    // each sign-in has 5 kB; none of them may stay
    assert!(late.0 >= early.0 + 1000 && late.1 < early.1 + 4 * 1024, "{early:?} {late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_sees_a_load_while_it_runs() {
    let folder = tenant("");
    let (address, _stop) = started(entra(&folder)).await;
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/keys/current.pem");
    let mut command = Command::new(cargo_bin!("samlgate"));
    command.current_dir(folder.path()).arg("load").arg(format!("http://{address}/login.srf"));
    command.args(["--config", "samlgate.toml", "--key", key, "--rate", "50", "--duration", "20s"]);
    command
        .args(["--mix", "sound=1,expired=1", "--admin", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (place, _talk) = metrics_of(&mut child);
    let metrics = loop {
        let text = asked(&place).await.unwrap();
        assert!(text.contains("samlgate_load_requests_total{case=\"expired\",outcome=\"false_accept\"} 0\n"), "{text}");
        if !text.contains("{case=\"sound\",outcome=\"as_expected\"} 0\n") {
            break text;
        }
        tokio::task::yield_now().await;
    };
    assert!(metrics.contains("samlgate_load_latency_seconds_bucket{le=\"+Inf\"} "), "{metrics}");
    // told to stop, it still says what came of it
    let id = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    assert!(said.starts_with("0 false accepts, 0 false rejects\n"), "{said}");
    assert!(said.contains("the load was told to stop before its end"), "{said}");
    assert_eq!(out.status.code(), Some(0));
}
