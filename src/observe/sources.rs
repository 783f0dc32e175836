//! The metrics of what Entra is set to expect: certificates, users, how old each source is, and what came of reloads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use prometheus::{Error, Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::family::{increment, register, series};
use super::label::{Reload, Source};
use super::setup::Setup;

/// Labels of a series that comes and goes with its federation.
type Labels = Vec<String>;

/// The families.
pub(super) struct Sources {
    not_after: IntGaugeVec,
    users: IntGaugeVec,
    age: GaugeVec,
    failures: IntCounterVec,
    in_a_row: IntGaugeVec,
    reloads: Vec<(Reload, IntCounter)>,
    last_success: IntGauge,
    last_successful: IntGauge,
    present: Mutex<Present>,
    /// What is asked for by URL, each at a time of its own.
    asked: Mutex<BTreeMap<Labels, Asked>>,
}

/// A source that is asked for by URL.
#[derive(Debug, Clone, Default)]
struct Asked {
    last: Option<(Instant, Timestamp)>,
    failing: Option<String>,
}

/// A source that cannot be had just now: what was had before is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// The federation.
    pub domain: String,
    /// Which of its sources.
    pub source: String,
    /// When it was had last; none when it never was.
    pub last: Option<Timestamp>,
    /// Why it cannot be had.
    pub reason: String,
}

/// How old a source is that was loaded with the configuration.
struct Age {
    labels: Labels,
    gauge: Gauge,
    /// Seconds that it was old when it was loaded: a file is as old as what it holds.
    loaded_at: f64,
}

/// What there is now.
#[derive(Default)]
struct Present {
    certificates: BTreeSet<Labels>,
    users: BTreeSet<Labels>,
    sources: BTreeSet<Labels>,
    ages: Vec<Age>,
    loaded: Option<Instant>,
    /// Whether the last reload failed.
    stale: bool,
}

impl Sources {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let opts = |name: &str, help: &str| Opts::new(name, help).namespace("samlgate");
        let reloads = opts("config_reloads_total", "Reloads of the configuration, by result.");
        let reloads = register(registry, IntCounterVec::new(reloads, &["result"])?)?;
        let of_source = ["federation", "source"];
        Ok(Self {
            not_after: register(
                registry,
                IntGaugeVec::new(
                    opts(
                        "certificate_not_after_timestamp_seconds",
                        "Last instant of a signing certificate's validity.",
                    ),
                    &["federation", "source", "role"],
                )?,
            )?,
            users: register(
                registry,
                IntGaugeVec::new(opts("directory_users", "Users that are known of a federation."), &["federation"])?,
            )?,
            age: register(
                registry,
                GaugeVec::new(
                    opts(
                        "source_age_seconds",
                        "Time since a source was last loaded; of a file of users, since the file was written.",
                    ),
                    &of_source,
                )?,
            )?,
            failures: register(
                registry,
                IntCounterVec::new(
                    opts(
                        "source_refresh_failures_total",
                        "Times that a source could not be loaded again: files are loaded all together, what is asked for by URL for itself.",
                    ),
                    &of_source,
                )?,
            )?,
            in_a_row: register(
                registry,
                IntGaugeVec::new(
                    opts(
                        "source_failures_in_a_row",
                        "Times that a source could not be loaded again since it was last loaded.",
                    ),
                    &of_source,
                )?,
            )?,
            reloads: series(Reload::ALL, |result| reloads.get_metric_with_label_values(&[result.as_str()]))?,
            last_success: register(
                registry,
                IntGauge::with_opts(opts(
                    "config_last_success_timestamp_seconds",
                    "When the configuration in force was loaded.",
                ))?,
            )?,
            last_successful: {
                let last =
                    opts("config_last_reload_successful", "0 when the last reload failed: the file is not in force.");
                let last = register(registry, IntGauge::with_opts(last)?)?;
                last.set(1);
                last
            },
            present: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    /// Another setup is in force.
    pub(super) fn set(&self, setup: &Setup) -> Result<(), Error> {
        // a panic on the way leaves sets behind that name what was set
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Present { loaded: Some(Instant::now()), ..Present::default() };
        for federation in &setup.federations {
            let domain = federation.domain.to_string();
            for certificate in &federation.certificates {
                let labels = vec![domain.clone(), certificate.source.as_str().into(), certificate.role.as_str().into()];
                self.not_after.get_metric_with_label_values(&labels)?.set(certificate.not_after.as_second());
                new.certificates.insert(labels);
            }
            if let Some(users) = federation.users {
                let labels = vec![domain.clone()];
                self.users.get_metric_with_label_values(&labels)?.set(i64::try_from(users).unwrap_or(i64::MAX));
                new.users.insert(labels);
            }
            for source in federation.sources().map(Source::as_str) {
                let labels = vec![domain.clone(), source.to_owned()];
                self.failures.get_metric_with_label_values(&labels)?;
                let made = federation.users_made.filter(|_| source == Source::Users.as_str());
                let loaded_at = made.map_or(0.0, |made| setup.since.duration_since(made).as_secs_f64().max(0.0));
                let gauge = self.age.get_metric_with_label_values(&labels)?;
                new.ages.push(Age { labels: labels.clone(), gauge, loaded_at });
                new.sources.insert(labels);
            }
        }
        // what is gone must not ring an alarm any more; counters stay, as counters do. Nothing to do where there is none
        for labels in present.certificates.difference(&new.certificates) {
            let _ = self.not_after.remove_label_values(labels);
        }
        for labels in present.users.difference(&new.users) {
            let _ = self.users.remove_label_values(labels);
        }
        let asked = self.asked();
        for labels in present.sources.difference(&new.sources).filter(|labels| !asked.contains_key(*labels)) {
            let _ = self.age.remove_label_values(labels);
            let _ = self.in_a_row.remove_label_values(labels);
        }
        for labels in new.sources.iter().filter(|labels| !asked.contains_key(*labels)) {
            self.in_a_row.get_metric_with_label_values(labels)?.set(0);
        }
        drop(asked);
        self.last_success.set(setup.since.as_second());
        self.last_successful.set(1);
        *present = new;
        Ok(())
    }

    /// Counts a reload.
    pub(super) fn reloaded(&self, result: Reload) {
        increment(&self.reloads, |known| known == result);
        if result == Reload::Failed {
            let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
            present.stale = true;
            self.last_successful.set(0);
            let asked = self.asked();
            for labels in present.sources.iter().filter(|labels| !asked.contains_key(*labels)) {
                self.failures.with_label_values(labels).inc();
                self.in_a_row.with_label_values(labels).inc();
            }
        }
    }

    /// Whether the last reload failed.
    pub(super) fn is_stale(&self) -> bool {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).stale
    }

    /// Brings the ages up to date.
    pub(super) fn age(&self) {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let since = present.loaded.map_or(0.0, |loaded| loaded.elapsed().as_secs_f64());
        let asked = self.asked();
        for Age { gauge, loaded_at, .. } in present.ages.iter().filter(|age| !asked.contains_key(&age.labels)) {
            gauge.set(loaded_at + since);
        }
        for (labels, (had, _)) in asked.iter().filter_map(|(labels, asked)| Some((labels, asked.last?))) {
            self.age.with_label_values(labels).set(had.elapsed().as_secs_f64());
        }
    }

    /// A source was asked for: it is of now, or the reason why it could not be had is known.
    pub(super) fn asked_for(&self, domain: &str, source: Source, result: Result<Timestamp, String>) {
        let labels = vec![domain.to_owned(), source.as_str().to_owned()];
        // there from the start, so that a first failure is seen as one
        let failures = self.failures.with_label_values(&labels);
        let in_a_row = self.in_a_row.with_label_values(&labels);
        let mut all = self.asked();
        let asked = all.entry(labels).or_default();
        match result {
            Ok(now) => {
                *asked = Asked { last: Some((Instant::now(), now)), failing: None };
                in_a_row.set(0);
            }
            Err(reason) => {
                failures.inc();
                in_a_row.inc();
                asked.failing = Some(reason);
            }
        }
    }

    /// A source is not asked for any more.
    pub(super) fn forgotten(&self, domain: &str, source: Source) {
        let labels = vec![domain.to_owned(), source.as_str().to_owned()];
        let of_files = self.present.lock().unwrap_or_else(PoisonError::into_inner).sources.contains(&labels);
        if self.asked().remove(&labels).is_none() {
            return;
        }
        if of_files {
            self.in_a_row.with_label_values(&labels).set(0);
        } else {
            let _ = self.age.remove_label_values(&labels);
            let _ = self.in_a_row.remove_label_values(&labels);
        }
    }

    /// The sources that cannot be had just now.
    pub(super) fn failing(&self) -> Vec<Failing> {
        let asked = self.asked();
        let failing = asked.iter().filter_map(|(labels, asked)| {
            let [domain, source] = labels.as_slice() else { return None };
            Some(Failing {
                domain: domain.clone(),
                source: source.clone(),
                last: asked.last.map(|(_, at)| at),
                reason: asked.failing.clone()?,
            })
        });
        failing.collect()
    }

    fn asked(&self) -> MutexGuard<'_, BTreeMap<Labels, Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many reloads there were, and what came of them.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Reload, u64)> {
        self.reloads.iter().map(|(result, counter)| (*result, counter.get()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use prometheus::{Encoder as _, TextEncoder};

    use super::super::setup::KnownFederation;
    use super::*;

    const DOMAIN: &str = "domain.company";

    fn setup(source: Source, users_made: Option<Timestamp>) -> Setup {
        let federation = KnownFederation {
            domain: DOMAIN.into(),
            issuer: String::new(),
            source,
            certificates: Vec::new(),
            users: Some(1),
            users_made,
        };
        Setup { federations: vec![federation], since: Timestamp::from_second(1_000_000).unwrap(), ..Setup::default() }
    }

    /// The value of a series; none where there is no such series.
    fn value(registry: &Registry, series: &str) -> Option<f64> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("samlgate_")?.strip_prefix(series));
        lines.next().map(|value| value.trim().parse().unwrap())
    }

    fn failing(registry: &Registry, source: &str) -> Option<f64> {
        value(registry, &format!("source_failures_in_a_row{{federation=\"{DOMAIN}\",source=\"{source}\"}}"))
    }

    #[test]
    fn a_failed_reload_is_told_until_one_succeeds() {
        let registry = Registry::new();
        let sources = Sources::new(&registry).unwrap();
        let last = || value(&registry, "config_last_reload_successful");
        assert_eq!(last(), Some(1.0));
        sources.set(&setup(Source::File, None)).unwrap();
        assert_eq!((last(), failing(&registry, "file")), (Some(1.0), Some(0.0)));
        sources.reloaded(Reload::Failed);
        sources.reloaded(Reload::Failed);
        assert_eq!(
            (last(), failing(&registry, "file"), failing(&registry, "users")),
            (Some(0.0), Some(2.0), Some(2.0))
        );
        sources.set(&setup(Source::File, None)).unwrap();
        sources.reloaded(Reload::Ok);
        assert_eq!(
            (last(), failing(&registry, "file"), failing(&registry, "users")),
            (Some(1.0), Some(0.0), Some(0.0))
        );
    }

    #[test]
    fn failures_in_a_row_end_with_a_success_of_that_source_alone() {
        let registry = Registry::new();
        let sources = Sources::new(&registry).unwrap();
        let away = || sources.asked_for(DOMAIN, Source::Metadata, Err("no answer".to_owned()));
        sources.set(&setup(Source::Metadata, None)).unwrap();
        (0..4).for_each(|_| away());
        // another load of the files asks nobody
        sources.set(&setup(Source::Metadata, None)).unwrap();
        assert_eq!(failing(&registry, "metadata"), Some(4.0));
        sources.asked_for(DOMAIN, Source::Metadata, Ok(Timestamp::UNIX_EPOCH));
        assert_eq!(failing(&registry, "metadata"), Some(0.0));
        away();
        sources.set(&setup(Source::File, None)).unwrap();
        sources.forgotten(DOMAIN, Source::Metadata);
        assert_eq!((failing(&registry, "metadata"), failing(&registry, "file")), (None, Some(0.0)));
    }

    #[test]
    fn users_are_as_old_as_their_file_however_often_it_is_loaded() {
        let registry = Registry::new();
        let sources = Sources::new(&registry).unwrap();
        let age = |source: &str| {
            sources.age();
            value(&registry, &format!("source_age_seconds{{federation=\"{DOMAIN}\",source=\"{source}\"}}")).unwrap()
        };
        let made = |before: i64| Some(Timestamp::from_second(1_000_000 - before).unwrap());
        for _ in 0..2 {
            sources.set(&setup(Source::File, made(691_200))).unwrap();
            assert!((691_200.0..691_300.0).contains(&age("users")) && age("file") < 100.0);
        }
        // of the future, as clocks may have it, and not known
        for made in [made(-60), None] {
            sources.set(&setup(Source::File, made)).unwrap();
            assert!((0.0..100.0).contains(&age("users")));
        }
        // Graph tells them: as old as its last answer
        sources.set(&setup(Source::Settings, made(691_200))).unwrap();
        sources.asked_for(DOMAIN, Source::Users, Ok(Timestamp::UNIX_EPOCH));
        assert!((0.0..100.0).contains(&age("users")));
        sources.forgotten(DOMAIN, Source::Users);
        assert!(age("users") >= 691_200.0);
    }
}
