//! saml

pub mod metadata;
