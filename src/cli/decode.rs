//! `samlgate decode`: the decoded response, indented; nothing is judged.

use std::io::{self, BufWriter};

use jiff::Timestamp;

use super::args::DecodeArguments;
use super::input::{self, Body, Message};
use super::terminal::{self, Reader, Terminal, Trouble};
use super::{Ending, pretty, verify};
use crate::inspect::{Effort, Judge};
use crate::verdict::{Outcome, Show, Verdict};

/// Prints every message of the inputs.
pub(super) fn run(arguments: &DecodeArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    let found = input::find(&verify::named_or_stdin(&arguments.inputs.inputs)?);
    let mut ending = Ending::Well;
    for trouble in &found.troubles {
        ending = ending.max(terminal.complain(trouble));
    }
    let judge = Judge::default();
    let mut out = BufWriter::new(io::stdout().lock());
    let several = found.sources.len() > 1;
    for source in &found.sources {
        let messages = match source.messages(arguments.inputs.format, judge.limits.body_bytes) {
            Ok(messages) => messages,
            Err(trouble) => {
                ending = ending.max(terminal.complain(&trouble));
                continue;
            }
        };
        let several = several || messages.len() > 1;
        for message in &messages {
            if several {
                terminal.heading(&message.name);
            }
            let (text, decoded) = decode(&judge, message, terminal);
            ending = ending.max(decoded);
            // stdout goes out before the next heading, so that both streams can be read on one terminal
            if terminal::print(&mut out, text.as_bytes())? == Reader::Left || terminal::flush(&mut out)? == Reader::Left
            {
                return Ok(ending);
            }
        }
    }
    if found.sources.is_empty() && found.troubles.is_empty() {
        return Err(Trouble::new("there is nothing to decode: no file was found"));
    }
    Ok(ending)
}

fn decode(judge: &Judge, message: &Message, terminal: &Terminal) -> (String, Ending) {
    // the clock is of no account: nothing is judged
    let inspection = judge.inspect(message.body.posted(), Timestamp::UNIX_EPOCH, Effort::Verdict);
    if let Some(state) = message.body.relay_state().filter(|_| !terminal.quiet) {
        terminal.heading(&format!("RelayState: {state}"));
    }
    let xml = match (&inspection.xml, &message.body) {
        (Some(xml), _) => xml.clone(),
        (None, Body::Xml(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        (None, Body::Form(_) | Body::Base64(_)) => {
            let why = first_failure(&inspection.verdict).unwrap_or_else(|| "it cannot be decoded".to_owned());
            terminal.complain(&Trouble::new(format!("{}: {why}", message.name)));
            return (String::new(), Ending::Wanting);
        }
    };
    match pretty::indented(&xml) {
        Ok(text) => (text, Ending::Well),
        Err(why) => {
            terminal.complain(&Trouble::new(format!("{}: printed as it is: {why}", message.name)));
            (pretty::safe(&xml), Ending::Wanting)
        }
    }
}

/// What the first check that fails says.
fn first_failure(verdict: &Verdict) -> Option<String> {
    let failed = verdict.checks.iter().find(|check| check.outcome == Outcome::Fail)?;
    Some(failed.detail.as_ref()?.finding.as_ref()?.to_string_for(Show::Personal))
}
