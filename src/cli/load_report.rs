//! The report of a load for people, the files that it is written to, and what it is held against.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::load_args::OutputArguments;
use super::load_merge;
use super::terminal::{self, Paint, Terminal, Tone, Trouble};
use crate::load::{Counts, Held, Latencies, Report, Threshold, Totals, page};

/// The files that were asked for, all of which can be written, and the report of a load before.
pub(super) struct Files {
    json: Option<PathBuf>,
    html: Option<PathBuf>,
    hdr: Option<File>,
    before: Option<Report>,
    thresholds: Vec<Threshold>,
}

impl Files {
    /// Makes the files, so that nobody learns after an hour that one cannot be written.
    pub(super) fn create(outputs: &OutputArguments, hdr: Option<&Path>) -> Result<Self, Trouble> {
        let thresholds = Threshold::all(outputs.fail_if.clone());
        if let (Some(text), None) = (Threshold::beside_baseline(&thresholds), &outputs.baseline) {
            return Err(Trouble::new(format!("--fail-if '{text}' compares with a load before, and none is given"))
                .hint("give the report that `load --json` wrote then, by --baseline FILE"));
        }
        let before = outputs.baseline.as_deref().map(load_merge::read).transpose()?;
        let create = |file: &Path| File::create(file).map_err(|error| cannot(file, &error));
        for file in [&outputs.json, &outputs.html].into_iter().flatten() {
            create(file)?;
        }
        let hdr = hdr.map(create).transpose()?;
        Ok(Self { json: outputs.json.clone(), html: outputs.html.clone(), hdr, before, thresholds })
    }

    /// The log of latencies, ready to be written.
    pub(super) fn hdr(&mut self) -> Option<File> {
        self.hdr.take()
    }

    /// The report of the load before.
    pub(super) fn before(&self) -> Option<&Report> {
        self.before.as_ref()
    }

    /// Holds a report to everything that was asked of it.
    pub(super) fn hold(&self, report: &Report) -> Vec<Held> {
        self.thresholds.iter().map(|threshold| threshold.hold(report, self.before())).collect()
    }

    /// Writes the report.
    pub(super) fn write(&self, report: &Report) -> Result<(), Trouble> {
        let write = |file: &Path, text: String| std::fs::write(file, text).map_err(|error| cannot(file, &error));
        if let Some(file) = &self.json {
            write(file, serde_json::to_string_pretty(report).unwrap_or_default() + "\n")?;
        }
        if let Some(file) = &self.html {
            write(file, page(report, self.before()))?;
        }
        Ok(())
    }
}

fn cannot(file: &Path, error: &std::io::Error) -> Trouble {
    Trouble::new(format!("{} cannot be written: {error}", file.display()))
}

/// Prints the report, beside the one before.
pub(super) fn print(report: &Report, before: Option<&Report>, terminal: &Terminal) -> Result<(), Trouble> {
    let mut text = text(report, terminal.paint);
    if let Some(before) = before {
        text.push_str(&load_merge::changes(before, report, terminal.paint));
    }
    terminal::print_all(&text).map(|_| ())
}

fn text(report: &Report, paint: Paint) -> String {
    let parts = [verdicts, cases, rates, times, errors, thresholds];
    parts.map(|part| part(report, paint)).concat()
}

/// What was judged wrongly comes first.
fn verdicts(report: &Report, paint: Paint) -> String {
    let Totals { sent, as_expected, false_accepts, false_rejects, wrong_codes, unclear, errors } = report.totals;
    let count = |count: u64, name: &str, bad: Tone| {
        let tone = if count == 0 { Tone::Good } else { bad };
        paint.paint(tone, &format!("{count} {name}"))
    };
    let mut out = format!(
        "{}, {}\n{sent} sign-ins: {as_expected} as expected, {}, {}, {}\n",
        count(false_accepts, "false accepts", Tone::Bad),
        count(false_rejects, "false rejects", Tone::Bad),
        count(wrong_codes, "by another code", Tone::Doubtful),
        count(unclear, "unclear", Tone::Doubtful),
        count(errors, "errors", Tone::Bad),
    );
    for one in &report.tally.differing {
        let id = one.request_id.as_ref().map_or_else(String::new, |id| format!(", request {}", line(id)));
        let text = format!("  {}: expected {}, got {} (number {}{id})\n", one.case, one.expected, one.got, one.number);
        out.push_str(&paint.paint(Tone::Bad, &text));
    }
    out
}

/// A line for each case.
fn cases(report: &Report, paint: Paint) -> String {
    let names = report.tally.cases.keys().map(|name| name.len()).max().unwrap_or_default().max(4);
    let head = format!("{:names$}  {:>9}  {:22}  GOT", "CASE", "SENT", "EXPECTED");
    let mut out = format!("\n{}\n", paint.paint(Tone::Faint, &head));
    for (name, counts) in report.tally.by_concern() {
        let Counts { sent, expected, code, got, .. } = counts;
        let expected = code.as_ref().map_or_else(|| expected.clone(), |code| format!("{expected} {code}"));
        let got: Vec<String> = got.iter().map(|(got, count)| format!("{} {count}", line(got))).collect();
        let got = paint.paint(if counts.is_well() { Tone::Good } else { Tone::Bad }, &got.join(", "));
        out.push_str(&format!(
            "{}  {sent:>9}  {expected:22}  {got}\n",
            paint.paint(Tone::Strong, &format!("{name:names$}"))
        ));
    }
    out
}

fn rates(report: &Report, paint: Paint) -> String {
    let settings = &report.settings;
    let asked = match report.asked_rate {
        Some(asked) => format!("{asked:.1}/s asked, {:.1}/s reached", report.reached_rate),
        None => format!(
            "{:.1}/s reached by {} connections (closed: it waits with the target, and hides its stalls)",
            report.reached_rate, settings.connections
        ),
    };
    let mut out = format!("\nrate         {asked}, {:.1} s\n", report.seconds);
    for limit in &report.limits {
        out.push_str(&format!("{}\n", paint.paint(Tone::Doubtful, &format!("warning      {limit}"))));
    }
    let ahead = match settings.pool {
        0 => "signed as they were due".to_owned(),
        pool => format!("{pool} signed ahead"),
    };
    let held = report.tally.held_up;
    let again = if held.signed_again > 0 { format!(", {} signed again", held.signed_again) } else { String::new() };
    out.push_str(&format!(
        "signing      {ahead}{again}, {:.0} µs each, {}; seed {}, shard {}\n",
        settings.signing_micros,
        settings.keys.join(" and "),
        settings.seed,
        settings.shards.join(" ")
    ));
    if report.tally.warm_up > 0 {
        out.push_str(&format!("warm-up      {} sign-ins whose times do not count\n", report.tally.warm_up));
    }
    out
}

fn times(report: &Report, paint: Paint) -> String {
    let head = format!(
        "{:11}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}",
        "", "p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"
    );
    let mut out = format!("\n{}\n", paint.paint(Tone::Faint, &head));
    let tally = &report.tally;
    let open = report.settings.model == "open";
    let rows = [
        ("latency", &tally.latency, true),
        ("sent late", &tally.late, open),
        ("connect", &tally.connect, true),
        ("TLS", &tally.tls, true),
    ];
    for (name, latencies, shown) in rows {
        if shown && latencies.count() > 0 {
            out.push_str(&format!("{name:11}{}\n", row(latencies)));
        }
    }
    let connections = tally.connections;
    out.push_str(&format!(
        "connections  {} opened, {} full handshakes, {} sessions taken up; {} sent, {} received\n",
        connections.opened,
        connections.full_handshakes,
        connections.resumed,
        bytes(connections.sent_bytes),
        bytes(connections.received_bytes)
    ));
    let relay = tally.relay_state;
    let mixed = format!("{} of another request", relay.mixed);
    out.push_str(&format!(
        "RelayState   {} answers name theirs, {} none, {}\n",
        relay.kept,
        relay.silent,
        if relay.mixed > 0 { paint.paint(Tone::Bad, &mixed) } else { mixed }
    ));
    out
}

fn row(latencies: &Latencies) -> String {
    let percents = [50.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0];
    percents.map(|percent| format!("  {:>8}", time(latencies.percentile(percent)))).concat()
}

fn errors(report: &Report, paint: Paint) -> String {
    let mut out = String::new();
    for (name, count) in &report.tally.errors {
        let said = report.tally.error_texts.get(name).map_or_else(String::new, |said| format!(": {}", line(said)));
        out.push_str(&format!("{}\n", paint.paint(Tone::Bad, &format!("error        {name} {count}{said}"))));
    }
    out
}

fn thresholds(report: &Report, paint: Paint) -> String {
    let mut out = String::new();
    for held in report.thresholds.iter().filter(|held| held.failed) {
        let text = format!("failed       {}: {}", held.fail_if, held.words());
        out.push_str(&format!("{}\n", paint.paint(Tone::Bad, &text)));
    }
    out
}

fn line(text: &str) -> String {
    super::escape::line(text)
}

/// Microseconds, in three digits or so.
pub(super) fn time(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{:.2} ms", micros as f64 / 1e3),
        10_000..100_000 => format!("{:.1} ms", micros as f64 / 1e3),
        100_000..1_000_000 => format!("{:.0} ms", micros as f64 / 1e3),
        _ => format!("{:.2} s", micros as f64 / 1e6),
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}
