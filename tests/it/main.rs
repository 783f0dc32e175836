//! The one integration binary.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod cli;
mod fixtures;
mod house;
mod manual;
mod serve;
