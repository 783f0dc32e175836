//! The arguments of `load` as written.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::lab_args;
use crate::load::{MOST, Mix, Plan, Shard, Spread, Threshold, duration_of};
use crate::mint::Shape;

/// Post fresh sign-ins, sound and with named faults, at a rate that does not wait for answers, and compare every verdict with what it
/// must be. The target is the proxy, the fake Entra, or whatever answers like them; never Microsoft's own sign-in.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(
    after_help = "Exit codes: 0 all well · 1 a threshold was missed, or a verdict was wrong · 2 trouble, or nobody answered\n\n\
                  Example: samlgate load https://login.microsoftonline.com/login.srf --connect-to 127.0.0.1:8443 --ca ca.pem \
                  --config samlgate.toml --key idp.pem --rate 200 --duration 1m --mix sound=95,expired=2,wrong_key=1,replayed=1,unknown_user=1"
)]
pub(super) struct LoadArguments {
    #[command(subcommand)]
    pub(super) command: Option<LoadCommand>,
    /// Where sign-ins are posted
    #[arg(value_name = "URL", required = true)]
    pub(super) url: Option<String>,
    #[command(flatten)]
    pub(super) pace: PaceArguments,
    #[command(flatten)]
    pub(super) run: RunArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum LoadCommand {
    /// Join the reports of several generators
    Merge(MergeArguments),
    /// Make the sign-ins of a capture anew, when they came
    Capture(Box<CaptureArguments>),
    /// Print the JSON schema of a report
    Schema,
}

/// How many there are, and when.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is sent when")]
pub(super) struct PaceArguments {
    /// Sign-ins a second, each started when it is due [default: 100]
    #[arg(long, value_name = "NUMBER", value_parser = rate, conflicts_with_all = ["stages", "closed"])]
    pub(super) rate: Option<f64>,
    /// Rates that change in straight lines, from 0 at first, as 30s:100,2m:2000,30s:0
    #[arg(long, value_name = "TIME:RATE,…", value_parser = stages, conflicts_with_all = ["duration", "closed"])]
    pub(super) stages: Option<(String, Plan)>,
    /// How long [default: 30s, where --requests does not say how many]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) duration: Option<Duration>,
    /// How many at most
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) requests: Option<u64>,
    /// Start each sign-in of a connection when the one before is through: this hides whatever makes the target wait
    #[arg(long)]
    pub(super) closed: bool,
    /// Shares of the cases: sound, replayed, and every fault of `mint --list-faults`; `all` is each one that is not named
    #[arg(long, value_name = "NAME=WEIGHT,…", default_value = "sound=1", value_parser = mix)]
    pub(super) mix: Mix,
}

/// Everything else.
#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// The configuration of the target, with the federation, its users, the mode and the policy
    #[arg(long, value_name = "FILE", required = true, help_heading = "Who signs in")]
    pub(super) config: Option<PathBuf>,
    /// Domain of the federation, where the configuration has several
    #[arg(long, value_name = "NAME", help_heading = "Who signs in")]
    pub(super) domain: Option<String>,
    /// Private key that signs, in PEM; several are used in turns
    #[arg(long, value_name = "FILE", required = true, help_heading = "Who signs in")]
    pub(super) key: Vec<PathBuf>,
    /// Certificate of that key [default: the registered one that it belongs to]
    #[arg(long, value_name = "FILE", help_heading = "Who signs in")]
    pub(super) certificate: Option<PathBuf>,
    /// Users at most
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, help_heading = "Who signs in")]
    pub(super) users: usize,
    /// How often each user signs in: uniform, zipf, or zipf:EXPONENT
    #[arg(long, value_name = "NAME", default_value = "uniform", value_parser = spread, help_heading = "Who signs in")]
    pub(super) spread: Spread,
    /// Whose responses they look like, as for `mint`
    #[arg(long, value_name = "NAME", default_value = "plain", value_parser = lab_args::shape, help_heading = "Who signs in")]
    pub(super) shape: Shape,
    /// Responses that are signed before the first is sent; signing goes on behind [default: 0, each as it is due]
    #[arg(long, value_name = "NUMBER", default_value_t = 0, help_heading = "Who signs in")]
    pub(super) pool: usize,
    /// Let IDs, users and the order of cases follow from this number [default: another one each time]
    #[arg(long, value_name = "NUMBER", help_heading = "Who signs in")]
    pub(super) seed: Option<u64>,
    /// Which of several generators this is, as 2/8, or 1+1/8 counted from 0: rates and numbers are those of all together
    #[arg(long, value_name = "NUMBER/OF", default_value = "1/1", value_parser = shard, help_heading = "Who signs in")]
    pub(super) shard: Shard,
    /// Connections at most [default: 32 with --closed, else 256]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=60_000), help_heading = "How it is reached")]
    pub(super) connections: Option<u32>,
    /// HTTP/1.1 or 2
    #[arg(long, value_enum, default_value_t = Http::V1, help_heading = "How it is reached")]
    pub(super) http: Http,
    /// Connect there, in the name of the URL
    #[arg(long, value_name = "HOST:PORT", help_heading = "How it is reached")]
    pub(super) connect_to: Option<String>,
    /// Certificate of an authority that is believed besides those of this machine; repeatable
    #[arg(long, value_name = "FILE", help_heading = "How it is reached")]
    pub(super) ca: Vec<PathBuf>,
    /// Take up no TLS session again
    #[arg(long, help_heading = "How it is reached")]
    pub(super) full_handshakes: bool,
    /// A connection for each sign-in
    #[arg(long, help_heading = "How it is reached")]
    pub(super) no_keep_alive: bool,
    /// For one answer
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration, help_heading = "How it is reached")]
    pub(super) timeout: Duration,
    /// Threads that send [default: one a core]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "How it is reached")]
    pub(super) threads: Option<u16>,
    /// Leave out the times of the first sign-ins; their verdicts count
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration, help_heading = "What is said of it")]
    pub(super) warm_up: Duration,
    /// Serve metrics for Prometheus while it runs; port 0 is a free one
    #[arg(long, value_name = "ADDRESS", help_heading = "What is said of it")]
    pub(super) admin: Option<SocketAddr>,
    /// Write the latencies of each second as a log of HdrHistogram
    #[arg(long, value_name = "FILE", help_heading = "What is said of it")]
    pub(super) hdr: Option<PathBuf>,
    #[command(flatten)]
    pub(super) outputs: OutputArguments,
}

/// What is said of a load.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is said of it")]
pub(super) struct OutputArguments {
    /// Fail for this, as p99>50ms, rate<950, error_rate>1% or false_rejects>5, or beside the baseline, as p99>baseline*1.2 or
    /// rate<baseline*0.9; repeatable. False accepts always fail; all that is not as expected otherwise does unless it is named
    #[arg(long, value_name = "MEASURE", value_parser = threshold)]
    pub(super) fail_if: Vec<Threshold>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write the report as one page with drawings
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Compare with the JSON report of a load before
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
}

/// Join the reports of several generators of one load: numbers are added, histograms joined, nothing is averaged.
#[derive(Debug, Args)]
#[command(after_help = "Example: samlgate load merge --html load.html shard-1.json shard-2.json")]
pub(super) struct MergeArguments {
    /// Reports of `load --json`
    #[arg(value_name = "FILE", required = true)]
    pub(super) reports: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) outputs: OutputArguments,
}

/// Make the sign-ins of a capture anew: which case came when, and nothing of what was in it.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: samlgate load capture verdicts.jsonl --to https://login.microsoftonline.com/login.srf --connect-to 127.0.0.1:8443 \
                  --ca ca.pem --config samlgate.toml --key idp.pem"
)]
pub(super) struct CaptureArguments {
    /// Files that `serve` wrote for [capture]
    #[arg(value_name = "FILE", required = true)]
    pub(super) captures: Vec<PathBuf>,
    /// Where sign-ins are posted
    #[arg(long, value_name = "URL")]
    pub(super) to: String,
    /// Times as fast as it was recorded
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = speed)]
    pub(super) speed: f64,
    #[command(flatten)]
    pub(super) run: RunArguments,
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Http {
    /// HTTP/1.1
    #[value(name = "1.1", alias = "1")]
    V1,
    /// HTTP/2
    #[value(name = "2")]
    V2,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| *rate > 0.0 && *rate <= MOST);
    rate.ok_or_else(|| "expected sign-ins a second, as 200 or 0.5".to_owned())
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (0.001..=1000.0).contains(speed));
    speed.ok_or_else(|| "expected a factor from 0.001 to 1000".to_owned())
}

fn stages(text: &str) -> Result<(String, Plan), String> {
    Plan::stages(text).map(|plan| (text.to_owned(), plan)).map_err(|error| error.to_string())
}

fn duration(text: &str) -> Result<Duration, String> {
    duration_of(text).ok_or_else(|| "expected a time, as 30s, 2m or 1h30m".to_owned())
}

fn mix(text: &str) -> Result<Mix, String> {
    Mix::parse(text).map_err(|error| error.to_string())
}

fn spread(text: &str) -> Result<Spread, String> {
    Spread::parse(text).map_err(str::to_owned)
}

fn shard(text: &str) -> Result<Shard, String> {
    Shard::parse(text).map_err(str::to_owned)
}

fn threshold(text: &str) -> Result<Threshold, String> {
    Threshold::parse(text).map_err(|error| error.to_string())
}
