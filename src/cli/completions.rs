//! `samlgate completions`: a completion script on stdout.

use clap::CommandFactory as _;

use super::Ending;
use super::args::{Arguments, CompletionsArguments};
use super::terminal::{self, Terminal, Trouble};

/// Prints the script.
pub(super) fn run(arguments: &CompletionsArguments, _terminal: &Terminal) -> Result<Ending, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "samlgate", &mut script);
    terminal::print_all(&String::from_utf8_lossy(&script))?;
    Ok(Ending::Well)
}
