//! What a load must keep to: `p99<=50ms`, turned round as the reason to fail, `p99>50ms`; or `p99>baseline*1.2`, beside a load before.

use serde::{Deserialize, Serialize};

use super::{Latencies, Report};

/// A reason to fail.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    text: String,
    measure: Measure,
    comparison: Comparison,
    bound: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    /// In the unit of the measure.
    Fixed(f64),
    /// So many times what the load before had.
    Baseline(f64),
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

/// What a measure counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Microseconds.
    Micros,
    /// Requests a second.
    PerSecond,
    /// Parts of all requests.
    Part,
    /// Requests.
    #[default]
    Requests,
}

/// How a threshold came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Held {
    /// As it was given.
    pub fail_if: String,
    /// What was measured.
    pub value: f64,
    /// What it was held against.
    #[serde(default)]
    pub bound: f64,
    /// What both count in.
    #[serde(default)]
    pub unit: Unit,
    /// Whether nothing was measured, here or in the load before: the value says nothing then, and the load fails.
    #[serde(default)]
    pub unmeasured: bool,
    /// Whether the load fails by it.
    pub failed: bool,
}

impl Held {
    /// What was measured, and against what, for people.
    pub fn words(&self) -> String {
        if self.unmeasured {
            let before = if self.fail_if.contains(BASELINE) { ", here or in the load before" } else { "" };
            return format!("nothing was measured{before}");
        }
        let value = |value: f64| match self.unit {
            Unit::Micros => format!("{:.3} ms", value / 1e3),
            Unit::PerSecond => format!("{value:.1}/s"),
            Unit::Part => format!("{:.3} %", value * 100.0),
            Unit::Requests => format!("{value}"),
        };
        let baseline = if self.fail_if.contains(BASELINE) {
            format!(", where the bound was {}", value(self.bound))
        } else {
            String::new()
        };
        format!("got {}{baseline}", value(self.value))
    }
}

const BASELINE: &str = "baseline";

impl Threshold {
    /// Reads `p99>50ms`, `false_accepts>0`, `rate<950`, `error_rate>1%`, `p99>baseline*1.2`, `errors>baseline`.
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
        let bound = match bound.trim().strip_prefix(BASELINE) {
            Some(times) => Bound::Baseline(times_of(times.trim()).ok_or_else(wrong)?),
            None => Bound::Fixed(measure.bound(bound.trim()).ok_or_else(wrong)?),
        };
        Ok(Self { text: text.split_whitespace().collect(), measure, comparison, bound })
    }

    /// What a load must keep to: what was asked, and that nobody was let in who had to be refused. That no verdict was wrong
    /// otherwise, and that there are no errors, is asked where nothing else is said of them.
    pub fn all(asked: Vec<Self>) -> Vec<Self> {
        let zero = |name| Self {
            text: format!("{name}>0"),
            measure: Measure::Count(name),
            comparison: Comparison::Above,
            bound: Bound::Fixed(0.0),
        };
        let mut all = vec![zero("false_accepts"), zero("mixed_relay_state")];
        let names = |asked: &[Self], measures: &[Measure]| asked.iter().any(|one| measures.contains(&one.measure));
        for count in ["false_rejects", "wrong_codes", "unclear"] {
            if !names(&asked, &[Measure::Count(count)]) {
                all.push(zero(count));
            }
        }
        if !names(&asked, &[Measure::Count("errors"), Measure::ErrorRate]) {
            all.push(zero("errors"));
        }
        let new: Vec<_> = asked.into_iter().filter(|one| !all.iter().any(|known| known.text == one.text)).collect();
        all.extend(new);
        all
    }

    /// The text of the first that compares with a load before.
    pub fn beside_baseline(all: &[Self]) -> Option<&str> {
        all.iter().find(|one| matches!(one.bound, Bound::Baseline(_))).map(|one| one.text.as_str())
    }

    /// Holds a report to it, beside that of a load before. It fails where nothing was measured, in either of them: nothing is
    /// kept to by a load that did not take place.
    pub fn hold(&self, report: &Report, before: Option<&Report>) -> Held {
        let value = self.measure.of(report);
        let bound = match self.bound {
            Bound::Fixed(bound) => Some(bound),
            Bound::Baseline(times) => before.and_then(|before| self.measure.of(before)).map(|before| before * times),
        };
        let failed = value.zip(bound).map(|(value, bound)| match self.comparison {
            Comparison::Above => value > bound,
            Comparison::AtLeast => value >= bound,
            Comparison::Below => value < bound,
            Comparison::AtMost => value <= bound,
        });
        Held {
            fail_if: self.text.clone(),
            value: value.unwrap_or_default(),
            bound: bound.unwrap_or_default(),
            unit: self.measure.unit(),
            unmeasured: failed.is_none(),
            failed: failed.unwrap_or(true),
        }
    }
}

/// The factor of `*1.2`; 1 where nothing is written.
fn times_of(text: &str) -> Option<f64> {
    if text.is_empty() {
        return Some(1.0);
    }
    let times = text.strip_prefix('*')?.trim().parse().ok();
    times.filter(|times: &f64| times.is_finite() && *times >= 0.0)
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

    fn unit(self) -> Unit {
        match self {
            Self::Percentile(_) | Self::Mean | Self::Max | Self::LatePercentile(_) => Unit::Micros,
            Self::Rate => Unit::PerSecond,
            Self::ErrorRate => Unit::Part,
            Self::Count(_) => Unit::Requests,
        }
    }

    /// What was measured; none where there was nothing to measure.
    fn of(self, report: &Report) -> Option<f64> {
        let (tally, totals) = (&report.tally, &report.totals);
        let of_times = |times: &Latencies, value: f64| (times.count() > 0).then_some(value);
        let of_sent = |value: f64| (totals.sent > 0).then_some(value);
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
            Self::Percentile(percent) => of_times(&tally.latency, tally.latency.percentile(percent) as f64),
            Self::Mean => of_times(&tally.latency, tally.latency.mean()),
            Self::Max => of_times(&tally.latency, tally.latency.max() as f64),
            Self::LatePercentile(percent) => of_times(&tally.late, tally.late.percentile(percent) as f64),
            Self::Rate => of_sent(report.reached_rate),
            Self::ErrorRate => of_sent(totals.errors as f64 / totals.sent.max(1) as f64),
            Self::Count(name) => Some(count(name) as f64),
        }
    }
}

/// No threshold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a measure, < or > (=), and a bound with its unit or from the baseline, as p99>50ms, p99>baseline*1.2, rate<950, error_rate>1% \
     or false_rejects>0, got `{0}`; measures are p50 to p99.99, mean, max, late_p99, rate, error_rate, {counts}",
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
            assert_eq!(Threshold::parse(text).unwrap().hold(&report(), None).failed, failed, "{text}");
        }
        for wrong in ["", "p99", "p99>50", "p101>5ms", "px>5ms", "rate>", "speed>1", "p99>-5ms", "errors>NaN"] {
            assert!(Threshold::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_load_is_held_against_the_one_before() {
        let before = report();
        let mut now = report();
        now.reached_rate = 800.0;
        // 100 ms become 125 ms
        (0..3).for_each(|_| now.tally.latency.record(Duration::from_millis(125)));
        for (text, failed) in [
            ("p99>baseline*1.2", true),
            ("p99 > baseline * 1.3", false),
            ("p50>baseline*1.2", false),
            ("rate<baseline*0.9", true),
            ("rate<baseline*0.85", false),
            ("errors>baseline", false),
            ("errors>=baseline", true),
            ("error_rate>baseline*2", false),
        ] {
            let threshold = Threshold::parse(text).unwrap();
            assert_eq!(threshold.hold(&now, Some(&before)).failed, failed, "{text}");
            assert!(threshold.hold(&now, None).failed, "{text}");
            assert_eq!(Threshold::beside_baseline(std::slice::from_ref(&threshold)), Some(threshold.text.as_str()));
        }
        let held = Threshold::parse("p99>baseline*1.2").unwrap().hold(&now, Some(&before));
        assert_eq!(held.words(), "got 125.055 ms, where the bound was 118.808 ms");
        assert_eq!(Threshold::beside_baseline(&Threshold::all(Vec::new())), None);
        for wrong in ["p99>baseline*", "p99>baseline*x", "p99>baseline1.2", "p99>baseline*-1", "p99>1.2*baseline"] {
            assert!(Threshold::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_keeps_to_nothing() {
        let nothing = Report::default();
        for text in ["p99>1s", "p50<1us", "mean>1s", "max>1s", "late_p99>1s", "rate<0", "error_rate>99%"] {
            let held = Threshold::parse(text).unwrap().hold(&nothing, None);
            assert!(held.failed && held.words() == "nothing was measured", "{text}: {}", held.words());
        }
        assert!(!Threshold::parse("errors>0").unwrap().hold(&nothing, None).failed);
        let held = Threshold::parse("p99>baseline*1.2").unwrap().hold(&report(), Some(&nothing));
        assert!(held.failed && held.words() == "nothing was measured, here or in the load before", "{}", held.words());
    }

    #[test]
    fn what_was_let_in_wrongly_always_fails() {
        let all = |texts: &[&str]| {
            let asked = texts.iter().map(|text| Threshold::parse(text).unwrap()).collect();
            Threshold::all(asked).iter().map(|one| one.text.clone()).collect::<Vec<_>>()
        };
        let always = ["false_accepts>0", "mixed_relay_state>0"];
        assert_eq!(all(&[]), [&always[..], &["false_rejects>0", "wrong_codes>0", "unclear>0", "errors>0"]].concat());
        let own = ["false_accepts>0", "false_accepts>99", "error_rate > 1%", "false_rejects>5", "wrong_codes>1"];
        let left = ["unclear>0", "false_accepts>99", "error_rate>1%", "false_rejects>5", "wrong_codes>1"];
        assert_eq!(all(&own), [&always[..], &left].concat());
    }
}
