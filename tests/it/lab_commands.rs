//! The fake ends as commands, with `serve` between them, and curl for a browser.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

/// A command that runs until the test ends.
struct Running {
    child: Child,
    talk: BufReader<std::process::ChildStderr>,
}

impl Running {
    fn of(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(cargo_bin!("samlgate"));
        let mut child = command.args(arguments).current_dir(folder).stderr(Stdio::piped()).spawn().unwrap();
        let talk = BufReader::new(child.stderr.take().unwrap());
        Self { child, talk }
    }

    /// The rest of the first line of its talk that holds this text.
    fn after(&mut self, text: &str) -> String {
        let line = self.talk.by_ref().lines().map(Result::unwrap).find(|line| line.contains(text));
        let line = line.unwrap_or_else(|| panic!("it never said {text}"));
        line.split_once(text).unwrap().1.to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn done(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let out = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    assert!(out.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// A folder with a CA and a configuration, whose upstream is to be added.
fn folder() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), cargo_bin!("samlgate").to_str().unwrap(), &["ca"]);
    for (from, to) in [
        ("certificates/current.cer", "current.cer"),
        ("certificates/next.cer", "next.cer"),
        ("tenants/users.csv", "users.csv"),
        ("keys/current.pem", "current.pem"),
    ] {
        fs::copy(fixture(from), folder.path().join(to)).unwrap();
    }
    let text = fs::read_to_string(fixture("tenants/default.toml")).unwrap().replace("../certificates/", "");
    let text = format!(
        "{text}\n[listen]\nreverse = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
         [tls]\nca_certificate = \"ca.pem\"\nca_key = \"ca.key\"\n[upstream]\nca = \"ca.pem\"\n"
    );
    fs::write(folder.path().join("samlgate.toml"), &text).unwrap();
    (folder, text)
}

fn json_field(line: &str, name: &str) -> String {
    let value = line.split_once(&format!("\"{name}\":\"")).unwrap().1;
    value.split_once('"').unwrap().0.to_owned()
}

#[test]
fn a_sign_in_goes_from_lab_to_lab_through_the_proxy() {
    let (folder, text) = folder();
    let path = folder.path();
    let idp_arguments = ["lab", "idp", "--config", "samlgate.toml", "--key", "current.pem", "--listen", "127.0.0.1:0"];
    let mut idp = Running::of(path, &idp_arguments);
    let idp_url = idp.after("choose    ");
    let mut entra = Running::of(
        path,
        &[
            "lab",
            "entra",
            "--config",
            "samlgate.toml",
            "--listen",
            "127.0.0.1:0",
            "--tls",
            "--sign-in",
            &format!("{idp_url}sso"),
        ],
    );
    let entra_address = entra.after("post      https://").replace("/login.srf", "");
    fs::write(path.join("samlgate.toml"), format!("{text}address = \"{entra_address}\"\n")).unwrap();
    let mut proxy = Running::of(path, &["serve", "--config", "samlgate.toml"]);
    let reverse = json_field(&format!("\"reverse\":{}", proxy.after("\"reverse\":")), "reverse");
    let to = format!("login.microsoftonline.com:443:{reverse}");

    // the chain of the listener holds for the intercepted host, and for no other
    let at = |host: &str| {
        let arguments = ["s_client", "-connect", &reverse, "-servername", host, "-verify_hostname", host];
        let mut command = Command::new("openssl");
        command.args(arguments).args(["-CAfile", "ca.pem", "-verify_return_error"]).current_dir(path);
        command.stdin(Stdio::null()).output().unwrap().status.success()
    };
    assert!(at("login.microsoftonline.com"));
    assert!(!at("login.example.com"));

    let curl = |more: &[&str]| {
        let common = ["-sS", "--cacert", "ca.pem", "--connect-to", &to];
        done(path, "curl", &[&common, more].concat())
    };
    let asking = curl(&["https://login.microsoftonline.com/common/oauth2/v2.0/authorize"]);
    let field = |html: &str, name: &str| {
        let value = html.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1;
        value.split_once('"').unwrap().0.replace("&amp;", "&")
    };
    let (request, relay_state) = (field(&asking, "SAMLRequest"), field(&asking, "RelayState"));
    assert!(asking.contains(&format!("action=\"{idp_url}sso\"")), "{asking}");
    for (fault, answered) in
        [("sound", "KmsiInterrupt"), ("mail_as_name_id", "AADSTS51004"), ("altered", "AADSTS50006")]
    {
        let posting = curl(&[
            &format!("{idp_url}sso"),
            "--data-urlencode",
            &format!("SAMLRequest={request}"),
            "--data-urlencode",
            &format!("RelayState={relay_state}"),
            "-d",
            &format!("fault={fault}"),
        ]);
        assert!(posting.contains("action=\"https://login.microsoftonline.com/login.srf\""), "{posting}");
        assert_eq!(field(&posting, "RelayState"), relay_state);
        let page = curl(&[
            "https://login.microsoftonline.com/login.srf",
            "--data-urlencode",
            &format!("SAMLResponse={}", field(&posting, "SAMLResponse")),
            "--data-urlencode",
            &format!("RelayState={relay_state}"),
        ]);
        assert!(page.contains(answered), "{fault}: {page}");
        let agree = proxy.after("\"agree\":");
        assert!(agree.starts_with("true"), "{fault}: {agree}");
    }
    // without a fault the tester is asked, and may choose somebody
    let choice = curl(&[&format!("{idp_url}sso"), "--data-urlencode", &format!("SAMLRequest={request}")]);
    assert!(choice.contains("<option>second.user@domain.company</option>") && choice.contains("value=\"sound\""));
}

#[test]
fn a_key_that_is_not_registered_is_named() {
    let (folder, _) = folder();
    fs::copy(fixture("keys/stranger.pem"), folder.path().join("stranger.pem")).unwrap();
    let out = Command::new(cargo_bin!("samlgate"))
        .args(["lab", "idp", "--config", "samlgate.toml", "--key", "stranger.pem", "--listen", "127.0.0.1:0"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(said.contains("of no certificate that is registered") && said.contains("--certificate"), "{said}");
}

#[test]
fn the_doctor_asks_the_fake_graph_through_an_outage() {
    let (folder, _) = folder();
    let path = folder.path();
    let arguments = ["lab", "graph", "--config", "samlgate.toml", "--users", "3000", "--listen", "127.0.0.1:0"];
    let mut graph =
        Running::of(path, &[&arguments[..], &["--fault", "throttled", "--at", "2", "--retry-after", "0"]].concat());
    let here = graph.after("users     http://").replace("/v1.0/users", "");
    let write = |secret: &str| {
        let text = format!(
            "[graph]\ntenant = \"domain.company\"\nclient_id = \"lab\"\nsecret_file = \"secret\"\nlogin = \"http://{here}\"\n\
             endpoint = \"http://{here}\"\n[[federation]]\ndomain = \"domain.company\"\n"
        );
        fs::write(path.join("graph.toml"), text).unwrap();
        fs::write(path.join("secret"), secret).unwrap();
        let doctor =
            Command::new(cargo_bin!("samlgate")).args(["doctor", "--config", "graph.toml"]).current_dir(path).output();
        let out = doctor.unwrap();
        (out.status.code(), String::from_utf8([out.stdout, out.stderr].concat()).unwrap())
    };
    let (code, said) = write("lab");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no passiveSignInUri") && said.contains("users_share_immutable_id"), "{said}");
    let (code, said) = write("not-the-one");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("AADSTS7000215") && !said.contains("not-the-one"), "{said}");
}
