//! From posted bytes to a verdict: the one file that knows the order of the steps.

use jiff::Timestamp;
use smallvec::SmallVec;

use crate::check::{self, Before, Facts, Memory, Policy};
use crate::dsig::{self, Context, Signatures, TrustedKey};
use crate::limits::Limits;
use crate::saml::{self, ASSERTION, Claims, EncodingProblem, Form, MessageForm, Response};
use crate::tenant::Federation;
use crate::verdict::{CheckId, Covers, Finding, Provenance, SignatureSummary, Verdict};
use crate::xml::{self, Document, NodeId};

/// A message as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted<'a> {
    /// The body of a form post, `SAMLResponse=…&RelayState=…`.
    Form(&'a [u8]),
    /// The base64 of a SAMLResponse field.
    Base64(&'a [u8]),
    /// The XML itself.
    Xml(&'a [u8]),
}

/// How much is made of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// The checks and what they come to, for whoever shows no claims: the verdict has none.
    Outcome,
    /// The whole verdict.
    Verdict,
    /// Also look for what was done to the document after it was signed. A bounded amount of work, some ten times a verdict's.
    Diagnose,
}

/// What kind of message was posted, as metrics count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// A SAML 2.0 sign-in response.
    SamlResponse,
    /// A SAMLResponse field that could not be read.
    Unreadable,
    /// WS-Federation (`wresult`).
    WsFed,
    /// A sign-out message.
    Logout,
    /// A SAML request.
    SamlRequest,
    /// A response for a directory of its own (B2B direct federation).
    B2b,
    /// Anything else.
    Other,
}

impl MessageKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::SamlResponse, Self::Unreadable, Self::WsFed, Self::Logout, Self::SamlRequest, Self::B2b, Self::Other];

    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SamlResponse => "saml_response",
            Self::Unreadable => "unreadable",
            Self::WsFed => "ws_fed",
            Self::Logout => "logout",
            Self::SamlRequest => "saml_request",
            Self::B2b => "b2b",
            Self::Other => "other",
        }
    }

    /// Whether `serve` gives this kind a verdict; the others are only counted.
    pub fn is_judged(self) -> bool {
        matches!(self, Self::SamlResponse | Self::Unreadable)
    }
}

/// Everything that a message is judged against.
#[derive(Debug, Clone, Default)]
pub struct Judge {
    /// The federations, picked by issuer.
    pub federations: Vec<Federation>,
    /// What the operator asks.
    pub policy: Policy,
    /// Bounds on hostile input.
    pub limits: Limits,
}

/// What came of one message.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// What kind of message it was.
    pub kind: MessageKind,
    /// Index of the federation whose issuer it names, in [`Judge::federations`].
    pub federation: Option<usize>,
    /// `IssueInstant` of the assertion, where a signature vouches for it: the clock of the identity provider.
    pub issued: Option<Timestamp>,
    /// The verdict; one is always made, for `serve` to use where [`MessageKind::is_judged`].
    pub verdict: Verdict,
}

/// A message without its wrapping.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The XML, where the message could be decoded so far.
    pub xml: Option<Vec<u8>>,
    /// RelayState, as it came.
    pub relay_state: Option<Vec<u8>>,
    /// What kind of message a form holds, where it is no SAMLResponse.
    pub other: Option<MessageKind>,
    /// What is wrong with the form and its encoding.
    pub before: Before,
}

/// Takes the wrapping off: form fields, percent escapes, base64.
pub fn decode(posted: Posted<'_>, limits: &Limits) -> Decoded {
    let mut decoded = Decoded::default();
    let field = match posted {
        Posted::Xml(xml) => {
            decoded.xml = Some(xml.to_vec());
            return decoded;
        }
        Posted::Base64(text) => text.trim_ascii().to_vec(),
        Posted::Form(body) => {
            let form = Form::read(body, limits);
            decoded.before.message = check::message(&form);
            decoded.relay_state = form.relay_state;
            if let Some(escape) = form.bad_escape {
                decoded.before.encoding.push(check::encoding(&EncodingProblem::BadEscape(escape)));
                decoded.other = Some(MessageKind::Unreadable);
                return decoded;
            }
            let Some(field) = form.saml_response else {
                decoded.other = Some(match (form.ws_fed, form.saml_request, form.problems.is_empty()) {
                    (_, _, false) => MessageKind::Unreadable,
                    (true, _, true) => MessageKind::WsFed,
                    (_, true, true) => MessageKind::SamlRequest,
                    _ => MessageKind::Other,
                });
                return decoded;
            };
            field
        }
    };
    match saml::decode(field, limits) {
        Ok(xml) => decoded.xml = Some(xml),
        Err(problem) => decoded.before.encoding.push(check::encoding(&problem)),
    }
    decoded
}

impl Judge {
    /// Judges one message at an instant, alone.
    pub fn inspect(&self, posted: Posted<'_>, now: Timestamp, effort: Effort) -> Inspection {
        self.inspect_with(posted, now, effort, None)
    }

    /// Judges one message at an instant, after those that are remembered.
    pub fn inspect_with(
        &self,
        posted: Posted<'_>,
        now: Timestamp,
        effort: Effort,
        memory: Option<&dyn Memory>,
    ) -> Inspection {
        // the form, its escapes, its base64
        let decoded = decode(posted, &self.limits);
        let Some(xml) = decoded.xml else {
            let kind = decoded.other.unwrap_or(MessageKind::Unreadable);
            return self.unread(kind, decoded.before, None);
        };
        // one strict parse
        let document = match xml::parse(xml, &self.limits) {
            Ok(document) => document,
            Err(error) => return self.unread(MessageKind::Unreadable, decoded.before, Some(check::unparsable(&error))),
        };
        let form = MessageForm::of(&document);
        match form {
            MessageForm::Response => self.judge(&document, decoded.before, now, effort, memory),
            MessageForm::Unknown => {
                let root = document.root();
                let (namespace, name) = (document.namespace(root), document.written_name(root));
                let finding = check::other_root(namespace, name, document.position(root));
                self.unread(MessageKind::Unreadable, decoded.before, Some(finding))
            }
            MessageForm::Logout | MessageForm::Request | MessageForm::WsFed => {
                let kind = match form {
                    MessageForm::Logout => MessageKind::Logout,
                    MessageForm::Request => MessageKind::SamlRequest,
                    _ => MessageKind::WsFed,
                };
                let before = Before { message: vec![check::not_a_sign_in(form)], ..Before::default() };
                self.unread(kind, before, None)
            }
        }
    }

    /// The judgement of a readable response: signatures, claims, checks.
    fn judge(
        &self,
        document: &Document,
        before: Before,
        now: Timestamp,
        effort: Effort,
        memory: Option<&dyn Memory>,
    ) -> Inspection {
        let response = Response::read(document);
        let named = self.named_by(&response);
        // with one federation a wrong issuer is one fault among others; with several nobody knows which was meant
        let federation = named.or((self.federations.len() == 1).then_some(0));
        let federation = federation.and_then(|index| self.federations.get(index));

        let keys: SmallVec<[&TrustedKey; 4]> =
            federation.iter().flat_map(|known| &known.keys).map(|known| &known.key).collect();
        let context = Context { keys: &keys, limits: &self.limits, diagnose: effort == Effort::Diagnose };
        let signable: &[NodeId] = match response.assertion {
            Some(assertion) => &[response.node, assertion],
            None => &[response.node],
        };
        let signatures = dsig::verify(document, signable, &context);

        let claims = response.assertion.map(|assertion| match signatures.signed(assertion) {
            Some(signed) => Claims::of_signed(&signed),
            None => Claims::of_unsigned(document, assertion),
        });
        let issuers: SmallVec<[&str; 4]> =
            self.federations.iter().filter_map(|known| known.issuer.as_deref()).collect();
        let facts = Facts {
            response: &response,
            claims: claims.as_ref(),
            signatures: &signatures,
            federation,
            issuers: &issuers,
            policy: &self.policy,
            now,
            memory,
        };
        let outcomes = check::conclude(check::run_all(&facts, before), &self.policy);

        let kind = if claims.as_ref().is_some_and(is_b2b) { MessageKind::B2b } else { MessageKind::SamlResponse };
        let provenance = claims.as_ref().map_or(Provenance::Unsigned, |claims| claims.provenance);
        let vouched_for = provenance == Provenance::Signed;
        let verdict = Verdict {
            checks: outcomes.checks,
            // whatever the checks say: without keys, for one, nothing was verified
            accepted: outcomes.accepted && vouched_for,
            predicted: outcomes.predicted.filter(|_| self.has_keys()),
            provenance,
            claims: claims.as_ref().filter(|_| effort != Effort::Outcome).map(|claims| claims.report(&response)),
            signature: summary(&signatures, &response, &keys).filter(|_| vouched_for),
        };
        let issued = claims.as_ref().filter(|_| vouched_for).and_then(|claims| claims.issue_instant);
        let issued = issued.and_then(|written| saml::parse_instant(written).ok());
        Inspection { kind, federation: named, issued, verdict }
    }

    /// The federation whose issuer the response names, first by the Assertion, which may be signed.
    fn named_by(&self, response: &Response<'_>) -> Option<usize> {
        let document = response.document;
        let in_assertion =
            response.assertion.and_then(|node| document.children_named(node, ASSERTION, "Issuer").next());
        let issuer = document.text_in(in_assertion.or(response.issuer.first)?);
        self.federations.iter().position(|known| known.issuer.as_deref().is_none_or(|known| known == issuer))
    }

    fn has_keys(&self) -> bool {
        self.federations.iter().any(|federation| !federation.keys.is_empty())
    }

    /// The verdict on a message of which nothing further can be judged.
    fn unread(&self, kind: MessageKind, before: Before, xml: Option<Finding>) -> Inspection {
        let reached = if xml.is_some() { CheckId::Xml } else { CheckId::Encoding };
        let mut found = [(CheckId::Message, before.message), (CheckId::Encoding, before.encoding)]
            .into_iter()
            .chain(xml.map(|finding| (CheckId::Xml, vec![finding])));
        let judged_at_all = kind.is_judged();
        let judged = CheckId::ALL.into_iter().map(|id| {
            let findings = (id <= reached).then(|| found.next()).flatten().map(|(_, findings)| findings);
            (id, findings.filter(|findings| judged_at_all || !findings.is_empty()))
        });
        let outcomes = check::conclude(judged, &self.policy);
        let verdict = Verdict {
            checks: outcomes.checks,
            accepted: false,
            predicted: outcomes.predicted.filter(|_| self.has_keys()),
            provenance: Provenance::Unsigned,
            claims: None,
            signature: None,
        };
        Inspection { kind, federation: None, issued: None, verdict }
    }
}

/// Whether the response is meant for a directory of its own (B2B direct federation), which posts to the same address.
fn is_b2b(claims: &Claims<'_>) -> bool {
    const BEFORE: &str = "https://login.microsoftonline.com/";
    let restrictions = claims.conditions.first.iter().flat_map(|conditions| &conditions.restrictions);
    restrictions.flat_map(|restriction| &restriction.audiences).any(|audience| {
        let tenant = audience.text.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix('/'));
        tenant.is_some_and(|tenant| {
            tenant.len() == 36 && tenant.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        })
    })
}

/// What was verified; none when any signature present failed.
fn summary(signatures: &Signatures<'_>, response: &Response<'_>, keys: &[&TrustedKey]) -> Option<SignatureSummary> {
    let all_hold = signatures.examined().iter().all(|examined| examined.result.is_ok());
    let of = |node: NodeId| signatures.examined().iter().find(|examined| examined.parent == node);
    let (on_response, on_assertion) = (of(response.node), response.assertion.and_then(of));
    let covers = match (on_response, on_assertion) {
        (Some(_), Some(_)) => Covers::Both,
        (Some(_), None) => Covers::Response,
        _ => Covers::Assertion,
    };
    let examined = on_assertion.or(on_response).filter(|_| all_hold)?;
    let key = keys.get(*examined.result.as_ref().ok()?)?;
    Some(SignatureSummary {
        covers,
        algorithm: examined.algorithm?.as_str(),
        digest: examined.digest?.as_str(),
        thumbprint: key.thumbprint().clone(),
        thumbprint_sha256: key.thumbprint_sha256().clone(),
    })
}
