//! Every metric family, on a registry of our own: labels from closed sets, every series created at 0, handles held.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};

#[cfg(target_os = "linux")]
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, Error, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use super::family::{increment, register, series};
use super::federations::Federations;
use super::label::{Direction, Listener, Reload, Route, Source, TunnelFailure, Unjudged, UpstreamFailure};
use super::predictions::Predictions;
use super::requests::{CLASSES, InFlight, Requests, TunnelOpen};
use super::setup::Setup;
use super::signers::Signers;
use super::sources::{Failing, Sources};
use crate::answer::Actual;
use crate::verdict::{Code, Verdict};

/// 50 µs is a sound verdict, 1 s is worth a look.
const JUDGE_BUCKETS: [f64; 13] =
    [0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];

/// An answer of 1 ms is one of the neighbourhood, of 10 s one that people wait for.
const UPSTREAM_BUCKETS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// The words that only the caller knows.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// The kinds of messages.
    pub kinds: Vec<&'static str>,
}

/// The metrics of one running service.
pub struct Metrics {
    registry: Registry,
    messages: Vec<(&'static str, IntCounter)>,
    federations: Federations,
    sources: Sources,
    signers: Signers,
    setup: ArcSwap<Setup>,
    judge_accepted: Histogram,
    judge_rejected: Histogram,
    predictions: Predictions,
    requests: Requests,
    bodies_unjudged: Vec<(Unjudged, IntCounter)>,
    upstream_errors: Vec<(UpstreamFailure, IntCounter)>,
    /// One a class of the status, and one more for those that were not answered.
    upstream_durations: Vec<Histogram>,
    replay_entries: IntGauge,
    replay_full: IntCounter,
    replay_store_errors: IntCounter,
    /// Asked at every scrape: assertions end without anybody asking.
    remembered: OnceLock<Box<dyn Fn() -> usize + Send + Sync>>,
    capture_dropped: IntCounter,
    capture_raw: IntGauge,
    log_dropped: IntCounter,
    panics: IntCounter,
    ready: IntGauge,
    /// Why traffic is not welcome.
    not_ready: ArcSwap<&'static str>,
}

impl Metrics {
    /// All families with all their series, at 0.
    pub fn new(vocabulary: &Vocabulary) -> Result<Self, Error> {
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

        let judge = HistogramOpts::from(opts("judge_duration_seconds", "Time that a verdict took, by verdict."))
            .buckets(JUDGE_BUCKETS.to_vec());
        let judge = register(&registry, HistogramVec::new(judge, &["verdict"])?)?;

        let unjudged = counters(
            "bodies_unjudged_total",
            "Bodies of intercepted posts that were not judged, by reason.",
            &["reason"],
        )?;
        let upstream =
            counters("upstream_errors_total", "Requests that the upstream did not answer, by reason.", &["reason"])?;
        let durations =
            opts("upstream_duration_seconds", "Time until the upstream's answer began, by what came of it.");
        let durations = HistogramOpts::from(durations).buckets(UPSTREAM_BUCKETS.to_vec());
        let durations = register(&registry, HistogramVec::new(durations, &["outcome"])?)?;
        let outcomes = CLASSES.into_iter().chain(["error"]);
        let panics = opts("panics_total", "Panics caught while judging: each is a fault of this program.");
        let panics = register(&registry, IntCounter::with_opts(panics)?)?;
        let errors = opts("replay_store_errors_total", "Questions that the store of used assertions did not answer.");
        let full = opts("replay_full_total", "Assertions that could not be remembered, for want of room.");
        let replay_store_errors = register(&registry, IntCounter::with_opts(errors)?)?;
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
            federations: Federations::new(&registry)?,
            sources: Sources::new(&registry)?,
            signers: Signers::new(&registry)?,
            setup: ArcSwap::default(),
            judge_accepted: judge.get_metric_with_label_values(&["accepted"])?,
            judge_rejected: judge.get_metric_with_label_values(&["rejected"])?,
            predictions: Predictions::new(&registry)?,
            replay_entries: register(
                &registry,
                IntGauge::with_opts(opts("replay_entries", "Assertions that are remembered."))?,
            )?,
            replay_full: register(&registry, IntCounter::with_opts(full)?)?,
            replay_store_errors,
            remembered: OnceLock::new(),
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
            requests: Requests::new(&registry)?,
            bodies_unjudged: series(Unjudged::ALL, |reason| unjudged.get_metric_with_label_values(&[reason.as_str()]))?,
            upstream_errors: series(UpstreamFailure::ALL, |reason| {
                upstream.get_metric_with_label_values(&[reason.as_str()])
            })?,
            upstream_durations: outcomes
                .map(|outcome| durations.get_metric_with_label_values(&[outcome]))
                .collect::<Result<_, _>>()?,
            panics,
            ready,
            not_ready: ArcSwap::from_pointee("starting"),
            registry,
        })
    }

    /// Counts a post to an intercepted path.
    pub fn message(&self, kind: &str) {
        increment(&self.messages, |known| known == kind);
    }

    /// Counts a verdict; `federation` is what [`Metrics::federation`] says.
    pub fn verdict(&self, federation: Option<usize>, verdict: &Verdict, elapsed: Duration) {
        self.federations.count(federation, verdict);
        let duration = if verdict.accepted { &self.judge_accepted } else { &self.judge_rejected };
        duration.observe(elapsed.as_secs_f64());
    }

    /// The number of a federation, which it keeps. All its series are there from now on, at 0.
    ///
    /// # Errors
    /// What the library says.
    pub fn federation(&self, domain: &str) -> Result<usize, Error> {
        self.federations.number(domain)
    }

    /// How many responses were accepted and rejected, federation by federation.
    pub fn verdicts(&self) -> Vec<(Arc<str>, u64, u64)> {
        self.federations.counts()
    }

    /// Another setup is in force: what is known of certificates, users and sources is what it says.
    ///
    /// # Errors
    /// What the library says.
    pub fn set_setup(&self, setup: Setup) -> Result<(), Error> {
        self.sources.set(&setup)?;
        self.signers.set(&setup);
        self.setup.store(Arc::new(setup));
        Ok(())
    }

    /// The setup in force.
    pub fn setup(&self) -> Arc<Setup> {
        self.setup.load_full()
    }

    /// A few sums for people, each with its words.
    pub fn sums(&self) -> Vec<(&'static str, u64)> {
        fn sum<'a, W: 'a>(counters: &'a [(W, IntCounter)]) -> u64 {
            counters.iter().map(|(_, counter)| counter.get()).sum()
        }
        let mut sums = vec![
            ("posts to an intercepted path", sum(&self.messages)),
            ("bodies that were not judged", sum(&self.bodies_unjudged)),
            ("requests that the upstream did not answer", sum(&self.upstream_errors)),
            ("panics", self.panics.get()),
        ];
        sums.extend(self.sources.counts().map(|(result, count)| match result {
            Reload::Ok => ("reloads", count),
            Reload::Failed => ("reloads that failed", count),
        }));
        sums
    }

    /// Counts a reload.
    pub fn reloaded(&self, result: Reload) {
        self.sources.reloaded(result);
    }

    /// A source of a federation was asked for by URL: it is of that time, or the reason why it could not be had is known.
    pub fn source_asked(&self, domain: &str, source: Source, result: Result<Timestamp, String>) {
        self.sources.asked_for(domain, source, result);
    }

    /// A source of a federation is not asked for any more.
    pub fn source_forgotten(&self, domain: &str, source: Source) {
        self.sources.forgotten(domain, source);
    }

    /// The sources that cannot be had just now.
    pub fn failing_sources(&self) -> Vec<Failing> {
        self.sources.failing()
    }

    /// Tells how far the clock of a federation's identity provider is from ours.
    pub fn idp_clock(&self, federation: Option<usize>, offset: SignedDuration) {
        self.federations.clock(federation, offset);
    }

    /// A sign-in of a federation was verified by the certificate of that thumbprint.
    pub fn verified(&self, federation: Option<usize>, thumbprint: &str, now: Timestamp) {
        self.signers.verified(&self.domain(federation), thumbprint, now);
    }

    /// When a sign-in of a federation was last verified by that certificate.
    pub fn last_verified(&self, domain: &str, thumbprint: &str) -> Option<Timestamp> {
        self.signers.last(domain, thumbprint)
    }

    /// Whether the last reload failed: what is in force is not what the file says.
    pub fn is_stale(&self) -> bool {
        self.sources.is_stale()
    }

    /// Counts an answer to a message that was judged.
    pub fn prediction(&self, predicted: Option<Code>, actual: Actual) {
        self.predictions.count(predicted, actual);
    }

    /// Who knows, at every scrape, how many assertions are remembered. The first one stays.
    pub fn ask_replay_entries(&self, entries: impl Fn() -> usize + Send + Sync + 'static) {
        // an error says that somebody is asked already
        let _ = self.remembered.set(Box::new(entries));
    }

    /// Counts an assertion that could not be remembered.
    pub fn replay_full(&self) {
        self.replay_full.inc();
    }

    /// Counts an assertion that the shared store was not asked for.
    pub fn replay_store_error(&self) {
        self.replay_store_errors.inc();
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
    pub fn domain(&self, federation: Option<usize>) -> Arc<str> {
        self.federations.domain(federation)
    }

    /// Counts an answer.
    pub fn request(&self, listener: Listener, route: Route, status: u16) {
        self.requests.answered(listener, route, status);
    }

    /// Counts a request as being answered until the guard is dropped.
    pub fn in_flight(&self, listener: Listener) -> InFlight {
        self.requests.in_flight(listener)
    }

    /// Counts a tunnel as open until the guard is dropped.
    pub fn tunnel_opens(&self) -> TunnelOpen {
        self.requests.tunnel_opens()
    }

    /// Counts bytes that went through a tunnel.
    pub fn tunnelled(&self, direction: Direction, bytes: u64) {
        self.requests.tunnelled(direction, bytes);
    }

    /// Counts a tunnel that was not opened.
    pub fn tunnel_failed(&self, reason: TunnelFailure) {
        self.requests.tunnel_failed(reason);
    }

    /// Counts a body that was not judged.
    pub fn unjudged(&self, reason: Unjudged) {
        increment(&self.bodies_unjudged, |known| known == reason);
    }

    /// Counts a request that the upstream did not answer.
    pub fn upstream_failure(&self, reason: UpstreamFailure) {
        increment(&self.upstream_errors, |known| known == reason);
    }

    /// Tells how long the upstream took to begin an answer with this status; none if it did not.
    pub fn upstream_answered(&self, status: Option<u16>, elapsed: Duration) {
        let class = status.map_or(Some(CLASSES.len()), |status| usize::from(status / 100).checked_sub(2));
        if let Some(histogram) = class.and_then(|class| self.upstream_durations.get(class)) {
            histogram.observe(elapsed.as_secs_f64());
        }
    }

    /// Counts a panic that was caught.
    pub fn panic(&self) {
        self.panics.inc();
    }

    /// Says whether traffic is welcome: whoever was ready and is not any more is stopping.
    pub fn set_ready(&self, ready: bool) {
        self.not_ready.store(Arc::new(if ready { "" } else { "stopping" }));
        self.ready.set(i64::from(ready));
    }

    /// Why traffic is not welcome.
    pub fn not_ready(&self) -> &'static str {
        **self.not_ready.load()
    }

    /// Whether traffic is welcome.
    pub fn is_ready(&self) -> bool {
        self.ready.get() == 1
    }

    /// Everything in the text format of Prometheus.
    pub fn render(&self) -> Result<String, Error> {
        self.sources.age();
        if let Some(remembered) = self.remembered.get() {
            self.replay_entries.set(i64::try_from(remembered()).unwrap_or(i64::MAX));
        }
        // one log for the whole process, and this its counter
        self.log_dropped.inc_by(super::stderr::dropped().saturating_sub(self.log_dropped.get()));
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| Error::Msg(error.to_string()))
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("setup", &self.setup.load()).finish_non_exhaustive()
    }
}
