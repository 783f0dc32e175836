//! What to do: each check, each code and each alert, told in words. `samlgate explain`, the admin listener and the manual show it.

mod alerts;
mod checks;
mod codes;

pub(crate) use alerts::{ALERTS, Alert};
#[cfg(test)]
pub(crate) use checks::Class;
pub(crate) use checks::{GUIDES, Guide};
pub(crate) use codes::{MET, Met, When, meaning};
