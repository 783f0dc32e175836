//! The test CA as a command: its files, who may read them, and what other programs think of what it signs.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use samlgate::config::Config;

fn ca(folder: &Path, more: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("samlgate"));
    command.args(["ca", "--out"]).arg(folder).args(more).assert()
}

const FEDERATION: &str = "[[federation]]\ndomain = \"domain.company\"\nissuer = \"https://authentik.company/\"\ncertificates = [\"ca.pem\"]\n";

#[test]
fn the_key_is_for_its_owner_alone_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let said = ca(folder.path(), &[]).code(0).get_output().stdout.clone();
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("login.microsoftonline.com") && said.contains("SHA-256"), "{said}");
    // each way in has its way out
    for (trust, distrust) in [
        ("nssdb -A ", "nssdb -D "),
        ("-addstore Root ", "-delstore Root "),
        ("add-trusted-cert", "delete-certificate"),
        ("sudo cp ", "sudo rm "),
    ] {
        assert!(said.contains(trust) && said.contains(distrust), "{trust}: {said}");
    }
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let (certificate, key) = (read("ca.pem"), read("ca.key"));
    assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----") && key.starts_with("-----BEGIN PRIVATE KEY-----"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.path().join("ca.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    ca(folder.path(), &[]).code(2);
    assert_eq!((read("ca.pem"), read("ca.key")), (certificate, key));
    fs::remove_file(folder.path().join("ca.pem")).unwrap();
    ca(folder.path(), &[]).code(2);
    assert!(!folder.path().join("ca.pem").exists());
}

#[test]
fn a_folder_that_is_not_there_is_made_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("none");
    ca(&none, &["--days", "0"]).code(2);
    assert!(!none.exists());
    ca(&none, &[]).code(0);
    assert!(none.join("ca.pem").is_file() && none.join("ca.key").is_file());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&none).unwrap().permissions().mode() & 0o777, 0o700);
    }
    fs::write(folder.path().join("file"), "").unwrap();
    ca(&folder.path().join("file"), &[]).code(2);
}

#[test]
fn a_configuration_takes_the_ca_for_its_own_hosts_and_for_no_others() {
    let folder = tempfile::tempdir().unwrap();
    ca(folder.path(), &[]).code(0);
    let load = |text: &str| Config::parse(&format!("{text}\n{FEDERATION}"), &folder.path().join("samlgate.toml"));
    let tls = "[tls]\nca_certificate = \"ca.pem\"\nca_key = \"ca.key\"\n";
    let config = load(tls).unwrap();
    assert!(config.certificate.is_some(), "{config:?}");
    assert!(config.notes.iter().all(|note| !note.contains("every host")), "{:?}", config.notes);
    let other = load(&format!("[intercept]\nhosts = [\"login.microsoftonline.us\"]\n{tls}")).unwrap_err().to_string();
    assert!(other.contains("may not speak for login.microsoftonline.us"), "{other}");
    let both = load(&format!("{tls}certificate = \"ca.pem\"\nkey = \"ca.key\"\n")).unwrap_err().to_string();
    assert!(both.contains("do not go together"), "{both}");
}

#[cfg(feature = "oracles")]
#[test]
fn openssl_believes_the_ca_for_its_hosts_and_refuses_a_leaf_for_another() {
    let folder = tempfile::tempdir().unwrap();
    ca(folder.path(), &["--host", "login.microsoftonline.com", "--host", "login.test"]).code(0);
    let path = |name: &str| folder.path().join(name);
    let openssl = |arguments: &[&str]| {
        let out = std::process::Command::new("openssl").args(arguments).current_dir(folder.path()).output().unwrap();
        (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
    };
    for (names, believed) in [
        ("DNS:login.microsoftonline.com", true),
        ("DNS:login.test,DNS:login.microsoftonline.com", true),
        ("DNS:example.com", false),
        ("DNS:login.test,DNS:example.com", false),
        ("IP:127.0.0.1", false),
        ("IP:::1", false),
    ] {
        let _ = fs::remove_file(path("leaf.pem"));
        let made = openssl(&[
            "req",
            "-x509",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "leaf.key",
            "-subj",
            "/CN=leaf",
            "-addext",
            &format!("subjectAltName={names}"),
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-days",
            "2",
            "-out",
            "leaf.pem",
        ]);
        assert!(made.0, "{}", made.1);
        let (verified, said) =
            openssl(&["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem", "leaf.pem"]);
        assert_eq!(verified, believed, "{names}: {said}");
        if !believed {
            assert!(said.contains("subtree violation"), "{names}: {said}");
        }
    }
}
