//! `samlgate demo`: the table of its sign-ins, and where everything is afterwards.

use serde::Serialize;

use super::Ending;
use super::args::DemoArguments;
use super::escape::{line, wrap};
use super::terminal::{self, Reader, Terminal, Tone, Trouble};
use crate::app::{self, Addresses, Demo, SignedIn, Told, Visit};
use crate::verdict::{Check, Outcome, Show, Verdict};

/// Columns of `rejected`, the longest verdict.
const VERDICT: usize = 8;
/// Columns of `AADSTS5000811`, the longest code.
const CODE: usize = 13;
/// Columns between two columns.
const GAP: usize = 2;
/// Columns that a hint is moved in by.
const INDENT: usize = 4;
/// Columns beyond which a name is farther from its verdict than the eye likes.
const NAME: usize = 44;
/// Lines of a hint, unless everything is to be said.
const HINT: usize = 2;

/// Shows the demonstration.
pub(super) fn run(arguments: &DemoArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    let table = Table { terminal, json: arguments.json };
    let mut tally = Tally::default();
    let mut trouble = None;
    table.print(&table.header())?;
    let demo =
        Demo { reverse: arguments.listen, admin: arguments.admin, browser: arguments.browser, once: arguments.once };
    let shown = app::demo(demo, |told| {
        let printed = match told {
            Told::SignIn(signed_in) => {
                tally.count(&signed_in);
                table.print(&table.row(&signed_in))
            }
            Told::Open(addresses) => table.print(&table.summary(&tally)).inspect(|_| table.open(&addresses)),
            Told::Visit(verdict) => table.print(&table.visit(&verdict)),
        };
        match printed {
            Ok(reader) => reader == Reader::Listens,
            Err(error) => {
                trouble = Some(error);
                false
            }
        }
    });
    let well = shown.map_err(|error| Trouble::new(format!("the demonstration cannot be shown: {error}")))?;
    if let Some(trouble) = trouble {
        return Err(trouble);
    }
    if arguments.once {
        table.print(&table.summary(&tally))?;
    }
    Ok(if well { Ending::Well } else { Ending::Wanting })
}

/// How many came out as they should.
#[derive(Debug, Default)]
struct Tally {
    sent: usize,
    expected: usize,
    came_true: usize,
}

impl Tally {
    fn count(&mut self, signed_in: &SignedIn) {
        self.sent += 1;
        self.expected += usize::from(signed_in.as_expected);
        self.came_true += usize::from(signed_in.came_true);
    }
}

struct Table<'a> {
    terminal: &'a Terminal,
    json: bool,
}

impl Table<'_> {
    fn print(&self, text: &str) -> Result<Reader, Trouble> {
        terminal::print_all(text)
    }

    /// Columns of the names.
    fn name(&self) -> usize {
        self.terminal.width.saturating_sub(VERDICT + 2 * CODE + 3 * GAP).clamp(20, NAME)
    }

    fn header(&self) -> String {
        if self.json {
            return String::new();
        }
        let name = self.name();
        let text = format!("{:name$}  {:VERDICT$}  {:CODE$}  ANSWERED", "SIGN-IN", "VERDICT", "PREDICTED");
        format!("{}\n", self.terminal.paint.paint(Tone::Faint, &text))
    }

    fn row(&self, signed_in: &SignedIn) -> String {
        let SignedIn { name, fault, verdict, actual, as_expected, came_true } = signed_in;
        if self.json {
            let sign_in = SignInLine {
                sign_in: Some(name),
                fault: fault.map(|fault| fault.as_str()),
                actual: Some(actual.as_str()).filter(|actual| *actual != "none").map(code),
                as_expected: Some(*as_expected),
                came_true: Some(*came_true),
                ..SignInLine::of(verdict)
            };
            return sign_in.line();
        }
        let paint = self.terminal.paint;
        let predicted = verdict.predicted.map_or_else(|| "signs in".to_owned(), |code| code.to_string());
        let answered = if actual == "none" { "signed in".to_owned() } else { code(actual) };
        let width = self.name();
        let word = paint.paint(tone(verdict), &format!("{:VERDICT$}", verdict.word()));
        let answered = if *came_true { answered } else { paint.paint(Tone::Bad, &format!("{answered} (!)")) };
        let name = paint.paint(Tone::Strong, &format!("{name:width$}"));
        let mut out = format!("{name}  {word}  {predicted:CODE$}  {answered}\n");
        if !as_expected {
            out.push_str(&format!("{:INDENT$}{}\n", "", paint.paint(Tone::Bad, "another verdict was expected")));
        }
        out + &self.advice(verdict)
    }

    /// What is wrong and what to do about it, in a line or two.
    fn advice(&self, verdict: &Verdict) -> String {
        let Some((check, text)) = advice(verdict) else { return String::new() };
        let text = wrap(&format!("{}: {}", check.id, line(&text)), INDENT, self.terminal.width);
        let mut lines: Vec<&str> = text.lines().map(str::trim).collect();
        let cut = lines.len() > HINT && !self.terminal.verbose;
        lines.truncate(if cut { HINT } else { usize::MAX });
        let mut out = String::new();
        for (index, line) in lines.iter().enumerate() {
            let last = cut && index + 1 == lines.len();
            let line =
                if last { shortened(line, self.terminal.width.saturating_sub(INDENT)) } else { (*line).to_owned() };
            out.push_str(&format!("{:INDENT$}{}\n", "", self.terminal.paint.paint(Tone::Faint, &line)));
        }
        out
    }

    fn summary(&self, tally: &Tally) -> String {
        if self.json {
            return String::new();
        }
        let Tally { sent, expected, came_true } = tally;
        let well = sent == expected && sent == came_true;
        let text = format!("{sent} sign-ins: {expected} judged as expected, {came_true} answered as predicted");
        format!("\n{}\n", self.terminal.paint.paint(if well { Tone::Good } else { Tone::Bad }, &text))
    }

    fn visit(&self, verdict: &Verdict) -> String {
        if self.json {
            return SignInLine::of(verdict).line();
        }
        let predicted = verdict.predicted.map_or_else(|| "signs in".to_owned(), |code| code.to_string());
        let word = self.terminal.paint.paint(tone(verdict), verdict.word());
        format!("your sign-in: {word}, {predicted}\n{}", self.advice(verdict))
    }

    /// Where everything is, and what to try.
    fn open(&self, addresses: &Addresses) {
        let Addresses { reverse, connect, admin, idp, browser } = addresses;
        let port = reverse.port();
        self.terminal.talk(&format!(
            "\nproxy     https://localhost:{port}/  (for login.microsoftonline.com; the certificate is of a CA made for this run)\n\
             explicit  http://{connect}  (for login.microsoftonline.com and authentik.company alone: http://{admin}/proxy.pac)\n\
             metrics   http://{admin}/metrics\n\
             page      http://{admin}/\n\
             identity  http://{idp}/  (sign in by browser, with the fault of your choice)\n\n{}\
             Mint a broken sign-in, post it through the proxy, and see what the fake Entra says:\n\n\
             curl -s 'http://{idp}/form?fault=mail_as_name_id' | curl -sk --connect-to login.microsoftonline.com:443:{reverse} \
             https://login.microsoftonline.com/login.srf -d @- | grep -o 'AADSTS[^\"]*'\n\n\
             Ctrl-C ends it.\n",
            browser.as_ref().map(|visit| chromium(visit, addresses)).unwrap_or_default()
        ));
    }
}

/// What opens a browser that goes through the explicit proxy. Its profile is its own, and so is what it believes.
fn chromium(visit: &Visit, addresses: &Addresses) -> String {
    let Visit { url, pins } = visit;
    format!(
        "Sign in by browser, through the explicit proxy, from Entra to the identity provider and back:\n\n\
         chromium --user-data-dir=\"$(mktemp -d)\" --no-first-run --no-default-browser-check \
         --proxy-pac-url=http://{}/proxy.pac --ignore-certificate-errors-spki-list={} {url}\n\n",
        addresses.admin,
        pins.join(",")
    )
}

fn tone(verdict: &Verdict) -> Tone {
    match (verdict.accepted, verdict.with_outcome(Outcome::Warn).next()) {
        (false, _) => Tone::Bad,
        (true, Some(_)) => Tone::Doubtful,
        (true, None) => Tone::Good,
    }
}

/// A code of its digits.
fn code(digits: &str) -> String {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { format!("AADSTS{digits}") } else { digits.to_owned() }
}

/// The check that is worst, and what it advises, or else what it found.
fn advice(verdict: &Verdict) -> Option<(&Check, String)> {
    let of = |outcome| verdict.checks.iter().find(move |check| check.outcome == outcome);
    let check = of(Outcome::Fail).or_else(|| of(Outcome::Warn))?;
    let detail = check.detail.as_ref()?;
    let text = detail.hint.as_ref().or(detail.finding.as_ref())?;
    // the people of the demonstration are made up
    Some((check, text.to_string_for(Show::Personal)))
}

/// A sign-in for programs. What is not known of a visitor's is null.
#[derive(Serialize)]
struct SignInLine<'a> {
    sign_in: Option<&'a str>,
    fault: Option<&'static str>,
    verdict: &'static str,
    predicted: Option<String>,
    actual: Option<String>,
    as_expected: Option<bool>,
    came_true: Option<bool>,
    fail: Vec<&'static str>,
    warn: Vec<&'static str>,
    hint: Option<String>,
}

impl SignInLine<'_> {
    fn of(verdict: &Verdict) -> Self {
        let of = |outcome| verdict.with_outcome(outcome).map(|id| id.as_str()).collect();
        Self {
            sign_in: None,
            fault: None,
            verdict: verdict.word(),
            predicted: verdict.predicted.map(|code| code.to_string()),
            actual: None,
            as_expected: None,
            came_true: None,
            fail: of(Outcome::Fail),
            warn: of(Outcome::Warn),
            hint: advice(verdict).map(|(_, text)| text),
        }
    }

    fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// A line that goes on elsewhere.
fn shortened(line: &str, width: usize) -> String {
    let room = width.saturating_sub(2);
    if line.chars().count() <= room {
        return format!("{line} …");
    }
    let kept: String = line.chars().take(room).collect();
    format!("{} …", kept.rsplit_once(' ').map_or(kept.as_str(), |(kept, _)| kept))
}
