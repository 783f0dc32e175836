//! How metric families are made and counted: every series there from the start, its handle held.

use prometheus::core::Collector;
use prometheus::{Error, IntCounter, Registry};

/// Adds a family to the registry and hands it back.
pub(super) fn register<C: Collector + Clone + 'static>(registry: &Registry, family: C) -> Result<C, Error> {
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

/// One series for every word: made here, at 0, so that the first failure is an increase.
pub(super) fn series<W: Copy, S>(words: &[W], make: impl Fn(W) -> Result<S, Error>) -> Result<Vec<(W, S)>, Error> {
    words.iter().map(|word| Ok((*word, make(*word)?))).collect()
}

pub(super) fn increment<W: Copy>(counters: &[(W, IntCounter)], is_it: impl Fn(W) -> bool) {
    if let Some((_, counter)) = counters.iter().find(|(word, _)| is_it(*word)) {
        counter.inc();
    }
}
