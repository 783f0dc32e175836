//! `samlgate mint` as a command, its responses before `samlgate verify`, and before xmlsec1.

use std::fs;
use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use samlgate::mint::{Fault, Shape};
use serde_json::Value;

const AT: &str = "2026-11-23T12:00:00Z";

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).to_str().unwrap().to_owned()
}

/// What a command says, which must end with this code.
fn said(code: i32, arguments: &[&str]) -> String {
    let out = Command::new(cargo_bin!("samlgate")).args(arguments).output().unwrap();
    assert_eq!(out.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8([out.stdout, if code == 2 { out.stderr } else { Vec::new() }].concat()).unwrap()
}

/// `mint` for the tenant of the fixtures.
fn mint(code: i32, more: &[&str]) -> String {
    let (config, key) = (fixture("tenants/default.toml"), fixture("keys/current.pem"));
    said(code, &[&["mint", "-q", "--at", AT, "--config", &config, "--key", &key], more].concat())
}

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

#[test]
fn what_is_minted_of_every_fault_is_judged_as_it_says_beside_it() {
    for manner in [&[][..], &["--algorithm", "rsa-pss-sha512", "--shape", "adfs"], &["--digest", "sha384"]] {
        of_every_fault(manner);
    }
}

fn of_every_fault(manner: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("minted").to_str().unwrap().to_owned();
    mint(0, &[&["--fault", "all", "--format", "form", "--out", &out], manner].concat());
    let expected = rows(&fs::read_to_string(Path::new(&out).join("expected.jsonl")).unwrap());
    // the tenant holds no expired key that could sign
    assert_eq!(expected.len(), Fault::ALL.len());
    let config = fixture("tenants/default.toml");
    for row in &expected {
        let file = Path::new(&out).join(row["file"].as_str().unwrap());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let code = i32::from(row["verdict"] == "rejected");
        let judged = said(
            code,
            &["verify", "--json", "--format", "form", "--at", AT, "--config", &config, file.to_str().unwrap()],
        );
        let judged: Value = serde_json::from_str(&judged).unwrap();
        assert_eq!((&judged["verdict"], &judged["predicted"]), (&row["verdict"], &row["predicted"]), "{row}");
        for outcome in ["fail", "warn"] {
            let checks = judged["checks"].as_array().unwrap().iter();
            let found: Vec<_> =
                checks.filter(|check| check["outcome"] == outcome).map(|check| check["id"].as_str().unwrap()).collect();
            assert_eq!(found, words(&row[outcome]), "{row}");
        }
    }
}

#[test]
fn a_seed_an_instant_and_an_rsa_key_make_the_same_bytes() {
    for shape in Shape::ALL {
        let arguments = ["--seed", "5", "--count", "3", "--format", "json", "--shape", shape.as_str()];
        let (one, other) = (mint(0, &arguments), mint(0, &arguments));
        assert_eq!(one, other);
        let rows = rows(&one);
        assert!(rows[0]["xml"] != rows[1]["xml"] && rows[0]["user"] != rows[1]["user"], "{one}");
    }
}

#[test]
fn without_a_key_or_users_they_are_made_up_and_the_certificate_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for key in ["rsa2048", "rsa3072", "p256", "p384"] {
        let (certificate, response) = (path(&format!("{key}.cer")), path(&format!("{key}.xml")));
        let minted = said(0, &["mint", "-q", "--new-key", key, "--certificate-out", &certificate]);
        fs::write(&response, minted).unwrap();
        let issuer = "https://authentik.company/application/saml/m365/metadata/";
        said(0, &["verify", "--certificate", &certificate, "--issuer", issuer, &response]);
        let again = said(2, &["mint", "-q", "--new-key", key, "--certificate-out", &certificate]);
        assert!(again.contains("cannot be written"), "{again}");
    }
}

#[test]
fn what_cannot_be_minted_is_said() {
    assert!(mint(2, &["--fault", "all"]).contains("several XML documents"));
    assert!(mint(2, &["--fault", "none_such"]).contains("--list-faults"));
    assert!(mint(2, &["--user", "nobody@domain.company"]).contains("got nobody"));
    assert!(mint(2, &["--algorithm", "rsa-sha1"]).contains("rsa-sha1"));
    assert!(mint(2, &["--shape", "okta"]).contains("authentik"));
    let list = said(0, &["mint", "--list-faults"]);
    assert!(
        Fault::ALL.into_iter().all(|fault| list.contains(&format!("\n{fault} ")) || list.starts_with(fault.as_str()))
    );
}

#[cfg(feature = "oracles")]
#[test]
fn xmlsec1_verifies_every_shape_and_every_algorithm() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("response.xml");
    let verified = |certificate: &str, signature: usize| {
        let out = Command::new("xmlsec1")
            .args(["--verify", "--enabled-key-data", "key-name"])
            .args(["--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion"])
            .args(["--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:protocol:Response"])
            .args(["--node-xpath", &format!("(//*[local-name()='Signature'])[{signature}]")])
            .args(["--pubkey-cert-der", &fixture(&format!("certificates/{certificate}.cer"))])
            .arg(&file)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    for shape in Shape::ALL.map(Shape::as_str) {
        fs::write(&file, mint(0, &["--shape", shape, "--sign-response"])).unwrap();
        verified("current", 1);
        verified("current", 2);
    }
    // that of Debian 12 knows no RSA-PSS
    for algorithm in ["rsa-sha256", "rsa-sha384", "rsa-sha512"] {
        fs::write(&file, mint(0, &["--algorithm", algorithm])).unwrap();
        verified("current", 1);
    }
    for key in ["p256", "p384", "rsa4096"] {
        let (private, certificate) = (fixture(&format!("keys/{key}.pem")), fixture(&format!("certificates/{key}.cer")));
        let minted = said(0, &["mint", "-q", "--key", &private, "--certificate", &certificate, "--shape", "keycloak"]);
        fs::write(&file, minted).unwrap();
        verified(key, 1);
    }
}
