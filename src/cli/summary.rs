//! Many inputs at a glance: a few lines for each that is not well, and the tally.

use std::collections::BTreeMap;

use super::escape::{cut, line, wrap};
use super::report;
use super::terminal::{Terminal, Tone};
use crate::verdict::{Check, CheckId, Code, Outcome, Show, Verdict};

/// Columns that the lines below a name are moved in by.
const INDENT: usize = 10;

/// Characters of the first finding.
const FINDING: usize = 240;

/// A message that was judged, and what is printed of it.
#[derive(Debug)]
pub(super) struct Judged {
    /// What is printed.
    pub(super) text: String,
    /// Whether it was accepted.
    pub(super) accepted: bool,
    predicted: Option<Code>,
    failing: Vec<CheckId>,
    warned: Vec<CheckId>,
}

impl Judged {
    /// What the tally needs of a verdict, and the text made of it.
    pub(super) fn new(text: String, verdict: &Verdict) -> Self {
        Self {
            text,
            accepted: verdict.accepted,
            predicted: verdict.predicted,
            failing: verdict.with_outcome(Outcome::Fail).collect(),
            warned: verdict.with_outcome(Outcome::Warn).collect(),
        }
    }
}

/// A message in a few lines; nothing when there is nothing to say of it.
pub(super) fn render(name: &str, verdict: &Verdict, terminal: &Terminal) -> String {
    let concerns: Vec<&Check> =
        verdict.checks.iter().filter(|check| matches!(check.outcome, Outcome::Fail | Outcome::Warn)).collect();
    if verdict.accepted && concerns.is_empty() {
        return String::new();
    }
    let mut out = format!("{}\n", report::headline(name, verdict, false, terminal));
    let mut sorted = concerns;
    sorted.sort_by_key(|check| std::cmp::Reverse(check.outcome));
    let mut sorted = sorted.into_iter();
    if let Some(worst) = sorted.next() {
        let finding = worst.detail.as_ref().and_then(|detail| detail.finding.as_ref());
        let finding = finding.map(|text| text.to_string_for(Show::Personal)).unwrap_or_default();
        // the first of several findings will do
        let finding = cut(&line(finding.split("; also: ").next().unwrap_or_default()), FINDING);
        let text = format!("{}: {finding}", worst.id);
        out.push_str(&format!("{:INDENT$}{}\n", "", wrap(&text, INDENT, terminal.width)));
    }
    let rest: Vec<String> = sorted
        .map(
            |check| {
                if check.outcome == Outcome::Warn { format!("{} (warning)", check.id) } else { check.id.to_string() }
            },
        )
        .collect();
    if !rest.is_empty() {
        let text = format!("also: {}", rest.join(", "));
        out.push_str(&format!("{:INDENT$}{}\n", "", wrap(&text, INDENT, terminal.width)));
    }
    out
}

/// How many of what.
#[derive(Debug, Default)]
pub(super) struct Tally {
    accepted: usize,
    with_warnings: usize,
    rejected: usize,
    /// Inputs that could not be read.
    pub(super) unread: usize,
    failing: BTreeMap<CheckId, usize>,
    warned: BTreeMap<CheckId, usize>,
    predicted: BTreeMap<Option<Code>, usize>,
}

impl Tally {
    /// Counts one.
    pub(super) fn count(&mut self, judged: &Judged) {
        if judged.accepted {
            self.accepted += 1;
            self.with_warnings += usize::from(!judged.warned.is_empty());
        } else {
            self.rejected += 1;
            *self.predicted.entry(judged.predicted).or_default() += 1;
        }
        for id in &judged.failing {
            *self.failing.entry(*id).or_default() += 1;
        }
        for id in &judged.warned {
            *self.warned.entry(*id).or_default() += 1;
        }
    }

    /// How many were judged.
    pub(super) fn total(&self) -> usize {
        self.accepted + self.rejected
    }

    /// The tally, for people.
    pub(super) fn render(&self, terminal: &Terminal) -> String {
        let paint = terminal.paint;
        let mut first = format!("{} judged: {} accepted", self.total(), self.accepted);
        if self.with_warnings > 0 {
            first.push_str(&format!(" ({} with warnings)", self.with_warnings));
        }
        first.push_str(&format!(", {} rejected", self.rejected));
        if self.unread > 0 {
            first.push_str(&format!(", {} could not be read", self.unread));
        }
        let tone = if self.rejected + self.unread > 0 { Tone::Bad } else { Tone::Good };
        let mut out = format!("{}\n", paint.paint(tone, &first));
        let counted = |name: String, count: &usize| format!("{name} {count}");
        let checks = |counts: &BTreeMap<CheckId, usize>| {
            let mut sorted: Vec<_> = counts.iter().collect();
            sorted.sort_by_key(|(id, count)| (std::cmp::Reverse(**count), **id));
            sorted.into_iter().map(|(id, count)| counted(id.to_string(), count)).collect::<Vec<_>>().join(", ")
        };
        let predicted = |code: &Option<Code>| code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        let codes: Vec<_> = self.predicted.iter().map(|(code, count)| counted(predicted(code), count)).collect();
        for (heading, list) in
            [("failing", checks(&self.failing)), ("warned", checks(&self.warned)), ("predicted", codes.join(", "))]
        {
            if !list.is_empty() {
                out.push_str(&format!("{heading:INDENT$}{}\n", wrap(&list, INDENT, terminal.width)));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::report::tests::sample;

    #[test]
    fn a_rejected_message_is_told_in_three_lines() {
        let text = render("a.xml", &sample(), &Terminal::plain(100));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines.first(), Some(&"REJECTED  AADSTS51004  a.xml"));
        assert!(text.contains("          immutable_id: No user has this ImmutableId."), "{text}");
        assert_eq!(lines.last(), Some(&"          also: idp_email (warning)"));
    }

    #[test]
    fn the_tally_counts_verdicts_checks_and_codes() {
        let mut tally = Tally::default();
        let rejected = Judged::new(String::new(), &sample());
        let accepted = Judged::new(String::new(), &Verdict { accepted: true, predicted: None, ..sample() });
        for judged in [&rejected, &rejected, &accepted] {
            tally.count(judged);
        }
        let text = tally.render(&Terminal::plain(100));
        let expected = "3 judged: 1 accepted (1 with warnings), 2 rejected\nfailing   immutable_id 3\nwarned    idp_email 3\npredicted AADSTS51004 2\n";
        assert_eq!(text, expected);
    }
}
