//! The command line: which commands there are, and how each ends.

mod args;
mod ca;
mod capture_file;
mod certificate_table;
mod completions;
mod config_file;
mod decode;
mod demo;
mod detect;
mod doctor;
mod escape;
mod expect;
mod explain;
mod form;
mod init;
mod init_metadata;
mod input;
mod junit;
mod lab;
mod lab_args;
mod lab_graph;
mod load;
mod load_args;
mod load_capture;
mod load_live;
mod load_merge;
mod load_report;
mod load_signers;
mod man;
mod mint;
mod new_file;
mod ordered;
mod preflight_args;
mod pretty;
mod report;
mod rollover;
mod seen_lines;
mod serve;
mod signing;
mod summary;
mod terminal;
mod verdict_lines;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use args::{Arguments, Command};
use preflight_args::RolloverCommand;
use terminal::{Terminal, Trouble};

/// How a command ended. The worst of several is what the process ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    /// All accepted, all well.
    Well,
    /// Something was rejected or found wanting.
    Wanting,
    /// Usage, configuration or I/O trouble.
    Trouble,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(match ending {
            Ending::Well => 0,
            Ending::Wanting => 1,
            Ending::Trouble => 2,
        })
    }
}

/// Runs the program on the arguments of this process.
///
/// 0: all accepted, all well. 1: something was rejected or found wanting. 2: usage, configuration or I/O trouble.
pub fn run() -> ExitCode {
    // help and usage errors are printed before anything is parsed, so the colour is looked for first
    let choice = args::color_asked(std::env::args_os());
    let mut command = Arguments::command().color(choice);
    let parsed = command
        .try_get_matches_from_mut(std::env::args_os())
        .and_then(|matches| Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command)));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            let failed = error.use_stderr();
            // a closed pipe is a quiet end here too
            let _ = error.print();
            return if failed { Ending::Trouble.into() } else { Ending::Well.into() };
        }
    };
    let terminal = Terminal::new(&arguments.globals);
    dispatch(arguments.command, &terminal).unwrap_or_else(|trouble| terminal.complain(&trouble)).into()
}

fn dispatch(command: Command, terminal: &Terminal) -> Result<Ending, Trouble> {
    match command {
        Command::Verify(arguments) => verify::run(&arguments, terminal),
        Command::Decode(arguments) => decode::run(&arguments, terminal),
        Command::Explain(arguments) => explain::run(&arguments, terminal),
        Command::Config(command) => config_file::run(&command, terminal),
        Command::Init(arguments) => init::run(&arguments, terminal),
        Command::Doctor(arguments) => doctor::run(&arguments, terminal),
        Command::Rollover(RolloverCommand::Rehearse(arguments)) => rollover::run(&arguments, terminal),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments, terminal),
        Command::Mint(arguments) => mint::run(&arguments, terminal),
        Command::Load(arguments) => load::run(&arguments, terminal),
        Command::Lab(command) => lab::run(&command, terminal),
        Command::Ca(arguments) => ca::run(&arguments, terminal),
        Command::Completions(arguments) => completions::run(&arguments, terminal),
        Command::Man(arguments) => man::run(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::args::Arguments;

    #[test]
    fn the_definition_of_the_arguments_is_sound() {
        Arguments::command().debug_assert();
    }
}
