//! `samlgate verify`: every message of the inputs judged on all cores, reported in their order.

use std::io::{self, BufWriter, IsTerminal as _};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::args::{Format, VerifyArguments};
use super::expect::{self, Expectations};
use super::input::{self, Message, Source};
use super::ordered::{self, Panicked};
use super::summary::{self, Judged, Tally};
use super::terminal::{self, Reader, Terminal, Trouble};
use super::{Ending, report};
use crate::inspect::Effort;
use crate::verdict::{Report, Show};

/// Work of less than this shows no progress.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two outputs while progress is shown.
const BREATH: Duration = Duration::from_millis(200);

/// Judges every message of the inputs.
pub(super) fn run(arguments: &VerifyArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    let names = named_or_stdin(&arguments.inputs.inputs)?;
    let expectations = expect::load(&arguments.expectations, terminal)?;
    let found = input::find(&names);
    let format = arguments.inputs.format;
    let body_bytes = expectations.judge.limits.body_bytes;
    let judging = Judging {
        expectations,
        now: Timestamp::now(),
        json: arguments.json,
        alone: found.sources.len() == 1,
        terminal,
    };
    let mut printing = Printing::new(&judging);
    for trouble in &found.troubles {
        printing.complain(trouble);
    }
    match found.sources.as_slice() {
        [] if found.troubles.is_empty() => return Err(Trouble::new("there is nothing to judge: no file was found")),
        // one recording may hold thousands of messages: it is spread over the cores, too
        [source] => match source.messages(format, body_bytes) {
            Ok(messages) => {
                let alone = messages.len() == 1;
                printing.begin(messages.len());
                let work = |message: &Message| judging.judge(message, alone);
                ordered::each_in_order(&messages, work, |message, judged| {
                    printing.take(&message.name, judged.map(|judged| Ok(vec![judged])))
                });
            }
            Err(trouble) => printing.complain(&trouble),
        },
        sources => {
            printing.begin(sources.len());
            let work = |source: &Source| judging.judge_all(source, format, body_bytes);
            ordered::each_in_order(sources, work, |source, judged| printing.take(&source.name(), judged));
        }
    }
    printing.end()
}

/// The inputs that were named, or standard input when somebody pipes into us.
pub(super) fn named_or_stdin(names: &[PathBuf]) -> Result<Vec<PathBuf>, Trouble> {
    if !names.is_empty() {
        return Ok(names.to_vec());
    }
    if io::stdin().is_terminal() {
        return Err(Trouble::new("no input was given").hint("name a file or a folder, or - for stdin"));
    }
    Ok(vec![PathBuf::from("-")])
}

/// What every worker needs.
struct Judging<'a> {
    expectations: Expectations,
    now: Timestamp,
    json: bool,
    alone: bool,
    terminal: &'a Terminal,
}

impl Judging<'_> {
    fn judge_all(&self, source: &Source, format: Format, body_bytes: usize) -> Result<Vec<Judged>, Trouble> {
        let messages = source.messages(format, body_bytes)?;
        Ok(messages.iter().map(|message| self.judge(message, false)).collect())
    }

    fn judge(&self, message: &Message, alone: bool) -> Judged {
        let Expectations { judge, at } = &self.expectations;
        let now = at.or(message.at).unwrap_or(self.now);
        let verdict = judge.inspect(message.body.posted(), now, Effort::Diagnose).verdict;
        let text = if self.json {
            let report = Report { input: Some(&message.name), verdict: &verdict, show: Show::Personal };
            // the report has neither floats nor maps with odd keys: there is nothing that JSON could refuse
            serde_json::to_string(&report).map(|line| line + "\n").unwrap_or_default()
        } else if alone {
            report::render(&message.name, &verdict, self.terminal)
        } else if self.terminal.verbose {
            report::render(&message.name, &verdict, self.terminal) + "\n"
        } else {
            summary::render(&message.name, &verdict, self.terminal)
        };
        Judged::new(text, &verdict)
    }
}

/// What becomes of the results, one after the other.
struct Printing<'a> {
    judging: &'a Judging<'a>,
    out: BufWriter<io::StdoutLock<'static>>,
    both_on_terminal: bool,
    held: Vec<u8>,
    let_go: Instant,
    ending: Ending,
    tally: Tally,
    began: Instant,
    total: usize,
    bar: Option<ProgressBar>,
    left: bool,
    failed: Option<Trouble>,
}

impl<'a> Printing<'a> {
    fn new(judging: &'a Judging<'a>) -> Self {
        Self {
            judging,
            out: BufWriter::with_capacity(64 * 1024, io::stdout().lock()),
            both_on_terminal: io::stdout().is_terminal() && io::stderr().is_terminal(),
            held: Vec::new(),
            let_go: Instant::now(),
            ending: Ending::Well,
            tally: Tally::default(),
            began: Instant::now(),
            total: 0,
            bar: None,
            left: false,
            failed: None,
        }
    }

    fn begin(&mut self, total: usize) {
        self.began = Instant::now();
        self.total = total;
    }

    fn complain(&mut self, trouble: &Trouble) {
        self.tally.unread += 1;
        if self.both_on_terminal {
            self.let_go();
        }
        let terminal = self.judging.terminal;
        let ending = match &self.bar {
            Some(bar) => bar.suspend(|| terminal.complain(trouble)),
            None => terminal.complain(trouble),
        };
        self.ending = self.ending.max(ending);
    }

    fn take(&mut self, name: &str, result: Result<Result<Vec<Judged>, Trouble>, Panicked>) -> ControlFlow<()> {
        match result {
            Ok(Ok(all)) => {
                for judged in all {
                    self.ending = self.ending.max(if judged.accepted { Ending::Well } else { Ending::Wanting });
                    self.tally.count(&judged);
                    self.write(&judged.text);
                }
            }
            Ok(Err(trouble)) => self.complain(&trouble),
            Err(Panicked) => self.complain(
                &Trouble::new(format!("{name}: judging it failed through a fault of samlgate"))
                    .hint("the message is not judged; please report the fault with the lines above"),
            ),
        }
        self.progress();
        if self.left || self.failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn write(&mut self, text: &str) {
        self.held.extend_from_slice(text.as_bytes());
        // the bar is taken away and drawn again around every output: not for each line
        if self.bar.is_none() || self.let_go.elapsed() >= BREATH {
            self.let_go();
        }
    }

    /// Prints what was held back.
    fn let_go(&mut self) {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() || self.left || self.failed.is_some() {
            return;
        }
        let (out, on_terminal) = (&mut self.out, self.both_on_terminal);
        let mut write = || {
            let printed = terminal::print(out, &held)?;
            if on_terminal { terminal::flush(out) } else { Ok(printed) }
        };
        let printed = match self.bar.as_ref().filter(|_| on_terminal) {
            Some(bar) => bar.suspend(write),
            None => write(),
        };
        self.let_go = Instant::now();
        match printed {
            Ok(Reader::Listens) => {}
            Ok(Reader::Left) => self.left = true,
            Err(trouble) => self.failed = Some(trouble),
        }
    }

    fn progress(&mut self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
            return;
        }
        let wanted = !self.judging.terminal.quiet && io::stderr().is_terminal() && self.total > 1;
        if wanted && self.began.elapsed() >= PATIENCE {
            let total = u64::try_from(self.total).unwrap_or(u64::MAX);
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5));
            let style = ProgressStyle::with_template("judging {bar:30} {pos}/{len}, {eta} left");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_position(u64::try_from(self.tally.total()).unwrap_or(u64::MAX));
            bar.reset_eta();
            self.bar = Some(bar);
        }
    }

    fn end(mut self) -> Result<Ending, Trouble> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let judging = self.judging;
        let many = self.tally.total() > 1 || (!judging.alone && self.tally.total() > 0);
        if many && !judging.json && !judging.terminal.quiet && !self.left {
            self.write(&self.tally.render(judging.terminal));
        }
        self.let_go();
        if let Some(trouble) = self.failed {
            return Err(trouble);
        }
        if !self.left {
            terminal::flush(&mut self.out)?;
        }
        Ok(self.ending)
    }
}
