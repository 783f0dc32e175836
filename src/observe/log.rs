//! The log: structured lines on standard error, for machines or for people, as many as are wanted at the time.

use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::json::Json;

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Only what is broken.
    Error,
    /// And what was rejected.
    Warn,
    /// And every verdict.
    #[default]
    Info,
    /// And what is not judged.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Every level.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// For whom is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// Text for people.
    Human,
}

/// A process has one log: this is how its level is changed, once it is installed.
static LEVEL: OnceLock<Handle<Targets, Registry>> = OnceLock::new();

/// Sends the log to standard error. Where a log is installed already (by a test, by `demo`), that one stays.
///
/// Nobody waits for standard error: a thread writes to it, and what it does not take in time is lost and counted. [`super::flush`]
/// waits for the rest at the end.
pub fn install(level: LogLevel, format: LogFormat) {
    let (filter, handle) = reload::Layer::new(targets(level));
    let lines = tracing_subscriber::fmt::layer().with_writer(super::stderr::writer());
    let lines = match format {
        LogFormat::Json => lines.event_format(Json).boxed(),
        LogFormat::Human => {
            let colours =
                std::env::var_os("NO_COLOR").is_none() && std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_ansi(colours).boxed()
        }
    };
    // an error says that somebody else's log is in place
    if tracing_subscriber::registry().with(lines.with_filter(filter)).try_init().is_ok() {
        std::panic::set_hook(Box::new(panicked));
        // and so was no other handle
        let _ = LEVEL.set(handle);
    }
}

/// How much is logged now; none where the log is somebody else's.
pub fn level() -> Option<LogLevel> {
    let targets = LEVEL.get()?.clone_current()?;
    LogLevel::ALL.into_iter().find(|level| targets == self::targets(*level))
}

/// Logs so much from now on; says whether that could be done.
pub fn set_level(level: LogLevel) -> bool {
    LEVEL.get().is_some_and(|handle| handle.reload(targets(level)).is_ok())
}

/// Libraries speak from `warn` on alone: what they say below that may quote traffic.
fn targets(level: LogLevel) -> Targets {
    let filter = level.filter();
    Targets::new().with_target("samlgate", filter).with_default(filter.min(LevelFilter::WARN))
}

/// A panic says where it was, and not what it says: text that could not be cut often quotes what was being judged.
fn panicked(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    tracing::error!(location, "panic");
}
