//! Every certificate of a federation in one table: what is registered, published, and was seen on the wire.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::doctor::{Sides, sound};

const CURRENT: &str = "DA184A0FF88BA8751CC98462090B140610752D89";
const NEXT: &str = "A53F627D18BBEF0C74DAE877E60E1F03B22D7933";
const STRANGER: &str = "1B047B636D1485F5F3E6C4A6E7DE13161694DD4E";
const BY_CURRENT: &str = "sound_and_strict";
const BY_NEXT: &str = "signed_with_the_next_key";
const BY_STRANGER: &str = "signing_key_not_registered";

fn fixtures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"))
}

/// The line that `serve` writes of a response of the fixtures.
fn line(fixture: &str, time: &str, raw: bool) -> String {
    let response = fixtures().join("responses").join(fixture).join("response.xml");
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("samlgate"));
    command.args(["verify", "--json", "--at", "2026-11-23T12:00:00Z", "--config"]);
    let out = command.arg(fixtures().join("tenants/default.toml")).arg(&response).output().unwrap().stdout;
    let mut line: Value = serde_json::from_slice(&out).unwrap();
    line["type"] = "verdict".into();
    line["time"] = time.into();
    line["federation"] = "domain.company".into();
    if raw {
        let encoded = STANDARD.encode(fs::read(response).unwrap());
        let form = encoded.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        line["body"] = STANDARD.encode(format!("SAMLResponse={form}&RelayState=")).into();
    }
    format!("{line}\n")
}

fn capture(fixtures: &[&str], raw: bool) -> String {
    (1..).zip(fixtures).map(|(hour, fixture)| line(fixture, &format!("2026-11-23T0{hour}:00:00Z"), raw)).collect()
}

/// `harm id` of each finding, the objects of the certificates, and what was said.
fn examined(sides: &Sides, capture: &str) -> (Vec<String>, Vec<Value>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("verdicts.jsonl");
    fs::write(&file, capture).unwrap();
    let (_, out, said) = sides.examined(&["--json", "--capture", file.to_str().unwrap()]);
    let (certificates, findings): (Vec<Value>, Vec<Value>) = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .partition(|line: &Value| line["kind"] == "certificate");
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = findings.iter().map(|finding| format!("{} {}", text(finding, "harm"), text(finding, "id")));
    (findings.collect(), certificates, said)
}

#[test]
fn what_was_seen_stands_beside_what_is_registered_and_published() {
    let (found, certificates, said) = examined(&sound(), &capture(&[BY_CURRENT, BY_NEXT, BY_CURRENT], false));
    assert_eq!(found, Vec::<String>::new(), "{said}");
    let short = |certificate: &Value| {
        let of = |key: &str| certificate[key].clone();
        json!([of("thumbprint"), of("standing"), of("sign_ins"), of("last_seen"), of("days_left")])
    };
    assert_eq!(
        certificates.iter().map(short).collect::<Vec<_>>(),
        [
            json!([CURRENT, ["current", "published", "seen"], 2, "2026-11-23T03:00:00Z", 3325]),
            json!([NEXT, ["next", "seen"], 1, "2026-11-23T02:00:00Z", 3325]),
        ]
    );
    assert_eq!(certificates[0]["federation"], "domain.company");
    assert_eq!(certificates[0]["not_after"], "2036-01-01T00:00:00Z");
    assert_eq!(certificates[0]["subject"], "O=domain.company, OU=test, CN=authentik.company current");
    assert_eq!(certificates[0]["thumbprint_sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn people_see_the_table_beneath_the_findings() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("verdicts.jsonl");
    fs::write(&file, capture(&[BY_CURRENT, BY_STRANGER, BY_CURRENT], false)).unwrap();
    let (code, out, said) = sound().examined(&["--capture", file.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(out.trim_end(), PAGE.trim_end());
}

const PAGE: &str = "\
domain.company  1 × some cannot sign in

SOME       certificate_seen_unregistered  AADSTS5000811
  captured sign-ins are signed with a certificate that is not registered in Entra
  Entra     DA184A0FF88BA8751CC98462090B140610752D89, A53F627D18BBEF0C74DAE877E60E1F03B22D7933
  provider  1B047B636D1485F5F3E6C4A6E7DE13161694DD4E in 1 sign-in, last at 2026-11-23T02:00:00Z
  mend      look for the certificate 1B047B636D1485F5F3E6C4A6E7DE13161694DD4E at the identity provider. If it is meant to sign \
with it, take it from there: Update-MgDomainFederationConfiguration -DomainId 'domain.company' -InternalDomainFederationId \
(Get-MgDomainFederationConfiguration -DomainId 'domain.company').Id -NextSigningCertificate with base64 of its DER. If it is not \
there, somebody else signed

certificate               SHA-1 thumbprint                          ends        days left
current, published, seen  DA184A0FF88BA8751CC98462090B140610752D89  2036-01-01  3325
                          O=domain.company, OU=test, CN=authentik.company current
                          SHA-256 C445955DF764075A56D1FE1C0A215B104E341CC76C31426FC56BBAE5E5FAE7E0
                          seen in 2 sign-ins, last at 2026-11-23T03:00:00Z
next                      A53F627D18BBEF0C74DAE877E60E1F03B22D7933  2036-01-01  3325
                          O=domain.company, OU=test, CN=authentik.company next
                          SHA-256 F0214CBAEBCB088CC1E16296DB02FC5B74E1D6072792BF7B28EB76442DA3BAC8
seen                      1B047B636D1485F5F3E6C4A6E7DE13161694DD4E  not known   not known
                          seen in 1 sign-in, last at 2026-11-23T02:00:00Z
";

#[test]
fn a_command_to_register_has_the_whole_certificate_and_only_one_that_is_published() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("verdicts.jsonl");
    fs::write(&file, capture(&[BY_STRANGER], true)).unwrap();
    let der = STANDARD.encode(fs::read(fixtures().join("certificates/stranger.cer")).unwrap());
    for (published, has_it) in [("current.cer", false), ("stranger.cer", true)] {
        let (_, out, _) = sound().publishing(published).examined(&["--capture", file.to_str().unwrap()]);
        assert_eq!(out.contains(&format!("-NextSigningCertificate '{der}'\n")), has_it, "{out}");
        assert!(!out.contains("(cut)"), "{out}");
    }
}

#[test]
fn what_was_seen_and_is_not_registered_is_found() {
    for (sign_ins, expected) in [
        (&[BY_STRANGER][..], "everybody certificate_seen_unregistered"),
        (&[BY_STRANGER, BY_CURRENT], "some certificate_seen_unregistered"),
        (&[BY_NEXT], "around certificate_seen_next_alone"),
    ] {
        assert_eq!(examined(&sound(), &capture(sign_ins, false)).0, [expected], "{sign_ins:?}");
    }
    // nothing but the thumbprint is known of it, unless a body was kept
    for raw in [false, true] {
        let (_, certificates, _) = examined(&sound(), &capture(&[BY_STRANGER], raw));
        let stranger = certificates.last().unwrap();
        assert_eq!((&stranger["thumbprint"], &stranger["standing"]), (&STRANGER.into(), &json!(["seen"])));
        let subject = raw.then_some("O=domain.company, OU=test, CN=authentik.company stranger");
        assert_eq!((stranger["subject"].as_str(), stranger["days_left"].is_null()), (subject, !raw));
    }
}

#[test]
fn who_only_names_a_certificate_has_not_signed_with_it() {
    let sign_in = line(BY_STRANGER, "2026-11-23T01:00:00Z", false);
    let named = sign_in.replace("(the signature is its own)", "(but the signature is not even its own)");
    assert_ne!(sign_in, named);
    let (found, certificates, said) = examined(&sound(), &named);
    assert_eq!((found.len(), certificates.len()), (0, 2));
    assert!(said.contains("the capture has no sign-in of it"), "{said}");
}

#[test]
fn a_current_certificate_that_ends_is_no_matter_once_the_next_one_is_used() {
    let der = fs::read(fixtures().join("certificates/expiring.cer")).unwrap();
    let sides = sound().publishing("next.cer").set("signingCertificate", STANDARD.encode(der));
    assert_eq!(sides.found(), ["around certificate_current_ends -"]);
    assert_eq!(examined(&sides, &capture(&[BY_NEXT], false)).0, ["around certificate_seen_next_alone"]);
}

#[test]
fn half_a_line_at_the_end_is_passed_over_and_another_file_is_trouble() {
    let sound_line = line(BY_CURRENT, "2026-11-23T01:00:00Z", false);
    let answer = "{\"type\":\"answer\",\"time\":\"2026-11-23T01:00:00Z\"}\n";
    let (found, certificates, said) = examined(&sound(), &format!("{answer}{sound_line}\n{{\"type\":\"verd"));
    assert_eq!((found.len(), &certificates[0]["sign_ins"]), (0, &1.into()), "{said}");
    for capture in ["<a/>", "{\"log\":{}}\n", &format!("{sound_line}no JSON\n{sound_line}")] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("verdicts.jsonl");
        fs::write(&file, capture).unwrap();
        let (code, _, said) = sound().examined(&["--capture", file.to_str().unwrap()]);
        assert_eq!(code, Some(2), "{capture}");
        assert!(said.contains("is none of a capture") && said.contains("hint:"), "{said}");
    }
    assert_eq!(sound().examined(&["--capture", "none.jsonl"]).0, Some(2));
}
