//! Predictions and what became of them: the metric family that shows where this program is wrong.

use prometheus::{Error, IntCounter, IntCounterVec, Opts, Registry};

use crate::answer::Actual;
use crate::verdict::Code;

/// `predictions_total`.
pub(super) struct Predictions {
    family: IntCounterVec,
    /// What is there from the beginning, the usual first: predicted, actual.
    known: Vec<([&'static str; 2], IntCounter)>,
}

impl Predictions {
    /// The family, with every prediction that comes true and every answer to a response that was thought sound, at 0.
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let help = "Sign-ins answered by the upstream, by the code that was predicted and the code that came.";
        let family =
            IntCounterVec::new(Opts::new("predictions_total", help).namespace("samlgate"), &["predicted", "actual"])?;
        registry.register(Box::new(family.clone()))?;
        let accepted = Actual::WORDS.map(|word| ["none", word]);
        let refused = Code::ALL.map(Code::digits).into_iter().flat_map(|code| [[code, code], ["none", code]]);
        let known = accepted.into_iter().chain(refused);
        let known = known.map(|labels| Ok((labels, family.get_metric_with_label_values(&labels)?)));
        let known = known.collect::<Result<_, Error>>()?;
        Ok(Self { family, known })
    }

    /// Counts one; both labels come from closed sets.
    pub(super) fn count(&self, predicted: Option<Code>, actual: Actual) {
        let labels = [predicted.map_or("none", Code::digits), actual.label()];
        match self.known.iter().find(|(known, _)| *known == labels) {
            Some((_, counter)) => counter.inc(),
            None => self.family.with_label_values(&labels).inc(),
        }
    }
}
