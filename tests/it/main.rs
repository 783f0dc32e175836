//! The one integration binary. The feature `oracles` adds what compares with other programs.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![cfg_attr(feature = "oracles", expect(clippy::expect_used, clippy::panic, reason = "tests"))]

#[cfg(feature = "oracles")]
mod c14n;
mod cli;
mod corpus;
mod differential;
mod fixtures;
mod house;
#[cfg(feature = "oracles")]
mod libxml2;
mod manual;
mod properties;
mod random_xml;
mod serve;
#[cfg(feature = "oracles")]
mod serve_end_to_end;
mod sign;
#[cfg(feature = "oracles")]
mod well_formedness;
mod xml;

/// A line in the output of every run that compares with nobody.
#[cfg(not(feature = "oracles"))]
#[test]
#[ignore = "left out: curl, openssl, xmlsec1 and libxml2 were not asked. cargo test --features oracles asks them"]
fn comparisons_with_other_programs() {
    unreachable!("built without the feature `oracles`: there is nothing here to run");
}
