//! `samlgate man`: a manual page for each command, from what its help is made of.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::Ending;
use super::args::{Arguments, ManArguments};
use super::new_file::{self, Readers};
use super::terminal::Trouble;

/// Writes the pages.
pub(super) fn run(arguments: &ManArguments) -> Result<Ending, Trouble> {
    let mut command = Arguments::command();
    // commands learn their whole names by this
    command.build();
    let folder = &arguments.out;
    fs::create_dir_all(folder)
        .map_err(|error| Trouble::new(format!("{} cannot be made: {error}", folder.display())))?;
    write(command, folder)?;
    Ok(Ending::Well)
}

/// The page of a command, and those of the commands beneath it.
fn write(command: Command, folder: &Path) -> Result<(), Trouble> {
    for beneath in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        write(beneath.clone(), folder)?;
    }
    // no date, or the same program would write other pages; yet the place of one, or the version would be taken for it
    let page = Man::new(command).date(" ").source(concat!("samlgate ", env!("CARGO_PKG_VERSION"))).manual("samlgate");
    let file = folder.join(page.get_filename());
    let mut text = Vec::new();
    page.render(&mut text).map_err(|error| Trouble::new(format!("{} cannot be made: {error}", file.display())))?;
    new_file::write(&file, &text, Readers::Everybody)
}
