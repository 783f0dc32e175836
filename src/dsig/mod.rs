//! XML signatures as SAML uses them, and nothing else of XML-DSig.

mod algorithm;
mod key;

pub use algorithm::{Hash, SignatureAlgorithm, SignatureScheme};
pub use key::{Certificate, KeyError, KeyKind, TrustedKey};
