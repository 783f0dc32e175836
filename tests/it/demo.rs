//! The demonstration as a command: its table, its ends, and what it leaves open.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin!("samlgate"));
    command.arg("demo").args(arguments).env("COLUMNS", "80");
    command
}

#[test]
fn every_sign_in_is_judged_as_expected_and_answered_as_predicted() {
    let out = demo(&["--once", "--json"]).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.len() >= 25, "{} rows", rows.len());
    for row in &rows {
        assert_eq!(row["predicted"], row["actual"], "{row}");
        assert_eq!((&row["as_expected"], &row["came_true"]), (&Value::Bool(true), &Value::Bool(true)), "{row}");
        let fails = row["fail"].as_array().unwrap().len();
        assert_eq!(row["verdict"] == "rejected", fails > 0, "{row}");
    }
    let mut codes: Vec<&str> = rows.iter().filter_map(|row| row["predicted"].as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), 11, "every code that is predicted at all: {codes:?}");
    let checks = |outcome: &str| -> Vec<String> {
        let of = |row: &Value| row[outcome].as_array().unwrap().clone();
        rows.iter().flat_map(of).map(|check| check.as_str().unwrap().to_owned()).collect()
    };
    let tripped = [checks("fail"), checks("warn")].concat();
    let missing: Vec<_> = samlgate::verdict::CheckId::ALL
        .into_iter()
        .filter(|id| !tripped.iter().any(|seen| seen == id.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_table_fits_its_terminal_and_has_no_colour_that_nobody_asked_for() {
    let out = demo(&["--once"]).output().unwrap();
    assert_eq!(out.status.code(), Some(0));
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(text.starts_with("SIGN-IN") && text.contains("\nNameID is the mail address "), "{text}");
    let painted = demo(&["--once", "--color", "always"]).output().unwrap();
    assert!(painted.stdout.contains(&0x1b));
}

/// A demonstration that is ended when the test ends, however it ends.
struct Open(Child);

impl Drop for Open {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(feature = "oracles")]
#[test]
fn the_line_to_try_works_as_it_stands_and_the_visit_is_told() {
    let child = demo(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut open = Open(child);
    let talk = BufReader::new(open.0.stderr.take().unwrap());
    let line = talk.lines().map(Result::unwrap).find(|line| line.starts_with("curl ")).unwrap();
    let said = Command::new("bash").args(["-c", &line]).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.starts_with("AADSTS51004: "), "{said}");
    let rows = BufReader::new(open.0.stdout.take().unwrap());
    let visit = rows.lines().map(Result::unwrap).find(|line| line.starts_with("your sign-in")).unwrap();
    assert_eq!(visit, "your sign-in: rejected, AADSTS51004");
}

#[cfg(unix)]
#[test]
fn an_open_demonstration_ends_when_it_is_told_to() {
    let child = demo(&["--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut open = Open(child);
    let mut talk = BufReader::new(open.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("Ctrl-C") {
        line.clear();
        assert!(talk.read_line(&mut line).unwrap() > 0, "it ended by itself");
    }
    let id = rustix::process::Pid::from_raw(open.0.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let mut rest = String::new();
    open.0.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!(open.0.wait().unwrap().code(), Some(0));
}
