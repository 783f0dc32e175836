//! The manual: what is checked, how the proxy is run, watched and reached, how Graph is asked, what is kept out, bounded, kept private and captured, what the lab is, how a target is loaded, what it costs, how many are needed.

#[doc = include_str!("checks.md")]
pub mod checks {}

#[doc = include_str!("preflight.md")]
pub mod preflight {}

#[doc = include_str!("operation.md")]
pub mod operation {}

#[doc = include_str!("alerts.md")]
pub mod alerts {}

#[doc = include_str!("clients.md")]
pub mod clients {}

#[doc = include_str!("connect.md")]
pub mod connect {}

#[doc = include_str!("graph.md")]
pub mod graph {}

#[doc = include_str!("threats.md")]
pub mod threats {}

#[doc = include_str!("limits.md")]
pub mod limits {}

#[doc = include_str!("privacy.md")]
pub mod privacy {}

#[doc = include_str!("capture.md")]
pub mod capture {}

#[doc = include_str!("lab.md")]
pub mod lab {}

#[doc = include_str!("load.md")]
pub mod load {}

#[doc = include_str!("performance.md")]
pub mod performance {}

#[doc = include_str!("scale.md")]
pub mod scale {}
