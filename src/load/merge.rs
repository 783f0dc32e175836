//! Several generators, one report: numbers are added, histograms joined, and nothing is averaged.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{FORMAT, Report};

impl Report {
    /// The report of several generators of one load.
    ///
    /// # Errors
    /// They cannot be of one load.
    pub fn merge(reports: Vec<Self>) -> Result<Self, MergeError> {
        let mut reports = reports.into_iter();
        let mut whole = reports.next().ok_or(MergeError::Nothing)?;
        if whole.format != FORMAT {
            return Err(MergeError::Format(whole.format));
        }
        // thresholds are held to the whole, by whoever merges
        whole.thresholds.clear();
        let mut known: BTreeSet<(u64, String)> = BTreeSet::new();
        enter(&mut known, &whole)?;
        for report in reports {
            if report.format != FORMAT {
                return Err(MergeError::Format(report.format));
            }
            enter(&mut known, &report)?;
            if (&report.target, &report.settings.model) != (&whole.target, &whole.settings.model) {
                return Err(MergeError::Another(report.target));
            }
            whole.add(report);
        }
        whole.totals = whole.tally.totals();
        Ok(whole)
    }

    fn add(&mut self, other: Self) {
        let end = |report: &Self| Some(seconds(&report.begun)? + report.seconds);
        let (begun, over) = (seconds(&self.begun), end(self));
        if let (Some(begun), Some(over), Some(their), Some(theirs)) = (begun, over, seconds(&other.begun), end(&other))
        {
            self.seconds = over.max(theirs) - begun.min(their);
            if their < begun {
                self.begun = other.begun;
            }
        }
        self.asked_rate = self.asked_rate.zip(other.asked_rate).map(|(one, another)| one + another);
        self.reached_rate += other.reached_rate;
        self.tally.add(&other.tally);
        self.timeline.join(other.timeline);
        let of = other.settings.shards.join(" ");
        self.limits.extend(other.limits.into_iter().map(|limit| format!("shard {of}: {limit}")));
        self.settings.shards.extend(other.settings.shards);
        self.settings.connections += other.settings.connections;
        self.settings.threads += other.settings.threads;
        self.settings.pool += other.settings.pool;
    }
}

/// Generators with one seed and one shard post the same IDs, and each takes the other for a replay.
fn enter(known: &mut BTreeSet<(u64, String)>, report: &Report) -> Result<(), MergeError> {
    for shard in &report.settings.shards {
        if !known.insert((report.settings.seed, shard.clone())) {
            return Err(MergeError::Twice(shard.clone()));
        }
    }
    Ok(())
}

fn seconds(instant: &str) -> Option<f64> {
    let instant: Timestamp = instant.parse().ok()?;
    Some(instant.as_microsecond() as f64 / 1e6)
}

/// Why there is no whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// No report.
    #[error("expected reports, got none")]
    Nothing,
    /// Of another version.
    #[error("expected a report of format {FORMAT}, got format {0}")]
    Format(u32),
    /// One generator twice.
    #[error(
        "shard {0} is there twice with the same seed: it is the same report, or a load whose IDs were posted twice"
    )]
    Twice(String),
    /// Not one load.
    #[error("expected reports of one target and one model, got another of {0}")]
    Another(String),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::super::Timeline;
    use super::*;

    fn report(shard: &str, begun: &str, millis: std::ops::Range<u64>) -> Report {
        let mut report = Report {
            format: FORMAT,
            target: "https://login.test/".to_owned(),
            begun: begun.to_owned(),
            seconds: 10.0,
            asked_rate: Some(100.0),
            reached_rate: 99.0,
            ..Report::default()
        };
        report.settings.shards.push(shard.to_owned());
        for millis in millis {
            report.tally.latency.record(Duration::from_millis(millis));
        }
        report.timeline = Timeline::default();
        report.timeline.add(3, &report.tally);
        report
    }

    #[test]
    fn the_whole_is_as_if_one_had_sent_it() {
        let parts = [report("1/2", "2026-11-23T12:00:00Z", 1..500), report("2/2", "2026-11-23T12:00:02Z", 500..1001)];
        let whole = Report::merge(parts.to_vec()).unwrap();
        let one = report("1/1", "2026-11-23T12:00:00Z", 1..1001);
        assert_eq!(whole.tally.latency, one.tally.latency);
        assert_eq!(whole.timeline, one.timeline);
        assert!((whole.seconds - 12.0).abs() < 1e-6 && whole.asked_rate == Some(200.0));
        assert_eq!(whole.settings.shards, ["1/2", "2/2"]);
        let again = Report::merge(vec![parts[0].clone(), parts[0].clone()]);
        assert_eq!(again, Err(MergeError::Twice("1/2".to_owned())));
        let other = Report { target: "https://other.test/".to_owned(), ..parts[1].clone() };
        assert!(matches!(Report::merge(vec![parts[0].clone(), other]), Err(MergeError::Another(_))));
    }
}
