//! What the service runs on since the last reload, as far as an operator looks at it.

use std::sync::Arc;

use jiff::Timestamp;

use super::label::{Role, Source};
use crate::tenant::Federation;

/// What is in force.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// The environment, in the operator's word.
    pub environment: String,
    /// `observe` or `enforce`.
    pub mode: &'static str,
    /// The federations.
    pub federations: Vec<KnownFederation>,
    /// Since when.
    pub since: Timestamp,
}

/// A federation as it is known.
#[derive(Debug, Clone)]
pub struct KnownFederation {
    /// Its domain.
    pub domain: Arc<str>,
    /// Its issuer.
    pub issuer: String,
    /// Where its keys are known from.
    pub source: Source,
    /// Its certificates.
    pub certificates: Vec<KnownCertificate>,
    /// How many users are known; none where no export was given.
    pub users: Option<usize>,
}

/// A certificate of a federation.
#[derive(Debug, Clone)]
pub struct KnownCertificate {
    /// Which one.
    pub role: Role,
    /// SHA-1 of its DER, as PowerShell shows it.
    pub thumbprint: Arc<str>,
    /// The last instant of its validity.
    pub not_after: Timestamp,
}

impl KnownFederation {
    /// What is known of a federation whose keys come from `source`.
    pub fn of(federation: &Federation, source: Source) -> Self {
        let certificates = Role::ALL.iter().zip(&federation.keys).map(|(role, registered)| KnownCertificate {
            role: *role,
            thumbprint: registered.key.thumbprint().clone(),
            not_after: registered.key.certificate().not_after,
        });
        Self {
            domain: federation.domain.as_deref().unwrap_or_default().into(),
            issuer: federation.issuer.clone().unwrap_or_default(),
            source,
            certificates: certificates.collect(),
            users: federation.users.as_ref().map(|users| users.len()),
        }
    }

    /// What was read for it.
    pub(super) fn sources(&self) -> impl Iterator<Item = Source> {
        [self.source].into_iter().chain(self.users.map(|_| Source::Users))
    }
}
