//! The two streams: data on stdout, talk on stderr, each coloured only where it may be.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};

use anstyle::{AnsiColor, Style};

use super::Ending;
use super::args::{Color, Globals};
use super::escape;

/// Columns where the width of the terminal is not known.
const WIDTH: usize = 100;

/// What may be said, and how.
#[derive(Debug)]
pub(super) struct Terminal {
    /// Say nothing but what was asked for.
    pub(super) quiet: bool,
    /// Say everything, cut nothing.
    pub(super) verbose: bool,
    /// Columns of stdout.
    pub(super) width: usize,
    /// How stdout is painted.
    pub(super) paint: Paint,
    talk: Paint,
}

/// Styles, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paint {
    colored: bool,
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it should be.
    Good,
    /// Worth a look.
    Doubtful,
    /// Wrong.
    Bad,
    /// A heading, a name.
    Strong,
    /// Of less interest.
    Faint,
}

impl Paint {
    /// Text in a tone. The text has been made safe for terminals before.
    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colored {
            return text.to_owned();
        }
        let style = match tone {
            Tone::Good => Style::new().fg_color(Some(AnsiColor::Green.into())).bold(),
            Tone::Doubtful => Style::new().fg_color(Some(AnsiColor::Yellow.into())).bold(),
            Tone::Bad => Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
            Tone::Strong => Style::new().bold(),
            Tone::Faint => Style::new().dimmed(),
        };
        format!("{style}{text}{style:#}")
    }
}

impl Terminal {
    /// What this process may do with its streams.
    pub(super) fn new(globals: &Globals) -> Self {
        let allowed = |is_terminal: bool| match globals.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                is_terminal && !unwanted && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        };
        let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse::<usize>().ok());
        let width = terminal_size::terminal_size_of(io::stdout())
            .map(|(width, _)| usize::from(width.0))
            .or(asked)
            .filter(|columns| *columns > 0)
            .unwrap_or(WIDTH);
        Self {
            quiet: globals.quiet,
            verbose: globals.verbose > 0,
            width: width.clamp(40, 200),
            paint: Paint { colored: allowed(io::stdout().is_terminal()) },
            talk: Paint { colored: allowed(io::stderr().is_terminal()) },
        }
    }

    /// A terminal of so many columns, without colour.
    #[cfg(test)]
    pub(super) fn plain(width: usize) -> Self {
        let paint = Paint { colored: false };
        Self { quiet: false, verbose: false, width, paint, talk: paint }
    }

    /// Prints what went wrong, with what to do about it.
    pub(super) fn complain(&self, trouble: &Trouble) -> Ending {
        let mut text = format!("{} {}\n", self.talk.paint(Tone::Bad, "error:"), escape::lines(&trouble.cause));
        if let Some(hint) = &trouble.hint {
            text.push_str(&format!("\n{} {}\n", self.talk.paint(Tone::Strong, "hint:"), escape::lines(hint)));
        }
        say(&text);
        Ending::Trouble
    }

    /// Prints something worth knowing and what to do about it (or nothing), unless nothing is to be said.
    pub(super) fn note(&self, note: &str, hint: &str) {
        if self.quiet {
            return;
        }
        let mut text = format!("{} {}\n", self.talk.paint(Tone::Doubtful, "note:"), escape::lines(note));
        if !hint.is_empty() {
            text.push_str(&format!("      {} {}\n", self.talk.paint(Tone::Strong, "hint:"), escape::lines(hint)));
        }
        say(&text);
    }

    /// Prints talk as it is, unless nothing is to be said.
    pub(super) fn talk(&self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// Prints a line between several outputs, unless nothing is to be said.
    pub(super) fn heading(&self, heading: &str) {
        if !self.quiet {
            say(&format!("{}\n", self.talk.paint(Tone::Strong, &escape::line(heading))));
        }
    }
}

fn say(text: &str) {
    // where stderr is closed there is nobody to tell
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Why a command cannot do its work: the cause, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    cause: String,
    hint: Option<String>,
}

impl Trouble {
    /// What went wrong, in one sentence.
    pub(super) fn new(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), hint: None }
    }

    /// What to do about it.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

/// Whether the reader of stdout still listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// It does.
    Listens,
    /// It has gone: a quiet end.
    Left,
}

/// Writes data to stdout. A closed pipe is no trouble.
pub(super) fn print(out: &mut impl Write, bytes: &[u8]) -> Result<Reader, Trouble> {
    heard(out.write_all(bytes))
}

/// Makes sure that data is written to stdout. A closed pipe is no trouble.
pub(super) fn flush(out: &mut impl Write) -> Result<Reader, Trouble> {
    heard(out.flush())
}

fn heard(written: io::Result<()>) -> Result<Reader, Trouble> {
    match written {
        Ok(()) => Ok(Reader::Listens),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Left),
        Err(error) => Err(Trouble::new(format!("cannot write to stdout: {error}"))),
    }
}

/// Writes one text to stdout and is done.
pub(super) fn print_all(text: &str) -> Result<Reader, Trouble> {
    let mut out = io::stdout().lock();
    print(&mut out, text.as_bytes())?;
    flush(&mut out)
}
