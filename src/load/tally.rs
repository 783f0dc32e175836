//! Everything that is counted of a load, for a second or for all of it; two of them add up.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Case, Expected, Failure, Got, Latencies, Relay, Weighed};

/// Names of outcomes of one case; whoever answers with ever new codes gets no more.
const NAMES: usize = 64;
/// Verdicts that differ, kept one by one; and of them those of one case with one answer.
const KEPT: usize = 20;
const ALIKE: usize = 5;
/// Characters of what is said of a failure.
const TEXT: usize = 300;

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Tally {
    /// By the name of the case: sent, expected, got.
    pub cases: BTreeMap<String, Counts>,
    /// Requests in the warm-up: counted in everything but times.
    pub warm_up: u64,
    /// Failures by kind.
    pub errors: BTreeMap<String, u64>,
    /// What was said of the first failure of a kind.
    pub error_texts: BTreeMap<String, String>,
    /// The first verdicts that differ from what had to come.
    pub differing: Vec<Differing>,
    /// Answers by status of HTTP.
    pub statuses: BTreeMap<String, u64>,
    /// Whether answers named the RelayState of their request.
    pub relay_state: RelayCounts,
    /// Connections, and bytes on them below TLS.
    pub connections: Connections,
    /// What kept requests from starting when they were meant to.
    pub held_up: HeldUp,
    /// From the intended start (open) or the start (closed) to the end of the answer.
    #[schemars(with = "super::Figures")]
    pub latency: Latencies,
    /// From the start to the end of the answer.
    #[schemars(with = "super::Figures")]
    pub service: Latencies,
    /// From the intended start to the start.
    #[schemars(with = "super::Figures")]
    pub late: Latencies,
    /// To connect.
    #[schemars(with = "super::Figures")]
    pub connect: Latencies,
    /// For TLS handshakes.
    #[schemars(with = "super::Figures")]
    pub tls: Latencies,
}

/// A verdict that differs, to be found in the log of the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Differing {
    /// What was sent.
    pub case: String,
    /// What had to come: `accepted`, or a code.
    pub expected: String,
    /// What came.
    pub got: String,
    /// The number of the request, from which its IDs follow with the seed.
    pub number: u64,
    /// `x-request-id` of the answer.
    pub request_id: Option<String>,
}

impl Differing {
    fn is_false_accept(&self) -> bool {
        self.got == Got::Accepted.name()
    }
}

/// The counts of one case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Counts {
    /// `accepted` or `rejected`.
    pub expected: String,
    /// The code of the refusal, as `AADSTS51004`.
    pub code: Option<String>,
    /// Posted.
    pub sent: u64,
    /// Answers by what they say.
    pub got: BTreeMap<String, u64>,
    /// Let in, and had to be refused.
    pub false_accepts: u64,
    /// Refused, and had to be let in.
    pub false_rejects: u64,
    /// Refused as it had to be, by another code.
    pub wrong_codes: u64,
    /// Answers that do not say what became of the sign-in.
    pub unclear: u64,
    /// No answer, or an error of HTTP.
    pub errors: u64,
}

/// What became of RelayState.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RelayCounts {
    /// The answer names that of its request.
    pub kept: u64,
    /// The answer names none.
    pub silent: u64,
    /// The answer names that of another request.
    pub mixed: u64,
}

/// Connections and what went over them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Connections {
    /// Opened.
    pub opened: u64,
    /// With a full TLS handshake.
    pub full_handshakes: u64,
    /// With a TLS session of before.
    pub resumed: u64,
    /// Bytes that went out.
    pub sent_bytes: u64,
    /// Bytes that came in.
    pub received_bytes: u64,
}

/// What kept requests from starting in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HeldUp {
    /// All connections were busy.
    pub by_connections: u64,
    /// No response was signed yet.
    pub by_signing: u64,
    /// Signed again, since what was signed ahead was too old.
    pub signed_again: u64,
    /// Never sent: too many were waiting.
    pub not_sent: u64,
}

/// One request that is through.
#[derive(Debug, Clone, Copy)]
pub struct Through {
    /// What was sent.
    pub case: Case,
    /// What had to come.
    pub expected: Expected,
    /// What came.
    pub got: Got,
    /// The status of HTTP, if there was an answer.
    pub status: Option<u16>,
    /// What became of RelayState, if there was an answer.
    pub relay: Option<Relay>,
    /// From the intended start to the start; none in a closed load.
    pub late: Option<Duration>,
    /// From the start to the end.
    pub service: Duration,
    /// Whether its times do not count.
    pub warm_up: bool,
}

/// Sums over all cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Totals {
    /// Posted.
    pub sent: u64,
    /// As it had to be.
    pub as_expected: u64,
    /// Let in, and had to be refused.
    pub false_accepts: u64,
    /// Refused, and had to be let in.
    pub false_rejects: u64,
    /// Refused as it had to be, by another code.
    pub wrong_codes: u64,
    /// Answers that do not say what became of the sign-in.
    pub unclear: u64,
    /// No answer, or an error of HTTP.
    pub errors: u64,
}

impl Tally {
    /// Counts a request; says how it compares.
    pub fn count(&mut self, through: &Through) -> Weighed {
        let Through { case, expected, got, status, relay, late, service, warm_up } = *through;
        let weighed = got.weigh(expected);
        let counts = match self.cases.get_mut(case.as_str()) {
            Some(counts) => counts,
            None => self.cases.entry(case.as_str().to_owned()).or_insert_with(|| Counts::of(expected)),
        };
        counts.sent += 1;
        let name = got.name();
        add_one(&mut counts.got, name);
        match weighed {
            Weighed::AsExpected => {}
            Weighed::FalseAccept => counts.false_accepts += 1,
            Weighed::FalseReject => counts.false_rejects += 1,
            Weighed::OtherCode => counts.wrong_codes += 1,
            Weighed::Unclear => counts.unclear += 1,
            Weighed::Failed => counts.errors += 1,
        }
        if let Got::Failed(failure) = got {
            add_one(&mut self.errors, failure.name());
        }
        if let Some(status) = status {
            add_one(&mut self.statuses, status.to_string());
        }
        match relay {
            Some(Relay::Kept) => self.relay_state.kept += 1,
            Some(Relay::Silent) => self.relay_state.silent += 1,
            Some(Relay::Mixed) => self.relay_state.mixed += 1,
            None => {}
        }
        if warm_up {
            self.warm_up += 1;
        } else {
            self.service.record(service);
            self.latency.record(late.unwrap_or_default() + service);
            if let Some(late) = late {
                self.late.record(late);
            }
        }
        weighed
    }

    /// Keeps a verdict that differs, if it is one of the first of its kind. False accepts come first, whenever they came: many sound
    /// sign-ins that were refused before do not hide them.
    pub fn keep(&mut self, differing: Differing) {
        let alike = |one: &&Differing| (&one.case, &one.got) == (&differing.case, &differing.got);
        if self.differing.iter().filter(alike).count() >= ALIKE {
            return;
        }
        let place = match differing.is_false_accept() {
            true => self.differing.iter().position(|one| !one.is_false_accept()),
            false => None,
        };
        self.differing.insert(place.unwrap_or(self.differing.len()), differing);
        self.differing.truncate(KEPT);
    }

    /// Keeps what is said of a failure, if it is the first of its kind.
    pub fn say(&mut self, failure: Failure, text: &str) {
        self.error_texts.entry(failure.name()).or_insert_with(|| text.chars().take(TEXT).collect());
    }

    /// Adds everything of another one.
    pub fn add(&mut self, other: &Self) {
        other.differing.iter().for_each(|one| self.keep(one.clone()));
        for (name, text) in &other.error_texts {
            self.error_texts.entry(name.clone()).or_insert_with(|| text.clone());
        }
        for (name, counts) in &other.cases {
            self.cases.entry(name.clone()).or_insert_with(|| counts.without_numbers()).add(counts);
        }
        self.warm_up += other.warm_up;
        add_all(&mut self.errors, &other.errors);
        add_all(&mut self.statuses, &other.statuses);
        let RelayCounts { kept, silent, mixed } = other.relay_state;
        self.relay_state.kept += kept;
        self.relay_state.silent += silent;
        self.relay_state.mixed += mixed;
        let Connections { opened, full_handshakes, resumed, sent_bytes, received_bytes } = other.connections;
        self.connections.opened += opened;
        self.connections.full_handshakes += full_handshakes;
        self.connections.resumed += resumed;
        self.connections.sent_bytes += sent_bytes;
        self.connections.received_bytes += received_bytes;
        let HeldUp { by_connections, by_signing, signed_again, not_sent } = other.held_up;
        self.held_up.by_connections += by_connections;
        self.held_up.by_signing += by_signing;
        self.held_up.signed_again += signed_again;
        self.held_up.not_sent += not_sent;
        self.latency.add(&other.latency);
        self.service.add(&other.service);
        self.late.add(&other.late);
        self.connect.add(&other.connect);
        self.tls.add(&other.tls);
    }

    /// The cases by name; before them those with a false accept, those with a false reject, and those that are not well otherwise.
    pub fn by_concern(&self) -> Vec<(&str, &Counts)> {
        let mut cases: Vec<_> = self.cases.iter().map(|(name, counts)| (name.as_str(), counts)).collect();
        cases.sort_by_key(|(_, counts)| (counts.false_accepts == 0, counts.false_rejects == 0, counts.is_well()));
        cases
    }

    /// The sums over all cases.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for counts in self.cases.values() {
            totals.sent += counts.sent;
            totals.false_accepts += counts.false_accepts;
            totals.false_rejects += counts.false_rejects;
            totals.wrong_codes += counts.wrong_codes;
            totals.unclear += counts.unclear;
            totals.errors += counts.errors;
            totals.as_expected += counts.as_expected();
        }
        totals
    }
}

impl Counts {
    fn of(expected: Expected) -> Self {
        let code = expected.code.map(|code| code.to_string());
        Self { expected: expected.word().to_owned(), code, ..Self::default() }
    }

    fn without_numbers(&self) -> Self {
        Self { expected: self.expected.clone(), code: self.code.clone(), ..Self::default() }
    }

    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        add_all(&mut self.got, &other.got);
        self.false_accepts += other.false_accepts;
        self.false_rejects += other.false_rejects;
        self.wrong_codes += other.wrong_codes;
        self.unclear += other.unclear;
        self.errors += other.errors;
    }

    /// Whether everything was as it had to be.
    pub fn is_well(&self) -> bool {
        self.as_expected() == self.sent
    }

    /// As it had to be.
    pub fn as_expected(&self) -> u64 {
        let wrong = self.false_accepts + self.false_rejects + self.wrong_codes + self.unclear + self.errors;
        self.sent.saturating_sub(wrong)
    }
}

fn add_one(counts: &mut BTreeMap<String, u64>, name: String) {
    let full = counts.len() >= NAMES && !counts.contains_key(&name);
    *counts.entry(if full { "others".to_owned() } else { name }).or_default() += 1;
}

fn add_all(counts: &mut BTreeMap<String, u64>, others: &BTreeMap<String, u64>) {
    for (name, count) in others {
        *counts.entry(name.clone()).or_default() += count;
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_false_accept_is_named_whatever_else_was_wrong() {
        let mut tally = Tally::default();
        let differing = |case: usize, got: &str, number| Differing {
            case: format!("case{case}"),
            expected: String::new(),
            got: got.to_owned(),
            number,
            request_id: None,
        };
        (0..100).for_each(|number| tally.keep(differing(0, "AADSTS50006", number)));
        assert_eq!(tally.differing.len(), 5);
        (0..100).for_each(|number| tally.keep(differing(number, "AADSTS50008", 0)));
        assert_eq!(tally.differing.len(), 20);
        (0..9).for_each(|number| tally.keep(differing(7, "accepted", number)));
        let first: Vec<_> = tally.differing.iter().take(6).map(|one| (one.got.as_str(), one.number)).collect();
        let accepted = |number| ("accepted", number);
        assert_eq!(first[..5], [0, 1, 2, 3, 4].map(accepted));
        assert_eq!((first[5], tally.differing.len()), (("AADSTS50006", 0), 20));
    }

    #[test]
    fn what_was_judged_wrongly_comes_first() {
        let mut tally = Tally::default();
        let sent = |counts: Counts| Counts { sent: 9, ..counts };
        for (name, counts) in [
            ("altered", Counts::default()),
            ("expired", Counts { errors: 1, ..Counts::default() }),
            ("sha1", Counts { false_rejects: 1, ..Counts::default() }),
            ("sound", Counts::default()),
            ("unsigned", Counts { false_accepts: 1, ..Counts::default() }),
        ] {
            tally.cases.insert(name.to_owned(), sent(counts));
        }
        let names: Vec<&str> = tally.by_concern().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["unsigned", "sha1", "expired", "altered", "sound"]);
    }
}
