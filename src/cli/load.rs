//! `samlgate load`: from the arguments to a load, and from what came of it to a report.

use std::path::Path;

use super::Ending;
use super::load_args::{Http, LoadArguments, LoadCommand, PaceArguments, RunArguments};
use super::load_capture;
use super::load_live::Live;
use super::load_merge;
use super::load_report;
use super::load_signers::{self, Signers};
use super::terminal::{self, Terminal, Trouble};
use super::{expect, lab};
use crate::drive::{self, Driven, Job, Model, Progress, Reach, Target};
use crate::load::{FORMAT, Failure, Plan, Report, Script, Settings};

/// How long a load is where nothing is said.
const DURATION: std::time::Duration = std::time::Duration::from_secs(30);
/// Sign-ins a second where nothing is said.
const RATE: f64 = 100.0;
/// Microseconds that a request may start late, one of a hundred more.
const LATE: u64 = 10_000;

/// Makes the load, or what was asked for instead.
pub(super) fn run(arguments: &LoadArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    match &arguments.command {
        Some(LoadCommand::Schema) => {
            let text = serde_json::to_string_pretty(&Report::schema()).unwrap_or_default();
            terminal::print_all(&(text + "\n"))?;
            Ok(Ending::Well)
        }
        Some(LoadCommand::Merge(arguments)) => load_merge::run(arguments, terminal),
        Some(LoadCommand::Capture(arguments)) => load_capture::run(arguments, terminal),
        None => {
            let (model, words) = model(&arguments.pace);
            let asked = Asked {
                url: arguments.url.as_deref().unwrap_or_default(),
                model,
                words,
                requests: arguments.pace.requests,
                script: Script::Mix(arguments.pace.mix.clone()),
            };
            load(asked, &arguments.run, terminal)
        }
    }
}

/// What is sent, where to, and when.
pub(super) struct Asked<'a> {
    pub(super) url: &'a str,
    pub(super) model: Model,
    /// The model in words.
    pub(super) words: String,
    pub(super) requests: Option<u64>,
    pub(super) script: Script,
}

fn model(pace: &PaceArguments) -> (Model, String) {
    let at_most = pace.requests.map_or_else(String::new, |requests| format!(", at most {requests}"));
    let seconds = |duration: std::time::Duration| format!("for {} s", duration.as_secs_f64());
    if pace.closed {
        let duration = pace.duration.or_else(|| pace.requests.is_none().then_some(DURATION));
        let words = duration.map_or_else(|| "one after the other".to_owned(), seconds);
        return (Model::Closed(duration), words + &at_most);
    }
    if let Some((words, plan)) = &pace.stages {
        return (Model::Open(plan.clone()), words.clone() + &at_most);
    }
    let rate = pace.rate.unwrap_or(RATE);
    let duration = pace.duration.unwrap_or_else(|| match pace.requests {
        Some(requests) => {
            std::time::Duration::try_from_secs_f64(requests as f64 / rate).unwrap_or(std::time::Duration::MAX)
        }
        None => DURATION,
    });
    (Model::Open(Plan::constant(rate, duration)), format!("{rate} a second {}{at_most}", seconds(duration)))
}

/// Makes a load and says what came of it.
pub(super) fn load(asked: Asked<'_>, run: &RunArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    let target = target(asked.url, run)?;
    if run.shard.of > 1 && run.seed.is_none() {
        return Err(Trouble::new(format!(
            "--shard {} has no --seed, and each generator would make one of its own",
            run.shard
        ))
        .hint("give all generators of the load the same, as --seed 7: their reports are merged by it"));
    }
    let config = lab::load(run.config.as_deref().unwrap_or(Path::new("")))?;
    let Signers { minting, keys } = load_signers::of(&config, asked.script, run, terminal)?;
    let threads = run.threads.map(usize::from);
    let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let closed = matches!(asked.model, Model::Closed(_));
    let http2 = run.http == Http::V2;
    let connections = match run.connections {
        Some(connections) => usize::try_from(connections).unwrap_or(usize::MAX),
        None if http2 => 2,
        None if closed => 32,
        None => 256,
    };
    // a thread without a connection has nothing to do
    let threads = threads.min(connections);
    let settings = Settings {
        model: if closed { "closed" } else { "open" }.to_owned(),
        plan: asked.words,
        connections: connections as u64,
        http: if http2 { "2" } else { "1.1" }.to_owned(),
        tls: target.tls().to_owned(),
        keep_alive: !run.no_keep_alive,
        mix: match &minting.script {
            Script::Mix(mix) => mix.to_string(),
            Script::Recorded(_) => "as recorded".to_owned(),
        },
        users: format!("{} of {}", run.spread, minting.people.len()),
        keys,
        pool: run.pool as u64,
        signing_micros: 0.0,
        threads: threads as u64,
        seed: minting.seed,
        shards: vec![minting.shard.to_string()],
    };
    let shard = minting.shard;
    let asked_rate = match &asked.model {
        Model::Open(plan) => {
            let requests = asked.requests.unwrap_or(u64::MAX).min(plan.total());
            let seconds = plan.at(requests).unwrap_or_else(|| plan.duration()).as_secs_f64();
            Some(shard.part(requests) as f64 / seconds.max(0.001))
        }
        Model::Closed(_) => None,
    };
    let job = Job {
        target: target.clone(),
        minting,
        model: asked.model,
        requests: asked.requests,
        connections,
        pool: run.pool,
        threads,
        timeout: run.timeout,
        warm_up: run.warm_up,
        admin: run.admin,
    };
    let mut files = load_report::Files::create(&run.outputs, run.hdr.as_deref())?;
    let driven = {
        let mut live = Live::new(terminal, &job, files.hdr());
        let driven = drive::drive(job, |progress: &Progress<'_>| live.show(progress));
        live.end()?;
        driven.map_err(|error| Trouble::new(error.to_string()))?
    };
    let report = report(driven, target.url(), settings, asked_rate, &files);
    files.write(&report)?;
    load_report::print(&report, files.before(), terminal)?;
    ending(&report)
}

fn target(url: &str, run: &RunArguments) -> Result<Target, Trouble> {
    let reach = Reach {
        connect_to: run.connect_to.clone(),
        extra_roots: run.ca.iter().map(|file| expect::certificate(file)).collect::<Result<_, _>>()?,
        http2: run.http == Http::V2,
        keep_alive: !run.no_keep_alive,
        full_handshakes: run.full_handshakes,
    };
    let target = Target::new(url, &reach).map_err(|error| Trouble::new(error.to_string()))?;
    if target.is_microsoft() {
        return Err(Trouble::new("this is Microsoft's own sign-in, which is not there to be loaded")
            .hint("load the proxy of a test environment: --connect-to 127.0.0.1:8443 reaches it by this name"));
    }
    Ok(target)
}

fn report(
    driven: Driven,
    target: String,
    settings: Settings,
    asked_rate: Option<f64>,
    files: &load_report::Files,
) -> Report {
    let totals = driven.tally.totals();
    let mut report = Report {
        format: FORMAT,
        samlgate: env!("CARGO_PKG_VERSION").to_owned(),
        target,
        begun: driven.begun.to_string(),
        seconds: driven.took.as_secs_f64(),
        settings: Settings { signing_micros: driven.signing_micros, ..settings },
        asked_rate: asked_rate.filter(|_| !driven.interrupted),
        reached_rate: totals.sent as f64 / driven.sending.as_secs_f64().max(0.001),
        totals,
        tally: driven.tally,
        limits: Vec::new(),
        timeline: driven.timeline,
        thresholds: Vec::new(),
    };
    if driven.interrupted {
        report.limits.push("the load was told to stop before its end".to_owned());
    }
    report.find_limits(LATE);
    report.thresholds = files.hold(&report);
    report
}

/// How it ends: a false accept is the worst that a load can find, and nobody who answers is no load.
pub(super) fn ending(report: &Report) -> Result<Ending, Trouble> {
    if !report.was_answered() {
        let said = report.tally.error_texts.values().next();
        let trouble = match said {
            Some(said) => Trouble::new(format!("no sign-in was answered: {said}")),
            None => Trouble::new("no answer says what became of a sign-in"),
        };
        let errors = &report.tally.errors;
        let hint = if !errors.is_empty() && errors.keys().all(|kind| *kind == Failure::Tls.name()) {
            format!(
                "is the certificate there for the name in {}, and by an authority that is believed? --ca ca.pem believes the test CA, and \
                 --connect-to 127.0.0.1:8443 reaches the proxy by a name of its certificate, as https://login.microsoftonline.com/login.srf",
                report.target
            )
        } else {
            format!("is {} where sign-ins are posted, as https://…/login.srf?", report.target)
        };
        return Err(trouble.hint(hint));
    }
    Ok(if report.failed() { Ending::Wanting } else { Ending::Well })
}
