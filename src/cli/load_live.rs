//! What a load says while it runs: one line that changes on a terminal, a line now and then elsewhere, and the log of latencies.

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::terminal::{Terminal, Trouble};
use crate::drive::{Job, Model, Progress};
use crate::load::{Tally, Totals};

/// Between two lines where there is no terminal.
const NOW_AND_THEN: Duration = Duration::from_secs(10);

/// What is said.
pub(super) struct Live<'a> {
    terminal: &'a Terminal,
    bar: Option<ProgressBar>,
    last: Option<Instant>,
    log: Option<Log>,
}

impl<'a> Live<'a> {
    /// Says as much as the terminal wants to hear; writes the log there.
    pub(super) fn new(terminal: &'a Terminal, job: &Job, log: Option<File>) -> Self {
        let bar = (std::io::stderr().is_terminal() && !terminal.quiet).then(|| {
            let seconds = match &job.model {
                Model::Open(plan) => Some(plan.duration().as_secs().max(1)),
                Model::Closed(duration) => duration.map(|duration| duration.as_secs().max(1)),
            };
            let (bar, template) = match seconds {
                Some(seconds) => (ProgressBar::new(seconds), "[{bar:20}] {pos}/{len} s  {msg}"),
                None => (ProgressBar::no_length(), "{spinner} {pos} s  {msg}"),
            };
            // a template that is wrong shows as the usual bar
            if let Ok(style) = ProgressStyle::with_template(template) { bar.with_style(style) } else { bar }
        });
        Self { terminal, bar, last: None, log: log.map(Log::new) }
    }

    /// Shows what is going on.
    pub(super) fn show(&mut self, progress: &Progress<'_>) {
        match progress {
            Progress::Listening(address) => self.terminal.talk(&format!("metrics   http://{address}/metrics\n")),
            Progress::Signing(done, wanted) => {
                let text = format!("signing ahead: {done} of {wanted}");
                match &self.bar {
                    Some(bar) => bar.set_message(text),
                    None => self.line_now_and_then(&text),
                }
            }
            Progress::Second { second, begun, counted, so_far, in_flight } => {
                if let Some(log) = &mut self.log {
                    log.add(*begun, *second, counted);
                }
                let text = line(counted, so_far, *in_flight);
                match &self.bar {
                    Some(bar) => {
                        bar.set_position(second + 1);
                        bar.set_message(text);
                    }
                    None => self.line_now_and_then(&format!("{:4} s  {text}", second + 1)),
                }
            }
        }
    }

    fn line_now_and_then(&mut self, text: &str) {
        let first = *self.last.get_or_insert_with(Instant::now);
        if first.elapsed() >= NOW_AND_THEN {
            self.last = Some(Instant::now());
            self.terminal.talk(&format!("{text}\n"));
        }
    }

    /// Clears the line and ends the log.
    pub(super) fn end(self) -> Result<(), Trouble> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.log.map_or(Ok(()), Log::end)
    }
}

fn line(counted: &Tally, so_far: &Tally, in_flight: u64) -> String {
    let now = counted.totals();
    let Totals { false_accepts, false_rejects, errors, wrong_codes, .. } = so_far.totals();
    let mut text = format!(
        "{}/s  p50 {}  p99 {}  {in_flight} open",
        now.sent,
        super::load_report::time(counted.latency.percentile(50.0)),
        super::load_report::time(counted.latency.percentile(99.0))
    );
    for (count, name) in [
        (false_accepts, "FALSE ACCEPTS"),
        (false_rejects, "false rejects"),
        (wrong_codes, "other codes"),
        (errors, "errors"),
    ] {
        if count > 0 {
            text.push_str(&format!("  {count} {name}"));
        }
    }
    text
}

/// The log of HdrHistogram: a histogram in microseconds for each second.
struct Log {
    file: BufWriter<File>,
    begun: bool,
    failed: Option<std::io::Error>,
}

impl Log {
    fn new(file: File) -> Self {
        Self { file: BufWriter::new(file), begun: false, failed: None }
    }

    fn add(&mut self, begun: Timestamp, second: u64, counted: &Tally) {
        let start = begun.as_millisecond() as f64 / 1000.0;
        let mut text = String::new();
        if !self.begun {
            self.begun = true;
            text.push_str(&format!(
                "#[Latencies in microseconds, from the intended start]\n#[Histogram log format version 1.3]\n\
                 #[StartTime: {start:.3} (seconds since epoch), {begun}]\n#[BaseTime: {start:.3} (seconds since epoch)]\n\
                 \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"
            ));
        }
        let max = counted.latency.max() as f64 / 1000.0;
        text.push_str(&format!("{second}.000,1.000,{max:.3},{}\n", counted.latency.encoded()));
        if let Err(error) = self.file.write_all(text.as_bytes()) {
            self.failed.get_or_insert(error);
        }
    }

    fn end(mut self) -> Result<(), Trouble> {
        let ended = self.file.flush();
        let failed = self.failed.or(ended.err());
        failed.map_or(Ok(()), |error| Err(Trouble::new(format!("the log of latencies cannot be written: {error}"))))
    }
}
