//! Every metric family, on a registry of our own: labels from closed sets, every series created at 0, handles held.

use std::time::Duration;

use prometheus::core::Collector;
#[cfg(target_os = "linux")]
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, Error, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use super::label::{Listener, Route, Unjudged, UpstreamFailure};
use super::predictions::Predictions;
use crate::answer::Actual;
use crate::verdict::{CheckId, Code, Outcome, Verdict};

/// The first digit of a status, from 2.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];
/// 50 µs is a sound verdict, 1 s is worth a look.
const JUDGE_BUCKETS: [f64; 13] =
    [0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];

/// The words that only the caller knows.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// The domains of the federations, in their order.
    pub domains: Vec<String>,
    /// The kinds of messages.
    pub kinds: Vec<&'static str>,
}

/// The metrics of one running service.
pub struct Metrics {
    registry: Registry,
    domains: Vec<String>,
    messages: Vec<(&'static str, IntCounter)>,
    /// One a federation, and one more for an unknown issuer.
    federations: Vec<PerFederation>,
    judge_accepted: Histogram,
    judge_rejected: Histogram,
    predictions: Predictions,
    requests: Vec<(Listener, Route, Vec<IntCounter>)>,
    in_flight: Vec<(Listener, IntGauge)>,
    bodies_unjudged: Vec<(Unjudged, IntCounter)>,
    upstream_errors: Vec<(UpstreamFailure, IntCounter)>,
    replay_entries: IntGauge,
    replay_full: IntCounter,
    capture_dropped: IntCounter,
    capture_raw: IntGauge,
    log_dropped: IntCounter,
    panics: IntCounter,
    ready: IntGauge,
}

struct PerFederation {
    accepted: IntCounter,
    rejected: IntCounter,
    checks: Vec<Vec<(Outcome, IntCounter)>>,
}

impl Metrics {
    /// All families with all their series, at 0.
    pub fn new(vocabulary: Vocabulary) -> Result<Self, Error> {
        let registry = Registry::new();
        let opts = |name: &str, help: &str| Opts::new(name, help).namespace("samlgate");
        let counters = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, IntCounterVec::new(opts(name, help), labels)?)
        };
        let gauges =
            |name: &str, help: &str, labels: &[&str]| register(&registry, IntGaugeVec::new(opts(name, help), labels)?);

        let messages =
            counters("messages_total", "Posts to an intercepted path, by what kind of message they were.", &["kind"])?;
        let messages = series(&vocabulary.kinds, |kind| messages.get_metric_with_label_values(&[kind]))?;

        let responses =
            counters("responses_total", "Responses judged, by federation and verdict.", &["federation", "verdict"])?;
        let checks = counters(
            "checks_total",
            "Checks made, by federation, check and outcome.",
            &["federation", "check", "outcome"],
        )?;
        let mut federations = Vec::with_capacity(vocabulary.domains.len() + 1);
        for domain in vocabulary.domains.iter().map(String::as_str).chain(["unknown"]) {
            let of_check = |id: CheckId| {
                series(&Outcome::ALL, |outcome| {
                    checks.get_metric_with_label_values(&[domain, id.as_str(), outcome.as_str()])
                })
            };
            federations.push(PerFederation {
                accepted: responses.get_metric_with_label_values(&[domain, "accepted"])?,
                rejected: responses.get_metric_with_label_values(&[domain, "rejected"])?,
                checks: CheckId::ALL.into_iter().map(of_check).collect::<Result<_, _>>()?,
            });
        }

        let judge = HistogramOpts::from(opts("judge_duration_seconds", "Time that a verdict took, by verdict."))
            .buckets(JUDGE_BUCKETS.to_vec());
        let judge = register(&registry, HistogramVec::new(judge, &["verdict"])?)?;

        let requests = counters(
            "requests_total",
            "Requests answered, by listener, route and class of the status.",
            &["listener", "route", "status_class"],
        )?;
        let routes = [
            (Listener::Reverse, Route::Inspect),
            (Listener::Reverse, Route::Pass),
            (Listener::Reverse, Route::Refuse),
            (Listener::Admin, Route::Admin),
        ];
        let requests = routes.into_iter().map(|(listener, route)| {
            let of_class =
                |class: &str| requests.get_metric_with_label_values(&[listener.as_str(), route.as_str(), class]);
            Ok((listener, route, CLASSES.into_iter().map(of_class).collect::<Result<_, _>>()?))
        });
        let requests = requests.collect::<Result<_, Error>>()?;

        let in_flight = gauges("requests_in_flight", "Requests being answered, by listener.", &["listener"])?;
        let unjudged = counters(
            "bodies_unjudged_total",
            "Bodies of intercepted posts that were not judged, by reason.",
            &["reason"],
        )?;
        let upstream =
            counters("upstream_errors_total", "Requests that the upstream did not answer, by reason.", &["reason"])?;
        let panics = opts("panics_total", "Panics caught while judging: each is a fault of this program.");
        let panics = register(&registry, IntCounter::with_opts(panics)?)?;
        let ready =
            register(&registry, IntGauge::with_opts(opts("ready", "1 when configured, bound and not draining."))?)?;
        let build = gauges("build_info", "1, with what was built.", &["version", "revision"])?;
        build
            .get_metric_with_label_values(&[
                env!("CARGO_PKG_VERSION"),
                option_env!("SAMLGATE_REVISION").unwrap_or("unknown"),
            ])?
            .set(1);
        #[cfg(target_os = "linux")]
        registry.register(Box::new(ProcessCollector::for_self()))?;

        Ok(Self {
            messages,
            federations,
            judge_accepted: judge.get_metric_with_label_values(&["accepted"])?,
            judge_rejected: judge.get_metric_with_label_values(&["rejected"])?,
            predictions: Predictions::new(&registry)?,
            replay_entries: register(
                &registry,
                IntGauge::with_opts(opts("replay_entries", "Assertions that are remembered."))?,
            )?,
            replay_full: register(
                &registry,
                IntCounter::with_opts(opts(
                    "replay_full_total",
                    "Assertions that could not be remembered, for want of room.",
                ))?,
            )?,
            capture_dropped: register(
                &registry,
                IntCounter::with_opts(opts(
                    "capture_dropped_total",
                    "Lines of the capture that were lost, for want of room or of a disk that takes them.",
                ))?,
            )?,
            capture_raw: register(
                &registry,
                IntGauge::with_opts(opts("capture_raw", "1 when the capture keeps whole bodies."))?,
            )?,
            log_dropped: register(
                &registry,
                IntCounter::with_opts(opts(
                    "log_dropped_total",
                    "Lines of the log that were lost, because nobody took those before.",
                ))?,
            )?,
            requests,
            in_flight: series(Listener::ALL, |listener| in_flight.get_metric_with_label_values(&[listener.as_str()]))?,
            bodies_unjudged: series(Unjudged::ALL, |reason| unjudged.get_metric_with_label_values(&[reason.as_str()]))?,
            upstream_errors: series(UpstreamFailure::ALL, |reason| {
                upstream.get_metric_with_label_values(&[reason.as_str()])
            })?,
            panics,
            ready,
            domains: vocabulary.domains,
            registry,
        })
    }

    /// Counts a post to an intercepted path.
    pub fn message(&self, kind: &str) {
        increment(&self.messages, |known| known == kind);
    }

    /// Counts a verdict; `federation` is an index into the domains.
    pub fn verdict(&self, federation: Option<usize>, verdict: &Verdict, elapsed: Duration) {
        let of_federation = federation.filter(|index| *index < self.domains.len());
        let Some(counters) = self.federations.get(of_federation.unwrap_or(self.domains.len())) else { return };
        let (responses, duration) = if verdict.accepted {
            (&counters.accepted, &self.judge_accepted)
        } else {
            (&counters.rejected, &self.judge_rejected)
        };
        responses.inc();
        duration.observe(elapsed.as_secs_f64());
        for check in &verdict.checks {
            if let Some(outcomes) = counters.checks.get(check.id.index()) {
                increment(outcomes, |outcome| outcome == check.outcome);
            }
        }
    }

    /// Counts an answer to a message that was judged.
    pub fn prediction(&self, predicted: Option<Code>, actual: Actual) {
        self.predictions.count(predicted, actual);
    }

    /// Tells how many assertions are remembered.
    pub fn set_replay_entries(&self, entries: usize) {
        self.replay_entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    /// Counts an assertion that could not be remembered.
    pub fn replay_full(&self) {
        self.replay_full.inc();
    }

    /// Counts lines of the capture that are lost.
    pub fn capture_dropped(&self, lines: u64) {
        self.capture_dropped.inc_by(lines);
    }

    /// Says whether the capture keeps whole bodies.
    pub fn set_capture_raw(&self, raw: bool) {
        self.capture_raw.set(i64::from(raw));
    }

    /// The domain that names a federation in logs and labels.
    pub fn domain(&self, federation: Option<usize>) -> &str {
        federation.and_then(|index| self.domains.get(index)).map_or("unknown", String::as_str)
    }

    /// Counts an answer.
    pub fn request(&self, listener: Listener, route: Route, status: u16) {
        let family = self.requests.iter().find(|(l, r, _)| (*l, *r) == (listener, route));
        let class = usize::from(status / 100).checked_sub(2);
        if let Some(counter) = family.zip(class).and_then(|((_, _, classes), class)| classes.get(class)) {
            counter.inc();
        }
    }

    /// Counts a request as being answered until the guard is dropped.
    pub fn in_flight(&self, listener: Listener) -> InFlight {
        let gauge = self.in_flight.iter().find(|(known, _)| *known == listener).map(|(_, gauge)| gauge.clone());
        gauge.iter().for_each(IntGauge::inc);
        InFlight(gauge)
    }

    /// Counts a body that was not judged.
    pub fn unjudged(&self, reason: Unjudged) {
        increment(&self.bodies_unjudged, |known| known == reason);
    }

    /// Counts a request that the upstream did not answer.
    pub fn upstream_failure(&self, reason: UpstreamFailure) {
        increment(&self.upstream_errors, |known| known == reason);
    }

    /// Counts a panic that was caught.
    pub fn panic(&self) {
        self.panics.inc();
    }

    /// Says whether traffic is welcome.
    pub fn set_ready(&self, ready: bool) {
        self.ready.set(i64::from(ready));
    }

    /// Whether traffic is welcome.
    pub fn is_ready(&self) -> bool {
        self.ready.get() == 1
    }

    /// Everything in the text format of Prometheus.
    pub fn render(&self) -> Result<String, Error> {
        // one log for the whole process, and this its counter
        self.log_dropped.inc_by(super::stderr::dropped().saturating_sub(self.log_dropped.get()));
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| Error::Msg(error.to_string()))
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("domains", &self.domains).finish_non_exhaustive()
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub struct InFlight(Option<IntGauge>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.iter().for_each(IntGauge::dec);
    }
}

/// Adds a family to the registry and hands it back.
fn register<C: Collector + Clone + 'static>(registry: &Registry, family: C) -> Result<C, Error> {
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

/// One series for every word: made here, at 0, so that the first failure is an increase.
fn series<W: Copy, S>(words: &[W], make: impl Fn(W) -> Result<S, Error>) -> Result<Vec<(W, S)>, Error> {
    words.iter().map(|word| Ok((*word, make(*word)?))).collect()
}

fn increment<W: Copy>(counters: &[(W, IntCounter)], is_it: impl Fn(W) -> bool) {
    if let Some((_, counter)) = counters.iter().find(|(word, _)| is_it(*word)) {
        counter.inc();
    }
}
