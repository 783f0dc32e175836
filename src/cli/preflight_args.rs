//! The arguments of what is done before anybody signs in.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::args::instant;
use crate::verdict::Show;

/// Write a commented configuration from the files that are at hand. Nothing is asked, and nothing is overwritten.
#[derive(Debug, Args)]
#[command(after_help = "Example: samlgate init --settings federation.json --metadata metadata.xml --users users.csv\n\
                  Example: samlgate init --settings federation.json --metadata https://authentik.company/application/saml/m365/metadata/")]
pub(super) struct InitArguments {
    /// Federation settings that Entra holds, as Graph or PowerShell give them
    #[arg(long, value_name = "FILE")]
    pub(super) settings: Option<PathBuf>,
    /// Metadata of the identity provider: a file, or an https URL, which is asked once and written into the configuration
    #[arg(long, value_name = "FILE|URL")]
    pub(super) metadata: Option<PathBuf>,
    /// Roots (PEM) beside the machine's own, by which the server at that URL is verified
    #[arg(long, value_name = "FILE", requires = "metadata")]
    pub(super) metadata_ca: Option<PathBuf>,
    /// Users of the tenant, CSV or JSON
    #[arg(long, value_name = "FILE")]
    pub(super) users: Option<PathBuf>,
    /// The federated domain, where no file names it
    #[arg(long, value_name = "NAME")]
    pub(super) domain: Option<String>,
    /// The configuration to write
    #[arg(long, value_name = "FILE", default_value = "samlgate.toml")]
    pub(super) out: PathBuf,
}

/// Compare what Entra holds with what the identity provider publishes and with the users, before anybody signs in.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 all well · 1 something found · 2 usage, configuration or I/O trouble\n\n\
                        Example: samlgate doctor --config samlgate.toml --junit doctor.xml")]
pub(super) struct DoctorArguments {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Print one JSON object a finding, then one a certificate
    #[arg(long)]
    pub(super) json: bool,
    /// A capture of `serve`: which certificates its sign-ins were signed with (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub(super) capture: Vec<PathBuf>,
    /// Write the findings as JUnit XML, too
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// Open no socket: compare what the files say
    #[arg(long)]
    pub(super) offline: bool,
    /// Show names and ids of users, instead of keyed hashes
    #[arg(long)]
    pub(super) show_personal: bool,
    /// The day to look from, instead of today
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub(super) at: Option<Timestamp>,
}

/// Rehearse the change of the signing certificate.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: samlgate rollover rehearse --config samlgate.toml verdicts.jsonl")]
pub(super) enum RolloverCommand {
    /// Judge as if only the next certificate were registered, and say who would be locked out
    Rehearse(RehearseArguments),
}

/// Judge responses as if only the next certificate were registered, and say who would be locked out.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nobody is locked out · 1 somebody is · 2 usage, configuration or I/O trouble\n\n\
                        Example: samlgate rollover rehearse --config samlgate.toml verdicts.jsonl"
)]
pub(super) struct RehearseArguments {
    /// The configuration, with the current and the next certificate
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Captures that hold bodies, or anything else that `verify` reads
    #[arg(value_name = "INPUT", required_unless_present = "key")]
    pub(super) inputs: Vec<PathBuf>,
    /// Sign in each user of the federation by this private key (PEM), as the identity provider will
    #[arg(long, value_name = "FILE")]
    pub(super) key: Option<PathBuf>,
    /// Certificate of that key, where it is not registered
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) certificate: Option<PathBuf>,
    /// Federation of those users, where there are several
    #[arg(long, value_name = "NAME", requires = "key")]
    pub(super) domain: Option<String>,
    /// Print one JSON object a response
    #[arg(long)]
    pub(super) json: bool,
    /// Show names of users, instead of keyed hashes
    #[arg(long)]
    pub(super) show_personal: bool,
    /// The clock, instead of the recorded time or now
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub(super) at: Option<Timestamp>,
}

impl RehearseArguments {
    /// Who reads the report.
    pub(super) fn show(&self) -> Show {
        if self.show_personal { Show::Personal } else { Show::Hashed }
    }
}
