//! The checks: claims, tenant, policy and clock in, one check for every id out.

mod authn;
mod correlation;
mod envelope;
mod parties;
mod policy;
mod signature;
mod subject;
mod time;
mod user;

pub use correlation::{Memory, Seen, Use};
pub(crate) use envelope::{encoding, message, not_a_sign_in, other_root, unparsable};
pub use policy::{Policy, Setting};

use jiff::Timestamp;

use crate::dsig::Signatures;
use crate::saml::{Claims, Response};
use crate::tenant::Federation;
use crate::verdict::{Check, CheckId, Code, Finding, Outcome};
use crate::xml::{Document, NodeId};

/// Everything that is known of one response and of what it should be.
pub struct Facts<'a> {
    /// The response as written.
    pub response: &'a Response<'a>,
    /// The claims of its assertion, signed or not.
    pub claims: Option<&'a Claims<'a>>,
    /// What its signatures say.
    pub signatures: &'a Signatures<'a>,
    /// The federation that it is judged against; none when there are several and its issuer names none of them.
    pub federation: Option<&'a Federation>,
    /// The issuers that are configured, for the report of one that is not.
    pub issuers: &'a [&'a str],
    /// What the operator asks.
    pub policy: &'a Policy,
    /// The clock.
    pub now: Timestamp,
    /// What was seen before; none where nothing is remembered.
    pub memory: Option<&'a dyn Memory>,
}

/// What one check found: nothing is a pass.
type Findings = Vec<Finding>;

impl Facts<'_> {
    fn document(&self) -> &Document {
        self.response.document
    }

    fn at(&self, node: NodeId) -> Option<crate::verdict::Position> {
        Some(self.document().position(node))
    }
}

/// What came before the response could be read: the form and the encoding of the message.
#[derive(Debug, Default)]
pub struct Before {
    /// Findings of `message`.
    pub message: Findings,
    /// Findings of `encoding`.
    pub encoding: Findings,
}

/// What a check found; `None` where nothing was judged and nothing is to be said.
pub type Judged = (CheckId, Option<Findings>);

/// Judges a response by every check, whatever the others say: a tester must see every fault in one go.
pub fn run_all(facts: &Facts<'_>, mut before: Before) -> [Judged; CheckId::ALL.len()] {
    let (mut signing_key, mut signature) = signature::signing_key_and_signature(facts);
    let matched = user::matched(facts);
    let mut judge = |id| match id {
        CheckId::Message => Some(std::mem::take(&mut before.message)),
        CheckId::Encoding => Some(std::mem::take(&mut before.encoding)),
        CheckId::Xml => Some(envelope::xml(facts)),
        CheckId::Status => Some(envelope::status(facts)),
        CheckId::Assertion => Some(envelope::assertion(facts)),
        CheckId::Issuer => parties::issuer(facts),
        CheckId::SigningKey => signing_key.take(),
        CheckId::Signature => signature.take(),
        CheckId::Algorithm => signature::algorithm(facts),
        CheckId::Certificate => signature::certificate(facts),
        CheckId::Time => time::time(facts),
        CheckId::Audience => parties::audience(facts),
        CheckId::Destination => parties::destination(facts),
        CheckId::Recipient => parties::recipient(facts),
        CheckId::Subject => subject::subject(facts),
        CheckId::NameIdFormat => subject::name_id_format(facts),
        CheckId::ImmutableId => user::immutable_id(facts, &matched),
        CheckId::Account => user::account(&matched),
        CheckId::DomainPolicy => user::domain_policy(facts, &matched),
        CheckId::IdpEmail => user::idp_email(facts, &matched),
        CheckId::AuthnContext => authn::authn_context(facts),
        CheckId::InResponseTo => Some(correlation::in_response_to(facts)),
        CheckId::Replay => correlation::replay(facts),
    };
    CheckId::ALL.map(|id| (id, judge(id)))
}

/// What the checks come to: one [`Check`] for every id, whether the message is accepted, and what Entra will answer.
#[derive(Debug)]
pub struct Outcomes {
    /// One for every id, in order.
    pub checks: Vec<Check>,
    /// Whether nothing rejects.
    pub accepted: bool,
    /// The code of the first failing criterion that has one.
    pub predicted: Option<Code>,
}

/// Applies the policy. The prediction is taken before: it says what Entra does, not what the operator asked to refuse.
pub fn conclude(judged: impl IntoIterator<Item = Judged>, policy: &Policy) -> Outcomes {
    let mut predicted = None;
    let mut accepted = true;
    let mut checks = Vec::with_capacity(CheckId::ALL.len());
    for (id, findings) in judged {
        let mut check = match findings {
            Some(findings) => Check::from_findings(id, findings),
            None => Check::silent(id, Outcome::Skip),
        };
        if check.outcome == Outcome::Fail {
            predicted = predicted.or(check.detail.as_ref().and_then(|detail| detail.code));
        }
        match (policy.setting(id), check.outcome) {
            (Some(Setting::Off), _) => check = Check::silent(id, Outcome::Skip),
            (Some(Setting::Warn), Outcome::Fail) => check.outcome = Outcome::Warn,
            (Some(Setting::Reject), Outcome::Warn) => check.outcome = Outcome::Fail,
            _ => {}
        }
        accepted &= check.outcome != Outcome::Fail && !(policy.strict && check.outcome == Outcome::Warn);
        checks.push(check);
    }
    Outcomes { checks, accepted, predicted }
}
