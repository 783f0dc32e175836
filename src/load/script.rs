//! Which case comes when: by shares, or as it was recorded.

use std::sync::Arc;

use super::{Case, Mix};

/// Which case each request is.
#[derive(Debug, Clone, PartialEq)]
pub enum Script {
    /// By shares.
    Mix(Mix),
    /// As recorded, one after the other, and from the beginning again.
    Recorded(Arc<[Case]>),
}

impl Script {
    /// The case of a request.
    pub fn case(&self, seed: u64, number: u64) -> Case {
        match self {
            Self::Mix(mix) => mix.case(seed, number),
            Self::Recorded(cases) => {
                let place = number.checked_rem(cases.len() as u64).and_then(|place| usize::try_from(place).ok());
                place.and_then(|place| cases.get(place)).copied().unwrap_or(Case::Sound)
            }
        }
    }

    /// Every case that comes, once.
    pub fn cases(&self) -> Vec<Case> {
        match self {
            Self::Mix(mix) => mix.cases().collect(),
            Self::Recorded(recorded) => Case::all().filter(|case| recorded.contains(case)).collect(),
        }
    }
}
