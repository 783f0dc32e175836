//! Why a signature does not count.

use super::algorithm::SignatureAlgorithm;
use super::digest::CanonicalError;
use super::grammar::ShapeError;
use super::key::KeyKind;
use super::near_miss::NearMiss;
use crate::xml::NodeId;

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// Not the shape that SAML has.
    Shape(ShapeError, NodeId),
    /// An algorithm that is refused.
    Algorithm(AlgorithmError, NodeId),
    /// No key was given to judge by.
    NoKeys,
    /// SignatureValue or DigestValue is not base64, or not of the length that key and algorithm have.
    Value(ValueError, NodeId),
    /// A canonical form that nothing is verified over.
    Canonical(CanonicalError, NodeId),
    /// No registered key made this SignatureValue.
    SignatureValue {
        /// What was done to SignedInfo after it was signed.
        near_miss: Option<NearMiss>,
        /// Whether the certificate in KeyInfo, which is not registered, made it.
        by_named: Option<bool>,
        /// The element.
        node: NodeId,
    },
    /// A registered key signed a digest, but of something else.
    Digest {
        /// What was done to the element after it was signed.
        near_miss: Option<NearMiss>,
        /// The digest that was signed, base64.
        signed: String,
        /// The digest of what came, base64.
        got: String,
        /// The element.
        node: NodeId,
    },
}

/// An algorithm, or a key for it, that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlgorithmError {
    /// Not one that is judged.
    Unknown {
        /// Whether it names the signature, the digest or the canonicalisation.
        role: &'static str,
        /// As written.
        uri: String,
    },
    /// Parameters that no algorithm of SAML has (HMACOutputLength among them).
    Parameters {
        /// Whose.
        role: &'static str,
    },
    /// The registered keys are of another kind.
    KeyKind {
        /// The algorithm.
        algorithm: SignatureAlgorithm,
        /// The current key.
        key: KeyKind,
    },
    /// The registered key is too weak to be believed.
    WeakKey(KeyKind),
    /// No library verifies this pair.
    Unsupported {
        /// The algorithm.
        algorithm: SignatureAlgorithm,
        /// The current key.
        key: KeyKind,
    },
}

/// A value that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueError {
    /// Not canonical base64.
    NotBase64(&'static str),
    /// Of another length than key or algorithm have.
    Length {
        /// Which value.
        value: &'static str,
        /// Bytes that would be right.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
}
