//! The last verdicts, for the operator who looks at the page: redacted like the log, bounded in number and in length.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use super::Metrics;
use super::event::{Answered, FINDING_CHARS, Judged, line};
use crate::answer::Actual;
use crate::verdict::{Check, Code, Outcome, Text};

/// Verdicts that are kept.
const CAPACITY: usize = 200;
/// Characters of a hint; ours are shorter.
const HINT_CHARS: usize = 1_000;
/// Characters of all findings and hints of one verdict, about: hostile messages quote themselves at length.
const VERDICT_CHARS: usize = 6_000;

/// The last verdicts.
#[derive(Debug)]
pub struct Recent {
    verdicts: Mutex<VecDeque<Kept>>,
    capacity: usize,
}

/// One of them as it is kept: most are never asked for, and so are not written out.
#[derive(Debug)]
struct Kept {
    time: Timestamp,
    request_id: Box<str>,
    federation: Arc<str>,
    verdict: &'static str,
    predicted: Option<Code>,
    actual: Option<Actual>,
    provenance: &'static str,
    checks: Vec<RecentCheck>,
}

/// One of the last verdicts. Text about a person is a keyed hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecentVerdict {
    /// When it was made.
    pub time: String,
    /// The request that brought the message.
    pub request_id: String,
    /// The federation whose issuer it names.
    pub federation: String,
    /// `accepted` or `rejected`.
    pub verdict: &'static str,
    /// The code that was predicted.
    pub predicted: Option<String>,
    /// What the upstream answered, as the log has it; none as long as that is not known.
    pub actual: Option<String>,
    /// Whether the prediction came true; none where that cannot be said.
    pub agree: Option<bool>,
    /// Whether a verified signature covers the assertion.
    pub provenance: &'static str,
    /// The checks that fail or warn.
    pub checks: Vec<RecentCheck>,
}

/// A check that fails or warns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecentCheck {
    /// Which.
    pub id: &'static str,
    /// `fail` or `warn`.
    pub outcome: &'static str,
    /// What Entra answers to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { verdicts: Mutex::default(), capacity: CAPACITY }
    }
}

impl Recent {
    /// Keeps a verdict in the place of the oldest. What is only counted is not kept.
    pub fn judged(&self, judged: &Judged<'_>, metrics: &Metrics, at: Timestamp) {
        let Some(verdict) = judged.verdict else { return };
        let told = |check: &&Check| matches!(check.outcome, Outcome::Fail | Outcome::Warn);
        let mut room = VERDICT_CHARS;
        let checks = verdict.checks.iter().filter(told).map(|check| RecentCheck::of(check, &mut room)).collect();
        let verdict = Kept {
            time: at,
            request_id: judged.request_id.into(),
            federation: metrics.domain(judged.federation),
            verdict: verdict.word(),
            predicted: verdict.predicted,
            actual: None,
            provenance: verdict.provenance.as_str(),
            checks,
        };
        let mut verdicts = self.locked();
        verdicts.truncate(self.capacity.saturating_sub(1));
        verdicts.push_front(verdict);
    }

    /// Adds what the upstream answered to the last verdict on this request.
    pub fn answered(&self, answered: &Answered<'_>) {
        let mut verdicts = self.locked();
        let asked =
            verdicts.iter_mut().find(|known| *known.request_id == *answered.request_id && known.actual.is_none());
        if let Some(verdict) = asked {
            verdict.actual = Some(answered.told.actual);
        }
    }

    /// All of them, the newest first.
    pub fn newest_first(&self) -> Vec<RecentVerdict> {
        self.locked().iter().map(Kept::written_out).collect()
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        // whatever panicked did not do so halfway through a change
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn written_out(&self) -> RecentVerdict {
        RecentVerdict {
            time: self.time.to_string(),
            request_id: self.request_id.to_string(),
            federation: self.federation.to_string(),
            verdict: self.verdict,
            predicted: self.predicted.map(|code| code.to_string()),
            actual: self.actual.map(|actual| actual.to_string()),
            agree: self.actual.and_then(|actual| actual.agrees(self.predicted)),
            provenance: self.provenance,
            checks: self.checks.clone(),
        }
    }
}

impl RecentCheck {
    /// What is told of a check, as far as there is room.
    fn of(check: &Check, room: &mut usize) -> Self {
        let detail = check.detail.as_deref();
        let mut told = |text: &Text, length: usize| {
            let text = line(text, length.min(*room));
            *room = room.saturating_sub(text.chars().count());
            text
        };
        Self {
            id: check.id.as_str(),
            outcome: check.outcome.as_str(),
            code: detail.and_then(|detail| detail.code).map(|code| code.to_string()),
            finding: detail.and_then(|detail| detail.finding.as_ref()).map(|text| told(text, FINDING_CHARS)),
            hint: detail.and_then(|detail| detail.hint.as_ref()).map(|text| told(text, HINT_CHARS)),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::answer::Told;
    use crate::observe::Vocabulary;
    use crate::verdict::{CheckId, Finding, Provenance, Verdict};

    fn judged(recent: &Recent, metrics: &Metrics, request_id: &str) {
        let text = Text::plain("No user ").then_personal("first.user");
        let finding = Finding::fail(Code::UserUnknown, text).hint(Text::personal("second.user"));
        let verdict = Verdict {
            checks: vec![
                Check::silent(CheckId::Issuer, Outcome::Pass),
                Check::from_findings(CheckId::ImmutableId, vec![finding.got(Text::personal("third.user"))]),
            ],
            accepted: false,
            predicted: Some(Code::UserUnknown),
            provenance: Provenance::Signed,
            claims: None,
            signature: None,
        };
        let elapsed = Duration::ZERO;
        let judged = Judged { request_id, kind: "saml_response", federation: None, verdict: Some(&verdict), elapsed };
        recent.judged(&judged, metrics, Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn a_verdict_takes_no_more_room_however_much_it_quotes() {
        let long = || Text::plain("\u{202e}".repeat(900));
        let finding = |id| Check::from_findings(id, vec![Finding::refuse(long()).hint(long())]);
        let mut room = VERDICT_CHARS;
        let told = CheckId::ALL.map(|id| RecentCheck::of(&finding(id), &mut room));
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let all: usize = told.iter().map(|check| length(&check.finding) + length(&check.hint)).sum();
        assert!(room == 0 && all < 3 * VERDICT_CHARS, "{all}");
    }

    #[test]
    fn the_last_verdicts_are_kept_with_what_was_answered_and_without_persons() {
        let metrics = Metrics::new(&Vocabulary::default()).unwrap();
        let recent = Recent { capacity: 2, ..Recent::default() };
        for id in ["first", "second", "third"] {
            judged(&recent, &metrics, id);
        }
        let told = Told { actual: Actual::Code(Code::UserUnknown), page: None, correlation_id: None, request: None };
        let predicted = Some(Code::UserUnknown);
        recent.answered(&Answered { request_id: "second", predicted, told: &told });
        recent.answered(&Answered { request_id: "first", predicted, told: &told });

        let kept = recent.newest_first();
        assert_eq!(kept.iter().map(|kept| kept.request_id.as_str()).collect::<Vec<_>>(), ["third", "second"]);
        assert_eq!(kept.iter().map(|kept| kept.actual.as_deref()).collect::<Vec<_>>(), [None, Some("AADSTS51004")]);
        assert_eq!(kept.iter().map(|kept| kept.agree).collect::<Vec<_>>(), [None, Some(true)]);
        let json = serde_json::to_string(&kept).unwrap();
        assert!(json.contains("\"checks\":[{\"id\":\"immutable_id\",\"outcome\":\"fail\",\"code\":\"AADSTS51004\""));
        assert!(!json.contains("user\""), "{json}");
        assert!(["first.user", "second.user", "third.user"].iter().all(|user| !json.contains(user)), "{json}");
    }
}
