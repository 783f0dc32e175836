//! `in_response_to` and `replay`: whether the response answers a request that passed, and whether its assertion is new.

use jiff::Timestamp;

use super::{Facts, Findings, Setting};
use crate::saml::parse_instant;
use crate::verdict::{CheckId, Finding, Provenance};

/// What is remembered of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It did not pass here, or too long ago.
    Never,
    /// It passed, and nobody answered it.
    Open,
    /// It was answered.
    Answered,
}

/// What is remembered of an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is new, and remembered from now on.
    First,
    /// It was used before.
    Again,
    /// There was no room to remember it.
    Unknown,
    /// It is new here, and the store that others share did not answer.
    Unasked,
    /// The same, where the operator would rather reject it.
    Refused,
}

const UNASKED: &str =
    "the store that the proxies share did not answer: nobody knows whether another one has seen this assertion";

/// What is remembered between two messages: kept by others, asked here.
pub trait Memory {
    /// Asks for an assertion, which is remembered until it ends.
    fn assertion(&self, issuer: &str, id: &str, until: Timestamp, now: Timestamp) -> Use;

    /// Asks for a request, which is `answered` from now on if so.
    fn request(&self, id: &str, answered: bool, now: Timestamp) -> Seen;
}

/// `in_response_to`.
pub(super) fn in_response_to(facts: &Facts<'_>) -> Findings {
    let confirmation = facts.claims.and_then(|claims| claims.bearer());
    let in_data = confirmation.and_then(|confirmation| confirmation.in_response_to).filter(|id| !id.is_empty());
    let in_response = facts.response.in_response_to.filter(|id| !id.is_empty());
    if let (Some(in_data), Some(in_response)) = (in_data, in_response)
        && in_data != in_response
    {
        return vec![
            Finding::warn("InResponseTo of the Response and of SubjectConfirmationData differ")
                .expected(in_response.to_owned())
                .got(in_data.to_owned())
                .at(facts.at(facts.response.node)),
        ];
    }
    let Some(id) = in_data.or(in_response) else { return Findings::new() };
    // what nobody signed answers no request: else anybody could answer it for the user
    let seen = facts.memory.map(|memory| memory.request(id, signed(facts), facts.now));
    match seen.unwrap_or(Seen::Never) {
        Seen::Never => vec![Finding::skip("the request was not seen here")],
        Seen::Open => Findings::new(),
        Seen::Answered => {
            vec![
                Finding::warn("the request was answered before")
                    .got(id.to_owned())
                    .hint("look for a reload of the page, or for a replay")
                    .at(facts.at(facts.response.node)),
            ]
        }
    }
}

/// `replay`. Only an assertion that somebody vouches for is remembered: junk would fill the memory, or use up an ID in advance. Where
/// nobody wants to know, nobody is asked: there may be a network on the way.
pub(super) fn replay(facts: &Facts<'_>) -> Option<Findings> {
    if facts.policy.setting(CheckId::Replay) == Some(Setting::Off) {
        return None;
    }
    let (memory, claims) = (facts.memory?, facts.claims.filter(|_| signed(facts))?);
    let (id, issuer) = (claims.id?, claims.issuer.first.as_ref()?);
    let ends = claims.confirmations.iter().filter_map(|confirmation| confirmation.not_on_or_after);
    let ends = ends.chain(claims.conditions.first.as_ref().and_then(|conditions| conditions.not_on_or_after));
    // where the policy forgives an end that has passed, it is still remembered for a while
    let last = ends.filter_map(|end| parse_instant(end).ok()).max().unwrap_or(facts.now).max(facts.now);
    let until = last.saturating_add(facts.policy.skew).unwrap_or(Timestamp::MAX);
    Some(match memory.assertion(&issuer.text, id, until, facts.now) {
        Use::First => Findings::new(),
        Use::Again => {
            vec![
                Finding::warn("this assertion was used before")
                    .expected("a new ID for every sign-in")
                    .got(id.to_owned())
                    .hint("look for a reload of the page, and for who else holds this response")
                    .at(facts.at(claims.node)),
            ]
        }
        Use::Unknown => {
            vec![Finding::skip("the memory of used assertions is full: nobody knows whether this one was used before")]
        }
        Use::Unasked => vec![Finding::skip(UNASKED)],
        Use::Refused => {
            vec![Finding::refuse(UNASKED).hint(
                "look at the store that `replay.store` names; `replay.on_error` says what happens while it is away",
            )]
        }
    })
}

fn signed(facts: &Facts<'_>) -> bool {
    facts.claims.is_some_and(|claims| claims.provenance == Provenance::Signed)
}
