//! Two loads beside each other.

use super::Report;

/// One measure of both.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What is measured.
    pub name: &'static str,
    /// Of which kind it is.
    pub kind: Kind,
    /// In the load before.
    pub before: f64,
    /// In this one.
    pub after: f64,
}

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Microseconds: less is better.
    Micros,
    /// Requests a second: more is better.
    Rate,
    /// Requests: less is better.
    Count,
}

impl Change {
    /// By how much it grew, in percent; none where it was nothing before.
    pub fn percent(&self) -> Option<f64> {
        (self.before > 0.0).then(|| (self.after / self.before - 1.0) * 100.0)
    }

    /// Whether it is worse by more than a tenth, or, of requests, at all.
    pub fn is_worse(&self) -> bool {
        match self.kind {
            Kind::Micros => self.after > self.before * 1.1,
            Kind::Rate => self.after < self.before * 0.9,
            Kind::Count => self.after > self.before,
        }
    }
}

/// How a load differs from one before.
pub fn compare(before: &Report, after: &Report) -> Vec<Change> {
    let change = |name, kind, of: &dyn Fn(&Report) -> f64| Change { name, kind, before: of(before), after: of(after) };
    let percentile = |percent: f64| move |report: &Report| report.tally.latency.percentile(percent) as f64;
    vec![
        change("rate", Kind::Rate, &|report| report.reached_rate),
        change("p50", Kind::Micros, &percentile(50.0)),
        change("p90", Kind::Micros, &percentile(90.0)),
        change("p99", Kind::Micros, &percentile(99.0)),
        change("p99.9", Kind::Micros, &percentile(99.9)),
        change("max", Kind::Micros, &percentile(100.0)),
        change("false accepts", Kind::Count, &|report| report.totals.false_accepts as f64),
        change("false rejects", Kind::Count, &|report| report.totals.false_rejects as f64),
        change("by another code", Kind::Count, &|report| report.totals.wrong_codes as f64),
        change("errors", Kind::Count, &|report| report.totals.errors as f64),
    ]
}

/// In what the two were not made alike, in sentences: their figures say less of the target then.
pub fn differences(before: &Report, after: &Report) -> Vec<String> {
    let of = |report: &Report| {
        let settings = &report.settings;
        [
            ("target", report.target.clone()),
            ("model", settings.model.clone()),
            ("plan", settings.plan.clone()),
            ("number of connections", settings.connections.to_string()),
            ("HTTP", settings.http.clone()),
            ("TLS", settings.tls.clone()),
            ("mix", settings.mix.clone()),
        ]
    };
    let pairs = of(before).into_iter().zip(of(after)).filter(|(before, after)| before != after);
    pairs.map(|((name, before), (_, after))| format!("another {name}: `{before}` before, `{after}` now")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_grew_is_named() {
        let report = |millis: u64, errors: u64| {
            let mut report = Report { reached_rate: 100.0, ..Report::default() };
            report.tally.latency.record(Duration::from_millis(millis));
            report.totals.errors = errors;
            report
        };
        let changes = compare(&report(10, 0), &report(15, 1));
        let worse: Vec<&str> = changes.iter().filter(|change| change.is_worse()).map(|change| change.name).collect();
        assert_eq!(worse, ["p50", "p90", "p99", "p99.9", "max", "errors"]);
        assert!(changes.iter().any(|change| change.percent().is_some_and(|percent| (49.0..51.0).contains(&percent))));
        assert!(compare(&report(10, 0), &report(10, 0)).iter().all(|change| !change.is_worse()));
    }

    #[test]
    fn what_was_not_made_alike_is_told() {
        let before = Report { target: "https://one.domain.company/".to_owned(), ..Report::default() };
        let mut after = Report { target: "https://two.domain.company/".to_owned(), ..before.clone() };
        after.settings.model = "closed".to_owned();
        assert_eq!(differences(&before, &before), Vec::<String>::new());
        assert_eq!(
            differences(&before, &after),
            [
                "another target: `https://one.domain.company/` before, `https://two.domain.company/` now",
                "another model: `` before, `closed` now"
            ]
        );
    }
}
