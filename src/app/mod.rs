//! The wiring: from a configuration to a running service, for `serve` and the tests alike.

mod compared;
mod demo;
mod descriptors;
mod files;
mod graph;
mod lab;
mod memory;
mod published;
mod reload;
mod signals;
mod visits;

pub use demo::{Addresses, Demo, DemoError, SignedIn, Told, demo};
pub use lab::lab;
pub use published::Published;
pub use visits::{metadata_at, visits};

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use files::Watch;
use jiff::Timestamp;
use memory::{CountedMemory, Shared};
use published::Kept;
use reload::{Reloading, Unchanging, setup, terms};
use signals::{Signal, Signals};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::admin;
use crate::capture::{Capture, CaptureError};
use crate::check::Memory;
use crate::config::{Config, ConfigError, FileRead};
use crate::inspect::{Effort, Judge, MessageKind};
use crate::observe::{self, Metrics, Recent, Vocabulary};
use crate::proxy::{Bounds, Inspector, Proxy, Reverse, UpstreamError};
use crate::replay::{Remembered, SharedError};
use crate::source::{self, Pace};

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
        let mut signals = Signals::new().map_err(AppError::Runtime)?;
        let mut running = start(config).await?;
        running.follow_published(path.to_owned(), LOOK, published, Pace::default(), bounds);
        while signals.next().await == Signal::Reload {
            running.reload();
        }
        tracing::info!("stopping: what is being answered has {} s to end", GRACE.as_secs());
        tokio::select! {
            () = running.stop(GRACE) => {}
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
                let memory = (effort == Effort::Verdict).then_some(&memory as &dyn Memory);
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
    let reverse_address = ready_to_serve(&config)?;
    let (reverse, reverse_address) = bind("listen.reverse", reverse_address).await?;
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
    let bounds = descriptors::within(if waits { memory::waiting(Bounds::default()) } else { Bounds::default() });
    let (settings, inspector) = terms(config, Some(reverse_address), bounds, &judging, &metrics)?;
    let (of_proxy, kept_verdicts) = (Arc::clone(&metrics), Arc::clone(&recent));
    let proxy = Proxy::new(settings, inspector, remembered, now, of_proxy, kept_verdicts, capture.clone())?;
    let proxy = Arc::new(proxy);

    proxy.leads_elsewhere().await?;
    let (admin, admin_address) = bind("listen.admin", listen.admin).await?;
    let (stop_traffic, traffic_stops) = watch::channel(false);
    let (stop_admin, admin_stops) = watch::channel(false);
    let reverse = Reverse { listener: reverse, tls: listen.tls, proxy: Arc::clone(&proxy) };
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
    let shown = admin::Shown { metrics: Arc::clone(&metrics), recent, now };
    let grace = watch::channel(GRACE);
    let running = Running {
        reverse: reverse_address,
        admin: admin_address,
        traffic: tokio::spawn(reverse.serve(traffic_stops, grace.1)),
        observers: tokio::spawn(admin::serve(admin, shown, admin_stops)),
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
    };
    running.metrics.set_ready(true);
    tracing::info!(reverse = %running.reverse, admin = %running.admin, "serving");
    Ok(running)
}

/// Whether `serve` can do all that the configuration asks; the address of the reverse listener if so.
fn ready_to_serve(config: &Config) -> Result<SocketAddr, AppError> {
    if !config.not_served.is_empty() {
        return Err(AppError::NotServed(config.not_served.clone()));
    }
    let mut missing = Vec::new();
    if config.environment.is_none() {
        missing.push("`environment`: say which test environment this is, as in environment = \"test\"");
    }
    if config.listen.reverse.is_none() {
        missing.push("`listen.reverse`: say where to listen, as in reverse = \"127.0.0.1:8443\"");
    }
    if config.listen.tls && config.certificate.is_none() {
        missing.push(
            "`tls.certificate` and `tls.key`, or `tls.ca_certificate` and `tls.ca_key`: or set `listen.tls` to false behind a balancer that terminates TLS",
        );
    }
    config.listen.reverse.filter(|_| missing.is_empty()).ok_or(AppError::Missing(missing))
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), AppError> {
    let failed = |source| AppError::Bind { key, address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// A service that runs.
pub struct Running {
    reverse: SocketAddr,
    admin: SocketAddr,
    traffic: JoinHandle<()>,
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
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("reverse", &self.reverse).field("admin", &self.admin).finish_non_exhaustive()
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
        let mut watch = Watch::new(self.files.clone());
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let follower = tokio::spawn(async move {
            loop {
                let asked = tokio::select! {
                    () = asked.notified() => true,
                    _ = ticks.tick() => false,
                };
                let (reloading, path) = (Arc::clone(&reloading), path.clone());
                // files are read where nothing waits for it
                let looked = tokio::task::spawn_blocking(move || {
                    if asked || watch.look() {
                        watch = Watch::new(reloading.reload(&path));
                    }
                    watch
                });
                let Ok(looked) = looked.await else {
                    tracing::error!("the configuration is not followed any more: reading it panicked");
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

    /// Where the reverse listener is bound.
    pub fn reverse(&self) -> SocketAddr {
        self.reverse
    }

    /// Where metrics and health are.
    pub fn admin(&self) -> SocketAddr {
        self.admin
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
        self.reloading.published().forget_graph();
        self.metrics.set_ready(false);
        self.grace.send_replace(grace);
        self.stop_traffic.send_replace(true);
        if let Err(error) = self.traffic.await {
            tracing::error!(%error, "the listener failed");
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

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Well written, and not there yet.
    #[error("{}", .0.iter().map(|key| format!("`{key}` is not served by this version")).collect::<Vec<_>>().join("\n"))]
    NotServed(Vec<&'static str>),
    /// `serve` needs more than `verify` does.
    #[error("`serve` needs more than this configuration says:\n{}", .0.iter().map(|key| format!("  {key}")).collect::<Vec<_>>().join("\n"))]
    Missing(Vec<&'static str>),
    /// An address that cannot be had.
    #[error("`{key}`: {address} cannot be listened on: {source}")]
    Bind {
        /// The key that names it.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The capture cannot be written.
    #[error("`capture.file`: {0}")]
    Capture(#[from] CaptureError),
    /// The store that proxies share cannot be used.
    #[error("`replay.store`: {0}")]
    Replay(#[from] SharedError),
    /// The upstream cannot be used.
    #[error("`upstream`: {0}")]
    Upstream(#[from] UpstreamError),
    /// The metrics cannot be made.
    #[error("the metrics cannot be made: {0}")]
    Metrics(prometheus::Error),
    /// The system refuses threads or signals.
    #[error("the runtime cannot be made: {0}")]
    Runtime(std::io::Error),
}
