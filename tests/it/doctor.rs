//! The pre-flight: each disagreement is found, by its name and its harm, and nothing is found where there is none.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

const ISSUER: &str = "https://authentik.company/application/saml/m365/metadata/";
const BASE: &str = "https://authentik.company/application/saml/m365";
const DAY: &str = "2026-11-23T12:00:00Z";

/// Both sides of a federation, to be put at odds.
pub(crate) struct Sides {
    settings: Value,
    entity_id: String,
    published: Vec<&'static str>,
    wants_signed: &'static str,
    encrypts: bool,
    valid_until: &'static str,
    users: String,
    federation: String,
}

fn certificate(name: &str) -> String {
    let der = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/certificates").join(name)).unwrap();
    base64::engine::general_purpose::STANDARD.encode(der)
}

pub(crate) fn sound() -> Sides {
    Sides {
        settings: json!({
            "issuerUri": ISSUER,
            "metadataExchangeUri": ISSUER,
            "signingCertificate": certificate("current.cer"),
            "nextSigningCertificate": certificate("next.cer"),
            "passiveSignInUri": format!("{BASE}/sso/binding/post/"),
            "signOutUri": format!("{BASE}/slo/binding/redirect/"),
            "preferredAuthenticationProtocol": "saml",
            "federatedIdpMfaBehavior": "acceptIfMfaDoneByFederatedIdp",
        }),
        entity_id: ISSUER.to_owned(),
        published: vec!["current.cer"],
        wants_signed: "false",
        encrypts: false,
        valid_until: "",
        users: "UserPrincipalName,OnPremisesImmutableId\nfirst@domain.company,1wfM9xV8fUSHbcAbDlqeOA==\n".to_owned(),
        federation: String::new(),
    }
}

impl Sides {
    pub(crate) fn set(mut self, property: &str, value: impl Into<Value>) -> Self {
        self.settings[property] = value.into();
        self
    }

    pub(crate) fn publishing(mut self, certificate: &'static str) -> Self {
        self.published = vec![certificate];
        self
    }

    pub(crate) fn metadata(&self) -> String {
        let key = |purpose: &str, name: &str| {
            format!(
                "<md:KeyDescriptor use=\"{purpose}\"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate>\
                 </ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
                certificate(name)
            )
        };
        let mut keys: String = self.published.iter().map(|name| key("signing", name)).collect();
        if self.encrypts {
            keys += &key("encryption", "current.cer");
        }
        let service = |name: &str, path: &str| {
            ["POST", "Redirect"].map(|binding| {
                let place = format!("{BASE}/{path}/binding/{}/", binding.to_lowercase());
                format!(
                    "<md:{name} Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-{binding}\" Location=\"{place}\"/>"
                )
            })
        };
        format!(
            "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" \
             entityID=\"{}\" {}><md:IDPSSODescriptor WantAuthnRequestsSigned=\"{}\" \
             protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">{keys}{}\
             <md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>{}</md:IDPSSODescriptor>\
             </md:EntityDescriptor>",
            self.entity_id,
            self.valid_until,
            self.wants_signed,
            service("SingleLogoutService", "slo").concat(),
            service("SingleSignOnService", "sso").concat(),
        )
    }

    pub(crate) fn written(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("federation.json", &self.settings.to_string());
        write("metadata.xml", &self.metadata());
        write("users.csv", &self.users);
        write(
            "samlgate.toml",
            &format!(
                "[[federation]]\ndomain = \"domain.company\"\nsettings = \"federation.json\"\nmetadata = \"metadata.xml\"\n\
                 users = \"users.csv\"\n{}",
                self.federation
            ),
        );
        folder
    }

    pub(crate) fn examined(&self, more: &[&str]) -> (Option<i32>, String, String) {
        self.examined_at(DAY, more)
    }

    fn examined_at(&self, day: &str, more: &[&str]) -> (Option<i32>, String, String) {
        let folder = self.written();
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("samlgate"));
        command.current_dir(folder.path()).args(["doctor", "--config", "samlgate.toml", "--at", day]).args(more);
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// `harm id code` of each finding, in order.
    pub(crate) fn found(&self) -> Vec<String> {
        self.found_at(DAY)
    }

    fn found_at(&self, day: &str) -> Vec<String> {
        let (code, out, said) = self.examined_at(day, &["--json"]);
        let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found: Vec<Value> = lines.filter(|line| line["kind"] == "finding").collect();
        assert_eq!(code, Some(i32::from(!found.is_empty())), "{said}");
        for finding in &found {
            // half a command does harm
            assert!(!finding["mend"].as_str().unwrap().contains("(cut)"));
            assert!(!finding["mend"].as_str().unwrap().is_empty() && !finding["finding"].as_str().unwrap().is_empty());
        }
        let line = |finding: &Value| {
            let code = finding["code"].as_str().unwrap_or("-").to_owned();
            format!("{} {} {code}", finding["harm"].as_str().unwrap(), finding["id"].as_str().unwrap())
        };
        found.iter().map(line).collect()
    }
}

#[test]
fn nothing_is_found_where_both_sides_agree() {
    let (code, out, said) = sound().examined(&[]);
    assert_eq!((code, out.as_str()), (Some(0), "domain.company  all well\n"), "{said}");
    assert_eq!(sound().examined(&["-q"]), (Some(0), out, String::new()));
    let (code, out, said) = sound().examined(&["-v"]);
    assert_eq!(code, Some(0), "{said}");
    let (found, table) = out.split_once("\n\n").unwrap();
    assert_eq!(found, "domain.company  all well");
    assert_eq!(table.trim_end(), TABLE.trim_end());
}

/// What people see of the certificates.
const TABLE: &str = "\
certificate         SHA-1 thumbprint                          ends        days left
current, published  DA184A0FF88BA8751CC98462090B140610752D89  2036-01-01  3325
                    O=domain.company, OU=test, CN=authentik.company current
                    SHA-256 C445955DF764075A56D1FE1C0A215B104E341CC76C31426FC56BBAE5E5FAE7E0
next                A53F627D18BBEF0C74DAE877E60E1F03B22D7933  2036-01-01  3325
                    O=domain.company, OU=test, CN=authentik.company next
                    SHA-256 F0214CBAEBCB088CC1E16296DB02FC5B74E1D6072792BF7B28EB76442DA3BAC8
";

#[test]
fn each_disagreement_is_found_by_its_name() {
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", certificate("current.cer"));
    let multiple = "authn_context = [\"http://schemas.microsoft.com/claims/multipleauthn\"]\n";
    let users = |rows: &str| format!("UserPrincipalName,OnPremisesImmutableId\n{rows}");
    let cases: Vec<(Sides, &str)> = vec![
        (sound().set("issuerUri", ISSUER.trim_end_matches('/')), "everybody issuer_differs AADSTS50107"),
        (Sides { entity_id: ISSUER.replace("https", "http"), ..sound() }, "everybody issuer_differs AADSTS50107"),
        (sound().set("preferredAuthenticationProtocol", "wsFed"), "everybody protocol AADSTS50107"),
        (sound().set("preferredAuthenticationProtocol", Value::Null), "everybody protocol AADSTS50107"),
        (Sides { published: vec!["p256.cer"], ..sound() }, "everybody certificate_unknown AADSTS5000811"),
        (
            Sides { published: vec!["current.cer", "p256.cer"], ..sound() },
            "soon certificate_unregistered AADSTS5000811",
        ),
        (sound().set("signingCertificate", pem), "everybody certificate_pem AADSTS5000811"),
        (sound().set("passiveSignInUri", format!("{BASE}/sso/binding/redirect/")), "everybody sign_in_uri -"),
        (sound().set("passiveSignInUri", "https://authentik.company/elsewhere"), "everybody sign_in_uri -"),
        (sound().set("passiveSignInUri", Value::Null), "everybody sign_in_uri -"),
        (sound().set("signOutUri", format!("{BASE}/slo/binding/post/")), "around sign_out_uri -"),
        (sound().set("metadataExchangeUri", Value::Null), "around metadata_exchange_uri -"),
        (Sides { wants_signed: "true", ..sound() }, "everybody requests_unsigned -"),
        (Sides { encrypts: true, ..sound() }, "around encryption AADSTS500082"),
        (Sides { valid_until: "validUntil=\"2026-01-01T00:00:00Z\"", ..sound() }, "around metadata_outdated -"),
        (sound().set("federatedIdpMfaBehavior", Value::Null), "around mfa_unset -"),
        (sound().set("federatedIdpMfaBehavior", "enforceMfaByFederatedIdp"), "around mfa_loop -"),
        (
            Sides { federation: multiple.to_owned(), ..sound() }
                .set("federatedIdpMfaBehavior", "rejectMfaByFederatedIdp"),
            "around mfa_second_prompt -",
        ),
        (Sides { federation: multiple.to_owned(), ..sound() }, "around mfa_asserted -"),
        (
            Sides { federation: "audience = \"urn:federation:microsoftonline.us\"\n".to_owned(), ..sound() },
            "everybody audience AADSTS500089",
        ),
        (
            Sides { federation: "issuer = \"https://old.authentik.company/\"\n".to_owned(), ..sound() },
            "around configuration_differs -",
        ),
        (Sides { users: users("a@domain.company,\n"), ..sound() }, "everybody users_without_immutable_id AADSTS51004"),
        (
            Sides { users: users("a@domain.company,\nb@domain.company,x\n"), ..sound() },
            "some users_without_immutable_id AADSTS51004",
        ),
        (
            Sides { users: users("a@domain.company,x\nb@domain.company,x\nc@domain.company,y\n"), ..sound() },
            "some users_share_immutable_id AADSTS51004",
        ),
        (
            Sides { users: users("a@domain.company,x\nb@elsewhere.company,y\n"), ..sound() },
            "some users_of_another_domain AADSTS5000820",
        ),
        (Sides { users: users("b@elsewhere.company,y\n"), ..sound() }, "everybody users_none_of_domain AADSTS5000820"),
        (
            Sides { users: users("a@domain.company,a@domain.company\n"), ..sound() },
            "around immutable_id_is_an_address -",
        ),
        (Sides { users: users("a@domain.company,a_b\n"), ..sound() }, "around immutable_id_characters -"),
        (
            Sides { users: users(&format!("a@domain.company,{}\n", "x".repeat(61))), ..sound() },
            "around immutable_id_long -",
        ),
        (
            Sides { users: users(&format!("a@domain.company,{}\n", "x".repeat(65))), ..sound() },
            "everybody immutable_id_too_long AADSTS51004",
        ),
    ];
    for (number, (sides, expected)) in cases.iter().enumerate() {
        assert_eq!(sides.found(), [*expected], "case {number}");
    }
}

#[test]
fn certificates_are_told_of_before_they_end() {
    let alone = |name: &str| {
        let mut sides = sound().set("signingCertificate", certificate(name)).set("nextSigningCertificate", Value::Null);
        sides.published = vec![if name == "expiring.cer" { "expiring.cer" } else { "expired.cer" }];
        sides
    };
    // it ends with 4 December
    for (day, harm) in
        [("11-04", None), ("11-06", Some("around")), ("11-22", Some("soon")), ("12-03", Some("imminent"))]
    {
        let expected: Vec<String> = harm.iter().map(|harm| format!("{harm} certificate_expires -")).collect();
        assert_eq!(alone("expiring.cer").found_at(&format!("2026-{day}T00:00:00Z")), expected, "{day}");
    }
    assert_eq!(alone("expired.cer").found(), ["imminent certificate_expired -"]);
    // the next one lasts: it is for the identity provider to change
    let next = sound().set("signingCertificate", certificate("expiring.cer"));
    let next = Sides { published: vec!["expiring.cer"], ..next };
    for (day, harm) in [("11-04", None), ("11-22", Some("around")), ("12-03", Some("soon")), ("12-20", Some("soon"))] {
        let expected: Vec<String> = harm.iter().map(|harm| format!("{harm} certificate_current_ends -")).collect();
        assert_eq!(next.found_at(&format!("2026-{day}T00:00:00Z")), expected, "{day}");
    }
}

#[test]
fn the_guide_followed_to_the_letter_is_judged() {
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", certificate("current.cer"));
    let mut sides = sound()
        .set("signingCertificate", pem)
        .set("nextSigningCertificate", Value::Null)
        .set("metadataExchangeUri", Value::Null)
        .set("signOutUri", format!("{BASE}/slo/binding/post/"));
    sides.entity_id = "authentik".to_owned();
    sides.encrypts = true;
    sides.users = "UserPrincipalName,OnPremisesImmutableId\nfirst@domain.company,\n".to_owned();
    sides.federation = "authn_context = [\"http://schemas.microsoft.com/claims/multipleauthn\"]\n".to_owned();
    assert_eq!(
        sides.found(),
        [
            "everybody issuer_differs AADSTS50107",
            "everybody certificate_pem AADSTS5000811",
            "everybody users_without_immutable_id AADSTS51004",
            "around encryption AADSTS500082",
            "around sign_out_uri -",
            "around metadata_exchange_uri -",
            "around mfa_asserted -",
        ]
    );
}

#[test]
fn people_and_build_servers_are_told_the_same_and_names_only_on_request() {
    let sides = Sides {
        users: "UserPrincipalName,OnPremisesImmutableId\na@domain.company,x\nit's.me@domain.company,\n".to_owned(),
        encrypts: true,
        ..sound()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doctor.xml");
    let (code, out, said) = sides.examined(&["--offline", "--junit", file.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(!out.contains("it's.me") && !said.contains("it's.me"), "{out}{said}");
    assert!(said.contains("--show-personal"), "{said}");
    let xml = fs::read_to_string(&file).unwrap();
    assert!(!xml.contains("it's.me") && !xml.contains("it&apos;s.me"));
    let document = samlgate::xml::parse(xml.into_bytes(), &samlgate::limits::Limits::default());
    assert!(document.is_ok(), "{:?}", document.err());
    // whoever has one name has one hash, in the command too
    assert!(out.contains("-UserId '#"), "{out}");
    let hashes = out.split('#').skip(1).filter_map(|rest| rest.get(..8));
    let people: std::collections::BTreeSet<_> =
        hashes.filter(|hash| hash.bytes().all(|b| b.is_ascii_hexdigit())).collect();
    assert_eq!(people.len(), 1, "{out}");
    for word in ["users_without_immutable_id", "encryption", "AADSTS500082"] {
        assert!(out.contains(word) && fs::read_to_string(&file).unwrap().contains(word), "{word}");
    }
    let (_, out, _) = sides.examined(&["--show-personal"]);
    assert!(out.contains("Update-MgUser -UserId 'it''s.me@domain.company'"), "{out}");
}

#[test]
fn what_cannot_be_read_or_written_is_trouble() {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("samlgate"));
    command.args(["doctor", "--config", "none.toml"]).assert().code(2);
    assert_eq!(sound().examined(&["--junit", "no/such/folder.xml"]).0, Some(2));
    assert_eq!(sound().set("signingCertificate", "AAAA").examined(&[]).0, Some(2));
}

#[test]
fn a_configuration_is_written_from_what_is_at_hand_and_passes_its_check() {
    let sides = sound();
    let given = ["--settings", "federation.json", "--metadata", "metadata.xml", "--users", "users.csv"];
    for (arguments, domain) in
        [(given.to_vec(), "domain.company"), ([&given[2..4], &["--domain", "Other.Company"]].concat(), "other.company")]
    {
        let folder = sides.written();
        let run = |arguments: &[&str]| {
            let mut command = Command::new(assert_cmd::cargo::cargo_bin!("samlgate"));
            command.current_dir(folder.path()).args(arguments).assert()
        };
        let init = [&["init", "--out", "new.toml"], arguments.as_slice()].concat();
        run(&init).code(0);
        let checked = run(&["config", "check", "new.toml"]).code(0).get_output().stdout.clone();
        assert!(String::from_utf8(checked).unwrap().contains(domain));
        // a second time nothing is overwritten
        run(&init).code(2);
    }
}

/// What `init` prints as the next steps, done one after the other, ends in a configuration that `serve` can speak TLS by.
#[test]
fn the_steps_that_are_told_lead_to_a_proxy() {
    let folder = sound().written();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("samlgate"));
        let ran = command.current_dir(folder.path()).args(arguments).output().unwrap();
        // one day `doctor` will find that the certificates have ended
        let well = ran.status.success() || arguments[0] == "doctor" && ran.status.code() == Some(1);
        assert!(well, "{arguments:?}: {ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    };
    let init = ["init", "--settings", "federation.json", "--users", "users.csv", "--out"];
    let said = run(&[&init[..], &["new.toml"]].concat());
    let mut serves = false;
    for step in said.split_once("next:\n").unwrap().1.lines() {
        match step.trim().strip_prefix("samlgate ") {
            Some(serve) if serve.starts_with("serve ") => serves = true,
            Some(command) => drop(run(&command.split(' ').collect::<Vec<_>>())),
            None => {
                assert!(
                    step.contains("in new.toml take the \"# \" away before [tls], ca_certificate and ca_key"),
                    "{step}"
                );
                let file = folder.path().join("new.toml");
                let text = fs::read_to_string(&file).unwrap();
                let text = ["[tls]", "ca_certificate", "ca_key"]
                    .into_iter()
                    .fold(text, |text, line| text.replace(&format!("\n# {line}"), &format!("\n{line}")));
                fs::write(file, text).unwrap();
            }
        }
    }
    assert!(serves, "{said}");
    run(&["config", "check", "new.toml"]);
    // where the CA is there already, nothing is left to be done by hand
    let said = run(&[&init[..], &["newer.toml"]].concat());
    assert!(!said.contains("take the") && !said.contains("samlgate ca"), "{said}");
    for file in ["new.toml", "newer.toml"] {
        let config = samlgate::config::Config::load(&folder.path().join(file)).unwrap();
        assert!(config.certificate.is_some() && config.listen.reverse.is_some(), "{file}");
    }
}

#[test]
fn a_configuration_from_nothing_is_refused_with_a_hint() {
    let folder = sound().written();
    for arguments in [&["init", "--out", "new.toml"][..], &["init", "--out", "new.toml", "--metadata", "metadata.xml"]]
    {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("samlgate"));
        let said = command.current_dir(folder.path()).args(arguments).assert().code(2).get_output().stderr.clone();
        assert!(String::from_utf8(said).unwrap().contains("hint:"), "{arguments:?}");
        assert!(!folder.path().join("new.toml").exists());
    }
}

#[test]
fn every_finding_stands_in_the_manual() {
    let manual = include_str!("../../src/manual/preflight.md");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doctor");
    let mut known = 0;
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        // the names are the only words in quotes that have an underscore and nothing else beside letters, but for these
        let words = text.split('"').skip(1).step_by(2);
        let names =
            words.filter(|word| word.contains('_') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        for name in names {
            known += 1;
            assert!(manual.contains(&format!("`{name}`")), "{name}");
        }
    }
    assert!(known > 25, "{known}");
}
