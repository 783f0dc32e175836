//! What is counted for each federation. A reload may add federations; what was counted of one that is gone stays.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use jiff::SignedDuration;
use prometheus::{Error, Gauge, GaugeVec, IntCounter, IntCounterVec, Opts, Registry};

use super::family::{increment, register, series};
use crate::verdict::{CheckId, Outcome, Verdict};

/// How an unknown issuer is labelled.
const UNKNOWN: &str = "unknown";

/// `responses_total`, `checks_total` and `idp_clock_offset_seconds`.
pub(super) struct Federations {
    responses: IntCounterVec,
    checks: IntCounterVec,
    clock: GaugeVec,
    /// In the order in which they became known: a federation keeps its number.
    known: ArcSwap<Vec<Arc<Counted>>>,
    unknown: Arc<Counted>,
    adding: Mutex<()>,
}

/// The series of one federation.
struct Counted {
    domain: Arc<str>,
    accepted: IntCounter,
    rejected: IntCounter,
    checks: Vec<Vec<(Outcome, IntCounter)>>,
    /// Its series, from the first time on.
    clock: OnceLock<Gauge>,
}

impl Federations {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let family = |name: &str, help: &str, labels: &[&str]| {
            register(registry, IntCounterVec::new(Opts::new(name, help).namespace("samlgate"), labels)?)
        };
        let responses =
            family("responses_total", "Responses judged, by federation and verdict.", &["federation", "verdict"])?;
        let labels = ["federation", "check", "outcome"];
        let checks = family("checks_total", "Checks made, by federation, check and outcome.", &labels)?;
        let help = "IssueInstant of the last signed assertion that came for the first time, less the time when it was judged: the \
                    way through the browser makes a sound clock a little negative.";
        let clock = Opts::new("idp_clock_offset_seconds", help).namespace("samlgate");
        let clock = register(registry, GaugeVec::new(clock, &["federation"])?)?;
        let unknown = Arc::new(Counted::new(UNKNOWN, &responses, &checks)?);
        Ok(Self { responses, checks, clock, known: ArcSwap::default(), unknown, adding: Mutex::default() })
    }

    /// The number of a federation; all its series are there from now on.
    pub(super) fn number(&self, domain: &str) -> Result<usize, Error> {
        // what is guarded is in order at every instant
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.known.load_full();
        if let Some(number) = known.iter().position(|counted| &*counted.domain == domain) {
            return Ok(number);
        }
        let mut more = Vec::clone(&known);
        more.push(Arc::new(Counted::new(domain, &self.responses, &self.checks)?));
        self.known.store(Arc::new(more));
        Ok(known.len())
    }

    /// The domain of a federation.
    pub(super) fn domain(&self, number: Option<usize>) -> Arc<str> {
        Arc::clone(&self.of(number).domain)
    }

    /// Counts a verdict.
    pub(super) fn count(&self, number: Option<usize>, verdict: &Verdict) {
        let counted = self.of(number);
        if verdict.accepted { &counted.accepted } else { &counted.rejected }.inc();
        for check in &verdict.checks {
            if let Some(outcomes) = counted.checks.get(check.id.index()) {
                increment(outcomes, |outcome| outcome == check.outcome);
            }
        }
    }

    /// How far the clock of an identity provider is from ours. There is no series before anything is known.
    pub(super) fn clock(&self, number: Option<usize>, offset: SignedDuration) {
        if number.is_some() {
            let counted = self.of(number);
            let clock = counted.clock.get_or_init(|| self.clock.with_label_values(&[&*counted.domain]));
            clock.set(offset.as_secs_f64());
        }
    }

    /// How many were accepted and rejected, federation by federation, the unknown last.
    pub(super) fn counts(&self) -> Vec<(Arc<str>, u64, u64)> {
        let known = self.known.load();
        let all = known.iter().chain([&self.unknown]);
        all.map(|counted| (Arc::clone(&counted.domain), counted.accepted.get(), counted.rejected.get())).collect()
    }

    fn of(&self, number: Option<usize>) -> Arc<Counted> {
        let known = self.known.load();
        Arc::clone(number.and_then(|number| known.get(number)).unwrap_or(&self.unknown))
    }
}

impl Counted {
    fn new(domain: &str, responses: &IntCounterVec, checks: &IntCounterVec) -> Result<Self, Error> {
        let of_check = |id: CheckId| {
            series(&Outcome::ALL, |outcome| {
                checks.get_metric_with_label_values(&[domain, id.as_str(), outcome.as_str()])
            })
        };
        Ok(Self {
            domain: domain.into(),
            accepted: responses.get_metric_with_label_values(&[domain, "accepted"])?,
            rejected: responses.get_metric_with_label_values(&[domain, "rejected"])?,
            checks: CheckId::ALL.into_iter().map(of_check).collect::<Result<_, _>>()?,
            clock: OnceLock::new(),
        })
    }
}
