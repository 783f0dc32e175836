//! The wiring: from a configuration to a running service, for `serve` and the tests alike.

mod compared;
mod demo;
mod descriptors;
mod error;
mod files;
mod graph;
mod lab;
mod listeners;
mod memory;
mod published;
mod reload;
mod signals;
mod supervisor;
mod visits;

pub use demo::{Addresses, Demo, DemoError, SignedIn, Told, Visit, demo};
pub use error::AppError;
pub use lab::lab;
pub use listeners::Bound;
pub use published::Published;
pub use visits::{metadata_at, visits};

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use files::Watch;
use jiff::Timestamp;
use listeners::Listeners;
use memory::{CountedMemory, Shared};
use published::Kept;
use reload::{Reloading, Unchanging, setup, terms};
use signals::{Signal, Signals};
use supervisor::Supervisor;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use crate::admin;
use crate::capture::Capture;
use crate::check::Memory;
use crate::config::{Config, FileRead, Listen};
use crate::inspect::{Effort, Judge, MessageKind};
use crate::observe::{self, Metrics, Recent, Vocabulary};
use crate::proxy::{Bounds, Connect, Inspector, Proxy, Reverse};
use crate::replay::Remembered;
use crate::source::{self, Pace};
use crate::trace;
use crate::trust;

/// What is being answered when a signal comes has so long to end.
const GRACE: Duration = Duration::from_secs(10);

/// How often the files of the configuration are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// For the log to be read to its end, and for what comes last of a drain however long the rest took.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// From what a configuration says to what judges by it.
type Judging = Box<dyn Fn(Judge) -> Inspector + Send + Sync>;

/// Serves until SIGTERM or SIGINT; blocks, on a runtime of its own. SIGHUP, and a change of the file at `path`, of one that it
/// names, or of what it names by URL, puts the configuration in force that is there then.
///
/// # Errors
/// What keeps it from starting.
pub fn serve(path: &Path) -> Result<(), AppError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(AppError::Runtime)?;
    let served = runtime.block_on(async {
        let bounds = source::Bounds::default();
        let published = Published::without_users(path, bounds).await;
        let config = Config::load_with(path, published.documents())?;
        observe::install(config.log.level, config.log.format);
        let traces = trace::begin(|| trust::client(&[]).or_else(|_| trust::nobody()));
        let mut signals = Signals::new().map_err(AppError::Runtime)?;
        let supervisor = Supervisor::of_environment();
        let mut running = start(config).await?;
        running.supervisor = supervisor.clone();
        running.follow_published(path.to_owned(), LOOK, published, Pace::default(), bounds);
        supervisor.ready(&in_force(&running.metrics)).await;
        supervisor.keep_alive();
        while signals.next().await == Signal::Reload {
            running.reload();
        }
        let stopping = format!("stopping: what is being answered has {} s to end", GRACE.as_secs());
        tracing::info!("{stopping}");
        supervisor.stopping(&stopping).await;
        let deadline = Instant::now() + GRACE;
        let stopped = async {
            running.stop(GRACE).await;
            if let Some(traces) = traces {
                traces.flush(deadline.saturating_duration_since(Instant::now()).max(LAST_WORDS)).await;
            }
        };
        tokio::select! {
            () = stopped => {}
            () = signals.stop() => tracing::warn!("stopping at once: a second signal came"),
        }
        Ok(())
    });
    // whoever still judges after the grace does not hold up the end
    runtime.shutdown_background();
    observe::flush(LAST_WORDS);
    served
}

/// Starts to serve in the runtime of the caller, who gets the addresses and the way to stop.
///
/// # Errors
/// What keeps it from starting.
pub async fn start(config: Config) -> Result<Running, AppError> {
    start_at(config, Timestamp::now).await
}

/// [`start`] with a clock of the caller's.
///
/// # Errors
/// What keeps it from starting.
pub async fn start_at(config: Config, now: fn() -> Timestamp) -> Result<Running, AppError> {
    let judging = |memory: CountedMemory| -> Judging {
        Box::new(move |judge: Judge| {
            let memory = memory.clone();
            Arc::new(move |posted, now, effort| {
                // a second look at a message asks for nothing that the first one has changed
                let memory = (effort != Effort::Diagnose).then_some(&memory as &dyn Memory);
                judge.inspect_with(posted, now, effort, memory)
            })
        })
    };
    start_all(config, judging, now).await
}

/// [`start`] with a judge and a clock of the caller's.
///
/// # Errors
/// What keeps it from starting.
pub async fn start_with(config: Config, inspector: Inspector, now: fn() -> Timestamp) -> Result<Running, AppError> {
    start_all(config, |_| Box::new(move |_| Arc::clone(&inspector)), now).await
}

async fn start_all(
    config: Config,
    judging: impl FnOnce(CountedMemory) -> Judging,
    now: fn() -> Timestamp,
) -> Result<Running, AppError> {
    ready_to_serve(&config)?;
    let listeners = Listeners::bind(&config.listen).await?;
    for note in &config.notes {
        tracing::warn!(note, "configuration");
    }
    compared::tell(&config, now());
    let kinds = MessageKind::ALL.map(MessageKind::as_str).to_vec();
    let metrics = Arc::new(Metrics::new(&Vocabulary { kinds }).map_err(AppError::Metrics)?);
    metrics.set_setup(setup(&config, now())).map_err(AppError::Metrics)?;

    let (remembered, recent) = (Arc::new(Remembered::default()), Arc::new(Recent::default()));
    let of_replay = Arc::clone(&remembered);
    metrics.ask_replay_entries(move || of_replay.assertions.entries(now()));
    let shared = config.replay.as_ref().map(Shared::new).transpose()?.map(Arc::new);
    let waits = shared.is_some();
    let memory = CountedMemory { remembered: Arc::clone(&remembered), shared, metrics: Arc::clone(&metrics) };
    let judging = judging(memory);

    let capture = match &config.capture {
        Some(settings) => {
            metrics.set_capture_raw(settings.raw);
            let metrics = Arc::clone(&metrics);
            Some(Arc::new(Capture::open(settings, move |lines| metrics.capture_dropped(lines))?))
        }
        None => None,
    };
    let unchanging = Unchanging::of(&config);
    let (listen, level, files) = (config.listen.clone(), config.log.level, config.files.clone());
    let usual = if waits { memory::waiting(Bounds::default()) } else { Bounds::default() };
    let bounds = if listen.connect.is_some() { usual } else { descriptors::without_tunnels(usual) };
    let (settings, inspector) = terms(config, listeners.ours(), descriptors::within(bounds), &judging, &metrics)?;
    let (of_proxy, kept_verdicts) = (Arc::clone(&metrics), Arc::clone(&recent));
    let proxy = Proxy::new(settings, inspector, remembered, now, of_proxy, kept_verdicts, capture.clone())?;
    let proxy = Arc::new(proxy);

    proxy.leads_elsewhere().await?;
    let (stop_traffic, traffic_stops) = watch::channel(false);
    let (stop_admin, admin_stops) = watch::channel(false);
    let addresses = listeners.addresses;
    let reloading = Reloading {
        judging,
        proxy: Arc::clone(&proxy),
        metrics: Arc::clone(&metrics),
        now,
        unchanging,
        published: OnceLock::new(),
        turn: Mutex::default(),
        level: Mutex::new(level),
    };
    let targets = Arc::clone(&proxy);
    let explicit =
        addresses.connect.map(|address| admin::Explicit { address, targets: Arc::new(move || targets.targets()) });
    let shown = admin::Shown { metrics: Arc::clone(&metrics), recent, now, explicit };
    let grace = watch::channel(GRACE);
    let mut traffic = JoinSet::new();
    if let Some(listener) = listeners.reverse {
        let reverse = Reverse { listener, tls: listen.tls, proxy: Arc::clone(&proxy) };
        traffic.spawn(reverse.serve(traffic_stops.clone(), grace.1.clone()));
    }
    if let Some(listener) = listeners.connect {
        traffic.spawn(Connect { listener, proxy: Arc::clone(&proxy) }.serve(traffic_stops, grace.1));
    }
    let running = Running {
        addresses,
        traffic,
        observers: tokio::spawn(admin::serve(listeners.admin, shown, admin_stops)),
        grace: grace.0,
        stop_traffic,
        stop_admin,
        proxy,
        capture,
        metrics,
        reloading: Arc::new(reloading),
        files,
        asked: Arc::new(Notify::new()),
        follower: None,
        supervisor: Supervisor::default(),
    };
    running.metrics.set_ready(true);
    let Bound { reverse, connect, admin } = addresses;
    let [reverse, connect] = [reverse, connect].map(|address| address.map(tracing::field::display));
    tracing::info!(reverse, connect, %admin, "serving");
    Ok(running)
}

/// What is in force, in one line for people.
fn in_force(metrics: &Metrics) -> String {
    let setup = metrics.setup();
    format!("mode {}, federations: {}", setup.mode, setup.federations.len())
}

/// Whether `serve` can do all that the configuration asks.
fn ready_to_serve(config: &Config) -> Result<(), AppError> {
    let mut missing = Vec::new();
    let Listen { reverse, connect, tls, .. } = config.listen;
    if config.environment.is_none() {
        missing.push("`environment`: say which test environment this is, as in environment = \"test\"");
    }
    if reverse.is_none() && connect.is_none() {
        missing.push(
            "`listen.reverse` or `listen.connect`: say where to listen, as in reverse = \"127.0.0.1:8443\", or as an explicit proxy",
        );
    }
    if config.certificate.is_none() && connect.is_some() {
        missing.push(
            "`tls.ca_certificate` and `tls.ca_key`, or `tls.certificate` and `tls.key`: the explicit proxy speaks TLS",
        );
    } else if config.certificate.is_none() && tls {
        missing.push(
            "`tls.certificate` and `tls.key`, or `tls.ca_certificate` and `tls.ca_key`: or set `listen.tls` to false behind a balancer that terminates TLS",
        );
    }
    if missing.is_empty() { Ok(()) } else { Err(AppError::Missing(missing)) }
}

/// A service that runs.
pub struct Running {
    addresses: Bound,
    traffic: JoinSet<()>,
    observers: JoinHandle<()>,
    grace: watch::Sender<Duration>,
    stop_traffic: watch::Sender<bool>,
    stop_admin: watch::Sender<bool>,
    proxy: Arc<Proxy>,
    capture: Option<Arc<Capture>>,
    metrics: Arc<Metrics>,
    reloading: Arc<Reloading>,
    /// What the configuration was read from.
    files: Vec<FileRead>,
    asked: Arc<Notify>,
    follower: Option<JoinHandle<()>>,
    supervisor: Supervisor,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Running {
    /// [`follow`](Self::follow) with what was had for that configuration by URL, which is asked for again at this pace.
    pub fn follow_published(
        &mut self,
        path: PathBuf,
        every: Duration,
        published: Published,
        pace: Pace,
        bounds: source::Bounds,
    ) {
        // once: whoever follows anew goes on as before
        if self.reloading.published.set(Kept::new(published.documents().clone(), pace, bounds)).is_ok() {
            self.reloading.published().ask(published, &self.reloading, &path);
        }
        self.follow(path, every);
    }

    /// Reads the configuration at `path` again when asked to, and when one of its files has changed; looks for that so often.
    pub fn follow(&mut self, path: PathBuf, every: Duration) {
        let (reloading, asked) = (Arc::clone(&self.reloading), Arc::clone(&self.asked));
        let supervisor = self.supervisor.clone();
        let mut watch = Watch::new(self.files.clone());
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let follower = tokio::spawn(async move {
            loop {
                let asked = tokio::select! {
                    () = asked.notified() => true,
                    _ = ticks.tick() => false,
                };
                let (reloads, path, told) = (Arc::clone(&reloading), path.clone(), supervisor.clone());
                // files are read where nothing waits for it
                let looked = tokio::task::spawn_blocking(move || {
                    if asked || watch.look() {
                        let runtime = Handle::current();
                        runtime.block_on(told.reloading());
                        let (files, result) = reloads.reload(&path);
                        watch = Watch::new(files);
                        let kept =
                            if result.is_ok() { "" } else { "the last reload failed, see the log; still in force: " };
                        runtime.block_on(told.ready(&format!("{kept}{}", in_force(&reloads.metrics))));
                    }
                    watch
                });
                let Ok(looked) = looked.await else {
                    let broken = "the configuration is not followed any more: reading it panicked";
                    tracing::error!("{broken}");
                    supervisor.ready(broken).await;
                    return;
                };
                watch = looked;
            }
        });
        if let Some(before) = self.follower.replace(follower) {
            before.abort();
        }
    }

    /// Asks for a reload by whoever follows the configuration.
    pub fn reload(&self) {
        self.asked.notify_one();
    }

    /// Where the listeners are bound.
    pub fn addresses(&self) -> Bound {
        self.addresses
    }

    /// The metrics of this service.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Takes no more connections, lets what is being answered end within `grace`, then judges what was taken in. Metrics can be
    /// read until the end.
    pub async fn stop(mut self, grace: Duration) {
        let deadline = Instant::now() + grace;
        if let Some(follower) = self.follower.take() {
            follower.abort();
        }
        self.reloading.published().rest(&[], &self.metrics);
        self.reloading.published().forget_graph(&self.metrics);
        self.metrics.set_ready(false);
        self.grace.send_replace(grace);
        self.stop_traffic.send_replace(true);
        while let Some(ended) = self.traffic.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a listener failed");
            }
        }
        // one grace for all of it; yet what is judged gets its moment to be written, however long the connections took
        let left = || deadline.saturating_duration_since(Instant::now()).max(LAST_WORDS);
        if tokio::time::timeout(left(), self.proxy.drained()).await.is_err() {
            tracing::warn!("some messages were not judged in time");
        }
        if let Some(capture) = &self.capture {
            capture.close(left()).await;
        }
        self.stop_admin.send_replace(true);
        if let Err(error) = self.observers.await {
            tracing::error!(%error, "the admin listener failed");
        }
    }
}
