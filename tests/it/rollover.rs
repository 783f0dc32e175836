//! The rehearsal of a certificate's change.

use assert_cmd::Command;
use serde_json::Value;

fn rehearse(config: &str, inputs: &[&str], more: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("samlgate"));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"));
    command.args(["rollover", "rehearse", "--config", config, "--at", "2026-11-23T12:00:00Z"]).args(more);
    let output = command.args(inputs).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

const OLD: &str = "responses/producer_authentik_from_2026_2/response.xml";
const NEXT: &str = "responses/signed_with_the_next_key/response.xml";
const BROKEN: &str = "responses/immutable_id_is_the_mail_address/response.xml";

#[test]
fn who_is_signed_in_by_the_current_key_alone_would_be_locked_out() {
    let (code, out, said) = rehearse("tenants/default.toml", &[OLD, NEXT, BROKEN], &["--json"]);
    assert_eq!(code, Some(1), "{said}");
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcomes: Vec<_> = lines.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["locked_out", "through", "broken_already"]);
    assert_eq!((&lines[0]["predicted"], &lines[0]["check"]), (&"AADSTS5000811".into(), &"signing_key".into()));
    assert!(lines[0]["user"].as_str().unwrap().starts_with('#'));

    let (_, page, _) = rehearse("tenants/default.toml", &[OLD, NEXT, BROKEN], &["--show-personal"]);
    for part in
        ["LOCKED OUT  1 users, 1 sign-ins", "1wfM9xV8fUSHbcAbDlqeOA==", "1 would come through, 1 are rejected today"]
    {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

#[test]
fn nobody_is_locked_out_where_the_next_key_signs_already() {
    let (code, out, _) = rehearse("tenants/default.toml", &[NEXT], &[]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("nobody of these would be locked out"), "{out}");
}

#[test]
fn without_a_next_certificate_there_is_nothing_to_rehearse() {
    let (code, _, said) = rehearse("tenants/current_only.toml", &[OLD], &[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("no next certificate is registered"), "{said}");
    assert_eq!(rehearse("tenants/default.toml", &["none.xml"], &[]).0, Some(2));
}

#[test]
fn users_are_signed_in_by_the_key_that_is_to_come() {
    let with = |key: &str, more: &[&str]| {
        rehearse("tenants/default.toml", &[], &[&["--json", "--key", &format!("keys/{key}.pem")], more].concat())
    };
    let (code, out, said) = with("next", &[]);
    assert_eq!(code, Some(0), "{said}");
    let through = out.lines().filter(|line| line.contains("\"outcome\":\"through\"")).count();
    // who shares an ImmutableId cannot sign in today either
    let broken = out.lines().filter(|line| line.contains("\"outcome\":\"broken_already\"")).count();
    assert_eq!((through, broken, out.lines().count()), (5, 2, 7), "{out}");
    // the key that goes, and one that nobody registered
    for (key, more) in [("current", &[][..]), ("stranger", &["--certificate", "certificates/stranger.cer"])] {
        let (code, out, said) = with(key, more);
        assert_eq!(code, Some(1), "{said}");
        assert!(out.lines().all(|line| line.contains("locked_out") && line.contains("AADSTS5000811")), "{out}");
    }
    assert_eq!(with("stranger", &[]).0, Some(2));
}
