//! XML signatures as SAML uses them, and nothing else of XML-DSig.

mod algorithm;
mod digest;
mod failure;
mod grammar;
mod key;
mod key_info;
mod near_miss;
mod sign;
mod template;
mod verify;

pub use algorithm::{Hash, SignatureAlgorithm, SignatureScheme};
pub use digest::CanonicalError;
pub use failure::{AlgorithmError, Failure, ValueError};
pub(crate) use grammar::DS;
pub use grammar::ShapeError;
pub use key::{Certificate, KeyError, KeyKind, TrustedKey};
pub use key_info::NamedCertificate;
pub use near_miss::NearMiss;
pub use sign::{Manner, SignError, SigningKey, sign};
pub use template::{KeyInfoForm, Layout};
pub use verify::{Context, Examined, Signatures, Signed, verify};
