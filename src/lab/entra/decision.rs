//! Whether the fake signs somebody in: one step after the other, up to the first objection, as Entra does.
//!
//! This is on purpose not the code that predicts. It reads the same settings and knows the same published facts, and is
//! otherwise written anew, so that a prediction that is wrong differs from what is answered here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};

use super::signature;
use crate::dsig::DS;
use crate::limits::Limits;
use crate::saml::{ASSERTION, PROTOCOL};
use crate::tenant::{DomainPolicy, Federation, Protocol};
use crate::xml::{self, Document, NodeId};

/// How far clocks may differ.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// An objection: the digits of its code, and what Entra says to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// As `51004`.
    pub code: &'static str,
    /// The sentence behind the code.
    pub text: &'static str,
}

const fn refusal(code: &'static str, text: &'static str) -> Refusal {
    Refusal { code, text }
}

const UNREADABLE: Refusal =
    refusal("90081", "An error occurred when the service tried to process a WS-Federation message.");
const INVALID_XML: Refusal =
    refusal("90107", "The request is not valid. Make sure your data doesn't have invalid characters.");
const NO_ASSERTION: Refusal = refusal("500082", "SAML assertion is not present in the token.");
const NO_REALM: Refusal = refusal("50107", "The requested federation realm object does not exist.");
pub(super) const UNKNOWN_KEY: Refusal = refusal(
    "5000811",
    "Unable to verify token signature. The signing key identifier does not match any valid registered keys.",
);
pub(super) const NO_SIGNATURE: Refusal = refusal("50008", "SAML token is invalid.");
pub(super) const BAD_SIGNATURE: Refusal =
    refusal("50006", "Signature verification failed because of an invalid signature.");
const INVALID: Refusal = refusal("500089", "SAML 2.0 assertion validation failed: SAML token is invalid.");
const NO_USER: Refusal = refusal(
    "51004",
    "The user account does not exist in the directory. To sign into this application, the account must be added to the directory.",
);
const DISABLED: Refusal = refusal("50057", "The user account is disabled.");
const OTHER_ROOT: Refusal = refusal("5000820", "Sign-in blocked by Federated Token Validation policy.");

/// Who is signed in (a UPN, empty where no users are known), or the first objection.
pub(super) fn decide(federations: &[Federation], form: &[(String, String)], now: Timestamp) -> Result<String, Refusal> {
    let mut posted = form.iter().filter(|(name, _)| name == "SAMLResponse");
    let (Some((_, response)), None) = (posted.next(), posted.next()) else { return Err(UNREADABLE) };
    let response: String = response.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(response).map_err(|_| UNREADABLE)?;
    // a document in whatever encoding begins with its first tag, behind some mark perhaps
    if !bytes.trim_ascii_start().iter().take(4).any(|byte| *byte == b'<') {
        return Err(UNREADABLE);
    }
    let document = xml::parse(bytes, &Limits::default()).map_err(|_| INVALID_XML)?;
    let response = Place { document: &document, node: document.root() };
    let id = |place: &Place<'_>| place.attribute("ID").filter(|id| xml::is_ncname(id)).map(str::to_owned);
    if !document.is(response.node, PROTOCOL, "Response")
        || response.attribute("Version") != Some("2.0")
        || id(&response).is_none()
    {
        return Err(INVALID_XML);
    }

    let assertion = the_assertion(&response)?;
    if id(&assertion).is_none() || id(&assertion) == id(&response) || assertion.attribute("Version") != Some("2.0") {
        return Err(INVALID_XML);
    }
    let realm = realm(federations, &response, &assertion)?;
    signature::verify(&response, &assertion, &realm.keys)?;
    valid(&response, &assertion, realm, now)?;
    account(&assertion, realm)
}

/// The federation that the assertion's issuer names; where the response names one too, it must be the same.
fn realm<'f>(
    federations: &'f [Federation],
    response: &Place<'_>,
    assertion: &Place<'_>,
) -> Result<&'f Federation, Refusal> {
    let named = |place: &Place<'_>| {
        let issuer = place.only("Issuer")?;
        let format = issuer.attribute("Format");
        let entity = format.is_none_or(|format| format == "urn:oasis:names:tc:SAML:2.0:nameid-format:entity");
        entity.then(|| issuer.own_text())
    };
    let issuer = named(assertion).ok_or(NO_REALM)?;
    if !response.all("Issuer").is_empty() && named(response).as_ref() != Some(&issuer) {
        return Err(NO_REALM);
    }
    let mut known = federations.iter().filter(|federation| federation.protocol != Some(Protocol::WsFed));
    known.find(|federation| federation.issuer.as_ref() == Some(&issuer)).ok_or(NO_REALM)
}

/// A node with its document.
#[derive(Clone, Copy)]
pub(super) struct Place<'d> {
    pub(super) document: &'d Document,
    pub(super) node: NodeId,
}

impl<'d> Place<'d> {
    pub(super) fn attribute(&self, name: &str) -> Option<&'d str> {
        self.document.attribute(self.node, name)
    }

    /// The children of a name, in a namespace of SAML or of signatures.
    pub(super) fn all(&self, name: &str) -> Vec<Place<'d>> {
        let document = self.document;
        let known = |child: &NodeId| [PROTOCOL, ASSERTION, DS].contains(&document.namespace(*child));
        let named = document.child_elements(self.node).filter(|child| document.local_name(*child) == name);
        let named = named.filter(known);
        named.map(|node| Place { document, node }).collect()
    }

    /// The only child of a name.
    pub(super) fn only(&self, name: &str) -> Option<Place<'d>> {
        let all = self.all(name);
        all.first().copied().filter(|_| all.len() == 1)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.only(name).map(|child| child.own_text())
    }

    pub(super) fn own_text(&self) -> String {
        self.document.text_in(self.node).into_owned()
    }
}

fn the_assertion<'d>(response: &Place<'d>) -> Result<Place<'d>, Refusal> {
    let status = response.only("Status").and_then(|status| status.only("StatusCode"));
    if status.and_then(|code| code.attribute("Value")) != Some("urn:oasis:names:tc:SAML:2.0:status:Success") {
        return Err(NO_ASSERTION);
    }
    let document = response.document;
    let all = document.descendants(NodeId::DOCUMENT);
    let everywhere = all.filter(|node| ["Assertion", "EncryptedAssertion"].contains(&document.local_name(*node)));
    let known = ["Issuer", "Signature", "Extensions", "Status", "Assertion"];
    if document.child_elements(response.node).any(|child| !known.contains(&document.local_name(child))) {
        return Err(NO_ASSERTION);
    }
    let one = response.only("Assertion").filter(|one| document.is(one.node, ASSERTION, "Assertion"));
    one.filter(|_| everywhere.count() == 1).ok_or(NO_ASSERTION)
}

/// Times, audience, addresses, and what there must be one of.
fn valid(response: &Place<'_>, assertion: &Place<'_>, realm: &Federation, now: Timestamp) -> Result<(), Refusal> {
    let conditions = assertion.only("Conditions").ok_or(INVALID)?;
    let subject = assertion.only("Subject").ok_or(INVALID)?;
    let confirmation = subject.only("SubjectConfirmation").and_then(|one| one.only("SubjectConfirmationData"));
    let confirmation = confirmation.ok_or(INVALID)?;
    let statement = assertion.only("AuthnStatement").ok_or(INVALID)?;
    in_time(response, assertion, &conditions, &confirmation, &statement, now)?;
    let known = ["AudienceRestriction", "OneTimeUse", "ProxyRestriction"];
    let unknown = conditions.document.child_elements(conditions.node);
    let unknown = unknown.map(|node| conditions.document.local_name(node)).any(|name| !known.contains(&name));
    let restrictions = conditions.all("AudienceRestriction");
    let for_us = restrictions.iter().all(|one| one.all("Audience").iter().any(|one| one.own_text() == realm.audience));
    let destination = response.attribute("Destination").filter(|destination| !destination.is_empty());
    let elsewhere = destination.is_some_and(|destination| destination != realm.acs)
        || confirmation.attribute("Recipient") != Some(realm.acs.as_str());
    let context = statement.only("AuthnContext").ok_or(INVALID)?;
    let class = context.text("AuthnContextClassRef").filter(|class| !class.trim().is_empty());
    let declared = !context.all("AuthnContextDeclRef").is_empty() || !context.all("AuthnContextDecl").is_empty();
    if unknown || class.is_none() || restrictions.is_empty() || !for_us || elsewhere || declared {
        return Err(INVALID);
    }
    Ok(())
}

/// Every instant there is, compared with the clock.
fn in_time(
    response: &Place<'_>,
    assertion: &Place<'_>,
    conditions: &Place<'_>,
    confirmation: &Place<'_>,
    statement: &Place<'_>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let instant =
        |place: &Place<'_>, name: &str| place.attribute(name).map(|text| read(text).ok_or(INVALID)).transpose();
    let (begin, end) = (instant(conditions, "NotBefore")?, instant(conditions, "NotOnOrAfter")?);
    let confirmed = instant(confirmation, "NotOnOrAfter")?.ok_or(INVALID)?;
    let ends = [end, Some(confirmed), instant(statement, "SessionNotOnOrAfter")?];
    let begins = [
        begin,
        instant(response, "IssueInstant")?,
        instant(assertion, "IssueInstant")?,
        instant(statement, "AuthnInstant")?,
    ];
    let over = ends.into_iter().flatten().any(|end| now.duration_since(end) >= SKEW);
    let early = begins.into_iter().flatten().any(|begin| begin.duration_since(now) > SKEW);
    let never = begin.zip(end).is_some_and(|(begin, end)| begin >= end);
    if over || early || never { Err(INVALID) } else { Ok(()) }
}

/// An instant in UTC; of a second's fraction nine digits count.
fn read(text: &str) -> Option<Timestamp> {
    let text = text.trim().strip_suffix('Z')?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fraction: String = fraction.chars().take(9).collect();
    format!("{seconds}.{fraction}Z").parse().ok()
}

/// The user whom the NameID names.
fn account(assertion: &Place<'_>, realm: &Federation) -> Result<String, Refusal> {
    let name_id = assertion.only("Subject").and_then(|subject| subject.text("NameID")).ok_or(INVALID)?;
    let Some(users) = &realm.users else { return Ok(String::new()) };
    if name_id.chars().count() > 64 {
        return Err(NO_USER);
    }
    let mut found = users.users().filter(|user| user.immutable_id == Some(name_id.as_str()));
    let (Some(user), None) = (found.next(), found.next()) else { return Err(NO_USER) };
    if user.account_enabled == Some(false) {
        return Err(DISABLED);
    }
    let root = realm.root_domain.as_deref().or(realm.domain.as_deref()).unwrap_or_default().to_ascii_lowercase();
    let upn = user.upn.to_ascii_lowercase();
    let at_home = root.is_empty() || upn.ends_with(&format!("@{root}")) || upn.ends_with(&format!(".{root}"));
    let compared = match &realm.domain_policy {
        DomainPolicy::All | DomainPolicy::AllFederated => true,
        DomainPolicy::None | DomainPolicy::AllManaged => false,
        DomainPolicy::Enumerated(domains) => domains.iter().any(|domain| domain.eq_ignore_ascii_case(&root)),
    };
    if compared && !at_home {
        return Err(OTHER_ROOT);
    }
    Ok(user.upn.to_owned())
}
