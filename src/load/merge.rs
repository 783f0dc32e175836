//! Several generators, one report: numbers are added, histograms joined, and nothing is averaged.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{FORMAT, Report, Shard};

/// Seconds between the beginnings of two generators from which on it is said.
const APART: f64 = 3.0;
/// How the sentence on shards that are missing begins: a report that is merged again has another one, or none.
const MISSING: &str = "the load is not whole";
/// Shards that are missing, by name.
const NAMED: usize = 10;

impl Report {
    /// The report of several generators of one load. What each began when is told by their clocks.
    ///
    /// # Errors
    /// They cannot be of one load.
    pub fn merge(reports: Vec<Self>) -> Result<Self, MergeError> {
        let mut dated = Vec::with_capacity(reports.len());
        for report in reports {
            if report.format != FORMAT {
                return Err(MergeError::Format(report.format));
            }
            let begun: Timestamp = report.begun.parse().map_err(|_| MergeError::Begun(report.begun.clone()))?;
            dated.push((begun.as_microsecond() as f64 / 1e6, report));
        }
        // all the others begin later than the first
        dated.sort_by(|(one, _), (another, _)| one.total_cmp(another));
        let mut dated = dated.into_iter();
        let (first, mut whole) = dated.next().ok_or(MergeError::Nothing)?;
        // thresholds are held to the whole, by whoever merges
        whole.thresholds.clear();
        whole.limits.retain(|limit| !limit.starts_with(MISSING));
        let mut known = BTreeMap::new();
        enter(&mut known, &whole)?;
        let (mut last, mut until) = (0.0_f64, whole.sending());
        for (begun, report) in dated {
            whole.is_of_one_load_with(&report)?;
            enter(&mut known, &report)?;
            last = begun - first;
            until = until.max(last + report.sending());
            whole.add(report, last);
        }
        whole.totals = whole.tally.totals();
        whole.reached_rate = whole.totals.sent as f64 / until.max(0.001);
        if last > APART {
            whole.limits.push(format!(
                "the generators began up to {last:.1} s one after the other: the rate reached is that from the first beginning to the last end, \
                 and they were not all sending at all times"
            ));
        }
        whole.limits.extend(missing(&known));
        whole.settings.shards = known.into_values().map(|shard| shard.to_string()).collect();
        Ok(whole)
    }

    /// Seconds in which it began requests.
    fn sending(&self) -> f64 {
        let sending = self.tally.totals().sent as f64 / self.reached_rate;
        if sending.is_finite() { sending } else { self.seconds }
    }

    fn is_of_one_load_with(&self, other: &Self) -> Result<(), MergeError> {
        if (&other.target, &other.settings.model) != (&self.target, &self.settings.model) {
            return Err(MergeError::Another(other.target.clone()));
        }
        let (expected, got) = (self.settings.seed, other.settings.seed);
        if expected == got { Ok(()) } else { Err(MergeError::Seed { expected, got }) }
    }

    /// Adds what began so many seconds later.
    fn add(&mut self, other: Self, later: f64) {
        self.seconds = self.seconds.max(later + other.seconds);
        self.asked_rate = self.asked_rate.zip(other.asked_rate).map(|(one, another)| one + another);
        self.tally.add(&other.tally);
        // it is at least 0, and no clock tells of more seconds than there are
        let second = std::time::Duration::try_from_secs_f64(later.round()).unwrap_or_default();
        self.timeline.join(&other.timeline, second.as_secs());
        let of = other.settings.shards.join(" ");
        let limits = other.limits.into_iter().filter(|limit| !limit.starts_with(MISSING));
        self.limits.extend(limits.map(|limit| format!("shard {of}: {limit}")));
        self.settings.connections += other.settings.connections;
        self.settings.threads += other.settings.threads;
        self.settings.pool += other.settings.pool;
    }
}

/// Generators with one seed and one shard post the same IDs, and each takes the other for a replay.
fn enter(known: &mut BTreeMap<u64, Shard>, report: &Report) -> Result<(), MergeError> {
    for text in &report.settings.shards {
        let shard = Shard::parse(text).map_err(|_| MergeError::Shard(text.clone()))?;
        if let Some(other) = known.values().find(|other| other.of != shard.of) {
            return Err(MergeError::Parts { expected: other.of, got: shard });
        }
        if known.insert(shard.number, shard).is_some() {
            return Err(MergeError::Twice(shard));
        }
    }
    Ok(())
}

/// The shards whose report is not there, in a sentence.
fn missing(known: &BTreeMap<u64, Shard>) -> Option<String> {
    let of = known.values().next()?.of;
    let lost: Vec<String> =
        (1..=of).filter(|number| !known.contains_key(number)).map(|number| Shard { number, of }.to_string()).collect();
    let more = match lost.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = lost.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    (!lost.is_empty())
        .then(|| format!("{MISSING}: no report of shard {named}{more} is there, and what they sent is in no figure"))
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
    /// Nobody knows when it was.
    #[error("expected a report that says when the load began, got `{0}`")]
    Begun(String),
    /// No shard.
    #[error("expected a report of a shard, as 2/8, got one of `{0}`")]
    Shard(String),
    /// One generator twice.
    #[error(
        "shard {0} is there twice with the same seed: it is the same report, or a load whose IDs were posted twice"
    )]
    Twice(Shard),
    /// Parts of another whole.
    #[error("expected the shards of one load of {expected} generators, got shard {got}")]
    Parts {
        /// Of how many shards the first report is one.
        expected: u64,
        /// The shard of another.
        got: Shard,
    },
    /// Made by another seed.
    #[error("expected reports of one load, all by --seed {expected}, got one by --seed {got}")]
    Seed {
        /// Of the first report.
        expected: u64,
        /// Of another.
        got: u64,
    },
    /// Not one load.
    #[error("expected reports of one target and one model, got another of {0}")]
    Another(String),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::super::{Counts, Timeline};
    use super::*;

    fn report(shard: &str, begun: &str, millis: std::ops::Range<u64>) -> Report {
        let mut report = Report {
            format: FORMAT,
            target: "https://login.test/".to_owned(),
            begun: begun.to_owned(),
            seconds: 10.0,
            asked_rate: Some(100.0),
            reached_rate: 100.0,
            ..Report::default()
        };
        report.settings.shards.push(shard.to_owned());
        report.tally.cases.insert("sound".to_owned(), Counts { sent: 1000, ..Counts::default() });
        for millis in millis {
            report.tally.latency.record(Duration::from_millis(millis));
        }
        report.timeline = Timeline::default();
        report.timeline.add(3, &report.tally);
        report
    }

    #[test]
    fn the_whole_is_as_if_one_had_sent_it() {
        // the one that began first is not the one that is named first
        let parts = [report("2/2", "2026-11-23T12:00:02Z", 500..1001), report("1/2", "2026-11-23T12:00:00Z", 1..500)];
        let whole = Report::merge(parts.to_vec()).unwrap();
        let one = report("1/1", "2026-11-23T12:00:00Z", 1..1001);
        assert_eq!(whole.tally.latency, one.tally.latency);
        let mut timeline = parts[1].timeline.clone();
        timeline.add(5, &parts[0].tally);
        assert_eq!((&whole.timeline, &whole.begun), (&timeline, &parts[1].begun));
        assert!((whole.seconds - 12.0).abs() < 1e-6 && whole.asked_rate == Some(200.0));
        // 2000 in the 12 s from the first to the last
        assert!((whole.reached_rate - 2000.0 / 12.0).abs() < 1e-6, "{}", whole.reached_rate);
        assert_eq!((whole.settings.shards, whole.limits), (vec!["1/2".to_owned(), "2/2".to_owned()], Vec::new()));
    }

    #[test]
    fn generators_one_after_the_other_are_no_faster_than_one() {
        let parts = [report("1/2", "2026-11-23T12:00:00Z", 1..5), report("2/2", "2026-11-23T12:01:30Z", 1..5)];
        let whole = Report::merge(parts.to_vec()).unwrap();
        assert!((whole.reached_rate - 20.0).abs() < 1e-6 && (whole.seconds - 100.0).abs() < 1e-6, "{whole:?}");
        let busy: Vec<_> = (0..).zip(&whole.timeline.points).filter(|(_, point)| point.requests > 0).collect();
        assert_eq!(busy.iter().map(|(second, _)| *second).collect::<Vec<_>>(), [3, 93]);
        assert!(whole.limits.len() == 1 && whole.limits[0].contains("began up to 90.0 s"), "{:?}", whole.limits);
        let together = [parts[0].clone(), report("2/2", "2026-11-23T12:00:00Z", 1..5)];
        assert!((Report::merge(together.to_vec()).unwrap().reached_rate - 200.0).abs() < 1e-6);
    }

    #[test]
    fn a_shard_that_is_missing_is_named_until_it_is_there() {
        let of = |shard| report(shard, "2026-11-23T12:00:00Z", 1..5);
        let some = Report::merge(vec![of("3/3"), of("1/3")]).unwrap();
        assert_eq!(some.limits.len(), 1);
        assert!(some.limits[0].contains("no report of shard 2/3 is there"), "{:?}", some.limits);
        let all = Report::merge(vec![of("2/3"), some]).unwrap();
        assert_eq!((all.settings.shards.join(" "), all.limits), ("1/3 2/3 3/3".to_owned(), Vec::new()));
        let alone = Report::merge(vec![of("2/9000")]).unwrap();
        assert!(
            alone.limits[0].contains("shard 1/9000, 3/9000, 4/9000, ") && alone.limits[0].contains(" and 8989 more")
        );
    }

    #[test]
    fn reports_of_several_loads_are_refused() {
        let one = report("1/2", "2026-11-23T12:00:00Z", 1..5);
        let other = |change: &dyn Fn(&mut Report)| {
            let mut other = report("2/2", "2026-11-23T12:00:00Z", 1..5);
            change(&mut other);
            Report::merge(vec![one.clone(), other]).unwrap_err()
        };
        let shard = |text: &str| Shard::parse(text).unwrap();
        assert_eq!(other(&|other| other.settings.shards = vec!["1/2".to_owned()]), MergeError::Twice(shard("1/2")));
        let parts = MergeError::Parts { expected: 2, got: shard("2/3") };
        assert_eq!(other(&|other| other.settings.shards = vec!["2/3".to_owned()]), parts);
        assert_eq!(other(&|other| other.settings.seed = 8), MergeError::Seed { expected: 0, got: 8 });
        assert!(matches!(other(&|other| "https://other.test/".clone_into(&mut other.target)), MergeError::Another(_)));
        assert!(matches!(other(&|other| other.begun.clear()), MergeError::Begun(_)));
        assert!(matches!(other(&|other| other.settings.shards = vec!["third".to_owned()]), MergeError::Shard(_)));
        assert_eq!(other(&|other| other.format = 2), MergeError::Format(2));
        assert_eq!(Report::merge(Vec::new()), Err(MergeError::Nothing));
    }
}
