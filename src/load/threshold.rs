//! What a load must keep to: `p99<=50ms`, turned round as the reason to fail, `p99>50ms`.

use serde::{Deserialize, Serialize};

use super::Report;

/// A reason to fail.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    text: String,
    measure: Measure,
    comparison: Comparison,
    /// In the unit of the measure: microseconds, requests a second, requests, or parts of all.
    bound: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Measure {
    Percentile(f64),
    Mean,
    Max,
    LatePercentile(f64),
    Rate,
    ErrorRate,
    Count(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// What can be counted.
const COUNTS: [&str; 8] =
    ["sent", "errors", "false_accepts", "false_rejects", "wrong_codes", "unclear", "mixed_relay_state", "not_sent"];

/// How a threshold came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Held {
    /// As it was given.
    pub fail_if: String,
    /// What was measured, in the unit of the threshold's measure: microseconds, requests a second, requests, or parts of all.
    pub value: f64,
    /// Whether the load fails by it.
    pub failed: bool,
}

impl Threshold {
    /// Reads `p99>50ms`, `false_accepts>0`, `rate<950`, `error_rate>1%`.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn parse(text: &str) -> Result<Self, ThresholdError> {
        let wrong = || ThresholdError(text.to_owned());
        let at = text.find(['<', '>']).ok_or_else(wrong)?;
        let (name, rest) = text.split_at_checked(at).ok_or_else(wrong)?;
        let (comparison, bound) = match (rest.strip_prefix(">="), rest.strip_prefix("<="), rest.strip_prefix('>')) {
            (Some(bound), _, _) => (Comparison::AtLeast, bound),
            (_, Some(bound), _) => (Comparison::AtMost, bound),
            (_, _, Some(bound)) => (Comparison::Above, bound),
            _ => (Comparison::Below, rest.trim_start_matches('<')),
        };
        let measure = Measure::parse(name.trim()).ok_or_else(wrong)?;
        let bound = measure.bound(bound.trim()).ok_or_else(wrong)?;
        Ok(Self { text: text.split_whitespace().collect(), measure, comparison, bound })
    }

    /// What a load must keep to: what was asked, and that nobody was let in who had to be refused. That no sound sign-in is
    /// refused, and that there are no errors, is asked where nothing else is said of them.
    pub fn all(asked: Vec<Self>) -> Vec<Self> {
        let zero = |name| Self {
            text: format!("{name}>0"),
            measure: Measure::Count(name),
            comparison: Comparison::Above,
            bound: 0.0,
        };
        let mut all = vec![zero("false_accepts"), zero("mixed_relay_state")];
        let names = |asked: &[Self], measures: &[Measure]| asked.iter().any(|one| measures.contains(&one.measure));
        if !names(&asked, &[Measure::Count("false_rejects")]) {
            all.push(zero("false_rejects"));
        }
        if !names(&asked, &[Measure::Count("errors"), Measure::ErrorRate]) {
            all.push(zero("errors"));
        }
        let new: Vec<_> = asked.into_iter().filter(|one| !all.iter().any(|known| known.text == one.text)).collect();
        all.extend(new);
        all
    }

    /// Holds a report to it.
    pub fn hold(&self, report: &Report) -> Held {
        let value = self.measure.of(report);
        let failed = match self.comparison {
            Comparison::Above => value > self.bound,
            Comparison::AtLeast => value >= self.bound,
            Comparison::Below => value < self.bound,
            Comparison::AtMost => value <= self.bound,
        };
        Held { fail_if: self.text.clone(), value, failed }
    }
}

impl Measure {
    fn parse(name: &str) -> Option<Self> {
        let percent = |text: &str| text.replace('_', ".").parse().ok().filter(|p: &f64| (0.0..=100.0).contains(p));
        match name {
            "mean" => Some(Self::Mean),
            "max" => Some(Self::Max),
            "rate" => Some(Self::Rate),
            "error_rate" => Some(Self::ErrorRate),
            _ => {
                if let Some(count) = COUNTS.into_iter().find(|count| *count == name) {
                    return Some(Self::Count(count));
                }
                if let Some(late) = name.strip_prefix("late_p") {
                    return percent(late).map(Self::LatePercentile);
                }
                name.strip_prefix('p').and_then(percent).map(Self::Percentile)
            }
        }
    }

    fn bound(self, text: &str) -> Option<f64> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
        match self {
            Self::Percentile(_) | Self::Mean | Self::Max | Self::LatePercentile(_) => {
                let units = [("us", 1.0), ("µs", 1.0), ("ms", 1e3), ("s", 1e6)];
                let unit = units.into_iter().find_map(|(unit, micros)| Some((text.strip_suffix(unit)?, micros)));
                unit.and_then(|(text, micros)| Some(number(text)? * micros))
            }
            Self::ErrorRate => match text.strip_suffix('%') {
                Some(percent) => number(percent).map(|percent| percent / 100.0),
                None => number(text),
            },
            Self::Rate => number(text.strip_suffix("/s").unwrap_or(text)),
            Self::Count(_) => number(text),
        }
    }

    fn of(self, report: &Report) -> f64 {
        let (tally, totals) = (&report.tally, &report.totals);
        let count = |name| match name {
            "sent" => totals.sent,
            "errors" => totals.errors,
            "false_accepts" => totals.false_accepts,
            "false_rejects" => totals.false_rejects,
            "wrong_codes" => totals.wrong_codes,
            "unclear" => totals.unclear,
            "mixed_relay_state" => tally.relay_state.mixed,
            _ => tally.held_up.not_sent,
        };
        match self {
            Self::Percentile(percent) => tally.latency.percentile(percent) as f64,
            Self::Mean => tally.latency.mean(),
            Self::Max => tally.latency.max() as f64,
            Self::LatePercentile(percent) => tally.late.percentile(percent) as f64,
            Self::Rate => report.reached_rate,
            Self::ErrorRate => totals.errors as f64 / totals.sent.max(1) as f64,
            Self::Count(name) => count(name) as f64,
        }
    }
}

/// No threshold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a measure, < or > (=), and a bound with its unit, as p99>50ms, rate<950, error_rate>1% or false_rejects>0, got `{0}`; \
     measures are p50 to p99.99, mean, max, late_p99, rate, error_rate, {counts}",
    counts = COUNTS.join(", ")
)]
pub struct ThresholdError(String);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::*;

    fn report() -> Report {
        let mut report = Report::default();
        for millis in 1..=100 {
            report.tally.latency.record(Duration::from_millis(millis));
        }
        report.reached_rate = 900.0;
        report.totals.sent = 100;
        report.totals.errors = 2;
        report
    }

    #[test]
    fn thresholds_are_read_and_held() {
        for (text, failed) in [
            ("p99>50ms", true),
            ("p50 > 0.06s", false),
            ("p99.9<=200ms", true),
            ("max>=100ms", true),
            ("p99_9>500000us", false),
            ("rate<950", true),
            ("rate<900/s", false),
            ("error_rate>1%", true),
            ("error_rate>0.02", false),
            ("errors>=2", true),
            ("false_accepts>0", false),
        ] {
            assert_eq!(Threshold::parse(text).unwrap().hold(&report()).failed, failed, "{text}");
        }
        for wrong in ["", "p99", "p99>50", "p101>5ms", "px>5ms", "rate>", "speed>1", "p99>-5ms", "errors>NaN"] {
            assert!(Threshold::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_let_in_wrongly_always_fails() {
        let all = |texts: &[&str]| {
            let asked = texts.iter().map(|text| Threshold::parse(text).unwrap()).collect();
            Threshold::all(asked).iter().map(|one| one.text.clone()).collect::<Vec<_>>()
        };
        assert_eq!(all(&[]), ["false_accepts>0", "mixed_relay_state>0", "false_rejects>0", "errors>0"]);
        let own = ["false_accepts>0", "false_accepts>99", "error_rate > 1%", "false_rejects>5"];
        assert_eq!(
            all(&own),
            ["false_accepts>0", "mixed_relay_state>0", "false_accepts>99", "error_rate>1%", "false_rejects>5"]
        );
    }
}
