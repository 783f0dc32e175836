//! `samlgate config`: a configuration file checked, and the schema of such files.

use std::fmt::Write as _;
use std::path::Path;

use super::Ending;
use super::args::ConfigCommand;
use super::escape;
use super::terminal::{self, Terminal, Tone, Trouble};
use crate::config::{self, Config, Documents};
use crate::tenant::Federation;

/// Checks a file, or prints the schema.
pub(super) fn run(command: &ConfigCommand, terminal: &Terminal) -> Result<Ending, Trouble> {
    match command {
        ConfigCommand::Check { file } => check(file, terminal),
        ConfigCommand::Schema => {
            let schema = serde_json::to_string_pretty(&config::schema())
                .map_err(|error| Trouble::new(format!("the schema cannot be written: {error}")))?;
            terminal::print_all(&(schema + "\n"))?;
            Ok(Ending::Well)
        }
    }
}

fn check(file: &Path, terminal: &Terminal) -> Result<Ending, Trouble> {
    let config = Config::load_with(file, &Documents::unasked()).map_err(|error| Trouble::new(error.to_string()))?;
    for note in &config.notes {
        terminal.note(note, "");
    }
    let ok = terminal.paint.paint(Tone::Good, "ok");
    let mut out = format!("{ok}  {}\n", escape::line(&file.display().to_string()));
    for federation in &config.judge.federations {
        out.push_str(&facts(federation));
    }
    if config.environment.is_none() {
        terminal.note("`environment` is missing: `serve` wants to be told that this is a test environment", "");
    }
    terminal::print_all(&out)?;
    Ok(Ending::Well)
}

/// What a federation comes to, in a few lines.
fn facts(federation: &Federation) -> String {
    let text = |text: &Option<String>| escape::line(text.as_deref().unwrap_or("none"));
    let mut out = format!("    {}\n", text(&federation.domain));
    let _ = writeln!(out, "      issuer       {}", text(&federation.issuer));
    for (role, key) in ["current key", "next key"].into_iter().zip(&federation.keys) {
        let until = key.key.certificate().not_after;
        let _ = writeln!(out, "      {role:11}  {} {}, until {until}", key.key.kind(), key.key.thumbprint());
    }
    let users = federation.users.as_ref().map_or_else(|| "none given".to_owned(), |users| users.len().to_string());
    let _ = writeln!(out, "      users        {users}");
    out
}
