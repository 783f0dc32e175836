//! Every fixture gives the whole set of failing and warning checks that its `case.toml` names, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use jiff::Timestamp;
use samlgate::config::Config;
use samlgate::inspect::{Effort, Posted};
use samlgate::verdict::{CheckId, Report, Show};
use serde_json::Value;

/// One `case.toml`, with the folder it stands in.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(skip)]
    folder: PathBuf,
    story: String,
    made_by: String,
    input: String,
    #[serde(default)]
    format: Option<String>,
    /// RFC 3339.
    now: String,
    tenant: String,
    #[serde(default)]
    class: Option<String>,
    #[serde(default)]
    rule: Option<String>,
    verdict: String,
    #[serde(default)]
    predicted: Option<String>,
    provenance: String,
    fail: Vec<String>,
    warn: Vec<String>,
    #[serde(default)]
    says: BTreeMap<String, String>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn cases(kind: &str) -> Vec<Case> {
    let mut folders: Vec<_> = fs::read_dir(fixtures().join(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let read = |folder: PathBuf| {
        let text = fs::read_to_string(folder.join("case.toml")).unwrap();
        let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        Case { folder, ..case }
    };
    folders.into_iter().map(read).collect()
}

/// The report on a case: from the library, or for recordings from the program.
fn report(case: &Case, tenants: &mut BTreeMap<String, Config>) -> Value {
    let tenant_file = fixtures().join("tenants").join(&case.tenant).with_extension("toml");
    let input = case.folder.join(&case.input);
    let bytes = fs::read(&input).unwrap();
    let posted = match (case.format.as_deref(), input.extension().and_then(|extension| extension.to_str())) {
        (Some("form"), _) | (None | Some("auto"), Some("txt" | "form")) => Posted::Form(&bytes),
        (Some("base64"), _) | (None | Some("auto"), Some("b64")) => Posted::Base64(&bytes),
        (Some("xml"), _) | (None | Some("auto"), Some("xml")) => Posted::Xml(&bytes),
        _ => {
            let mut command = Command::cargo_bin("samlgate").unwrap();
            command.arg("verify").arg("--json").arg("--config").arg(&tenant_file);
            command.arg("--at").arg(&case.now).arg(&input);
            return serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        }
    };
    let config = tenants
        .entry(case.tenant.clone())
        .or_insert_with(|| Config::load(&tenant_file).unwrap_or_else(|error| panic!("{error}")));
    let inspection = config.judge.inspect(posted, case.now.parse::<Timestamp>().unwrap(), Effort::Diagnose);
    serde_json::to_value(Report { input: None, verdict: &inspection.verdict, show: Show::Personal }).unwrap()
}

/// How a report differs from what its case expects.
fn differences(case: &Case, report: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, expected: Value, got: &Value| {
        if expected != *got {
            differences.push(format!("{what}: expected {expected}, got {got}"));
        }
    };
    let checks = report["checks"].as_array().unwrap();
    let ids: Vec<&str> = checks.iter().map(|check| check["id"].as_str().unwrap()).collect();
    assert_eq!(ids, CheckId::ALL.map(CheckId::as_str));
    let with = |outcome: &str| -> Value {
        checks.iter().filter(|check| check["outcome"] == outcome).map(|check| check["id"].clone()).collect()
    };
    compare("verdict", case.verdict.clone().into(), &report["verdict"]);
    compare("predicted", case.predicted.clone().into(), &report["predicted"]);
    compare("provenance", case.provenance.clone().into(), &report["provenance"]);
    compare("fail", case.fail.clone().into(), &with("fail"));
    compare("warn", case.warn.clone().into(), &with("warn"));
    for (id, words) in &case.says {
        let check = checks.iter().find(|check| check["id"] == **id).unwrap();
        let said = ["finding", "hint", "expected", "got"].map(|key| check[key].as_str().unwrap_or_default()).join(" ");
        if !said.to_lowercase().contains(&words.to_lowercase()) {
            differences.push(format!("{id} should say {words:?}, says {said:?}"));
        }
    }
    differences
}

fn all_as_expected(kind: &str, at_least: usize) -> Vec<Case> {
    let cases = cases(kind);
    let mut tenants = BTreeMap::new();
    let mut wrong = String::new();
    for case in &cases {
        let differences = differences(case, &report(case, &mut tenants));
        if !differences.is_empty() {
            let name = case.folder.file_name().unwrap().to_string_lossy();
            wrong.push_str(&format!("\n{kind}/{name}\n  {}\n", differences.join("\n  ")));
        }
        assert!(!case.story.is_empty() && !case.made_by.is_empty(), "{}", case.folder.display());
    }
    let count = wrong.matches("\n  ").count();
    assert!(wrong.is_empty(), "{count} differences:\n{wrong}");
    assert!(cases.len() >= at_least, "only {} cases", cases.len());
    cases
}

#[test]
fn responses_give_exactly_the_checks_they_are_expected_to_trip() {
    let cases = all_as_expected("responses", 60);
    let tripped: BTreeSet<&str> =
        cases.iter().flat_map(|case| case.fail.iter().chain(&case.warn)).map(String::as_str).collect();
    let untripped: Vec<_> = CheckId::ALL.iter().map(|id| id.as_str()).filter(|id| !tripped.contains(id)).collect();
    // a replay takes two messages and a memory, which no file has
    assert_eq!(untripped, ["replay"]);
}

#[test]
fn attacks_are_rejected_by_the_check_that_their_rule_belongs_to() {
    let cases = all_as_expected("attacks", 120);
    for case in &cases {
        assert_eq!(case.verdict, "rejected", "{}", case.folder.display());
        assert!(case.class.is_some() && case.rule.is_some(), "{}", case.folder.display());
    }
    let classes: BTreeSet<_> = cases.iter().filter_map(|case| case.class.as_deref()).collect();
    assert!(classes.len() >= 30, "{classes:?}");
}

#[test]
fn unusual_but_valid_responses_are_accepted() {
    for case in all_as_expected("unusual", 40) {
        assert_eq!(case.verdict, "accepted", "{}", case.folder.display());
    }
}
