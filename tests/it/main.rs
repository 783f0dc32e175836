//! The one integration binary.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod c14n;
mod cli;
mod fixtures;
mod libxml2;
mod random_xml;
mod serve;
mod xml;
