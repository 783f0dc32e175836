//! The shapes that producers give the same response: prefixes, declarations, orders, line breaks. What it says stays the same.

use crate::dsig::{KeyInfoForm, Layout, SignError};
use crate::limits::Limits;
use crate::saml::{ASSERTION, PROTOCOL};
use crate::xml::{self, Document, NodeId, NodeKind};

use super::MintError;

/// Whose responses a minted one looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// As the library writes it that builds the document: like OpenSAML and its kin.
    #[default]
    Plain,
    /// authentik up to 2025.12: five namespaces on the root and none below, signatures in lines, pure ASCII.
    Authentik,
    /// Keycloak: the prefix `dsig`, a default namespace that nobody uses, three kinds of key information.
    Keycloak,
    /// AD FS: the assertion in the default namespace, declarations last, attributes before the authentication.
    Adfs,
    /// SimpleSAMLphp: signatures that are indented inside, typed attribute values.
    Simplesamlphp,
    /// The sample in Microsoft's documentation: as AD FS, and valid for an hour.
    EntraDocs,
}

/// What a shape is made of.
pub(super) struct Style {
    /// Prefixes of the two namespaces; an empty one is the default namespace.
    protocol: &'static str,
    assertion: &'static str,
    /// Declarations on the root beside that of its own prefix.
    on_root: &'static [(&'static str, &'static str)],
    /// Declarations on the assertion beside that of its own prefix.
    on_assertion: &'static [(&'static str, &'static str)],
    /// Attributes that come first, in this order, on the Response and elsewhere; the others follow as they are.
    on_response: &'static [&'static str],
    order: &'static [&'static str],
    xmlns_last: bool,
    empty: &'static str,
    milliseconds: bool,
    attributes_first: bool,
    typed: bool,
    ascii: bool,
    consent: bool,
    /// The beginning of an ID.
    pub(super) id: &'static str,
    /// Minutes for which Conditions hold.
    pub(super) minutes: i64,
    /// Prefix of the signature.
    pub(super) signature: &'static str,
    /// Whether the signature declares it.
    pub(super) declared: bool,
    pub(super) layout: Layout,
    pub(super) key_info: KeyInfoForm,
}

const XS: (&str, &str) = ("xs", "http://www.w3.org/2001/XMLSchema");
const XSI: (&str, &str) = ("xsi", "http://www.w3.org/2001/XMLSchema-instance");
const DS: (&str, &str) = ("ds", "http://www.w3.org/2000/09/xmldsig#");
const XENC: (&str, &str) = ("xenc", "http://www.w3.org/2001/04/xmlenc#");
const MD: (&str, &str) = ("md", "urn:oasis:names:tc:SAML:2.0:metadata");

const PLAIN: Style = Style {
    protocol: "samlp",
    assertion: "saml",
    on_root: &[],
    on_assertion: &[],
    on_response: &[],
    order: &[],
    xmlns_last: false,
    empty: "/>",
    milliseconds: false,
    attributes_first: false,
    typed: false,
    ascii: false,
    consent: false,
    id: "_",
    minutes: 5,
    signature: "ds",
    declared: true,
    layout: Layout::Joined,
    key_info: KeyInfoForm::Certificate,
};

const ADFS: Style = Style {
    assertion: "",
    on_response: &["ID", "Version", "IssueInstant", "Destination", "Consent", "InResponseTo"],
    order: &["ID", "IssueInstant", "Version", "InResponseTo", "NotOnOrAfter", "Recipient", "AuthnInstant"],
    xmlns_last: true,
    empty: " />",
    milliseconds: true,
    attributes_first: true,
    consent: true,
    key_info: KeyInfoForm::Unprefixed,
    ..PLAIN
};

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 6] =
        [Self::Plain, Self::Authentik, Self::Keycloak, Self::Adfs, Self::Simplesamlphp, Self::EntraDocs];

    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Authentik => "authentik",
            Self::Keycloak => "keycloak",
            Self::Adfs => "adfs",
            Self::Simplesamlphp => "simplesamlphp",
            Self::EntraDocs => "entra_docs",
        }
    }

    /// The shape of this spelling.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shape| shape.as_str() == word)
    }

    pub(super) fn style(self) -> Style {
        match self {
            Self::Plain => PLAIN,
            Self::Authentik => Style {
                on_root: &[("saml", ASSERTION), DS, MD, XENC],
                on_response: &["Version", "IssueInstant", "Destination", "ID", "InResponseTo"],
                order: &["Version", "ID", "IssueInstant", "InResponseTo", "NotOnOrAfter", "Recipient", "AuthnInstant"],
                ascii: true,
                declared: false,
                layout: Layout::Lines,
                ..PLAIN
            },
            Self::Keycloak => Style {
                on_root: &[("saml", ASSERTION)],
                on_assertion: &[("", ASSERTION)],
                on_response: &["Destination", "ID", "InResponseTo", "IssueInstant"],
                order: &["ID", "InResponseTo", "IssueInstant", "NotOnOrAfter", "Recipient", "AuthnInstant"],
                milliseconds: true,
                id: "ID_",
                signature: "dsig",
                key_info: KeyInfoForm::Several,
                ..PLAIN
            },
            Self::Adfs => ADFS,
            Self::EntraDocs => Style { minutes: 60, ..ADFS },
            Self::Simplesamlphp => Style {
                on_root: &[("saml", ASSERTION)],
                on_assertion: &[XSI, XS],
                on_response: &["ID", "Version", "IssueInstant", "Destination", "InResponseTo"],
                order: &["ID", "Version", "IssueInstant", "NotOnOrAfter", "Recipient", "InResponseTo", "AuthnInstant"],
                typed: true,
                layout: Layout::Indented,
                ..PLAIN
            },
        }
    }

    /// The unsigned response in this shape.
    pub(super) fn dress(self, xml: String) -> Result<String, MintError> {
        if self == Self::Plain {
            return Ok(xml);
        }
        let document = xml::parse(xml.into_bytes(), &Limits::default()).map_err(SignError::from)?;
        let mut tailor = Tailor { document: &document, style: self.style(), out: String::new() };
        tailor.element(document.root(), &mut Vec::new());
        Ok(tailor.out)
    }
}

struct Tailor<'d> {
    document: &'d Document,
    style: Style,
    out: String,
}

type Scope = Vec<(String, String)>;

impl Tailor<'_> {
    fn element(&mut self, node: NodeId, scope: &mut Scope) {
        let depth = scope.len();
        let (namespace, local) = (self.document.namespace(node), self.document.local_name(node));
        let prefix = match namespace {
            PROTOCOL => self.style.protocol,
            ASSERTION => self.style.assertion,
            _ if namespace == XENC.1 => XENC.0,
            _ => "",
        };
        let name = if prefix.is_empty() { local.to_owned() } else { format!("{prefix}:{local}") };
        let mut declared = vec![(prefix, namespace)];
        if node == self.document.root() {
            declared.extend(self.style.on_root);
        }
        if local == "Assertion" {
            declared.extend(self.style.on_assertion);
        }
        let mut declarations = String::new();
        for (prefix, uri) in declared {
            if scope.iter().rev().find(|(known, _)| known == prefix).is_some_and(|(_, known)| known == uri) {
                continue;
            }
            scope.push((prefix.to_owned(), uri.to_owned()));
            let colon = if prefix.is_empty() { "" } else { ":" };
            declarations.push_str(&format!(" xmlns{colon}{prefix}=\"{uri}\""));
        }
        let attributes = self.attributes(node);
        let (first, second) =
            if self.style.xmlns_last { (attributes, declarations) } else { (declarations, attributes) };
        self.out.push_str(&format!("<{name}{first}{second}"));
        let children = self.children(node);
        if children.is_empty() {
            self.out.push_str(self.style.empty);
        } else {
            self.out.push('>');
            for child in children {
                match self.document.kind(child) {
                    NodeKind::Element => self.element(child, scope),
                    NodeKind::Text => {
                        let text = self.escaped(self.document.text(child), false);
                        self.out.push_str(&text);
                    }
                    // the library writes neither comments nor instructions
                    _ => {}
                }
            }
            self.out.push_str(&format!("</{name}>"));
        }
        scope.truncate(depth);
    }

    fn children(&self, node: NodeId) -> Vec<NodeId> {
        let mut children: Vec<NodeId> = self.document.children(node).collect();
        if self.style.attributes_first {
            children.sort_by_key(|child| self.document.local_name(*child) == "AuthnStatement");
        }
        children
    }

    fn attributes(&self, node: NodeId) -> String {
        let document = self.document;
        let mut written: Vec<(String, String)> = Vec::new();
        for attribute in document.attributes(node) {
            let (name, value) = (document.attribute_local_name(attribute), document.attribute_value(attribute));
            match document.attribute_is_unprefixed(attribute) {
                true => written.push((name.to_owned(), self.instant(name, value))),
                false if self.style.typed => written.push((format!("xsi:{name}"), value.to_owned())),
                false => {}
            }
        }
        if self.style.consent && node == document.root() {
            written.push(("Consent".to_owned(), "urn:oasis:names:tc:SAML:2.0:consent:unspecified".to_owned()));
        }
        let order = if node == document.root() { self.style.on_response } else { self.style.order };
        let place = |name: &str| order.iter().position(|known| *known == name).unwrap_or(usize::MAX);
        written.sort_by_key(|(name, _)| place(name));
        let one = |(name, value): &(String, String)| format!(" {name}=\"{}\"", self.escaped(value, true));
        written.iter().map(one).collect()
    }

    /// An instant with milliseconds, or without; the library writes either.
    fn instant(&self, name: &str, value: &str) -> String {
        if !["IssueInstant", "NotBefore", "NotOnOrAfter", "AuthnInstant"].contains(&name) {
            return value.to_owned();
        }
        let seconds = value.trim_end_matches('Z').trim_end_matches(".000");
        if self.style.milliseconds { format!("{seconds}.000Z") } else { format!("{seconds}Z") }
    }

    fn escaped(&self, text: &str, quoted: bool) -> String {
        let mut out = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' if quoted => out.push_str("&quot;"),
                '\r' | '\n' | '\t' if quoted || character == '\r' => {
                    out.push_str(&format!("&#{};", u32::from(character)));
                }
                character if self.style.ascii && !character.is_ascii() => {
                    out.push_str(&format!("&#{};", u32::from(character)));
                }
                character => out.push(character),
            }
        }
        out
    }
}
