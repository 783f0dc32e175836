//! `samlgate rollover rehearse`: who could still sign in if the next certificate were the only one.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;

use super::Ending;
use super::args::Format;
use super::escape;
use super::input::{self, Body, Message};
use super::preflight_args::RehearseArguments;
use super::signing;
use super::terminal::{self, Terminal, Tone, Trouble};
use crate::config::Config;
use crate::inspect::{Effort, Judge};
use crate::mint::{Errand, Person};
use crate::personal::Personal;
use crate::tenant::Federation;
use crate::verdict::{Check, CheckId, Code, Outcome, Show, Text, Verdict};

/// Users that are listed by name.
const LISTED: usize = 20;
/// Users whose sign-ins are minted.
const MINTED: usize = 1_000;

/// Judges every message twice: by what is registered, and by the next certificate alone.
pub(super) fn run(arguments: &RehearseArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    let config = Config::load(&arguments.config).map_err(|error| Trouble::new(error.to_string()))?;
    let rehearsal = Rehearsal { next: next_alone(&config.judge)?, today: config.judge, now: Timestamp::now() };
    let found = input::find(&arguments.inputs);
    let mut ending = Ending::Well;
    let mut outcomes = Outcomes::default();
    let mut out = String::new();
    for trouble in &found.troubles {
        ending = ending.max(terminal.complain(trouble));
    }
    for source in &found.sources {
        match source.messages(Format::Auto, rehearsal.today.limits.body_bytes) {
            Ok(messages) => {
                for message in &messages {
                    let rehearsed = rehearsal.rehearse(message, arguments.at);
                    if arguments.json {
                        out.push_str(&rehearsed.object(&message.name, arguments.show()));
                    }
                    outcomes.count(&message.name, rehearsed);
                }
            }
            Err(trouble) => ending = ending.max(terminal.complain(&trouble)),
        }
    }
    if let Some(key) = &arguments.key {
        for message in minted(&rehearsal, arguments, key)? {
            let mut rehearsed = rehearsal.rehearse(&message, message.at);
            // a key that nobody registered keeps everybody out, though today's judge does not know it either
            if rehearsed.is_refused_for_its_key() {
                rehearsed.came = Came::LockedOut;
            }
            if arguments.json {
                out.push_str(&rehearsed.object(&message.name, arguments.show()));
            }
            outcomes.count(&message.name, rehearsed);
        }
    }
    if outcomes.is_empty() && ending == Ending::Well {
        return Err(Trouble::new("there is nothing to rehearse with: no file was found")
            .hint("name captures that hold bodies (`[capture] raw = true`), or responses, or give --key"));
    }
    if !arguments.json {
        out = outcomes.page(arguments.show(), terminal);
    }
    terminal::print_all(&out)?;
    Ok(ending.max(if outcomes.locked_out.is_empty() { Ending::Well } else { Ending::Wanting }))
}

/// A sign-in of each user of a federation, signed now by the key that is to come.
fn minted(rehearsal: &Rehearsal, arguments: &RehearseArguments, key: &Path) -> Result<Vec<Message>, Trouble> {
    let federation = signing::federation(&rehearsal.today.federations, arguments.domain.as_deref())?;
    let key = signing::of_file(&federation, key, arguments.certificate.as_ref())?;
    let minter = signing::minter(&federation, key)?;
    let now = arguments.at.unwrap_or(rehearsal.now);
    let people = minter.people(MINTED);
    if people.is_empty() {
        return Err(Trouble::new("nobody can be signed in: the federation has no user with an ImmutableId")
            .hint("give `users`, and see what `samlgate doctor` says of them"));
    }
    let mint = |(number, person): (u64, &Person)| {
        let errand = Errand { number, ..Errand::default() };
        let minted = minter.for_person(person.clone()).mint(None, now, errand);
        let minted = minted.map_err(|error| Trouble::new(error.to_string()))?;
        Ok(Message { name: format!("minted#{number}"), body: Body::Form(minted.form()), at: Some(now) })
    };
    (1..).zip(&people).map(mint).collect()
}

/// The same judge, had the current certificates been taken out.
fn next_alone(judge: &Judge) -> Result<Judge, Trouble> {
    let mut next = judge.clone();
    for Federation { keys, domain, .. } in &mut next.federations {
        if keys.len() < 2 {
            let domain = domain.as_deref().unwrap_or("the federation");
            return Err(Trouble::new(format!(
                "{domain}: no next certificate is registered: everybody would be locked out"
            ))
            .hint(
                "register it (nextSigningCertificate), export the settings again, or give it second in `certificates`",
            ));
        }
        keys.remove(0);
    }
    Ok(next)
}

struct Rehearsal {
    today: Judge,
    next: Judge,
    now: Timestamp,
}

impl Rehearsal {
    fn rehearse(&self, message: &Message, at: Option<Timestamp>) -> Rehearsed {
        let now = at.or(message.at).unwrap_or(self.now);
        let judged = |judge: &Judge| judge.inspect(message.body.posted(), now, Effort::Verdict).verdict;
        let (today, next) = (judged(&self.today), judged(&self.next));
        let came = match (today.accepted, next.accepted) {
            (_, true) => Came::Through,
            (true, false) => Came::LockedOut,
            (false, false) => Came::BrokenAlready,
        };
        let user = today.claims.as_ref().and_then(|claims| claims.name_id.clone());
        Rehearsed { came, user, predicted: next.predicted, finding: first_failure(&next) }
    }
}

/// What would become of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Through,
    LockedOut,
    BrokenAlready,
}

impl Came {
    fn as_str(self) -> &'static str {
        match self {
            Self::Through => "through",
            Self::LockedOut => "locked_out",
            Self::BrokenAlready => "broken_already",
        }
    }
}

struct Rehearsed {
    came: Came,
    user: Option<Personal>,
    predicted: Option<Code>,
    finding: Option<Check>,
}

impl Rehearsed {
    fn is_refused_for_its_key(&self) -> bool {
        let of_key = [CheckId::SigningKey, CheckId::Signature, CheckId::Algorithm];
        self.came != Came::Through && self.finding.as_ref().is_some_and(|check| of_key.contains(&check.id))
    }

    fn object(&self, name: &str, show: Show) -> String {
        let finding = self.finding.as_ref().and_then(|check| check.detail.as_ref()?.finding.as_ref());
        let object = json!({
            "input": name,
            "outcome": self.came.as_str(),
            "user": self.user.as_ref().map(|user| shown(user, show)),
            "predicted": self.predicted.map(|code| code.to_string()),
            "check": self.finding.as_ref().map(|check| check.id.as_str()),
            "finding": finding.map(|text| text.to_string_for(show)),
        });
        format!("{object}\n")
    }
}

fn first_failure(verdict: &Verdict) -> Option<Check> {
    verdict.checks.iter().find(|check| check.outcome == Outcome::Fail).cloned()
}

fn shown(user: &Personal, show: Show) -> String {
    Text::from(user.clone()).to_string_for(show)
}

/// What came of all.
#[derive(Default)]
struct Outcomes {
    through: usize,
    broken: usize,
    /// By user, how often, and one of the inputs.
    locked_out: BTreeMap<Personal, (usize, String)>,
    locked_out_responses: usize,
    why: Option<(Option<Code>, Check)>,
}

impl Outcomes {
    fn is_empty(&self) -> bool {
        self.through + self.broken + self.locked_out_responses == 0
    }

    fn count(&mut self, name: &str, rehearsed: Rehearsed) {
        match rehearsed.came {
            Came::Through => self.through += 1,
            Came::BrokenAlready => self.broken += 1,
            Came::LockedOut => {
                self.locked_out_responses += 1;
                let entry = self.locked_out.entry(rehearsed.user.unwrap_or_default());
                entry.or_insert_with(|| (0, name.to_owned())).0 += 1;
                if let (None, Some(check)) = (&self.why, rehearsed.finding) {
                    self.why = Some((rehearsed.predicted, check));
                }
            }
        }
    }

    fn page(&self, show: Show, terminal: &Terminal) -> String {
        let paint = terminal.paint;
        let mut out = String::new();
        if self.locked_out.is_empty() {
            out.push_str(&format!("{}  nobody of these would be locked out\n", paint.paint(Tone::Good, "ok")));
        } else {
            let word = paint.paint(Tone::Bad, "LOCKED OUT");
            out.push_str(&format!("{word}  {} users, {} sign-ins\n", self.locked_out.len(), self.locked_out_responses));
            for (user, (count, input)) in self.locked_out.iter().take(LISTED) {
                let user = escape::line(&shown(user, show));
                out.push_str(&format!("  {user}  {count} × as in {}\n", escape::line(input)));
            }
            if let Some(more) = self.locked_out.len().checked_sub(LISTED).filter(|more| *more > 0) {
                out.push_str(&format!("  and {more} more\n"));
            }
            if let Some((code, check)) = &self.why {
                let code = code.map(|code| format!("{code} ")).unwrap_or_default();
                let detail = check.detail.as_ref().and_then(|detail| detail.finding.as_ref());
                let finding = detail.map(|text| text.to_string_for(show)).unwrap_or_default();
                out.push_str(&format!("  why: {code}{}: {}\n", check.id, escape::lines(&finding)));
            }
            out.push_str(
                "  mend: let the identity provider sign with the next certificate before the current one is taken out of Entra\n",
            );
        }
        out.push_str(&format!("{} would come through", self.through));
        if self.broken > 0 {
            out.push_str(&format!(", {} are rejected today already and say nothing", self.broken));
        }
        out.push('\n');
        out
    }
}
