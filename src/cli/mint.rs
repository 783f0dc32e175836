//! `samlgate mint`: test responses with what is expected of each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64_simd::STANDARD as BASE64;
use jiff::Timestamp;
use serde::Serialize;

use super::Ending;
use super::expect;
use super::lab_args::{MintArguments, MintFormat};
use super::new_file::{self, Readers};
use super::signing;
use super::terminal::{self, Reader, Terminal, Tone, Trouble};
use crate::config::Config;
use crate::mint::{self, Errand, Fault, Manner, Minted, Minter};
use crate::tenant::Federation;
use crate::verdict::CheckId;

/// The federation where none is told.
const DOMAIN: &str = "domain.company";
const ISSUER: &str = "https://authentik.company/application/saml/m365/metadata/";
/// Users who sign in one after the other.
const PEOPLE: usize = 10_000;

/// Makes the responses.
pub(super) fn run(arguments: &MintArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    if arguments.list_faults {
        terminal::print_all(&list(terminal))?;
        return Ok(Ending::Well);
    }
    let now = arguments.at.unwrap_or_else(Timestamp::now);
    let minter = minter(arguments, now, terminal)?;
    let faults: Vec<Option<Fault>> = match arguments.fault.concat() {
        none if none.is_empty() => vec![None],
        faults => faults,
    };
    let several = faults.len() * arguments.count > 1;
    if several && arguments.out.is_none() && arguments.format == MintFormat::Xml {
        return Err(Trouble::new("several XML documents do not go into one stream")
            .hint("give a folder by --out, or another --format"));
    }
    let people = match &arguments.user {
        Some(_) => Vec::new(),
        None => minter.people(PEOPLE),
    };
    let mut number = 0;
    for fault in faults {
        for round in 0..arguments.count {
            // a fault may need somebody in particular, whom the minter finds
            let person = people.get(round % people.len().max(1)).filter(|_| arguments.count > 1 || fault.is_none());
            let minter = person.map_or_else(|| minter.clone(), |person| minter.for_person(person.clone()));
            let errand = Errand { request: arguments.request.as_deref(), relay_state: &arguments.relay_state, number };
            let minted = match minter.mint(fault, now, errand) {
                Ok(minted) => minted,
                // of all faults, those that can be made
                Err(error) if several => {
                    let name = fault.map_or("sound", Fault::as_str);
                    terminal.note(&format!("{name} is left out: {error}"), "");
                    continue;
                }
                Err(error) => return Err(Trouble::new(error.to_string())),
            };
            number += 1;
            let expected = Expected::of(number, fault, arguments, &minter, &minted);
            if put(arguments, &expected, &minted)? == Reader::Left {
                return Ok(Ending::Well);
            }
        }
    }
    Ok(Ending::Well)
}

fn minter(arguments: &MintArguments, now: Timestamp, terminal: &Terminal) -> Result<Minter, Trouble> {
    let mut federation = match &arguments.config {
        Some(file) => {
            let config = Config::load(file).map_err(|error| Trouble::new(error.to_string()))?;
            signing::federation(&config.judge.federations, arguments.domain.as_deref())?
        }
        None => Federation {
            domain: Some(arguments.domain.clone().unwrap_or_else(|| DOMAIN.to_owned())),
            issuer: Some(arguments.issuer.clone().unwrap_or_else(|| ISSUER.to_owned())),
            acs: expect::ACS.to_owned(),
            audience: expect::AUDIENCE.to_owned(),
            ..Federation::default()
        },
    };
    if let Some(file) = &arguments.users {
        federation.users = Some(expect::users(file, terminal)?);
    }
    if federation.users.is_none() {
        let domain = federation.domain.as_deref().unwrap_or(DOMAIN);
        let users = mint::people(domain, arguments.count, arguments.seed.unwrap_or_default());
        federation.users = Some(Arc::new(users.map_err(|error| Trouble::new(error.to_string()))?));
    }
    let key = match &arguments.key {
        Some(file) => signing::of_file(&federation, file, arguments.certificate.as_ref())?,
        None => {
            if arguments.certificate_out.is_none() {
                terminal.note(
                    "signed by a key that nobody knows",
                    "write its certificate by --certificate-out, or give --key",
                );
            }
            signing::generated(arguments.new_key.into(), now)?
        }
    };
    if let Some(file) = &arguments.certificate_out {
        let base64 = BASE64.encode_to_string(&key.public().certificate().der);
        let lines: Vec<&str> = base64.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
        new_file::write(file, pem.as_bytes(), Readers::Everybody)?;
    }
    let manner = Manner {
        shape: arguments.shape,
        algorithm: arguments.algorithm,
        digest: arguments.digest,
        response_too: arguments.sign_response,
    };
    let mut minter = signing::minter(&federation, key)?.in_manner(manner);
    if let Some(seed) = arguments.seed {
        minter = minter.seeded(seed);
    }
    match &arguments.user {
        Some(user) => minter.for_user(user).map_err(|error| Trouble::new(error.to_string())),
        None => Ok(minter),
    }
}

/// What is expected of a response, by the settings that it was minted for.
#[derive(Serialize)]
struct Expected<'a> {
    number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    shape: &'static str,
    fault: Option<&'static str>,
    user: &'a str,
    verdict: &'static str,
    predicted: Option<String>,
    fail: Vec<&'static str>,
    warn: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    xml: Option<&'a str>,
}

impl<'a> Expected<'a> {
    fn of(number: u64, fault: Option<Fault>, arguments: &MintArguments, minter: &Minter, minted: &'a Minted) -> Self {
        let whole = arguments.format == MintFormat::Json;
        let words = |ids: &[CheckId]| ids.iter().map(|id| id.as_str()).collect::<Vec<_>>();
        let fail = words(fault.map(Fault::fails).unwrap_or_default());
        let ending = match arguments.format {
            MintFormat::Xml => "xml",
            MintFormat::Base64 | MintFormat::Form => "txt",
            MintFormat::Json => "json",
        };
        let name = fault.map_or("sound", Fault::as_str);
        Self {
            number,
            file: arguments.out.as_ref().map(|_| format!("{number:06}-{name}.{ending}")),
            shape: arguments.shape.as_str(),
            fault: fault.map(Fault::as_str),
            user: minted.person.upn.expose(),
            verdict: if fail.is_empty() { "accepted" } else { "rejected" },
            predicted: fault.and_then(Fault::code).map(|code| code.to_string()),
            fail,
            warn: words(&minter.warns(fault)),
            form: whole.then(|| text_of_form(minted)),
            xml: whole.then_some(&minted.xml),
        }
    }

    fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

fn text_of_form(minted: &Minted) -> String {
    String::from_utf8_lossy(&minted.form()).into_owned()
}

fn put(arguments: &MintArguments, expected: &Expected<'_>, minted: &Minted) -> Result<Reader, Trouble> {
    let text = match arguments.format {
        MintFormat::Xml => minted.xml.clone(),
        MintFormat::Base64 => BASE64.encode_to_string(&minted.xml) + "\n",
        MintFormat::Form => text_of_form(minted) + "\n",
        MintFormat::Json => expected.line(),
    };
    let (Some(folder), Some(name)) = (&arguments.out, &expected.file) else { return terminal::print_all(&text) };
    let file: PathBuf = folder.join(name);
    std::fs::create_dir_all(folder)
        .map_err(|error| Trouble::new(format!("{} cannot be made: {error}", folder.display())))?;
    // whoever has it is let in by whatever trusts the key
    new_file::write(&file, text.trim_end_matches('\n').as_bytes(), Readers::Owner)?;
    append(&folder.join("expected.jsonl"), &expected.line())?;
    Ok(Reader::Listens)
}

fn append(file: &Path, line: &str) -> Result<(), Trouble> {
    use std::io::Write as _;
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(file);
    opened
        .and_then(|mut file| file.write_all(line.as_bytes()))
        .map_err(|error| Trouble::new(format!("{} cannot be written: {error}", file.display())))
}

/// Every fault, what it is, and what it trips.
fn list(terminal: &Terminal) -> String {
    let width = Fault::ALL.iter().map(|fault| fault.as_str().len()).max().unwrap_or_default();
    let stories = Fault::ALL.iter().map(|fault| fault.story().chars().count()).max().unwrap_or_default();
    let line = |fault: Fault| {
        let code = fault.code().map_or_else(|| "signs in".to_owned(), |code| code.to_string());
        let checks: Vec<&str> = fault.fails().iter().chain(fault.warns()).map(|id| id.as_str()).collect();
        let name = terminal.paint.paint(Tone::Strong, &format!("{:width$}", fault.as_str()));
        format!("{name}  {:stories$}  {:15}  {code}\n", fault.story(), checks.join(" "))
    };
    Fault::ALL.into_iter().map(line).collect()
}
