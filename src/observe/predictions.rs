//! Predictions and what became of them: the metric family that shows where this program is wrong.

use prometheus::{Error, IntCounterVec, Opts, Registry};

use crate::answer::Actual;
use crate::verdict::Code;

/// `predictions_total`.
pub(super) struct Predictions(IntCounterVec);

impl Predictions {
    /// The family, with every prediction that comes true and every answer to a response that was thought sound, at 0.
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let help = "Sign-ins answered by the upstream, by the code that was predicted and the code that came.";
        let family =
            IntCounterVec::new(Opts::new("predictions_total", help).namespace("samlgate"), &["predicted", "actual"])?;
        registry.register(Box::new(family.clone()))?;
        for digits in Code::ALL.map(Code::digits) {
            family.get_metric_with_label_values(&[digits, digits])?;
            family.get_metric_with_label_values(&["none", digits])?;
        }
        for word in Actual::WORDS {
            family.get_metric_with_label_values(&["none", word])?;
        }
        Ok(Self(family))
    }

    /// Counts one; both labels come from closed sets.
    pub(super) fn count(&self, predicted: Option<Code>, actual: Actual) {
        let predicted = predicted.map_or("none", Code::digits);
        self.0.with_label_values(&[predicted, actual.label()]).inc();
    }
}
