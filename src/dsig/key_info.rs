//! The certificate that KeyInfo names. It is never trusted: it only helps to say which key was used.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::grammar::DS;
use super::key::{Certificate, TrustedKey};
use crate::xml::{Document, NodeId};

/// Certificates that are looked at; intermediates may stand beside the signer's own.
const LOOKED_AT: usize = 4;
/// Characters of a certificate that is looked at. Real ones have one to four thousand; parsing and naming a huge one buys
/// a stranger time and a report as long as itself.
const LONGEST: usize = 32 * 1024;

/// A certificate that a signature names.
#[derive(Debug, Clone)]
pub struct NamedCertificate {
    /// The certificate.
    pub certificate: Certificate,
    /// Where it is among the registered keys.
    pub registered: Option<usize>,
    /// The element that holds it.
    pub node: NodeId,
}

/// The certificate that a Signature names: the first registered one, else the first.
pub(super) fn named(document: &Document, signature: NodeId, keys: &[&TrustedKey]) -> Option<NamedCertificate> {
    let certificates = document
        .children_named(signature, DS, "KeyInfo")
        .flat_map(|info| document.children_named(info, DS, "X509Data"))
        .flat_map(|data| document.children_named(data, DS, "X509Certificate"));
    let mut named: Vec<NamedCertificate> = certificates
        .take(LOOKED_AT)
        .filter_map(|node| {
            let written = document.text_in(node);
            if written.len() > LONGEST {
                return None;
            }
            let text: String = written.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            let certificate = Certificate::from_der(&STANDARD.decode(text).ok()?).ok()?;
            let registered = keys.iter().position(|key| key.certificate().der == certificate.der);
            Some(NamedCertificate { certificate, registered, node })
        })
        .collect();
    let best = named.iter().position(|named| named.registered.is_some()).unwrap_or(0);
    (best < named.len()).then(|| named.swap_remove(best))
}
