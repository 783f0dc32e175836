//! `samlgate init`: a commented configuration, from the files that are at hand.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Ending;
use super::escape;
use super::init_metadata::{self, Given, read};
use super::new_file::{self, Readers};
use super::preflight_args::InitArguments;
use super::terminal::{self, Terminal, Tone, Trouble};
use crate::config::Config;
use crate::tenant::{Directory, Settings};

/// Reads what is given, writes the configuration, and checks it as `config check` does.
pub(super) fn run(arguments: &InitArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    if arguments.settings.is_none() && arguments.metadata.is_none() {
        return Err(Trouble::new("nothing says what Entra expects").hint(
            "give --settings with the federation settings that Entra holds (best), or --metadata of the identity provider",
        ));
    }
    let settings = arguments.settings.as_deref().map(|file| settings(file, arguments.domain.as_deref())).transpose()?;
    if std::fs::symlink_metadata(&arguments.out).is_ok() {
        let trouble = Trouble::new(format!("{} is there already", arguments.out.display()));
        return Err(trouble.hint("nothing is overwritten: choose another name with --out"));
    }
    let (metadata, documents) = init_metadata::given(arguments)?;
    let users = arguments.users.as_deref().map(users).transpose()?;
    let named = arguments.domain.clone().or(settings.and_then(|settings| settings.domain));
    let domain = named.or_else(|| users.as_ref().and_then(most_frequent_domain)).ok_or_else(|| {
        Trouble::new("no file names the federated domain").hint("give --domain, as --domain domain.company")
    })?;
    let has_ca = ["ca.pem", "ca.key"].into_iter().all(|file| folder(&arguments.out).join(file).is_file());
    let text = text(arguments, &metadata, &domain.to_ascii_lowercase(), has_ca)?;
    // what is written must hold together, so it is read first as `serve` would
    let config =
        Config::parse_with(&text, &arguments.out, &documents).map_err(|error| Trouble::new(error.to_string()))?;
    for note in &config.notes {
        terminal.note(note, "");
    }
    new_file::write(&arguments.out, text.as_bytes(), Readers::Everybody)?;
    let out = escape::line(&arguments.out.display().to_string());
    let ca = match has_ca {
        true => String::new(),
        false => format!(
            "  samlgate ca --out {}\n  in {out} take the \"# \" away before [tls], ca_certificate and ca_key\n",
            escape::line(&folder(&arguments.out).display().to_string())
        ),
    };
    let said = format!(
        "{}\n\nnext:\n  samlgate doctor --config {out}\n{ca}  samlgate serve --config {out}\n",
        terminal.paint.paint(Tone::Strong, &format!("{out} is written")),
    );
    terminal::print_all(&said)?;
    Ok(Ending::Well)
}

fn settings(file: &Path, domain: Option<&str>) -> Result<Settings, Trouble> {
    let refused = |error: &dyn std::fmt::Display| Trouble::new(format!("{}: {error}", file.display()));
    Settings::parse(&read(file)?, domain).map_err(|error| refused(&error).hint(error.hint()))
}

fn users(file: &Path) -> Result<Directory, Trouble> {
    let refused = |error: &dyn std::fmt::Display| Trouble::new(format!("{}: {error}", file.display()));
    Directory::load(&read(file)?).map(|loaded| loaded.directory).map_err(|error| refused(&error).hint(error.hint()))
}

/// The domain of most users who have an ImmutableId; of equals the first in the alphabet.
fn most_frequent_domain(users: &Directory) -> Option<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for user in users.users().filter(|user| user.immutable_id.is_some()) {
        if let Some((_, domain)) = user.upn.rsplit_once('@') {
            *counts.entry(domain.to_ascii_lowercase()).or_default() += 1;
        }
    }
    counts.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0))).map(|(domain, _)| domain)
}

/// The folder that a configuration lies in.
fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn text(arguments: &InitArguments, metadata: &Given<'_>, domain: &str, has_ca: bool) -> Result<String, Trouble> {
    // what names files that are not there cannot be read, by `doctor` neither
    let tls = if has_ca { "" } else { "# " };
    let path = |file: &Option<PathBuf>| file.as_deref().map(|file| from(folder(&arguments.out), file)).transpose();
    let line = |key: &str, value: Option<String>, comment: &str| match value {
        Some(value) => format!("# {comment}\n{key} = {}\n", quoted(&value)),
        None => format!("# {comment}\n# {key} = \"…\"\n"),
    };
    Ok(format!(
        "# What samlgate stands in front of, and what it expects. `samlgate config schema` tells every key.\n\n\
         # serve refuses to start without it: this is a tool for test environments\n\
         environment = \"test\"\n\
         # observe: judge and forward · enforce: forward only what is accepted\n\
         mode = \"observe\"\n\n\
         [listen]\n\
         # stands in for login.microsoftonline.com, by the hosts file or a test DNS\n\
         reverse = \"127.0.0.1:8443\"\n\
         admin = \"127.0.0.1:9464\"\n\n\
         # `samlgate ca` makes these; browsers of the test must trust ca.pem\n\
         {tls}[tls]\n{tls}ca_certificate = \"ca.pem\"\n{tls}ca_key = \"ca.key\"\n\n\
         [upstream]\n\
         url = \"https://login.microsoftonline.com\"\n\
         # the test DNS points that name at this proxy, so another server must be asked for it\n\
         # dns = \"198.51.100.1:53\"\n\n\
         [[federation]]\n\
         domain = {}\n\
         {}{}{}{}\
         # context classes of which one is required; a miss then fails\n\
         # authn_context = [\"http://schemas.microsoft.com/claims/multipleauthn\"]\n\n\
         [policy]\n\
         # how far the clocks may differ\n\
         skew = \"5m\"\n",
        quoted(domain),
        line(
            "settings",
            path(&arguments.settings)?,
            "what Entra holds: Get-MgDomainFederationConfiguration -DomainId … | ConvertTo-Json -Depth 5",
        ),
        line(
            "metadata",
            match metadata {
                Given::Nothing => None,
                Given::File(file) => Some(from(folder(&arguments.out), file)?),
                Given::Url(url) => Some((*url).to_owned()),
            },
            if arguments.settings.is_some() {
                "what the identity provider publishes: compared by `samlgate doctor`"
            } else {
                "what the identity provider publishes; judging by it hides a certificate that Entra does not hold: give `settings`"
            },
        ),
        match &arguments.metadata_ca {
            Some(_) => line(
                "metadata_ca",
                path(&arguments.metadata_ca)?,
                "roots beside the machine's own, for the server there"
            ),
            None => String::new(),
        },
        line(
            "users",
            path(&arguments.users)?,
            "the users of the tenant: Get-MgUser -All -Property … | Export-Csv, or Graph JSON",
        ),
    ))
}

/// A file as seen from the folder of the configuration: relative where it lies below, absolute elsewhere.
fn from(folder: &Path, file: &Path) -> Result<String, Trouble> {
    let absolute = |path: &Path| {
        path.canonicalize().map_err(|error| Trouble::new(format!("{} cannot be found: {error}", path.display())))
    };
    let (folder, file) = (absolute(folder)?, absolute(file)?);
    let seen = file.strip_prefix(&folder).unwrap_or(&file);
    let text = seen.to_str().map(|text| text.replace('\\', "/"));
    text.ok_or_else(|| Trouble::new(format!("{} has a name that is no Unicode", file.display())))
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
