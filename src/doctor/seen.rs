//! What sign-ins were signed with, where they were captured, against what Entra holds.

use jiff::Timestamp;

use super::certificates::{base64, published};
use super::command::{quoted, update};
use super::{Case, Diagnosis, Harm};
use crate::dsig::Certificate;
use crate::verdict::Code;

/// A certificate that sign-ins of a federation named, or were verified by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// SHA-1 of its DER, as PowerShell shows it.
    pub thumbprint: String,
    /// How many sign-ins.
    pub sign_ins: u64,
    /// When it was seen last.
    pub last: Option<Timestamp>,
    /// The certificate itself, where a body that holds it was kept.
    pub certificate: Option<Certificate>,
}

/// How often something was seen, and when last, in words.
pub(super) fn times(sign_ins: u64, last: Option<Timestamp>) -> String {
    let last = last.map(|last| format!(", last at {}", last.strftime("%Y-%m-%dT%H:%M:%SZ"))).unwrap_or_default();
    format!("in {sign_ins} sign-in{}{last}", if sign_ins == 1 { "" } else { "s" })
}

pub(super) fn examine(case: &Case<'_>, found: &mut Vec<Diagnosis>) {
    let held: Vec<&str> = case.federation.keys.iter().map(|key| &**key.key.thumbprint()).collect();
    let is_held = |seen: &&Seen| held.contains(&&*seen.thumbprint);
    let (known, strange): (Vec<&Seen>, Vec<&Seen>) = case.seen.iter().partition(is_held);
    if held.is_empty() {
        return;
    }
    if let Some(worst) = strange.iter().max_by_key(|seen| seen.last) {
        let (harm, finding) = match known.is_empty() {
            true => {
                (Harm::Everybody, "every captured sign-in is signed with a certificate that is not registered in Entra")
            }
            false => (Harm::Some, "captured sign-ins are signed with a certificate that is not registered in Entra"),
        };
        found.push(
            Diagnosis::new("certificate_seen_unregistered", harm, finding)
                .code(Code::KeyUnknown)
                .entra(held.join(", "))
                .provider(strange.iter().map(|seen| told(seen)).collect::<Vec<_>>().join("; "))
                .mend(register(case, worst)),
        );
    }
    let (Some(current), Some(next)) = (held.first(), held.get(1)) else { return };
    let of = |thumbprint: &str| known.iter().find(|seen| seen.thumbprint == thumbprint);
    if let (None, Some(seen)) = (of(current), of(next)) {
        let next = case.federation.keys.get(1).map(|key| base64(key.key.certificate())).unwrap_or_default();
        found.push(
            Diagnosis::new(
                "certificate_seen_next_alone",
                Harm::Around,
                "the current certificate is registered, and the captured sign-ins are signed with the next one alone",
            )
            .entra(format!("current {current}"))
            .provider(told(seen))
            .mend(format!(
                "once nothing signs with the current one any more: {}",
                update(case.domain(), &format!("-SigningCertificate {}", quoted(&next)))
            )),
        );
    }
}

fn told(seen: &Seen) -> String {
    format!("{} {}", seen.thumbprint, times(seen.sign_ins, seen.last))
}

/// A command where the metadata vouches for the certificate. What was posted vouches for nobody: who can post can sign with a
/// certificate of their own.
fn register(case: &Case<'_>, seen: &Seen) -> String {
    let published = published(case.sources);
    match published.iter().find(|key| **key.thumbprint() == *seen.thumbprint) {
        Some(key) => update(case.domain(), &format!("-NextSigningCertificate {}", quoted(&base64(key.certificate())))),
        None => format!(
            "look for the certificate {0} at the identity provider. If it is meant to sign with it, take it from there: {1}. If it is not \
             there, somebody else signed",
            seen.thumbprint,
            update(case.domain(), "-NextSigningCertificate with base64 of its DER")
        ),
    }
}
