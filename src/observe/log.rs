//! The log: structured lines on standard error, for machines or for people.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

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

/// Sends the log to standard error. Where a log is installed already (by a test, by `demo`), that one stays.
///
/// Nobody waits for standard error: a thread writes to it, and what it does not take in time is lost and counted. [`super::flush`]
/// waits for the rest at the end.
///
/// Libraries speak from `warn` on alone: what they say below that may quote traffic.
pub fn install(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let filter = Targets::new().with_target("samlgate", level).with_default(level.min(LevelFilter::WARN));
    let lines = tracing_subscriber::fmt::layer().with_writer(super::stderr::writer());
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        LogFormat::Human => {
            let colours =
                std::env::var_os("NO_COLOR").is_none() && std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_ansi(colours).boxed()
        }
    };
    // an error says that somebody else's log is in place
    if tracing_subscriber::registry().with(lines.with_filter(filter)).try_init().is_ok() {
        std::panic::set_hook(Box::new(panicked));
    }
}

/// A panic says where it was, and not what it says: text that could not be cut often quotes what was being judged.
fn panicked(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    tracing::error!(location, "panic");
}
