//! The checks: claims, tenant, policy and clock in, one check for every id out.

mod policy;

pub use policy::{Policy, Setting};
