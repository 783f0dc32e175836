//! The one integration binary. The feature `oracles` adds what compares with other programs.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![cfg_attr(feature = "oracles", expect(clippy::expect_used, clippy::panic, reason = "tests"))]

#[cfg(feature = "oracles")]
mod c14n;
mod ca;
mod certificate_table;
mod cli;
mod corpus;
mod demo;
#[cfg(feature = "oracles")]
mod differential;
mod doctor;
mod doctor_online;
mod fixtures;
mod graph;
mod house;
mod https;
mod lab;
#[cfg(feature = "oracles")]
mod lab_commands;
#[cfg(feature = "oracles")]
mod libxml2;
mod manual;
mod mint;
mod mint_command;
mod near_miss;
mod properties;
mod random_xml;
mod rollover;
mod serve;
#[cfg(feature = "oracles")]
mod serve_end_to_end;
mod sign;
#[cfg(feature = "oracles")]
mod well_formedness;
mod xml;
