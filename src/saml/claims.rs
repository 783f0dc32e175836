//! The claims of one assertion, read from the very nodes that were digested: direct children, by namespace and local name.

use std::borrow::Cow;

use super::{ASSERTION, Once, Response};
use crate::dsig::Signed;
use crate::personal::Personal;
use crate::verdict::{self, Provenance};
use crate::xml::{Document, NodeId};

/// Text of an element, all of it, as written.
#[derive(Debug, Clone)]
pub struct Value<'d> {
    /// All text and CDATA, joined over comments; nothing trimmed.
    pub text: Cow<'d, str>,
    /// The element.
    pub node: NodeId,
    /// Whether an element stands in it, so that readers could differ on what the text is.
    pub has_elements: bool,
}

impl<'d> Value<'d> {
    /// The text of an element.
    pub fn of(document: &'d Document, node: NodeId) -> Self {
        let has_elements = document.child_elements(node).next().is_some();
        Self { text: document.text_in(node), node, has_elements }
    }
}

/// A NameID.
#[derive(Debug, Clone)]
pub struct NameId<'d> {
    /// Its text.
    pub value: Value<'d>,
    /// `Format`.
    pub format: Option<&'d str>,
}

/// A SubjectConfirmation and its data.
#[derive(Debug, Clone)]
pub struct Confirmation<'d> {
    /// The element.
    pub node: NodeId,
    /// `Method`.
    pub method: Option<&'d str>,
    /// SubjectConfirmationData.
    pub data: Once<NodeId>,
    /// `Recipient`.
    pub recipient: Option<&'d str>,
    /// `NotOnOrAfter`.
    pub not_on_or_after: Option<&'d str>,
    /// `NotBefore`.
    pub not_before: Option<&'d str>,
    /// `InResponseTo`.
    pub in_response_to: Option<&'d str>,
}

/// Conditions.
#[derive(Debug, Clone)]
pub struct Conditions<'d> {
    /// The element.
    pub node: NodeId,
    /// `NotBefore`.
    pub not_before: Option<&'d str>,
    /// `NotOnOrAfter`.
    pub not_on_or_after: Option<&'d str>,
    /// Every AudienceRestriction.
    pub restrictions: Vec<Restriction<'d>>,
    /// A condition that nobody knows.
    pub unknown: Option<NodeId>,
}

/// An AudienceRestriction.
#[derive(Debug, Clone)]
pub struct Restriction<'d> {
    /// The element.
    pub node: NodeId,
    /// Its audiences.
    pub audiences: Vec<Value<'d>>,
}

/// An AuthnStatement.
#[derive(Debug, Clone)]
pub struct AuthnStatement<'d> {
    /// The element.
    pub node: NodeId,
    /// `AuthnInstant`.
    pub authn_instant: Option<&'d str>,
    /// `SessionNotOnOrAfter`.
    pub session_not_on_or_after: Option<&'d str>,
    /// AuthnContextClassRef, over all AuthnContext elements.
    pub class_ref: Once<Value<'d>>,
    /// An AuthnContextDecl or AuthnContextDeclRef.
    pub declaration: Option<NodeId>,
}

/// The claims of one assertion.
#[derive(Debug, Clone)]
pub struct Claims<'d> {
    /// The document.
    pub document: &'d Document,
    /// The Assertion.
    pub node: NodeId,
    /// Whether anybody vouches for them.
    pub provenance: Provenance,
    /// `Version`.
    pub version: Option<&'d str>,
    /// `ID`.
    pub id: Option<&'d str>,
    /// `IssueInstant`.
    pub issue_instant: Option<&'d str>,
    /// Issuer.
    pub issuer: Once<Value<'d>>,
    /// `Format` of the first Issuer.
    pub issuer_format: Option<&'d str>,
    /// Subject.
    pub subject: Once<NodeId>,
    /// NameID of the first Subject.
    pub name_id: Once<NameId<'d>>,
    /// A BaseID or EncryptedID in place of it.
    pub other_id: Option<NodeId>,
    /// Every SubjectConfirmation of the first Subject.
    pub confirmations: Vec<Confirmation<'d>>,
    /// Conditions.
    pub conditions: Once<Conditions<'d>>,
    /// Every AuthnStatement.
    pub authn_statements: Vec<AuthnStatement<'d>>,
}

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

impl Confirmation<'_> {
    /// Whether this is a bearer confirmation ([SAMLProf 3.3]).
    pub fn is_bearer(&self) -> bool {
        self.method == Some(BEARER)
    }
}

impl<'d> Claims<'d> {
    /// Claims that a registered key vouches for.
    pub fn of_signed(signed: &Signed<'d>) -> Self {
        Self::read(signed.document(), signed.node(), Provenance::Signed)
    }

    /// Claims that nobody vouches for, read for the report alone.
    pub fn of_unsigned(document: &'d Document, assertion: NodeId) -> Self {
        Self::read(document, assertion, Provenance::Unsigned)
    }

    fn read(document: &'d Document, node: NodeId, provenance: Provenance) -> Self {
        let children = |name: &'static str| document.children_named(node, ASSERTION, name);
        let issuer: Once<Value<'d>> = children("Issuer").map(|issuer| Value::of(document, issuer)).collect();
        let issuer_node = issuer.first.as_ref().map(|issuer| issuer.node);
        let subject: Once<NodeId> = children("Subject").collect();
        let subject_node = subject.first;
        let in_subject = |name: &'static str| {
            subject_node.into_iter().flat_map(move |subject| document.children_named(subject, ASSERTION, name))
        };
        Self {
            document,
            node,
            provenance,
            version: document.attribute(node, "Version"),
            id: document.attribute(node, "ID"),
            issue_instant: document.attribute(node, "IssueInstant"),
            issuer_format: issuer_node.and_then(|issuer| document.attribute(issuer, "Format")),
            issuer,
            name_id: in_subject("NameID")
                .map(|id| NameId { value: Value::of(document, id), format: document.attribute(id, "Format") })
                .collect(),
            other_id: in_subject("EncryptedID").chain(in_subject("BaseID")).next(),
            confirmations: in_subject("SubjectConfirmation").map(|node| confirmation(document, node)).collect(),
            subject,
            conditions: children("Conditions").map(|node| conditions(document, node)).collect(),
            authn_statements: children("AuthnStatement").map(|node| authn_statement(document, node)).collect(),
        }
    }

    /// Every Attribute: its name and the element.
    pub fn attributes(&self) -> impl Iterator<Item = (&'d str, NodeId)> + '_ {
        let document = self.document;
        document
            .children_named(self.node, ASSERTION, "AttributeStatement")
            .flat_map(|statement| document.children_named(statement, ASSERTION, "Attribute"))
            .map(|attribute| (document.attribute(attribute, "Name").unwrap_or_default(), attribute))
    }

    /// Every value of one Attribute.
    pub fn values_of(&self, attribute: NodeId) -> impl Iterator<Item = Value<'d>> + use<'d> {
        let document = self.document;
        document.children_named(attribute, ASSERTION, "AttributeValue").map(|value| Value::of(document, value))
    }

    /// Every value of every attribute of this name.
    pub fn attribute_values(&self, name: &str) -> impl Iterator<Item = Value<'d>> {
        self.attributes().filter(move |(found, _)| *found == name).flat_map(|(_, attribute)| self.values_of(attribute))
    }

    /// The bearer confirmation, where there is one.
    pub fn bearer(&self) -> Option<&Confirmation<'d>> {
        self.confirmations.iter().find(|confirmation| confirmation.is_bearer())
    }

    /// The claims as a report shows them, with what the envelope adds.
    pub fn report(&self, response: &Response<'_>) -> verdict::Claims {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let text = |value: Option<&Value<'_>>| value.map(|value| value.text.clone().into_owned());
        let personal = |value: &Value<'_>| Personal::new(value.text.as_ref());
        let conditions = self.conditions.first.as_ref();
        let restrictions = conditions.into_iter().flat_map(|conditions| &conditions.restrictions);
        let confirmation = self.bearer().or_else(|| self.confirmations.first());
        let name_id = self.name_id.first.as_ref();
        verdict::Claims {
            id: owned(self.id),
            issuer: text(self.issuer.first.as_ref()),
            audience: restrictions
                .flat_map(|restriction| &restriction.audiences)
                .map(|audience| audience.text.clone().into_owned())
                .collect(),
            name_id: name_id.map(|name_id| personal(&name_id.value)),
            name_id_format: owned(name_id.and_then(|name_id| name_id.format)),
            idp_email: self.attribute_values("IDPEmail").next().map(|value| personal(&value)),
            authn_context: text(self.authn_context()),
            in_response_to: owned(confirmation.and_then(|confirmation| confirmation.in_response_to)),
            not_before: owned(conditions.and_then(|conditions| conditions.not_before)),
            not_on_or_after: owned(conditions.and_then(|conditions| conditions.not_on_or_after)),
            recipient: owned(confirmation.and_then(|confirmation| confirmation.recipient)),
            destination: owned(response.destination),
        }
    }

    /// The first context class.
    pub fn authn_context(&self) -> Option<&Value<'d>> {
        self.authn_statements.iter().find_map(|statement| statement.class_ref.first.as_ref())
    }
}

fn confirmation(document: &Document, node: NodeId) -> Confirmation<'_> {
    let data: Once<NodeId> = document.children_named(node, ASSERTION, "SubjectConfirmationData").collect();
    let attribute = |name| data.first.and_then(|data| document.attribute(data, name));
    Confirmation {
        node,
        method: document.attribute(node, "Method"),
        recipient: attribute("Recipient"),
        not_on_or_after: attribute("NotOnOrAfter"),
        not_before: attribute("NotBefore"),
        in_response_to: attribute("InResponseTo"),
        data,
    }
}

fn conditions(document: &Document, node: NodeId) -> Conditions<'_> {
    let known = ["AudienceRestriction", "OneTimeUse", "ProxyRestriction"];
    let is_known = |child: &NodeId| known.iter().any(|name| document.is(*child, ASSERTION, name));
    let restrictions = document.children_named(node, ASSERTION, "AudienceRestriction").map(|restriction| {
        let audiences = document.children_named(restriction, ASSERTION, "Audience");
        Restriction { node: restriction, audiences: audiences.map(|node| Value::of(document, node)).collect() }
    });
    Conditions {
        node,
        not_before: document.attribute(node, "NotBefore"),
        not_on_or_after: document.attribute(node, "NotOnOrAfter"),
        restrictions: restrictions.collect(),
        unknown: document.child_elements(node).find(|child| !is_known(child)),
    }
}

fn authn_statement(document: &Document, node: NodeId) -> AuthnStatement<'_> {
    let in_context = |name: &'static str| {
        document
            .children_named(node, ASSERTION, "AuthnContext")
            .flat_map(move |context| document.children_named(context, ASSERTION, name))
    };
    AuthnStatement {
        node,
        authn_instant: document.attribute(node, "AuthnInstant"),
        session_not_on_or_after: document.attribute(node, "SessionNotOnOrAfter"),
        class_ref: in_context("AuthnContextClassRef").map(|class| Value::of(document, class)).collect(),
        declaration: in_context("AuthnContextDeclRef").chain(in_context("AuthnContextDecl")).next(),
    }
}
