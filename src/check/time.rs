//! `time`: every instant of the assertion against the clock, with the skew between them.

use smallvec::SmallVec;

use jiff::{SignedDuration, Timestamp};

use super::{Facts, Findings};
use crate::saml::parse_instant;
use crate::verdict::{Code, Finding};
use crate::xml::NodeId;

/// One instant of the assertion, as written.
struct Written<'a> {
    name: &'static str,
    text: Option<&'a str>,
    node: NodeId,
    rule: Rule,
}

#[derive(Clone, Copy, PartialEq)]
enum Rule {
    /// The clock must have reached it.
    Begins,
    /// The clock must not have reached it.
    Ends,
    /// It must not lie ahead.
    Past,
}

/// `time`.
pub(super) fn time(facts: &Facts<'_>) -> Option<Findings> {
    let claims = facts.claims?;
    let mut findings = Findings::new();
    let written = |name, text, node, rule| Written { name, text, node, rule };
    let mut all: SmallVec<[Written<'_>; 8]> = SmallVec::new();
    if let Some(conditions) = &claims.conditions.first {
        all.push(written("NotBefore of Conditions", conditions.not_before, conditions.node, Rule::Begins));
        all.push(written("NotOnOrAfter of Conditions", conditions.not_on_or_after, conditions.node, Rule::Ends));
        let instant = |text: Option<&str>| text.and_then(|text| parse_instant(text).ok());
        if let (Some(from), Some(to)) = (instant(conditions.not_before), instant(conditions.not_on_or_after))
            && from >= to
        {
            findings.push(
                Finding::fail(Code::AssertionInvalid, "the Conditions end before they begin")
                    .expected("NotBefore before NotOnOrAfter")
                    .got(format!("{from} to {to}"))
                    .at(facts.at(conditions.node)),
            );
        }
    }
    if claims
        .conditions
        .first
        .as_ref()
        .is_none_or(|conditions| conditions.not_before.is_none() || conditions.not_on_or_after.is_none())
    {
        let node = claims.conditions.first.as_ref().map_or(claims.node, |conditions| conditions.node);
        findings.push(
            Finding::warn("the Conditions do not bound the time: NotBefore or NotOnOrAfter is missing")
                .expected("both")
                .hint("an assertion without an end can be used for ever: set its lifetime in the identity provider")
                .at(facts.at(node)),
        );
    }
    let confirmation = claims.bearer().or_else(|| claims.confirmations.first());
    match confirmation {
        Some(confirmation) if confirmation.not_on_or_after.is_some() => {
            let node = confirmation.data.first.unwrap_or(confirmation.node);
            let name = "NotOnOrAfter of SubjectConfirmationData";
            all.push(written(name, confirmation.not_on_or_after, node, Rule::Ends));
        }
        _ => findings.push(
            Finding::fail(Code::AssertionInvalid, "SubjectConfirmationData has no NotOnOrAfter")
                .expected("NotOnOrAfter a few minutes ahead")
                .at(facts.at(confirmation.map_or(claims.node, |confirmation| confirmation.node))),
        ),
    }
    all.push(written("IssueInstant of the Assertion", claims.issue_instant, claims.node, Rule::Past));
    all.push(written("IssueInstant of the Response", facts.response.issue_instant, facts.response.node, Rule::Past));
    for statement in &claims.authn_statements {
        all.push(written("AuthnInstant", statement.authn_instant, statement.node, Rule::Past));
        all.push(written("SessionNotOnOrAfter", statement.session_not_on_or_after, statement.node, Rule::Ends));
    }
    findings.extend(all.iter().filter_map(|written| judge(facts, written)));
    Some(findings)
}

fn judge(facts: &Facts<'_>, written: &Written<'_>) -> Option<Finding> {
    let text = written.text?;
    let Ok(instant) = parse_instant(text) else {
        return Some(
            Finding::fail(Code::AssertionInvalid, format!("{} is not a time in UTC", written.name))
                .expected("as 2026-01-31T12:00:00Z, ending in Z")
                .got(text.to_owned())
                .at(facts.at(written.node)),
        );
    };
    let (now, skew) = (facts.now, facts.policy.skew);
    // how long the clock is on the wrong side; the last instant of an open end is already wrong
    let wrong_by = match written.rule {
        Rule::Begins | Rule::Past => instant.duration_since(now),
        Rule::Ends => now.duration_since(instant),
    };
    let (holds, tolerated) = match written.rule {
        Rule::Begins | Rule::Past => (wrong_by <= SignedDuration::ZERO, wrong_by <= skew),
        Rule::Ends => (wrong_by < SignedDuration::ZERO, wrong_by < skew),
    };
    if holds {
        return None;
    }
    let what = match written.rule {
        Rule::Begins => "has not come yet",
        Rule::Ends => "has passed",
        Rule::Past => "lies in the future",
    };
    let by = shown(wrong_by);
    let finding = if tolerated {
        Finding::warn(format!(
            "{} {what}, by {by}, which is within the tolerated skew of {}",
            written.name,
            shown(skew)
        ))
    } else {
        Finding::fail(Code::AssertionInvalid, format!("{} {what}, by {by}", written.name))
    };
    let hint = match written.rule {
        Rule::Ends => {
            "the response arrived late (or was recorded earlier: give the time by --at); else set the clocks by NTP, or lengthen the lifetime of the assertion"
        }
        Rule::Begins | Rule::Past => "the clock of the identity provider is ahead: set both clocks by NTP",
    };
    Some(finding.expected(relation(written.rule, now)).got(text.to_owned()).hint(hint).at(facts.at(written.node)))
}

fn relation(rule: Rule, now: Timestamp) -> String {
    match rule {
        Rule::Begins | Rule::Past => format!("not after {now}"),
        Rule::Ends => format!("after {now}"),
    }
}

/// A duration for people: the two largest units that are not zero.
fn shown(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().unsigned_abs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, unit) in units {
        if rest >= size && parts.len() < 2 {
            parts.push(format!("{} {unit}", rest / size));
        }
        rest %= size;
    }
    if parts.is_empty() { "less than a second".to_owned() } else { parts.join(" ") }
}
