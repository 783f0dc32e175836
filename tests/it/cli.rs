//! The command line as users and scripts meet it.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

const XML: &str = "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_1\" Version=\"2.0\"><a>x</a></samlp:Response>";

/// Every check, in the order of the reports.
const CHECKS: [&str; 23] = [
    "message",
    "encoding",
    "xml",
    "status",
    "assertion",
    "issuer",
    "signing_key",
    "signature",
    "algorithm",
    "certificate",
    "time",
    "audience",
    "destination",
    "recipient",
    "subject",
    "name_id_format",
    "immutable_id",
    "account",
    "domain_policy",
    "idp_email",
    "authn_context",
    "in_response_to",
    "replay",
];

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn samlgate_with(stdin: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::cargo_bin("samlgate").unwrap();
    let output = command.args(arguments).env_remove("NO_COLOR").write_stdin(stdin).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn samlgate(arguments: &[&str]) -> Ran {
    samlgate_with("", arguments)
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

/// Each line of the output, as JSON.
fn json(out: &str) -> Vec<serde_json::Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn inputs(out: &str, below: &Path) -> Vec<String> {
    let below = format!("{}/", below.display());
    json(out).iter().map(|line| line["input"].as_str().unwrap().replace(&below, "")).collect()
}

#[test]
fn without_a_key_nothing_is_accepted_and_all_checks_are_listed_in_order() {
    let ran = samlgate_with(XML, &["verify", "--json", "-"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let lines = json(&ran.out);
    assert_eq!(lines.len(), 1);
    let report = &lines[0];
    assert_eq!(report["input"], "-");
    assert_eq!(report["verdict"], "rejected");
    assert_eq!(report["predicted"], serde_json::Value::Null);
    let ids: Vec<_> = report["checks"].as_array().unwrap().iter().map(|check| check["id"].as_str().unwrap()).collect();
    assert_eq!(ids, CHECKS);
}

#[test]
fn a_folder_is_judged_in_byte_order_of_its_names() {
    let folder = folder(&[("b/c.xml", XML), ("a.xml", XML), ("Z.xml", XML), ("b/B.xml", XML)]);
    let ran = samlgate(&["verify", "--json", folder.path().to_str().unwrap()]);
    assert_eq!(inputs(&ran.out, folder.path()), ["Z.xml", "a.xml", "b/B.xml", "b/c.xml"]);
    assert_eq!(ran.code, 1);
}

#[test]
fn inputs_are_reported_in_the_order_in_which_they_are_named() {
    let folder = folder(&[("a.xml", XML), ("b.xml", XML)]);
    let ran =
        samlgate(&["verify", "--json", &path(&folder, "b.xml"), &path(&folder, "a.xml"), &path(&folder, "b.xml")]);
    assert_eq!(inputs(&ran.out, folder.path()), ["b.xml", "a.xml", "b.xml"]);
}

#[test]
fn an_unreadable_file_is_named_and_the_rest_is_judged() {
    let folder = folder(&[("a.xml", XML)]);
    let ran = samlgate(&["verify", "--json", &path(&folder, "missing.xml"), &path(&folder, "a.xml")]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("missing.xml"), "{}", ran.err);
    assert_eq!(inputs(&ran.out, folder.path()), ["a.xml"]);
}

#[test]
fn a_file_that_is_too_large_is_named() {
    let folder = folder(&[("big.xml", &format!("<{}", "a".repeat(2 * 1024 * 1024)))]);
    let ran = samlgate(&["verify", &path(&folder, "big.xml")]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("big.xml is larger than"), "{}", ran.err);
}

#[test]
fn an_empty_folder_is_trouble() {
    let folder = folder(&[]);
    let ran = samlgate(&["verify", folder.path().to_str().unwrap()]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("nothing to judge"), "{}", ran.err);
}

#[test]
fn the_messages_of_a_recording_are_numbered() {
    let entry = r#"{"startedDateTime":"2026-11-23T12:00:00Z","request":{"method":"POST","url":"https://a/","postData":{"text":"SAMLResponse=PGEvPg%3D%3D"}}}"#;
    let har = format!(r#"{{"log":{{"entries":[{entry},{entry}]}}}}"#);
    let folder = folder(&[("a.har", &har), ("empty.har", r#"{"log":{"entries":[]}}"#)]);
    let ran = samlgate(&["verify", "--json", &path(&folder, "a.har")]);
    assert_eq!(inputs(&ran.out, folder.path()), ["a.har#1", "a.har#2"]);
    let ran = samlgate(&["verify", "--json", &path(&folder, "empty.har")]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("no POST with a SAMLResponse was recorded"), "{}", ran.err);
}

#[test]
fn the_report_for_people_begins_with_the_verdict_and_carries_no_escapes() {
    let folder = folder(&[("\u{1b}[31mred.xml", XML)]);
    let ran = samlgate(&["verify", &path(&folder, "\u{1b}[31mred.xml")]);
    assert!(ran.out.starts_with("REJECTED  "), "{}", ran.out);
    assert!(ran.out.contains("\\u{1b}[31mred.xml"), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}'), "{}", ran.out);
    let ran = samlgate_with(XML, &["verify", "--color", "always", "-"]);
    assert!(ran.out.contains('\u{1b}'), "{}", ran.out);
}

#[test]
fn many_inputs_end_with_a_tally() {
    let folder = folder(&[("a.xml", XML), ("b.xml", XML)]);
    let ran = samlgate(&["verify", folder.path().to_str().unwrap()]);
    assert!(ran.out.contains("2 judged: 0 accepted, 2 rejected"), "{}", ran.out);
    let ran = samlgate(&["verify", "-q", folder.path().to_str().unwrap()]);
    assert!(!ran.out.contains("judged:"), "{}", ran.out);
}

/// A certificate in DER, and base64 of it.
fn certificate() -> (Vec<u8>, String) {
    use base64::Engine as _;
    let made = rcgen::generate_simple_self_signed(["authentik.company".to_owned()]).unwrap();
    let der = made.cert.der().to_vec();
    let text = base64::engine::general_purpose::STANDARD.encode(&der);
    (der, text)
}

#[test]
fn what_entra_expects_is_read_from_every_kind_of_file() {
    let (der, text) = certificate();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    let settings = format!(
        r#"{{"issuerUri":"https://a/","signingCertificate":"{text}","preferredAuthenticationProtocol":"saml"}}"#
    );
    let metadata = format!(
        "<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"https://a/\"><IDPSSODescriptor \
         protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"><KeyDescriptor use=\"signing\"><KeyInfo \
         xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><X509Data><X509Certificate>{text}</X509Certificate></X509Data></KeyInfo>\
         </KeyDescriptor><SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" \
         Location=\"https://a/\"/></IDPSSODescriptor></EntityDescriptor>"
    );
    let users = "UserPrincipalName,OnPremisesImmutableId,AccountEnabled\nfirst.user@domain.company,abc,True\n";
    let folder = folder(&[
        ("a.xml", XML),
        ("a.pem", &pem),
        ("a.b64", &text),
        ("federation.json", &settings),
        ("metadata.xml", &metadata),
        ("users.csv", users),
    ]);
    fs::write(folder.path().join("a.cer"), der).unwrap();
    let at = |name: &str| path(&folder, name);
    for given in [
        vec!["--certificate".to_owned(), at("a.pem"), "--certificate".to_owned(), at("a.cer")],
        vec!["--certificate".to_owned(), at("a.b64"), "--issuer".to_owned(), "https://a/".to_owned()],
        vec!["--federation".to_owned(), at("federation.json"), "--users".to_owned(), at("users.csv")],
        vec!["--metadata".to_owned(), at("metadata.xml"), "--upn-domain".to_owned(), "domain.company".to_owned()],
    ] {
        let input = at("a.xml");
        let mut arguments = vec!["verify", "--json", &input];
        arguments.extend(given.iter().map(String::as_str));
        let ran = samlgate(&arguments);
        assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{given:?}");
        assert_eq!(json(&ran.out).len(), 1);
    }
}

#[test]
fn a_missing_key_is_said_once_and_not_when_quiet() {
    let folder = folder(&[("a.xml", XML), ("b.xml", XML)]);
    let ran = samlgate(&["verify", folder.path().to_str().unwrap()]);
    assert_eq!(ran.err.matches("no certificate was given").count(), 1, "{}", ran.err);
    let ran = samlgate(&["verify", "-q", folder.path().to_str().unwrap()]);
    assert!(ran.err.is_empty(), "{}", ran.err);
}

#[test]
fn expectations_that_cannot_be_read_end_with_2() {
    let folder = folder(&[("a.xml", XML), ("bad.cer", "no certificate"), ("bad.json", "{}")]);
    let (input, bad, json) = (path(&folder, "a.xml"), path(&folder, "bad.cer"), path(&folder, "bad.json"));
    for arguments in [
        &["verify", &input, "--certificate", &bad][..],
        &["verify", &input, "--federation", &json],
        &["verify", &input, "--users", &json],
        &["verify", &input, "--metadata", &bad],
        &["verify", &input, "--certificate", "a", "--certificate", "b", "--certificate", "c"],
        &["verify", &input, "--certificate", "missing.cer"],
    ] {
        let ran = samlgate(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.starts_with("error: "), "{}", ran.err);
    }
}

/// A folder with a configuration that holds together, and a message.
fn configured() -> TempDir {
    let (_, text) = certificate();
    let users = "UserPrincipalName,OnPremisesImmutableId,AccountEnabled\nfirst.user@domain.company,abc,True\n";
    let configuration = "environment = \"test\"\n\n[[federation]]\ndomain = \"domain.company\"\nissuer = \"https://a/\"\n\
                         certificates = [\"a.cer\"]\nusers = \"users.csv\"\n\n[policy]\nskew = \"3m\"\n\n[upstream]\n\
                         address = \"127.0.0.1:1\"\n";
    folder(&[("a.xml", XML), ("a.cer", &text), ("users.csv", users), ("samlgate.toml", configuration)])
}

#[test]
fn a_sound_configuration_is_told_in_facts() {
    let folder = configured();
    let ran = samlgate(&["config", "check", &path(&folder, "samlgate.toml")]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    for fact in ["ok  ", "domain.company", "https://a/", "current key", "users        1"] {
        assert!(ran.out.contains(fact), "{fact} in {}", ran.out);
    }
}

#[test]
fn every_problem_of_a_configuration_is_told_at_once() {
    let folder = folder(&[("samlgate.toml", "mode = \"nonsense\"\n[policy]\nissuer = \"off\"\nunknown = 1\n")]);
    let ran = samlgate(&["config", "check", &path(&folder, "samlgate.toml")]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    for problem in ["`observe`", "`issuer`", "`unknown`"] {
        assert!(ran.err.contains(problem), "{problem} in {}", ran.err);
    }
    assert_eq!(samlgate(&["config", "check", "missing.toml"]).code, 2);
    assert_eq!(samlgate(&["serve", "--config", "missing.toml"]).code, 2);
}

#[test]
fn the_schema_is_json() {
    let ran = samlgate(&["config", "schema"]);
    assert_eq!(ran.code, 0);
    assert!(serde_json::from_str::<serde_json::Value>(&ran.out).unwrap().is_object());
}

#[test]
fn a_configuration_goes_together_with_clock_skew_and_strictness_alone() {
    let folder = configured();
    let (file, input) = (path(&folder, "samlgate.toml"), path(&folder, "a.xml"));
    let beside = ["--at", "2026-11-23T12:00:00Z", "--skew", "1m", "--strict"];
    let ran = samlgate(&[&["verify", "--json", "--config", &file, &input][..], &beside].concat());
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    for other in
        ["--issuer", "--certificate", "--metadata", "--federation", "--audience", "--acs", "--users", "--upn-domain"]
    {
        let ran = samlgate(&["verify", "--config", &file, &input, other, "x"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{other}");
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [
        &["verify", "--nonsense"][..],
        &[],
        &["serve"],
        &["config"],
        &["verify", "--at", "yesterday", "a.xml"],
        &["verify", "--skew", "-5m", "a.xml"],
        &["explain", "nonsense"],
        &["-q", "-v", "verify"],
    ] {
        let ran = samlgate(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
        assert!(ran.out.is_empty(), "{arguments:?}: {}", ran.out);
        assert!(!ran.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn every_command_has_a_help_screen_with_an_example() {
    let ran = samlgate(&["--help"]);
    assert_eq!(ran.code, 0);
    let commands = [
        "verify",
        "decode",
        "explain",
        "config",
        "init",
        "doctor",
        "rollover",
        "serve",
        "demo",
        "mint",
        "lab",
        "ca",
        "completions",
        "man",
    ];
    for command in commands {
        assert!(ran.out.contains(&format!("\n  {command} ")), "{}", ran.out);
        let help = samlgate(&[command, "--help"]);
        assert_eq!(help.code, 0);
        assert!(help.out.contains(&format!("Example: samlgate {command}")), "{}", help.out);
    }
    assert_eq!(samlgate(&["--version"]).code, 0);
}

#[test]
fn decode_prints_indented_xml_and_the_relay_state_apart() {
    let ran = samlgate_with("<a><b>x</b></a>", &["decode", "-"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "<a>\n  <b>x</b>\n</a>\n"), "{}", ran.err);
    let ran = samlgate_with("<a><b>\u{1b}x</a>", &["decode", "-"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, "<a><b>&#x1B;x</a>\n"));
    assert!(ran.err.contains("</a> closes <b>"), "{}", ran.err);
}

#[test]
fn decode_tells_several_inputs_apart_on_stderr() {
    let folder = folder(&[("a.xml", "<a/>"), ("b.xml", "<b/>")]);
    let ran = samlgate(&["decode", folder.path().to_str().unwrap()]);
    assert_eq!(ran.out, "<a/>\n<b/>\n");
    assert!(ran.err.contains("a.xml\n") && ran.err.contains("b.xml\n"), "{}", ran.err);
}

#[test]
fn every_check_and_code_is_explained() {
    let list = samlgate(&["explain"]);
    assert_eq!(list.code, 0);
    for check in CHECKS {
        assert!(list.out.contains(check));
        let ran = samlgate(&["explain", check]);
        assert_eq!(ran.code, 0, "{check}");
        assert!(ran.out.starts_with(&format!("{check}: ")), "{}", ran.out);
        assert!(ran.out.contains("[policy]"), "{}", ran.out);
    }
    let ran = samlgate(&["explain", "AADSTS51004"]);
    assert!(ran.out.contains("immutable_id"), "{}", ran.out);
    assert_eq!(samlgate(&["explain", "aadsts50076"]).code, 0);
    assert_eq!(samlgate(&["explain", "AADSTS99999999"]).code, 2);
    let unknown = samlgate(&["explain", "nonsense"]);
    assert!(unknown.err.contains("check, code or alert") && unknown.err.contains("explain alerts"), "{}", unknown.err);
    let readme = include_str!("../../README.md");
    assert!(readme.lines().any(|line| line.starts_with("| `samlgate explain") && line.contains("alert")));
}

#[test]
fn completions_are_made_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = samlgate(&["completions", shell]);
        assert_eq!(ran.code, 0);
        assert!(ran.out.contains("verify"), "{shell}");
    }
}

/// The names of the commands that a help screen lists.
fn listed(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("man/man1");
    let out = out.to_str().unwrap();
    let ran = samlgate(&["man", "--out", out]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);

    let mut commands = vec![vec![]];
    let mut pages = 0;
    while let Some(words) = commands.pop() {
        let help = samlgate(&[words.clone(), vec!["--help"]].concat());
        let name = [vec!["samlgate"], words.clone()].concat().join("-");
        let page = fs::read_to_string(format!("{out}/{name}.1")).unwrap();
        let (escaped, bold) = (name.replace('-', "\\-"), name.replace('-', " "));
        let title = format!(".TH {name} 1 \" \" \"samlgate {}\" samlgate\n", env!("CARGO_PKG_VERSION"));
        for part in [title, format!(".SH NAME\n{escaped} \\- "), format!("\n\\fB{bold}\\fR ")] {
            assert!(page.contains(&part), "{name} lacks {part:?}\n{page}");
        }
        for example in help.out.split("Example: ").skip(1) {
            // the screen is narrower
            let example = example.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(page.contains(&example.replace('-', "\\-")), "{name}: {example}\n{page}");
        }
        pages += 1;
        for beneath in listed(&help.out) {
            commands.push([words.clone(), vec![&*beneath.leak()]].concat());
        }
    }
    assert_eq!(fs::read_dir(out).unwrap().count(), pages);
    assert!(pages > 20, "{pages}");
    // nothing is overwritten
    assert_eq!(samlgate(&["man", "--out", out]).code, 2);
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_is_a_quiet_end() {
    use std::process::{Command, Stdio};

    let binary = assert_cmd::cargo::cargo_bin("samlgate");
    let mut child = Command::new(binary).arg("explain").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
