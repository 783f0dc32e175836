//! Configurations, good and bad.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::{Config, ConfigError};
use crate::proxy::Mode;

const ISSUER: &str = "https://authentik.company/application/saml/m365/metadata/";

/// A folder with what configurations name.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["current", "next", "third", "proxy"] {
        let made = rcgen::generate_simple_self_signed(["login.microsoftonline.com".to_owned()]).unwrap();
        std::fs::write(folder.path().join(format!("{name}.cer")), made.cert.der()).unwrap();
        std::fs::write(folder.path().join(format!("{name}.pem")), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join(format!("{name}.key")), made.signing_key.serialize_pem()).unwrap();
    }
    let users = "UserPrincipalName,OnPremisesImmutableId,AccountEnabled\nfirst.user@domain.company,Zmlyc3Q=,True\n";
    std::fs::write(folder.path().join("users.csv"), users).unwrap();
    std::fs::write(folder.path().join("secret"), "s3cret\n").unwrap();
    folder
}

fn parse(folder: &TempDir, text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, &folder.path().join("samlgate.toml"))
}

fn federation(rest: &str) -> String {
    format!(
        "[[federation]]\ndomain = \"domain.company\"\nissuer = \"{ISSUER}\"\ncertificates = [\"current.cer\"]\n{rest}"
    )
}

/// Line, cause and hint of every problem.
fn problems(text: &str) -> Vec<(usize, String, String)> {
    let error = parse(&folder(), text).unwrap_err();
    error
        .problems
        .into_iter()
        .map(|problem| (problem.line.unwrap_or(0), problem.cause, problem.hint.unwrap_or_default()))
        .collect()
}

#[test]
fn a_federation_is_all_that_it_takes() {
    let config = parse(&folder(), &federation("users = \"users.csv\"\n")).unwrap();
    let federation = config.judge.federations.first().unwrap();
    assert_eq!(federation.issuer.as_deref(), Some(ISSUER));
    assert_eq!(federation.root_domain.as_deref(), Some("domain.company"));
    assert_eq!((federation.keys.len(), federation.users.is_some()), (1, true));
    assert_eq!(federation.audience, "urn:federation:MicrosoftOnline");
    assert_eq!((config.mode, config.listen.tls, config.pass_unjudged), (Mode::Observe, true, true));
    assert_eq!(config.listen.admin.to_string(), "127.0.0.1:9464");
    assert_eq!(config.listen.reverse, None);
}

#[test]
fn the_example_holds_together() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/samlgate.example.toml");
    let config = parse(&folder(), &std::fs::read_to_string(example).unwrap()).unwrap();
    assert_eq!(config.judge.federations.first().unwrap().keys.len(), 2);
    assert!(config.certificate.is_some());
    assert_eq!(config.judge.limits, crate::limits::Limits::default());
}

#[test]
fn every_problem_is_reported_at_once_with_its_line() {
    let text = "mode = \"watch\"\n[listen]\nreverse = 8443\nadmin = \"localhost\"\n[upstream]\nurl = \"https://a/b\"\n\
         [[federation]]\nisuer = \"x\"\ndomain = \"domain.company\"\n[policy]\nskew = \"5 minutes\"\nsignature = \"off\"\n[logs]\n";
    let found = problems(text);
    let lines: Vec<usize> = found.iter().map(|(line, ..)| *line).collect();
    assert_eq!(lines, [1, 3, 4, 6, 7, 8, 11, 12, 13], "{found:#?}");
    let of = |line| found.iter().find(|(at, ..)| *at == line).unwrap();
    assert_eq!(of(1).1, "expected one of `observe`, `enforce`, got `watch`");
    assert!(of(3).1.contains("expected a string"), "{}", of(3).1);
    assert_eq!((of(8).1.as_str(), of(8).2.as_str()), ("unknown key `isuer`", "did you mean `issuer`?"));
    assert!(of(11).1.contains("\"5m\"") && of(11).1.contains("\"5 minutes\""));
    assert!(of(12).2.contains("idp_email") && !of(12).2.contains("signature"));
    assert_eq!(of(13).2, "did you mean `log`?");
}

#[test]
fn what_is_no_toml_says_where() {
    let found = problems("mode = \"observe\"\nlisten = [\n");
    assert!(found.iter().all(|(_, cause, _)| cause.starts_with("this is not TOML: ")), "{found:?}");
}

#[test]
fn nothing_is_judged_without_a_key_an_issuer_and_an_audience() {
    let cases = [
        ("", "there is no federation"),
        ("[[federation]]\ndomain = \"domain.company\"\n", "nothing says what Entra expects"),
        ("[[federation]]\ndomain = \"a.b\"\nissuer = \"x\"\n", "`issuer` needs `certificates`"),
        ("[[federation]]\ndomain = \"a.b\"\nissuer = \"x\"\nmetadata = \"m.xml\"\n", "`issuer` needs `certificates`"),
        ("[[federation]]\ndomain = \"a.b\"\ncertificates = [\"current.cer\"]\n", "`certificates` needs `issuer`"),
        ("[[federation]]\ndomain = \"a.b\"\nissuer = \"x\"\ncertificates = []\n", "there is no signing certificate"),
        ("[[federation]]\ndomain = \"a.b\"\nissuer = \"\"\ncertificates = [\"next.pem\"]\n", "there is no issuer"),
        ("[[federation]]\ndomain = \"a.b\"\nissuer = \"x\"\ncertificates = [\"no.cer\"]\n", "`no.cer` cannot be read"),
        (
            "[[federation]]\ndomain = \"a.b\"\nissuer = \"x\"\ncertificates = [\"users.csv\"]\n",
            "expected a certificate",
        ),
        ("[[federation]]\ndomain = \"a.b\"\nmetadata = \"https://a.b/m\"\n", "was not fetched"),
        ("[[federation]]\ndomain = \"a.b\"\nmetadata = \"http://a.b/m\"\n", "expected an https URL"),
        ("[[federation]]\nissuer = \"x\"\ncertificates = [\"next.cer\"]\n", "has no `domain`"),
    ];
    for (text, expected) in cases {
        let found = problems(text);
        assert!(found.len() == 1 && found[0].1.contains(expected), "{text}: {found:?}");
    }
    for (rest, expected) in [("audience = \"\"\n", "`audience` is empty"), ("acs = \" \"\n", "`acs` is empty")] {
        let found = problems(&federation(rest));
        assert!(found.len() == 1 && found[0].1.contains(expected), "{found:?}");
    }
    let three = "[[federation]]\ndomain = \"a.b\"\nissuer = \"x\"\ncertificates = [\"current.cer\", \"next.cer\", \"third.cer\"]\n";
    assert!(problems(three)[0].1.contains("at most the next one, got 3"));
}

#[test]
fn federations_differ_in_domain_and_issuer_and_may_share_users() {
    let second = "[[federation]]\ndomain = \"other.company\"\nissuer = \"x\"\ncertificates = [\"next.pem\"]\nusers = \"users.csv\"\n";
    let both = federation("users = \"users.csv\"\n") + second;
    let config = parse(&folder(), &both).unwrap();
    let users: Vec<_> = config.judge.federations.iter().filter_map(|federation| federation.users.as_ref()).collect();
    assert!(Arc::ptr_eq(users[0], users[1]));

    let found = problems(&(federation("") + &federation("")));
    assert!(found[0].1.contains("this `domain`") && found[1].1.contains("this issuer"), "{found:?}");
    assert_eq!((found[0].0, found[1].0), (6, 7));
}

#[test]
fn every_section_can_be_written_and_no_password_is_shown() {
    let text = "[listen]\nconnect = \"127.0.0.1:3128\"\n\
         [upstream]\ndns = \"198.51.100.1:53\"\n[replay]\nstore = \"redis://:password@127.0.0.1\"\ntimeout = \"20ms\"\n\
         [capture]\nfile = \"a\"\nmax_size = \"100MiB\"\nmax_age = \"7d\"\n[graph]\ntenant = \"a\"\nclient_id = \"b\"\nsecret_file = \"secret\"\n";
    let config = parse(&folder(), &(text.to_owned() + &federation(""))).unwrap();
    assert!(!format!("{config:?}").contains("password"));
}

#[test]
fn a_cloud_sets_acs_and_audience() {
    let of = |rest: &str| {
        let config = parse(&folder(), &federation(rest)).unwrap();
        let federation = config.judge.federations.first().unwrap().clone();
        (federation.acs, federation.audience)
    };
    assert_eq!(of("cloud = \"china\"\n").1, "urn:federation:partner.microsoftonline.cn");
    assert_eq!(of("cloud = \"us_government\"\n").0, "https://login.microsoftonline.us/login.srf");
    assert_eq!(of("audience = \"a\"\nacs = \"b\"\n"), ("b".to_owned(), "a".to_owned()));
}

#[test]
fn a_missing_file_is_one_problem() {
    let error = Config::load(&PathBuf::from("/nowhere/samlgate.toml")).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("the configuration cannot be used\n\nthe file cannot be read: "), "{text}");
    assert!(text.contains("\n  --> /nowhere/samlgate.toml"));
}

#[test]
fn the_schema_knows_every_section() {
    let schema = super::schema();
    let known = schema.get("properties").and_then(|properties| properties.as_object()).unwrap();
    for key in ["environment", "mode", "listen", "federation", "policy", "replay", "capture", "limits", "graph"] {
        assert!(known.contains_key(key), "{key}");
    }
    assert_eq!(schema.get("additionalProperties"), Some(&false.into()));
}

#[test]
fn graph_has_one_credential_and_the_endpoints_of_its_cloud() {
    let folder = folder();
    let of = |rest: &str| {
        let text = format!("[graph]\ntenant = \"domain.company\"\nclient_id = \"b-1\"\n{rest}{}", federation(""));
        parse(&folder, &text)
    };
    let config = of("secret_file = \"secret\"\ncloud = \"china\"\nrefresh = \"1m\"\n").unwrap();
    let graph = config.graph.as_ref().unwrap();
    assert_eq!(graph.access.endpoint.authority(), "microsoftgraph.chinacloudapi.cn");
    assert_eq!(graph.refresh.as_secs(), 60);
    assert!(!format!("{config:?}").contains("s3cret"));
    let config = of("secret_file = \"secret\"\nendpoint = \"http://127.0.0.1:8083\"\n").unwrap();
    assert_eq!(config.graph.unwrap().access.login.authority(), "login.microsoftonline.com");
    for (rest, expected) in [
        ("secret_file = \"secret\"\ncertificate = \"proxy.pem\"\n", "expected one credential, got parts of two"),
        ("certificate = \"proxy.pem\"\n", "expected one credential, got parts of two"),
        ("certificate = \"proxy.pem\"\nkey = \"proxy.key\"\n", "expected an RSA key"),
        ("secret_file = \"secret\"\nendpoint = \"http://graph.company\"\n", "`graph.endpoint`: expected an https URL"),
        ("secret_file = \"secret\"\nrefresh = \"1ms\"\n", "`graph.refresh`: expected a second or more"),
        ("secret_file = \"nowhere\"\n", "`nowhere` cannot be read"),
    ] {
        let error = of(rest).unwrap_err().to_string();
        assert!(error.contains(expected), "{rest}: {error}");
    }
    let error = parse(&folder, &format!("[graph]\ntenant = \"a/b\"\n{}", federation(""))).unwrap_err().to_string();
    assert!(error.contains("`graph.tenant`") && error.contains("no `client_id`"), "{error}");
}

#[test]
fn a_capture_has_its_defaults_and_its_bounds() {
    let folder = folder();
    let of = |text: &str| parse(&folder, &(text.to_owned() + &federation("")));
    let config = of("[capture]\nfile = \"verdicts.jsonl\"\nraw = true\ndurable = true\n").unwrap();
    let capture = config.capture.unwrap();
    assert_eq!(capture.file, folder.path().join("verdicts.jsonl"));
    assert_eq!((capture.max_size, capture.max_age.as_secs()), (100 << 20, 7 * 86_400));
    // nothing waits for a verdict in `observe`
    assert!(capture.raw && !capture.durable);
    assert!(config.notes.iter().filter(|note| note.starts_with("`capture.")).count() == 2, "{:?}", config.notes);
    let config = of("mode = \"enforce\"\n[capture]\nfile = \"a\"\ndurable = true\n").unwrap();
    assert!(config.capture.unwrap().durable);

    let wrong = of("[capture]\nmax_size = 0\nmax_age = \"0s\"\n").unwrap_err();
    let causes: Vec<_> = wrong.problems.iter().map(|problem| problem.cause.as_str()).collect();
    assert_eq!(
        causes,
        [
            "`capture.file`: expected the file that verdicts are kept in",
            "`capture.max_size`: expected more than 0",
            "`capture.max_age`: expected more than 0"
        ]
    );
}
