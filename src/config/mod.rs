//! The configuration: TOML as written, resolved into what the program runs on.

mod capture;
mod connect;
mod federation;
mod file;
mod graph;
mod parties;
mod problem;
mod published;
mod quantity;
mod read;
mod replay;
mod resolve;
mod sections;
mod told;
mod written;

use std::net::SocketAddr;
use std::path::Path;

use crate::inspect::Judge;
use crate::observe::{LogFormat, LogLevel, Source};
use crate::proxy::{Intercept, Mode, ServerCertificate, Tunnelled, Upstream, Users};
use crate::tenant::Sources;

pub use graph::Graph;
pub use problem::{ConfigError, Problem};
pub use published::{Documents, Wanted};
pub use read::{FileRead, Looks};
pub use told::{Asked as GraphAsked, Told};

/// A configuration that holds together.
#[derive(Debug, Clone)]
pub struct Config {
    /// What messages are judged against; it has a federation, and each federation has an issuer, a key and an audience.
    pub judge: Judge,
    /// What environment this is, in the operator's word; `serve` wants to be told that it is no production.
    pub environment: Option<String>,
    /// What is done with a message that is not accepted.
    pub mode: Mode,
    /// In `enforce`, whether messages that are no sign-in responses go on.
    pub pass_unjudged: bool,
    /// Where to listen.
    pub listen: Listen,
    /// What is looked at.
    pub intercept: Intercept,
    /// Where the explicit proxy tunnels to.
    pub tunnels: Vec<Tunnelled>,
    /// Who may use the explicit proxy; everybody, where none are given.
    pub users: Option<Users>,
    /// The certificate that browsers are shown.
    pub certificate: Option<ServerCertificate>,
    /// Where everything goes.
    pub upstream: Upstream,
    /// The file of verdicts.
    pub capture: Option<crate::capture::Settings>,
    /// The store of used assertions that several proxies share.
    pub replay: Option<crate::replay::Settings>,
    /// The log.
    pub log: Log,
    /// Live Microsoft Graph.
    pub graph: Option<Graph>,
    /// What is worth a word and no reason to stop.
    pub notes: Vec<String>,
    /// Every source of each federation by itself, in the order of the federations.
    pub evidence: Vec<Sources>,
    /// Where the keys of each federation come from, in the order of the federations.
    pub sources: Vec<Source>,
    /// The configuration file and every file that it names, as they were when they were read.
    pub files: Vec<FileRead>,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// As the intercepted hosts.
    pub reverse: Option<SocketAddr>,
    /// Whether that listener speaks TLS.
    pub tls: bool,
    /// As an explicit proxy.
    pub connect: Option<SocketAddr>,
    /// For metrics and health.
    pub admin: SocketAddr,
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Log {
    /// How much.
    pub level: LogLevel,
    /// For whom.
    pub format: LogFormat,
}

impl Config {
    /// Reads a configuration file and every file that it names. What it names by URL counts as not fetched.
    ///
    /// # Errors
    /// All problems that there are, not the first alone.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::load_with(path, &Documents::default())
    }

    /// Reads a configuration file, every file that it names, and these documents for what it names by URL.
    ///
    /// # Errors
    /// All problems that there are, not the first alone.
    pub fn load_with(path: &Path, documents: &Documents) -> Result<Self, ConfigError> {
        let file = FileRead::about_to(path);
        match std::fs::read_to_string(path) {
            Ok(text) => Self::of(&text, file, documents),
            Err(error) => Err(ConfigError::unreadable(file, &error)),
        }
    }

    /// Reads a configuration that was read already. Paths in it are relative to the folder of `path`.
    ///
    /// # Errors
    /// All problems that there are, not the first alone.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        Self::parse_with(text, path, &Documents::default())
    }

    /// [`parse`](Self::parse) with these documents for what it names by URL.
    ///
    /// # Errors
    /// All problems that there are, not the first alone.
    pub fn parse_with(text: &str, path: &Path, documents: &Documents) -> Result<Self, ConfigError> {
        Self::of(text, FileRead::about_to(path), documents)
    }

    fn of(text: &str, read: FileRead, documents: &Documents) -> Result<Self, ConfigError> {
        let path = read.path.clone();
        let mut problems = problem::Problems::new(&path, text);
        let folder = resolve::Folder::of(read);
        let file = written::read(text, &mut problems);
        let config = file.and_then(|file| resolve::resolve(file, documents, &folder, &mut problems));
        let files = folder.files();
        match problems.finish(config) {
            Ok(config) => Ok(Self { files, ..config }),
            Err(problems) => Err(ConfigError { problems, files }),
        }
    }
}

/// The JSON schema of a configuration file.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(file::File).to_value()
}

#[cfg(test)]
mod tests;
