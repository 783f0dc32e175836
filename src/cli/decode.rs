//! `samlgate decode`: the decoded response, indented; nothing is judged.

use std::io::{self, BufWriter};

use super::args::DecodeArguments;
use super::input::{self, Message};
use super::terminal::{self, Reader, Terminal, Trouble};
use super::{Ending, pretty, verify};
use crate::inspect;
use crate::limits::Limits;

/// Prints every message of the inputs.
pub(super) fn run(arguments: &DecodeArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    let found = input::find(&verify::named_or_stdin(&arguments.inputs.inputs)?);
    let mut ending = Ending::Well;
    for trouble in &found.troubles {
        ending = ending.max(terminal.complain(trouble));
    }
    let limits = Limits::default();
    let mut out = BufWriter::new(io::stdout().lock());
    let several = found.sources.len() > 1;
    for source in &found.sources {
        let messages = match source.messages(arguments.inputs.format, limits.body_bytes) {
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
            let (text, decoded) = decode(&limits, message, terminal);
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

fn decode(limits: &Limits, message: &Message, terminal: &Terminal) -> (String, Ending) {
    let decoded = inspect::decode(message.body.posted(), limits);
    if let Some(state) = decoded.relay_state.filter(|_| !terminal.quiet) {
        terminal.heading(&format!("RelayState: {}", String::from_utf8_lossy(&state)));
    }
    let Some(xml) = decoded.xml else {
        let mut findings = decoded.before.encoding.iter().chain(&decoded.before.message);
        let why = findings.find_map(|finding| finding.detail.finding.as_ref());
        let why = why.map_or_else(|| "it cannot be decoded".to_owned(), ToString::to_string);
        terminal.complain(&Trouble::new(format!("{}: {why}", message.name)));
        return (String::new(), Ending::Wanting);
    };
    let xml = String::from_utf8_lossy(&xml);
    match pretty::indented(&xml) {
        Ok(text) => (text, Ending::Well),
        Err(why) => {
            terminal.complain(&Trouble::new(format!("{}: printed as it is: {why}", message.name)));
            (pretty::safe(&xml), Ending::Wanting)
        }
    }
}
