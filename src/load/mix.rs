//! How often each case comes: exact shares, in an order that only the seed knows.

use super::Case;
use super::chance::{below, bits};

/// Weights together, so that a block of requests stays small.
const TOGETHER: u64 = 1_000_000;

/// The shares of the cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    shares: Vec<(Case, u64)>,
    together: u64,
}

impl Default for Mix {
    /// Sound sign-ins alone.
    fn default() -> Self {
        Self { shares: vec![(Case::Sound, 1)], together: 1 }
    }
}

impl Mix {
    /// Reads `sound=95,expired=2,…`; `all=1` gives every case that is not named the weight 1.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn parse(text: &str) -> Result<Self, MixError> {
        let mut shares: Vec<(Case, u64)> = Vec::new();
        let mut rest = 0;
        for piece in text.split(',').map(str::trim).filter(|piece| !piece.is_empty()) {
            let (name, weight) = piece.split_once('=').unwrap_or((piece, "1"));
            let weight = weight.trim().parse().map_err(|_| MixError::Weight(piece.to_owned()))?;
            match name.trim() {
                "all" => rest = weight,
                name => {
                    let case = Case::parse(name).ok_or_else(|| MixError::NoSuchCase(name.to_owned()))?;
                    if shares.iter().any(|(known, _)| *known == case) {
                        return Err(MixError::Twice(name.to_owned()));
                    }
                    shares.push((case, weight));
                }
            }
        }
        let named: Vec<Case> = shares.iter().map(|(case, _)| *case).collect();
        shares.extend(Case::all().filter(|case| !named.contains(case)).map(|case| (case, rest)));
        Self::of(shares)
    }

    fn of(mut shares: Vec<(Case, u64)>) -> Result<Self, MixError> {
        shares.retain(|(_, weight)| *weight > 0);
        let together = shares.iter().map(|(_, weight)| *weight).fold(0, u64::saturating_add);
        if together == 0 || together > TOGETHER {
            return Err(MixError::Together(together));
        }
        Ok(Self { shares, together })
    }

    /// The mix without some cases.
    ///
    /// # Errors
    /// Nothing is left.
    pub fn without(self, left_out: &[Case]) -> Result<Self, MixError> {
        Self::of(self.shares.into_iter().filter(|(case, _)| !left_out.contains(case)).collect())
    }

    /// The cases that come.
    pub fn cases(&self) -> impl Iterator<Item = Case> {
        self.shares.iter().map(|(case, _)| *case)
    }

    /// The case of a request. Of as many requests in a row as the weights are together, each case has exactly its weight.
    pub fn case(&self, seed: u64, number: u64) -> Case {
        let (block, place) = (number / self.together, number % self.together);
        // a step without a common divisor visits every place of the block once
        let chance = bits(seed, block);
        let mut step = chance % self.together;
        while divisor(step, self.together) != 1 {
            step += 1;
        }
        let shift = below(chance, 1, self.together);
        let mut place = (u128::from(place) * u128::from(step) + u128::from(shift)) % u128::from(self.together);
        for (case, weight) in &self.shares {
            let weight = u128::from(*weight);
            if place < weight {
                return *case;
            }
            place -= weight;
        }
        Case::Sound
    }
}

impl std::fmt::Display for Mix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (case, weight)) in self.shares.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}={weight}", case.as_str())?;
        }
        Ok(())
    }
}

fn divisor(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { divisor(other, one % other) }
}

/// Why there is no mix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MixError {
    /// Nothing of this name.
    #[error(
        "expected `sound`, `replayed`, `all` or a fault, got `{0}`: `samlgate mint --list-faults` lists the faults"
    )]
    NoSuchCase(String),
    /// No weight.
    #[error("expected a whole number as weight, as in sound=95, got `{0}`")]
    Weight(String),
    /// Two weights.
    #[error("`{0}` has two weights")]
    Twice(String),
    /// Nothing, or too much.
    #[error("expected weights of 1 to {TOGETHER} together, got {0}")]
    Together(u64),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::mint::Fault;

    #[test]
    fn shares_are_exact_and_the_order_is_the_seeds() {
        let mix = Mix::parse("sound=95, expired=2,wrong_key=1,replayed=1,unknown_user").unwrap();
        let of = |seed| (0..1000).map(|number| mix.case(seed, number)).collect::<Vec<_>>();
        let mut counts: HashMap<Case, usize> = HashMap::new();
        for case in of(7) {
            *counts.entry(case).or_default() += 1;
        }
        assert_eq!(
            (counts[&Case::Sound], counts[&Case::Fault(Fault::Expired)], counts[&Case::Replayed]),
            (950, 20, 10)
        );
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
        assert_eq!(mix.to_string(), "sound=95,expired=2,unregistered_key=1,replayed=1,unknown_user=1");
    }

    #[test]
    fn all_is_everything_and_nonsense_is_refused() {
        assert_eq!(Mix::parse("sound=9,all=1").unwrap().cases().count(), Fault::ALL.len() + 2);
        assert!(!Mix::parse("all=1,expired=0").unwrap().cases().any(|case| case == Case::Fault(Fault::Expired)));
        for wrong in ["", "sound=0", "sound=x", "nonsense=1", "sound=1,sound=2", "sound=-1", "sound=99999999999"] {
            assert!(Mix::parse(wrong).is_err(), "{wrong}");
        }
    }
}
