//! The one shape of `ds:Signature` that SAML has ([SAMLCore 5.4], [xmldsig 4]), read by direct children, never by search.

use smallvec::SmallVec;

use crate::xml::{Algorithm, Document, NodeId, NodeKind};

/// Namespace of XML signatures.
pub(crate) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// A signature of the right shape; nothing of it is verified.
#[derive(Debug)]
pub(super) struct Grammar<'d> {
    pub(super) signed_info: NodeId,
    pub(super) canonicalization: Method<'d>,
    pub(super) signature_method: Method<'d>,
    pub(super) signature_value: NodeId,
    pub(super) digest_method: Method<'d>,
    pub(super) digest_value: NodeId,
    pub(super) reference: NodeId,
    pub(super) transforms: SmallVec<[Method<'d>; 2]>,
}

/// An element that names an algorithm.
#[derive(Debug, Clone)]
pub(super) struct Method<'d> {
    pub(super) node: NodeId,
    pub(super) uri: &'d str,
    /// PrefixList of an InclusiveNamespaces child.
    pub(super) prefix_list: Vec<&'d str>,
    /// Whether anything else stands in it (HMACOutputLength, XPath, parameters).
    pub(super) has_parameters: bool,
}

/// What is not of that shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A child is missing.
    #[error("{parent} has no {child}")]
    Missing {
        /// The element.
        parent: &'static str,
        /// What it should hold.
        child: &'static str,
    },
    /// A child that SAML's profile does not have here, or has once only.
    #[error("{parent} holds {child}, where SAML allows none or no second one")]
    Unexpected {
        /// The element.
        parent: &'static str,
        /// What stands in it.
        child: String,
    },
    /// Text where only elements may stand.
    #[error("{0} holds text")]
    Text(&'static str),
    /// SignatureValue or DigestValue holds more than text.
    #[error("{0} holds a comment, an instruction or an element")]
    ValueNotText(&'static str),
    /// The Reference has no URI.
    #[error("the Reference has no URI")]
    NoUri,
    /// The Reference points elsewhere.
    #[error("the Reference points to {uri}, not to the {parent} that holds the Signature ({expected})")]
    OtherElement {
        /// As written, with the name of the element of that ID where there is one.
        uri: String,
        /// The element that holds the Signature.
        parent: String,
        /// What the URI should be.
        expected: String,
    },
    /// The element has no ID that a Reference could point to.
    #[error("the {0} that holds the Signature has no usable ID")]
    NoId(String),
    /// The transforms are not enveloped-signature and exclusive canonicalisation, in this order.
    #[error(
        "the Transforms are [{0}], where SAML has enveloped-signature and then exclusive canonicalisation, and nothing else"
    )]
    Transforms(String),
    /// More than one Signature in one element.
    #[error("the {0} holds more than one Signature")]
    Several(String),
    /// A Signature that is a direct child of neither the Response nor the Assertion.
    #[error("a Signature stands in {0}, where it covers nothing that is judged")]
    Stray(String),
}

/// Trouble and the node to show for it.
pub(super) type Shaped<T> = Result<T, (ShapeError, NodeId)>;

impl<'d> Grammar<'d> {
    /// Reads a Signature.
    pub(super) fn read(document: &'d Document, signature: NodeId) -> Shaped<Self> {
        let [signed_info, signature_value, _] = children(
            document,
            signature,
            "Signature",
            [("SignedInfo", true), ("SignatureValue", true), ("KeyInfo", false)],
        )?;
        let signed_info = signed_info.unwrap_or(signature);
        let [canonicalization, signature_method, reference] = children(
            document,
            signed_info,
            "SignedInfo",
            [("CanonicalizationMethod", true), ("SignatureMethod", true), ("Reference", true)],
        )?;
        let reference = reference.unwrap_or(signed_info);
        let [transforms, digest_method, digest_value] = children(
            document,
            reference,
            "Reference",
            [("Transforms", true), ("DigestMethod", true), ("DigestValue", true)],
        )?;
        let method = |node: Option<NodeId>| Method::read(document, node.unwrap_or(signature));
        let transforms = transforms.unwrap_or(reference);
        let transforms = document
            .child_elements(transforms)
            .map(|child| {
                if document.is(child, DS, "Transform") {
                    Ok(Method::read(document, child))
                } else {
                    let child_name = document.written_name(child).to_owned();
                    Err((ShapeError::Unexpected { parent: "Transforms", child: child_name }, child))
                }
            })
            .collect::<Result<_, _>>()?;
        let value = |node: Option<NodeId>, name| match node {
            Some(node) if document.has_only_text(node) => Ok(node),
            node => Err((ShapeError::ValueNotText(name), node.unwrap_or(signature))),
        };
        Ok(Self {
            signed_info,
            canonicalization: method(canonicalization),
            signature_method: method(signature_method),
            signature_value: value(signature_value, "SignatureValue")?,
            digest_method: method(digest_method),
            digest_value: value(digest_value, "DigestValue")?,
            reference,
            transforms,
        })
    }

    /// The canonicalisation of the Reference: exclusive, after the enveloped Signature was taken out, and nothing else.
    pub(super) fn reference_canonicalization(&self) -> Shaped<(&Method<'d>, Algorithm)> {
        if let [first, second] = self.transforms.as_slice()
            && first.uri == ENVELOPED
            && !first.has_parameters
            && first.prefix_list.is_empty()
            && !second.has_parameters
            && let Some(algorithm) = canonicalization(second.uri).filter(|algorithm| algorithm.exclusive)
        {
            return Ok((second, algorithm));
        }
        let list: Vec<_> = self.transforms.iter().map(|transform| transform.uri).collect();
        Err((ShapeError::Transforms(list.join(", ")), self.reference))
    }
}

impl<'d> Method<'d> {
    fn read(document: &'d Document, node: NodeId) -> Self {
        let mut method = Self {
            node,
            uri: document.attribute(node, "Algorithm").unwrap_or_default(),
            prefix_list: Vec::new(),
            has_parameters: false,
        };
        let mut lists = 0;
        for child in document.children(node) {
            match document.kind(child) {
                NodeKind::Comment => {}
                NodeKind::Text if document.text(child).trim_ascii().is_empty() => {}
                NodeKind::Element if document.is(child, EXCLUSIVE, "InclusiveNamespaces") && lists == 0 => {
                    lists += 1;
                    let list = document.attribute(child, "PrefixList").unwrap_or_default();
                    method.prefix_list = list.split_ascii_whitespace().collect();
                }
                _ => method.has_parameters = true,
            }
        }
        method
    }
}

/// The canonicalisation algorithm of a URI; 1.1 and whatever else is none that SAML uses.
pub(super) fn canonicalization(uri: &str) -> Option<Algorithm> {
    let (plain, comments) = uri.strip_suffix("WithComments").map_or((uri, false), |plain| (plain, true));
    let exclusive = match plain {
        EXCLUSIVE => true,
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315" if !comments => false,
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#" if comments => false,
        _ => return None,
    };
    Some(Algorithm { exclusive, comments })
}

/// The children of an element of the signature namespace: these, in this order, each at most once.
fn children<const N: usize>(
    document: &Document,
    node: NodeId,
    parent: &'static str,
    expected: [(&'static str, bool); N],
) -> Shaped<[Option<NodeId>; N]> {
    let mut found = [None; N];
    let mut slots = expected.iter().zip(found.iter_mut());
    for child in document.children(node) {
        match document.kind(child) {
            NodeKind::Text if !document.text(child).trim_ascii().is_empty() => {
                return Err((ShapeError::Text(parent), child));
            }
            NodeKind::Element => {
                let in_namespace = document.namespace(child) == DS;
                let slot = slots.find(|((name, _), _)| in_namespace && document.local_name(child) == *name);
                let Some((_, slot)) = slot else {
                    let child_name = document.written_name(child).to_owned();
                    return Err((ShapeError::Unexpected { parent, child: child_name }, child));
                };
                *slot = Some(child);
            }
            _ => {}
        }
    }
    for ((child, required), found) in expected.iter().zip(&found) {
        if *required && found.is_none() {
            return Err((ShapeError::Missing { parent, child }, node));
        }
    }
    Ok(found)
}
