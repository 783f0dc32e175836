//! `samlgate serve`: the proxy.

use super::Ending;
use super::args::ServeArguments;
use super::terminal::Trouble;
use crate::app;

/// Runs the proxy until it is told to stop. What there is to say goes to its log.
pub(super) fn run(arguments: &ServeArguments) -> Result<Ending, Trouble> {
    app::serve(&arguments.config).map_err(|error| Trouble::new(error.to_string()))?;
    Ok(Ending::Well)
}
