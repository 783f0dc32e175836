//! Reload: another configuration is put in force, or the last good one stays, and either is told.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use tokio::runtime::Handle;

use super::published::Kept;
use super::{AppError, Judging, compared, ready_to_serve};
use crate::capture;
use crate::config::{Config, ConfigError, Documents, FileRead, GraphAsked, Listen, Told, Wanted};
use crate::observe::{self, LogFormat, LogLevel, Metrics, Reload, Setup};
use crate::proxy::{self, Inspector, Mode, Ourselves, Proxy};
use crate::replay;
use crate::source::{Bounds, Pace};

/// What puts configurations in force, one after the other.
pub(super) struct Reloading {
    pub(super) judging: Judging,
    pub(super) proxy: Arc<Proxy>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) now: fn() -> Timestamp,
    pub(super) unchanging: Unchanging,
    pub(super) published: OnceLock<Kept>,
    /// One configuration is put in force at a time.
    pub(super) turn: Mutex<()>,
    /// What the file said last.
    pub(super) level: Mutex<LogLevel>,
}

/// What cannot be changed while the service runs.
pub(super) struct Unchanging {
    pub(super) listen: Listen,
    pub(super) format: LogFormat,
    pub(super) capture: Option<capture::Settings>,
    pub(super) replay: Option<replay::Settings>,
}

impl Unchanging {
    pub(super) fn of(config: &Config) -> Self {
        let (listen, format) = (config.listen.clone(), config.log.format);
        Self { listen, format, capture: config.capture.clone(), replay: config.replay.clone() }
    }

    /// The keys that a new configuration changes in vain.
    fn changed(&self, new: &Config) -> impl Iterator<Item = &'static str> {
        let listen = &self.listen;
        let keys = [
            (listen.reverse != new.listen.reverse, "listen.reverse"),
            (listen.tls != new.listen.tls, "listen.tls"),
            (listen.connect != new.listen.connect, "listen.connect"),
            (listen.admin != new.listen.admin, "listen.admin"),
            (self.format != new.log.format, "log.format"),
            (self.capture != new.capture, "capture"),
            (self.replay != new.replay, "replay"),
        ];
        keys.into_iter().filter_map(|(changed, key)| changed.then_some(key))
    }
}

impl Reloading {
    /// Reads the file again, and what it names by URL for the first time. Says which files were read, or looked for, and
    /// whether what they say is in force now.
    pub(super) fn reload(self: &Arc<Self>, path: &Path) -> (Vec<FileRead>, Result<(), ()>) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = Wanted::of(path);
        // whoever reads files here may wait
        Handle::current().block_on(self.published().attend(&wanted, self, path));
        let (files, result) = self.load(path, &self.published().documents());
        if result.is_ok() {
            self.published().rest(&wanted, &self.metrics);
            if GraphAsked::of(path).is_none() {
                self.published().forget_graph(&self.metrics);
            }
        }
        self.metrics.reloaded(if result.is_ok() { Reload::Ok } else { Reload::Failed });
        (files, result)
    }

    /// Reads the file again with another document for what it names by this URL. Says whether that is in force now.
    pub(super) fn put_document(&self, path: &Path, url: &str, bytes: Arc<[u8]>) -> bool {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let put = self.published().try_with(url, bytes, |documents| self.load(path, documents).1.is_ok());
        if put {
            self.metrics.reloaded(Reload::Ok);
        }
        put
    }

    /// Reads the file again with what Graph tells now. Says whether that is in force.
    pub(super) fn put_graph(&self, path: &Path, told: Arc<Told>) -> bool {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let put = self.published().try_graph(told, |documents| self.load(path, documents).1.is_ok());
        if put {
            self.metrics.reloaded(Reload::Ok);
        }
        put
    }

    fn load(&self, path: &Path, documents: &Documents) -> (Vec<FileRead>, Result<(), ()>) {
        match Config::load_with(path, documents) {
            Ok(config) => (config.files.clone(), self.put(config).map_err(|error| tell(&error))),
            Err(error) => {
                tell_problems(&error);
                (error.files, Err(()))
            }
        }
    }

    /// What is asked for by URL: nothing until the configuration is followed.
    pub(super) fn published(&self) -> &Kept {
        self.published.get_or_init(|| Kept::new(Documents::default(), Pace::default(), Bounds::default()))
    }

    fn put(&self, config: Config) -> Result<(), AppError> {
        ready_to_serve(&config)?;
        for note in &config.notes {
            tracing::warn!(note, "configuration");
        }
        let users = (self.proxy.knows_users() && config.users.is_none()).then_some("listen.connect_users");
        for key in self.unchanging.changed(&config).chain(users) {
            tracing::warn!(
                key,
                "cannot be changed while the service runs: the old value stays until it is started anew"
            );
        }
        compared::tell(&config, (self.now)());
        let (level, federations) = (config.log.level, config.judge.federations.len());
        let setup = setup(&config, (self.now)());
        let (settings, inspector) =
            terms(config, Ourselves::default(), proxy::Bounds::default(), &self.judging, &self.metrics)?;
        Handle::current().block_on(self.proxy.renew(settings, inspector))?;
        self.metrics.set_setup(setup).map_err(AppError::Metrics)?;
        // a level that was set by hand stays until the file says another
        let mut known = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *known, level) != level {
            observe::set_level(level);
        }
        tracing::info!(federations, "reloaded: the new configuration is in force");
        Ok(())
    }
}

/// What the proxy deals with requests by, under a configuration.
pub(super) fn terms(
    config: Config,
    ours: Ourselves,
    bounds: proxy::Bounds,
    judging: &Judging,
    metrics: &Metrics,
) -> Result<(proxy::Settings, Inspector), AppError> {
    let domains = config.judge.federations.iter().map(|known| known.domain.as_deref().unwrap_or_default());
    let numbers = domains.map(|domain| metrics.federation(domain)).collect::<Result<Vec<_>, _>>();
    let numbers = numbers.map_err(AppError::Metrics)?;
    let settings = proxy::Settings {
        mode: config.mode,
        pass_unjudged: config.pass_unjudged,
        intercept: config.intercept,
        tunnels: config.tunnels,
        users: config.users,
        upstream: config.upstream,
        ours,
        certificate: config.certificate,
        body_bytes: config.judge.limits.body_bytes,
        bounds,
    };
    let inspector = judging(config.judge);
    // the judge counts federations as its configuration does, metrics as they became known
    let numbered: Inspector = Arc::new(move |posted, now, effort| {
        let mut inspection = inspector(posted, now, effort);
        inspection.federation = inspection.federation.and_then(|index| numbers.get(index).copied());
        inspection
    });
    Ok((settings, numbered))
}

/// What an operator sees of a configuration.
pub(super) fn setup(config: &Config, since: Timestamp) -> Setup {
    Setup {
        environment: config.environment.clone().unwrap_or_default(),
        mode: match config.mode {
            Mode::Observe => "observe",
            Mode::Enforce => "enforce",
        },
        federations: compared::known(config),
        since,
    }
}

const KEPT: &str = "not reloaded: the last good configuration stays in force";

fn tell(error: &AppError) {
    tracing::error!(%error, "{KEPT}");
}

/// One line for the whole, and one for each problem.
fn tell_problems(error: &ConfigError) {
    tracing::error!(problems = error.problems.len(), "{KEPT}");
    for problem in &error.problems {
        let file = problem.file.display();
        tracing::error!(%file, line = problem.line, hint = problem.hint.as_deref(), "{}", problem.cause);
    }
}
