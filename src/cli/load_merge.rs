//! `samlgate load merge`: the reports of several generators as one. And how a report is compared with one before.

use std::path::Path;

use super::Ending;
use super::load::ending;
use super::load_args::MergeArguments;
use super::load_report::{self, time};
use super::terminal::{Paint, Terminal, Tone, Trouble};
use crate::load::{Change, Kind, Report, compare, differences};

/// Bytes of a report that is read.
const LONGEST: u64 = 256 * 1024 * 1024;

/// Joins the reports.
pub(super) fn run(arguments: &MergeArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    let reports = arguments.reports.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
    let mut report = Report::merge(reports).map_err(|error| Trouble::new(error.to_string()))?;
    let files = load_report::Files::create(&arguments.outputs, None)?;
    report.thresholds = files.hold(&report);
    files.write(&report)?;
    load_report::print(&report, files.before(), terminal)?;
    ending(&report)
}

/// Reads a report.
pub(super) fn read(file: &Path) -> Result<Report, Trouble> {
    let cannot = |error: String| Trouble::new(format!("{}: {error}", file.display()));
    let length = std::fs::metadata(file).map_err(|error| cannot(error.to_string()))?.len();
    if length > LONGEST {
        return Err(cannot(format!("expected a report of at most {LONGEST} bytes, got {length}")));
    }
    let bytes = std::fs::read(file).map_err(|error| cannot(error.to_string()))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| cannot(format!("expected a report of `load --json`, got something else: {error}")))
}

/// What changed, a line each.
pub(super) fn changes(before: &Report, after: &Report, paint: Paint) -> String {
    let head = format!("{:16}  {:>10}  {:>10}  {:>8}", "", "before", "now", "change");
    let mut out = format!("\n{}\n", paint.paint(Tone::Faint, &head));
    for change in compare(before, after) {
        let number = |value: f64| match change.kind {
            Kind::Micros => time(std::time::Duration::try_from_secs_f64(value / 1e6).map_or(0, micros)),
            Kind::Rate => format!("{value:.1}/s"),
            Kind::Count => format!("{value:.0}"),
        };
        let percent = change.percent().map_or_else(String::new, |percent| format!("{percent:+.1} %"));
        let Change { name, before, after, .. } = change;
        let text = format!("{name:16}  {:>10}  {:>10}  {percent:>8}", number(before), number(after));
        let text = text.trim_end().to_owned();
        out.push_str(&format!("{}\n", if change.is_worse() { paint.paint(Tone::Bad, &text) } else { text }));
    }
    for difference in differences(before, after) {
        out.push_str(&format!("{}\n", paint.paint(Tone::Bad, &difference)));
    }
    out
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
