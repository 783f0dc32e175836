//! The pre-flight with a visit at the URL of the metadata, and without one.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

use crate::doctor::{Sides, sound};
use crate::https::{Https, Say, document};

const DAY: &str = "2026-11-23T12:00:00Z";

/// Exit code, `harm id` of each finding, and what was said beside.
async fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, Vec<String>, String) {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("samlgate"));
    command.current_dir(folder).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let out = text(output.stdout);
    let lines = out.lines().filter_map(|line| serde_json::from_str(line).ok());
    let found = lines
        .filter(|line: &Value| line["kind"] == "finding")
        .map(|finding| format!("{} {}", finding["harm"].as_str().unwrap_or(""), finding["id"].as_str().unwrap_or("")));
    (output.status.code(), found.collect(), text(output.stderr))
}

/// A folder whose configuration names the metadata at the server.
fn written(sides: &Sides, server: &Https, url: &str) -> tempfile::TempDir {
    let folder = sides.written();
    let file = folder.path().join("samlgate.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(folder.path().join("idp.pem"), server.root.pem()).unwrap();
    let by_url = format!("\"{url}\"\nmetadata_ca = \"idp.pem\"");
    fs::write(file, text.replace("\"metadata.xml\"", &by_url)).unwrap();
    folder
}

/// Both sides agree, and Entra knows the URL.
fn at(server: &Https) -> Sides {
    sound().set("metadataExchangeUri", server.url())
}

const DOCTOR: [&str; 6] = ["doctor", "--config", "samlgate.toml", "--json", "--at", DAY];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_fetched_and_compared() {
    let server = Https::saying(document(sound().metadata())).await;
    let folder = written(&at(&server), &server, &server.url());
    let (code, found, said) = run(folder.path(), &DOCTOR).await;
    assert_eq!((code, found.len()), (Some(0), 0), "{found:?} {said}");
    assert_eq!(server.asked(), 1);
    assert!(!said.contains("not fetched"), "{said}");

    server.say(document(sound().publishing("p256.cer").metadata()));
    let (code, found, _) = run(folder.path(), &DOCTOR).await;
    assert_eq!((code, found), (Some(1), vec!["everybody certificate_unknown".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_no_socket_is_opened() {
    let server = Https::saying(document(sound().metadata())).await;
    let folder = written(&at(&server), &server, &server.url());
    let response = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/responses/sound_and_strict/response.xml");
    let response = response.to_str().unwrap();
    for (arguments, code) in [
        (&[&DOCTOR[..], &["--offline"]].concat()[..], 0),
        (&["config", "check", "samlgate.toml"], 0),
        (&["-v", "verify", "--config", "samlgate.toml", "--at", DAY, response], 0),
    ] {
        let (ended, _, said) = run(folder.path(), arguments).await;
        assert_eq!(ended, Some(code), "{arguments:?} {said}");
        assert!(said.contains("was not fetched: it is compared with nothing"), "{arguments:?} {said}");
    }
    // where it is known from there alone what Entra expects, only `config check` has nothing against it
    let file = folder.path().join("samlgate.toml");
    let text = fs::read_to_string(&file).unwrap().replace("settings = \"federation.json\"\n", "");
    fs::write(&file, text).unwrap();
    for (arguments, code) in [
        (&[&DOCTOR[..], &["--offline"]].concat()[..], 2),
        (&["config", "check", "samlgate.toml"], 0),
        (&["verify", "--config", "samlgate.toml", response], 2),
    ] {
        let (ended, _, said) = run(folder.path(), arguments).await;
        assert_eq!(ended, Some(code), "{arguments:?} {said}");
        assert!(said.contains("was not fetched"), "{arguments:?} {said}");
    }
    assert_eq!((server.connections(), server.asked()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_on_the_way_is_found() {
    let server = Https::saying(document(sound().metadata())).await;
    let other = Https::saying(document(sound().metadata())).await;
    let folder = written(&at(&server), &server, &server.url());
    let found = |folder: &Path| {
        let folder = folder.to_owned();
        async move { run(&folder, &DOCTOR).await.1 }
    };
    for (seconds, expected) in [
        (0, &[][..]),
        (120, &["around clock_offset"]),
        (-120, &["around clock_offset"]),
        (1000, &["everybody clock_offset"]),
        (-1000, &["everybody clock_offset"]),
    ] {
        let date = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        *server.also.lock().unwrap() = Some(("date", date));
        assert_eq!(found(folder.path()).await, expected, "{seconds}");
    }
    *server.also.lock().unwrap() = None;

    // its last days
    let late = ["doctor", "--config", "samlgate.toml", "--json", "--at", "4095-12-20T00:00:00Z"];
    let (_, late, _) = run(folder.path(), &late).await;
    assert!(late.contains(&"soon metadata_tls_expires".to_owned()), "{late:?}");

    // nobody vouches for it
    fs::write(folder.path().join("idp.pem"), other.root.pem()).unwrap();
    assert_eq!(found(folder.path()).await, ["soon metadata_tls"]);
    fs::write(folder.path().join("idp.pem"), server.root.pem()).unwrap();

    for say in [
        document("<html>Log in</html>"),
        Say::Status(403, "x-why", String::new()),
        Say::Status(302, "location", "http://127.0.0.1/".to_owned()),
    ] {
        server.say(say);
        assert_eq!(found(folder.path()).await, ["soon metadata_unreadable"]);
    }

    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = format!("https://{}/metadata/", free.local_addr().unwrap());
    drop(free);
    let folder = written(&sound().set("metadataExchangeUri", nowhere.as_str()), &server, &nowhere);
    assert_eq!(found(folder.path()).await, ["soon metadata_unreachable"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_written_from_a_url_that_is_asked_once() {
    let server = Https::saying(document(sound().metadata())).await;
    let folder = at(&server).written();
    let file = folder.path().join("new.toml");
    fs::write(folder.path().join("idp.pem"), server.root.pem()).unwrap();
    fs::write(folder.path().join("none.pem"), "none").unwrap();
    let url = server.url();
    let init = ["init", "--out", "new.toml", "--users", "users.csv", "--metadata", &url];
    let settings = ["--settings", "federation.json"];
    let ca = ["--metadata-ca", "idp.pem"];

    // what cannot be had or is none is not written into a configuration
    for (say, more, words) in [
        (document(sound().metadata()), &[][..], "give it by --metadata-ca"),
        (document(sound().metadata()), &["--metadata-ca", "none.pem"], "expected certificates in PEM, got none"),
        (document("<html>Log in</html>"), &ca, "a browser that is not signed in"),
        (Say::Status(404, "x-why", String::new()), &ca, "got status 404"),
    ] {
        server.say(say);
        let (code, _, said) = run(folder.path(), &[&init[..], &settings, more].concat()).await;
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(words) && said.contains("hint:") && !file.exists(), "{words}: {said}");
    }
    let (code, _, said) = run(folder.path(), &["init", "--out", "new.toml", "--metadata", "http://idp.company/"]).await;
    assert!(code == Some(2) && said.contains("expected an https URL"), "{said}");

    server.say(document(sound().metadata()));
    let asked = server.asked();
    // with settings beside it, and where it alone tells what Entra expects
    for more in [&settings[..], &["--domain", "domain.company"]] {
        let (code, _, said) = run(folder.path(), &[&init[..], &ca, more].concat()).await;
        assert_eq!(code, Some(0), "{said}");
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            text.contains(&format!("metadata = \"{url}\"\n")) && text.contains("metadata_ca = \"idp.pem\"\n"),
            "{text}"
        );
        let (code, _, said) = run(folder.path(), &["config", "check", "new.toml"]).await;
        assert_eq!(code, Some(0), "{said}");
        fs::remove_file(&file).unwrap();
    }
    assert_eq!(server.asked(), asked + 2);
    // a file is there already: nobody is asked
    fs::write(&file, "").unwrap();
    assert_eq!(run(folder.path(), &[&init[..], &ca, &settings].concat()).await.0, Some(2));
    assert_eq!(server.asked(), asked + 2);
}
