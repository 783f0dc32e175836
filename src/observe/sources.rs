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
    reloads: Vec<(Reload, IntCounter)>,
    last_success: IntGauge,
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

/// What there is now.
#[derive(Default)]
struct Present {
    certificates: BTreeSet<Labels>,
    users: BTreeSet<Labels>,
    sources: BTreeSet<Labels>,
    ages: Vec<(Labels, Gauge)>,
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
                GaugeVec::new(opts("source_age_seconds", "Time since a source was last loaded."), &of_source)?,
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
            reloads: series(Reload::ALL, |result| reloads.get_metric_with_label_values(&[result.as_str()]))?,
            last_success: register(
                registry,
                IntGauge::with_opts(opts(
                    "config_last_success_timestamp_seconds",
                    "When the configuration in force was loaded.",
                ))?,
            )?,
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
                new.ages.push((labels.clone(), self.age.get_metric_with_label_values(&labels)?));
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
        }
        drop(asked);
        self.last_success.set(setup.since.as_second());
        *present = new;
        Ok(())
    }

    /// Counts a reload.
    pub(super) fn reloaded(&self, result: Reload) {
        increment(&self.reloads, |known| known == result);
        if result == Reload::Failed {
            let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
            present.stale = true;
            let asked = self.asked();
            for labels in present.sources.iter().filter(|labels| !asked.contains_key(*labels)) {
                self.failures.with_label_values(labels).inc();
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
        let age = present.loaded.map_or(0.0, |loaded| loaded.elapsed().as_secs_f64());
        let asked = self.asked();
        present.ages.iter().filter(|(labels, _)| !asked.contains_key(labels)).for_each(|(_, gauge)| gauge.set(age));
        for (labels, (had, _)) in asked.iter().filter_map(|(labels, asked)| Some((labels, asked.last?))) {
            self.age.with_label_values(labels).set(had.elapsed().as_secs_f64());
        }
    }

    /// A source was asked for: it is of now, or the reason why it could not be had is known.
    pub(super) fn asked_for(&self, domain: &str, source: Source, result: Result<Timestamp, String>) {
        let labels = vec![domain.to_owned(), source.as_str().to_owned()];
        // there from the start, so that a first failure is seen as one
        let failures = self.failures.with_label_values(&labels);
        let mut all = self.asked();
        let asked = all.entry(labels).or_default();
        match result {
            Ok(now) => *asked = Asked { last: Some((Instant::now(), now)), failing: None },
            Err(reason) => {
                failures.inc();
                asked.failing = Some(reason);
            }
        }
    }

    /// A source is not asked for any more.
    pub(super) fn forgotten(&self, domain: &str, source: Source) {
        let labels = vec![domain.to_owned(), source.as_str().to_owned()];
        let of_files = self.present.lock().unwrap_or_else(PoisonError::into_inner).sources.contains(&labels);
        if self.asked().remove(&labels).is_some() && !of_files {
            let _ = self.age.remove_label_values(&labels);
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
