//! The one integration binary.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod cli;
mod fixtures;
mod serve;
#[cfg(feature = "oracles")]
mod serve_end_to_end;
