//! The response around an assertion ([SAMLCore 3.3.3]), and what else stands in the document that must not.

use smallvec::SmallVec;

use super::{ASSERTION, Once, PROTOCOL};
use crate::dsig::DS;
use crate::xml::{Document, NodeId, NodeKind};

/// What a document is, by its root element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageForm {
    /// A `samlp:Response`.
    Response,
    /// A `samlp:LogoutResponse` or `samlp:LogoutRequest`.
    Logout,
    /// Another SAML request.
    Request,
    /// WS-Federation.
    WsFed,
    /// Something else.
    Unknown,
}

impl MessageForm {
    /// Tells by the root element.
    pub fn of(document: &Document) -> Self {
        let root = document.root();
        match (document.namespace(root), document.local_name(root)) {
            (PROTOCOL, "Response") => Self::Response,
            (PROTOCOL, "LogoutResponse" | "LogoutRequest") => Self::Logout,
            (PROTOCOL, name) if name.ends_with("Request") || name.ends_with("Query") => Self::Request,
            (_, "RequestSecurityTokenResponse" | "RequestSecurityTokenResponseCollection") => Self::WsFed,
            _ => Self::Unknown,
        }
    }
}

/// Something wrong with an ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdProblem {
    /// The attribute is missing or empty.
    #[error("{0} has no ID")]
    Missing(String),
    /// Not an NCName, or too long.
    #[error("the ID of {element} is no NCName of at most 256 characters")]
    NotAName {
        /// The element.
        element: String,
        /// As written, cut.
        got: String,
    },
    /// The value stands in another id-like attribute too.
    #[error("the same ID stands on {first} and on {second}")]
    Twice {
        /// One element.
        first: String,
        /// The other.
        second: String,
        /// The value, cut.
        got: String,
    },
}

/// A `samlp:Response`, as written: nothing is judged here.
#[derive(Debug)]
pub struct Response<'d> {
    /// The document.
    pub document: &'d Document,
    /// The root element.
    pub node: NodeId,
    /// `Version`.
    pub version: Option<&'d str>,
    /// `Destination`.
    pub destination: Option<&'d str>,
    /// `IssueInstant`.
    pub issue_instant: Option<&'d str>,
    /// `InResponseTo`.
    pub in_response_to: Option<&'d str>,
    /// Its own Issuer.
    pub issuer: Once<NodeId>,
    /// Status.
    pub status: Once<NodeId>,
    /// The top-level StatusCode.
    pub status_code: Once<NodeId>,
    /// The first plaintext Assertion that is its direct child.
    pub assertion: Option<NodeId>,
    /// The first EncryptedAssertion.
    pub encrypted: Option<NodeId>,
    /// Further elements named Assertion, EncryptedAssertion or Response, anywhere and in any namespace.
    pub further: Vec<NodeId>,
    /// Direct children that a Response does not have, or not again.
    pub unexpected: Vec<NodeId>,
    /// What is wrong with IDs.
    pub id_problems: Vec<(IdProblem, NodeId)>,
    /// A processing instruction inside the Assertion.
    pub instruction: Option<NodeId>,
}

impl<'d> Response<'d> {
    /// Reads a document whose root is a Response.
    pub fn read(document: &'d Document) -> Self {
        let node = document.root();
        let status: Once<_> = document.children_named(node, PROTOCOL, "Status").collect();
        let status_code = status
            .first
            .into_iter()
            .flat_map(|status| document.children_named(status, PROTOCOL, "StatusCode"))
            .collect();
        let mut response = Self {
            document,
            node,
            version: document.attribute(node, "Version"),
            destination: document.attribute(node, "Destination"),
            issue_instant: document.attribute(node, "IssueInstant"),
            in_response_to: document.attribute(node, "InResponseTo"),
            issuer: document.children_named(node, ASSERTION, "Issuer").collect(),
            status,
            status_code,
            assertion: document.children_named(node, ASSERTION, "Assertion").next(),
            encrypted: None,
            further: Vec::new(),
            unexpected: Vec::new(),
            id_problems: Vec::new(),
            instruction: None,
        };
        response.read_children();
        response.read_own_ids();
        response.survey();
        response
    }

    /// One walk over the whole document for what must not be there twice, or at all.
    fn survey(&mut self) {
        let document = self.document;
        let mut ids: SmallVec<[(&str, NodeId); 4]> = SmallVec::new();
        for node in std::iter::once(self.node).chain(document.descendants(self.node)) {
            match document.local_name(node) {
                _ if node == self.node => {}
                "EncryptedAssertion" if self.encrypted.is_none() && self.assertion.is_none() => {
                    self.encrypted = Some(node);
                }
                "Assertion" | "EncryptedAssertion" | "Response" if self.assertion != Some(node) => {
                    self.further.push(node);
                }
                _ => {}
            }
            for attribute in document.attributes(node) {
                if is_id_like(document.attribute_local_name(attribute)) {
                    ids.push((document.attribute_value(attribute), node));
                }
            }
        }
        ids.sort_unstable();
        if let Some([(id, first), (_, second)]) = ids.array_windows().find(|[(a, _), (b, _)]| a == b) {
            let name = |node: &NodeId| document.written_name(*node).to_owned();
            let got = id.chars().take(80).collect();
            self.id_problems.push((IdProblem::Twice { first: name(first), second: name(second), got }, *second));
        }
        if let Some(assertion) = self.assertion {
            let mut inside = self.document.descendants(assertion);
            self.instruction = inside.find(|node| self.document.kind(*node) == NodeKind::Instruction);
        }
    }

    /// Issuer?, Signature?, Extensions?, Status, then assertions ([SAMLCore 3.2.2, 3.3.3]).
    fn read_children(&mut self) {
        let document = self.document;
        let mut seen = [0_u8; 5];
        for child in document.children(self.node) {
            let place = match (document.namespace(child), document.local_name(child)) {
                (ASSERTION, "Issuer") => 0,
                (DS, "Signature") => 1,
                (PROTOCOL, "Extensions") => 2,
                (PROTOCOL, "Status") => 3,
                // their number is judged by the survey
                (ASSERTION, "Assertion" | "EncryptedAssertion") => continue,
                _ if document.kind(child) == NodeKind::Text && document.text(child).trim_ascii().is_empty() => continue,
                _ if matches!(document.kind(child), NodeKind::Comment | NodeKind::Instruction) => continue,
                _ => 4,
            };
            if let Some(count) = seen.get_mut(place) {
                *count = count.saturating_add(1);
                // a second Signature is a matter of the signature, a second Status one of the status
                if place == 4 || (matches!(place, 0 | 2) && *count > 1) {
                    self.unexpected.push(child);
                }
            }
        }
    }

    fn read_own_ids(&mut self) {
        let document = self.document;
        for node in [Some(self.node), self.assertion].into_iter().flatten() {
            let element = || document.written_name(node).to_owned();
            match document.attribute(node, "ID") {
                None | Some("") => self.id_problems.push((IdProblem::Missing(element()), node)),
                Some(id) if !crate::xml::is_ncname(id) || id.chars().nth(256).is_some() => {
                    let got = id.chars().take(80).collect();
                    self.id_problems.push((IdProblem::NotAName { element: element(), got }, node));
                }
                Some(_) => {}
            }
        }
    }
}

/// Names that some software takes for an ID.
fn is_id_like(local: &str) -> bool {
    // all of them end so, and few other names do
    local.as_bytes().last_chunk().is_some_and(|end: &[u8; 2]| end.eq_ignore_ascii_case(b"ID"))
        && ["ID", "AssertionID", "ResponseID", "RequestID"].iter().any(|name| local.eq_ignore_ascii_case(name))
}
