//! The one integration binary.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod c14n;
mod cli;
mod corpus;
mod fixtures;
mod libxml2;
mod random_xml;
mod serve;
mod xml;
mod properties;
mod serve;
mod sign;
#[cfg(feature = "oracles")]
mod serve_end_to_end;
