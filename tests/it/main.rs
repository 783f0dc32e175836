//! The one integration binary.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod cli;
mod corpus;
mod differential;
mod fixtures;
mod properties;
mod serve;
mod sign;
