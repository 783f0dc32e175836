//! The events of a sign-in, judged and answered: each is a log line and its metrics.

use std::time::Duration;

use super::Metrics;
use crate::answer::Told;
use crate::verdict::{CheckId, Code, Outcome, Text, Verdict};

/// Characters of a finding that a log line quotes.
pub(super) const FINDING_CHARS: usize = 400;

/// A post to an intercepted path was looked at.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The request that brought it.
    pub request_id: &'a str,
    /// What kind of message it was.
    pub kind: &'static str,
    /// The federation whose issuer it names, by index.
    pub federation: Option<usize>,
    /// What came of it; none for a kind that is only counted.
    pub verdict: Option<&'a Verdict>,
    /// How long the verdict took.
    pub elapsed: Duration,
}

impl Judged<'_> {
    /// Counts it and writes its line. The line quotes no person: what a finding says of one is a keyed hash.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.message(self.kind);
        let Some(verdict) = self.verdict else {
            tracing::debug!(request_id = self.request_id, kind = self.kind, "not judged");
            return;
        };
        metrics.verdict(self.federation, verdict, self.elapsed);

        let predicted = verdict.predicted.map(|code| code.to_string());
        let failing = words(verdict.with_outcome(Outcome::Fail));
        let warning = words(verdict.with_outcome(Outcome::Warn));
        macro_rules! line {
            ($level:ident, $($extra:tt)*) => {
                tracing::$level!(
                    request_id = self.request_id,
                    kind = self.kind,
                    federation = &*metrics.domain(self.federation),
                    verdict = verdict.word(),
                    predicted = predicted.as_deref(),
                    provenance = verdict.provenance.as_str(),
                    fail = failing,
                    warn = warning,
                    micros = u64::try_from(self.elapsed.as_micros()).unwrap_or(u64::MAX),
                    $($extra)*
                )
            };
        }
        if verdict.accepted {
            line!(info, "judged");
        } else {
            line!(warn, finding = first_finding(verdict), "judged");
        }
    }
}

/// The upstream answered a message that was judged.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The request that brought it.
    pub request_id: &'a str,
    /// The code that was predicted.
    pub predicted: Option<Code>,
    /// What the answer tells.
    pub told: &'a Told,
}

impl Answered<'_> {
    /// Counts it and writes its line.
    pub fn emit(&self, metrics: &Metrics) {
        let Told { actual, page, correlation_id, .. } = self.told;
        metrics.prediction(self.predicted, *actual);
        let predicted = self.predicted.map_or_else(|| "none".to_owned(), |code| code.to_string());
        let agree = actual.agrees(self.predicted);
        macro_rules! line {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    request_id = self.request_id,
                    predicted,
                    %actual,
                    agree,
                    page = page.as_deref(),
                    correlation_id = correlation_id.as_deref(),
                    $message
                )
            };
        }
        if agree == Some(false) {
            line!(warn, "answered otherwise than predicted");
        } else {
            line!(info, "answered");
        }
    }
}

fn words(ids: impl Iterator<Item = CheckId>) -> String {
    ids.map(CheckId::as_str).collect::<Vec<_>>().join(" ")
}

/// What the first failing check says, on one line and of bounded length: it may quote the message.
fn first_finding(verdict: &Verdict) -> Option<String> {
    let failing = verdict.checks.iter().filter(|check| check.outcome == Outcome::Fail);
    let finding = failing.filter_map(|check| check.detail.as_ref()?.finding.as_ref()).next()?;
    Some(line(finding, FINDING_CHARS))
}

/// A sentence on one line and of bounded length, persons in it as keyed hashes.
pub(super) fn line(text: &Text, length: usize) -> String {
    text.to_string().chars().take(length).flat_map(printable).collect()
}

/// A character as it is, or its escape where a terminal or a line-wise reader could take it for something else.
fn printable(character: char) -> impl Iterator<Item = char> {
    let harmless = character == ' ' || !(character.is_control() || character.is_whitespace() || is_bidi(character));
    let (plain, escaped) = if harmless { (Some(character), None) } else { (None, Some(character.escape_unicode())) };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// Marks that turn the direction of writing.
fn is_bidi(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{first_finding, printable};
    use crate::verdict::{Check, CheckId, Code, Finding, Provenance, Text, Verdict};

    #[test]
    fn a_line_cannot_be_forged() {
        let text: String = "a\nlevel=INFO \u{1b}[31m\u{202e}".chars().flat_map(printable).collect();
        assert_eq!(text, "a\\u{a}level=INFO \\u{1b}[31m\\u{202e}");
    }

    #[test]
    fn a_finding_says_nothing_of_a_person() {
        let finding = Finding::fail(Code::UserUnknown, Text::plain("No user ").then_personal("first.user"));
        let verdict = Verdict {
            checks: vec![Check::from_findings(CheckId::ImmutableId, vec![finding])],
            accepted: false,
            predicted: Some(Code::UserUnknown),
            provenance: Provenance::Signed,
            claims: None,
            signature: None,
        };
        let line = first_finding(&verdict);
        assert!(line.is_some_and(|line| line.starts_with("No user #") && !line.contains("first")));
    }
}
