//! What Entra is set to expect, from flags or a configuration file, as the judge wants it.

use jiff::Timestamp;

use super::args::ExpectationArguments;
use super::terminal::{Terminal, Trouble};
use crate::check::Policy;
use crate::inspect::Judge;
use crate::tenant::Federation;

/// What to judge by.
#[derive(Debug)]
pub(super) struct Expectations {
    /// The judge.
    pub(super) judge: Judge,
    /// The clock, where it was set.
    pub(super) at: Option<Timestamp>,
}

/// Loads everything that the arguments name.
pub(super) fn load(arguments: &ExpectationArguments, _terminal: &Terminal) -> Result<Expectations, Trouble> {
    let federation = Federation {
        issuer: arguments.issuer.clone(),
        domain: arguments.upn_domain.clone(),
        root_domain: arguments.upn_domain.clone(),
        ..Federation::default()
    };
    let mut judge = Judge { federations: vec![federation], policy: Policy::default(), ..Judge::default() };
    if let Some(skew) = arguments.skew {
        judge.policy.skew = skew;
    }
    judge.policy.strict |= arguments.strict;
    Ok(Expectations { judge, at: arguments.at })
}
