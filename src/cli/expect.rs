//! What Entra is set to expect, from flags or a configuration file, as the judge wants it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::args::ExpectationArguments;
use super::terminal::{Terminal, Trouble};
use crate::check::Policy;
use crate::config::Config;
use crate::doctor::{self, Case, Harm};
use crate::dsig::TrustedKey;
use crate::inspect::Judge;
use crate::saml::metadata::IdpMetadata;
use crate::tenant::{self, Directory, Federation, MfaBehavior, Protocol, RegisteredKey, Settings, Sources};
use crate::verdict::Show;

/// What every AudienceRestriction must contain, worldwide.
pub(super) const AUDIENCE: &str = "urn:federation:MicrosoftOnline";

/// Where responses go, worldwide.
pub(super) const ACS: &str = "https://login.microsoftonline.com/login.srf";

/// What to judge by.
#[derive(Debug)]
pub(super) struct Expectations {
    /// The judge.
    pub(super) judge: Judge,
    /// The clock, where it was set.
    pub(super) at: Option<Timestamp>,
}

/// Loads everything that the arguments name.
pub(super) fn load(arguments: &ExpectationArguments, terminal: &Terminal) -> Result<Expectations, Trouble> {
    let mut judge = match &arguments.config {
        Some(path) => {
            let config = Config::load(path).map_err(|error| Trouble::new(error.to_string()))?;
            // most of them are about the proxy; `config check` tells them all
            for note in config.notes.iter().filter(|_| terminal.verbose) {
                terminal.note(note, "");
            }
            config.judge
        }
        None => Judge { federations: vec![federation(arguments, terminal)?], ..Judge::default() },
    };
    if judge.federations.iter().all(|federation| federation.keys.is_empty()) {
        let note = "no certificate was given: no signature can be judged, so nothing is accepted";
        terminal.note(note, "give --federation or --certificate");
    }
    if let Some(skew) = arguments.skew {
        judge.policy.skew = skew;
    }
    judge.policy.strict |= arguments.strict;
    Ok(Expectations { judge, at: arguments.at })
}

/// What Entra holds, from the one source that tells it.
#[derive(Default)]
struct Held {
    issuer: Option<String>,
    keys: Vec<RegisteredKey>,
    protocol: Option<Protocol>,
    mfa_behavior: Option<MfaBehavior>,
    domain: Option<String>,
}

fn federation(arguments: &ExpectationArguments, terminal: &Terminal) -> Result<Federation, Trouble> {
    let told = arguments.upn_domain.as_deref();
    let explicit = explicit_keys(&arguments.certificate)?;
    let settings = arguments.federation.as_deref().map(|file| settings(file, told)).transpose()?;
    let metadata = arguments.metadata.as_deref().map(metadata).transpose()?;
    let sources = Sources {
        settings: settings.as_ref().map(|(_, settings)| settings.clone()),
        metadata: metadata.as_ref().map(|(_, metadata)| metadata.clone()),
        ..Sources::default()
    };
    let answered = arguments.issuer.is_some() && !explicit.is_empty();
    if metadata.is_some() && (settings.is_some() || answered) {
        let winner = if settings.is_some() { "--federation" } else { "--issuer and --certificate" };
        terminal.note(&format!("--metadata is not judged by: {winner} says what Entra holds"), "");
    }
    // never the union of two sources: a key that Entra does not hold is the very fault to be found
    let held = match (settings, metadata) {
        (Some((file, settings)), _) => of_settings(settings, file, terminal)?,
        (None, Some((file, metadata))) => of_metadata(metadata, file, explicit.is_empty())?,
        (None, None) => Held::default(),
    };
    let users = arguments.users.as_deref().map(|file| users(file, terminal)).transpose()?;
    let domain = arguments.upn_domain.clone().or(held.domain).map(|domain| domain.to_ascii_lowercase());
    let federation = Federation {
        root_domain: domain.clone(),
        domain,
        issuer: arguments.issuer.clone().or(held.issuer),
        keys: if explicit.is_empty() { held.keys } else { explicit },
        protocol: held.protocol,
        mfa_behavior: held.mfa_behavior,
        acs: arguments.acs.clone().unwrap_or_else(|| ACS.to_owned()),
        audience: arguments.audience.clone().unwrap_or_else(|| AUDIENCE.to_owned()),
        users,
        ..Federation::default()
    };
    if sources.settings.is_some() {
        advise(&federation, &sources, arguments.at.unwrap_or_else(Timestamp::now), terminal);
    }
    Ok(federation)
}

/// What the settings give away before anything is judged: why every response will be refused. `doctor` tells the rest.
fn advise(federation: &Federation, sources: &Sources, now: Timestamp, terminal: &Terminal) {
    let skew = Policy::default().skew;
    let case = Case { federation, sources, root_domains: &[], now, visit: None, seen: &[], skew };
    for diagnosis in doctor::compare(&case).iter().filter(|it| it.harm == Harm::Everybody && it.code.is_some()) {
        let finding = diagnosis.finding.to_string_for(Show::Personal);
        terminal.note(&format!("{}: {finding}", diagnosis.id), &diagnosis.mend.to_string_for(Show::Personal));
    }
}

fn explicit_keys(files: &[std::path::PathBuf]) -> Result<Vec<RegisteredKey>, Trouble> {
    if files.len() > 2 {
        return Err(Trouble::new(format!(
            "--certificate was given {} times, and Entra holds two certificates",
            files.len()
        ))
        .hint("the first is signingCertificate, a second is nextSigningCertificate"));
    }
    files.iter().map(|file| registered(&certificate(file)?, false, file)).collect()
}

/// The certificate of a file, in DER.
pub(super) fn certificate(file: &Path) -> Result<Vec<u8>, Trouble> {
    tenant::certificate(&read(file)?).map(|input| input.der).map_err(|error| refused(file, &error).hint(error.hint()))
}

fn registered(der: &[u8], pem_in_settings: bool, file: &Path) -> Result<RegisteredKey, Trouble> {
    let key = TrustedKey::from_der(der).map_err(|error| refused(file, &error))?;
    Ok(RegisteredKey { key, pem_in_settings })
}

fn settings<'a>(file: &'a Path, domain: Option<&str>) -> Result<(&'a Path, Settings), Trouble> {
    let settings = Settings::parse(&read(file)?, domain).map_err(|error| refused(file, &error).hint(error.hint()))?;
    Ok((file, settings))
}

fn metadata(file: &Path) -> Result<(&Path, IdpMetadata), Trouble> {
    let metadata = IdpMetadata::parse(&read(file)?).map_err(|error| refused(file, &error).hint(error.hint()))?;
    Ok((file, metadata))
}

fn of_settings(settings: Settings, file: &Path, terminal: &Terminal) -> Result<Held, Trouble> {
    if !settings.has_current_certificate && !settings.certificates.is_empty() {
        terminal.note(&format!("{}: there is a next signing certificate and no current one", file.display()), "");
    }
    let keys = settings.certificates.iter().map(|input| registered(&input.der, input.is_pem(), file));
    Ok(Held {
        keys: keys.collect::<Result<_, _>>()?,
        issuer: settings.issuer_uri,
        protocol: settings.protocol,
        mfa_behavior: settings.mfa_behavior,
        domain: settings.domain,
    })
}

fn of_metadata(metadata: IdpMetadata, file: &Path, keys_wanted: bool) -> Result<Held, Trouble> {
    if !keys_wanted {
        return Ok(Held { issuer: Some(metadata.entity_id), ..Held::default() });
    }
    let count = metadata.signing_certificates.len();
    if count > 2 {
        return Err(Trouble::new(format!("{}: {count} signing certificates, and Entra holds two", file.display()))
            .hint("say which with --certificate, or take what Entra holds with --federation"));
    }
    let keys = metadata.signing_certificates.iter().map(|der| registered(der, false, file));
    Ok(Held { keys: keys.collect::<Result<_, _>>()?, issuer: Some(metadata.entity_id), ..Held::default() })
}

/// The users of a file.
pub(super) fn users(file: &Path, terminal: &Terminal) -> Result<Arc<Directory>, Trouble> {
    let loaded = Directory::load(&read(file)?).map_err(|error| refused(file, &error).hint(error.hint()))?;
    for note in &loaded.notes {
        let text = note.text().to_string_for(Show::Personal);
        terminal.note(&format!("{}: {text}", file.display()), note.hint());
    }
    Ok(Arc::new(loaded.directory))
}

/// The bytes of a file.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Trouble> {
    fs::read(file).map_err(|error| Trouble::new(format!("cannot read {}: {error}", file.display())))
}

fn refused(file: &Path, error: &dyn std::error::Error) -> Trouble {
    Trouble::new(format!("{}: {error}", file.display()))
}
