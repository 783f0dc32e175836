//! The arguments as written: commands, flags and their help.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, ColorChoice, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::{SignedDuration, Timestamp};

use super::lab_args::{LabCommand, MintArguments};
use super::load_args::LoadArguments;
use super::preflight_args::{DoctorArguments, InitArguments, RolloverCommand};

/// samlgate judges SAML sign-ins to Microsoft Entra ID as Entra would, and says how to mend what is broken.
#[derive(Debug, Parser)]
#[command(name = "samlgate", version, propagate_version = true, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 all accepted, all well · 1 something was rejected · 2 usage, configuration or I/O \
                        trouble\n\nExample: samlgate verify --federation federation.json --users users.csv response.xml"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) globals: Globals,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(super) struct Globals {
    /// Colour the output; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub(super) color: Color,
    /// Say nothing but what was asked for
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Say everything, cut nothing
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Judge responses offline
    Verify(Box<VerifyArguments>),
    /// Print the decoded response, indented; nothing is judged
    Decode(DecodeArguments),
    /// Say what a check means, what Entra does, how to mend it
    Explain(ExplainArguments),
    /// Check a configuration file, or print the schema of one
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write a commented configuration from files that are at hand
    Init(InitArguments),
    /// Cross-check everything before anybody signs in
    Doctor(DoctorArguments),
    /// Rehearse the change of the signing certificate
    #[command(subcommand)]
    Rollover(RolloverCommand),
    /// Run the proxy
    Serve(ServeArguments),
    /// Show the proxy at work: a whole federation on this machine, no file, no network
    Demo(DemoArguments),
    /// Make signed test responses, sound or with named faults
    Mint(Box<MintArguments>),
    /// Load a target with sign-ins, and compare every verdict with what it must be
    Load(Box<LoadArguments>),
    /// Run one of the fake ends alone: an identity provider, Entra, or Graph
    #[command(subcommand)]
    Lab(LabCommand),
    /// Make a test CA that may speak for the intercepted hosts alone
    Ca(CaArguments),
    /// Print a completion script for a shell
    Completions(CompletionsArguments),
    /// Write a manual page for each command
    Man(ManArguments),
}

/// Judge responses offline, as Entra would.
#[derive(Debug, Args)]
#[command(after_help = "Example: samlgate verify --federation federation.json --users users.csv capture.har")]
pub(super) struct VerifyArguments {
    #[command(flatten)]
    pub(super) inputs: InputArguments,
    /// Print one JSON object a line
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) expectations: ExpectationArguments,
}

/// Print the decoded response, indented. Nothing is judged.
#[derive(Debug, Args)]
#[command(after_help = "Example: samlgate decode form.txt")]
pub(super) struct DecodeArguments {
    #[command(flatten)]
    pub(super) inputs: InputArguments,
}

/// What is read.
#[derive(Debug, Args)]
pub(super) struct InputArguments {
    /// XML, base64 of it, a form body, a HAR file, a SAML-tracer export, or a folder of them; - is stdin
    #[arg(value_name = "INPUT")]
    pub(super) inputs: Vec<PathBuf>,
    /// What the inputs are; auto looks and sees
    #[arg(long, value_enum, default_value_t = Format::Auto)]
    pub(super) format: Format,
}

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Auto,
    Xml,
    Base64,
    Form,
    Har,
    SamlTracer,
}

/// What Entra is set to expect, and how strictly to judge.
#[derive(Debug, Args)]
#[command(next_help_heading = "What Entra expects")]
pub(super) struct ExpectationArguments {
    /// Take everything from a configuration file; goes together with --at, --skew and --strict alone
    #[arg(long, value_name = "FILE", conflicts_with_all = EXPECTATIONS)]
    pub(super) config: Option<PathBuf>,
    /// Issuer of the federation (issuerUri)
    #[arg(long, value_name = "URI")]
    pub(super) issuer: Option<String>,
    /// Registered certificate: the first is the current one, a second the next; PEM, base64 or DER
    #[arg(long, value_name = "FILE")]
    pub(super) certificate: Vec<PathBuf>,
    /// Metadata of the identity provider
    #[arg(long, value_name = "FILE")]
    pub(super) metadata: Option<PathBuf>,
    /// Federation settings: JSON of Microsoft Graph or of Get-MgDomainFederationConfiguration
    #[arg(long, value_name = "FILE")]
    pub(super) federation: Option<PathBuf>,
    /// Audience that the response must name [default: urn:federation:MicrosoftOnline]
    #[arg(long, value_name = "URI")]
    pub(super) audience: Option<String>,
    /// Address that the response must be sent to [default: https://login.microsoftonline.com/login.srf]
    #[arg(long, value_name = "URL")]
    pub(super) acs: Option<String>,
    /// Users of the tenant: CSV or JSON of PowerShell, or JSON of Microsoft Graph
    #[arg(long, value_name = "FILE")]
    pub(super) users: Option<PathBuf>,
    /// The federated domain; the root domain policy is judged against it
    #[arg(long, value_name = "NAME")]
    pub(super) upn_domain: Option<String>,
    /// How far clocks may differ, as 5m or 90s [default: 5m, or what the configuration says]
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "How it is judged")]
    pub(super) skew: Option<SignedDuration>,
    /// Judge as of this instant (RFC 3339), not as of now or of the recording
    #[arg(long, value_name = "RFC3339", value_parser = instant, help_heading = "How it is judged")]
    pub(super) at: Option<Timestamp>,
    /// Let any warning reject
    #[arg(long, help_heading = "How it is judged")]
    pub(super) strict: bool,
}

/// The flags that a configuration file takes the place of.
const EXPECTATIONS: [&str; 8] =
    ["issuer", "certificate", "metadata", "federation", "audience", "acs", "users", "upn_domain"];

/// Say what a check, a code or an alert means, what Entra does, and how to mend it.
#[derive(Debug, Args)]
#[command(after_help = "Example: samlgate explain immutable_id")]
pub(super) struct ExplainArguments {
    /// A check, a code as AADSTS51004, an alert, `codes` or `alerts` for all of them; the list of checks when left out
    #[arg(value_name = "CHECK")]
    pub(super) check: Option<String>,
}

/// Check a configuration file, or print the schema of one.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: samlgate config check samlgate.toml")]
pub(super) enum ConfigCommand {
    /// Read a configuration and every file it names, and say what is wrong with them
    #[command(after_help = "Example: samlgate config check samlgate.toml")]
    Check {
        /// The configuration
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the JSON schema of a configuration
    #[command(after_help = "Example: samlgate config schema > samlgate.schema.json")]
    Schema,
}

/// Run the proxy: it judges sign-ins on their way to Entra, until SIGTERM or SIGINT.
#[derive(Debug, Args)]
#[command(after_help = "Example: samlgate serve --config samlgate.toml")]
pub(super) struct ServeArguments {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
}

/// Show the proxy at work. A test CA, a fake identity provider and a fake Entra run on this machine, with the proxy between them;
/// sound and broken sign-ins go through it, and what was predicted is compared with what the fake Entra answers. Then everything
/// stays open for sign-ins of your own, until SIGTERM or SIGINT.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 every sign-in came out as it should · 1 one did not · 2 trouble\n\nExample: samlgate demo --once"
)]
pub(super) struct DemoArguments {
    /// End after the sign-ins
    #[arg(long)]
    pub(super) once: bool,
    /// Print the command that signs in with Chromium, in a profile of its own that believes this run's certificates alone
    #[arg(long, conflicts_with = "once")]
    pub(super) browser: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub(super) json: bool,
    /// Where the proxy listens; port 0 is a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) listen: SocketAddr,
    /// Where its metrics are
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) admin: SocketAddr,
}

/// Make a test CA, by which `serve` mints the certificate that browsers are shown. It is name-constrained: clients that trust it
/// believe it for these hosts (and names below them) and for no other.
#[derive(Debug, Args)]
#[command(after_help = "Example: samlgate ca --out . --host login.microsoftonline.com")]
pub(super) struct CaArguments {
    /// Folder to write ca.pem and ca.key into, made where there is none; what is there is never overwritten
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub(super) out: PathBuf,
    /// Host that the CA may speak for; repeatable
    #[arg(long, value_name = "NAME", default_value = "login.microsoftonline.com")]
    pub(super) host: Vec<String>,
    /// Days that the CA is valid
    #[arg(long, value_name = "NUMBER", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub(super) days: u16,
}

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = "Example: samlgate completions bash > /etc/bash_completion.d/samlgate")]
pub(super) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: Shell,
}

/// Write a manual page for each command.
#[derive(Debug, Args)]
#[command(after_help = "Example: samlgate man --out ~/.local/share/man/man1")]
pub(super) struct ManArguments {
    /// Folder to write the pages into; what is there is never overwritten
    #[arg(long, value_name = "FOLDER")]
    pub(super) out: PathBuf,
}

pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "expected an instant with its offset, as 2026-11-23T12:00:00Z".to_owned())
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    let wrong = || "expected a duration, as 5m, 90s or 0s".to_owned();
    let duration: SignedDuration = text.parse().map_err(|_| wrong())?;
    if duration.is_negative() { Err(wrong()) } else { Ok(duration) }
}

/// The colour that raw arguments ask for.
pub(super) fn color_asked(arguments: impl Iterator<Item = OsString>) -> ColorChoice {
    let words: Vec<String> = arguments.map(|word| word.to_string_lossy().into_owned()).collect();
    let asked = words.iter().enumerate().find_map(|(index, word)| {
        let value = word.strip_prefix("--color")?;
        if value.is_empty() { words.get(index + 1).map(String::as_str) } else { value.strip_prefix('=') }
    });
    match asked {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn durations_and_instants_are_read_strictly() {
        assert_eq!(duration("5m").unwrap(), SignedDuration::from_mins(5));
        assert_eq!(duration("0s").unwrap(), SignedDuration::ZERO);
        assert!(duration("-5m").is_err());
        assert!(duration("5").is_err());
        assert!(instant("2026-11-23T12:00:00.5+01:00").is_ok());
        assert!(instant("2026-11-23T12:00:00").is_err());
    }

    #[test]
    fn the_colour_is_found_before_anything_is_parsed() {
        let of = |line: &str| color_asked(line.split(' ').map(OsString::from));
        assert_eq!(of("samlgate --color never verify"), ColorChoice::Never);
        assert_eq!(of("samlgate verify --color=always"), ColorChoice::Always);
        assert_eq!(of("samlgate verify"), ColorChoice::Auto);
    }
}
