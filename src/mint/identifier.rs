//! The IDs of minted sign-ins: random, or all of them known by a seed.

use aws_lc_rs::digest::{SHA256, digest};

use super::MintError;

/// Where IDs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identifiers {
    Random,
    Seeded(u64),
}

impl Identifiers {
    /// 128 bits behind this beginning: with a seed, those of the ID of this place in the sign-in of this number.
    pub(super) fn make(self, beginning: &str, number: u64, place: u64) -> Result<String, MintError> {
        let mut bytes = [0; 16];
        match self {
            Self::Random => aws_lc_rs::rand::fill(&mut bytes).map_err(|_| MintError::NoRandom)?,
            Self::Seeded(seed) => {
                let hash = digest(&SHA256, &[seed, number, place].map(u64::to_be_bytes).concat());
                bytes.iter_mut().zip(hash.as_ref()).for_each(|(byte, of_hash)| *byte = *of_hash);
            }
        }
        Ok(format!("{beginning}{:032x}", u128::from_be_bytes(bytes)))
    }
}
