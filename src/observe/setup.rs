//! What the service runs on since the last reload, as far as an operator looks at it.

use std::sync::Arc;

use jiff::Timestamp;

use super::label::{Role, Source};
use crate::dsig::TrustedKey;
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
    /// Its certificates: those that are judged by, then those that are published.
    pub certificates: Vec<KnownCertificate>,
    /// How many users are known; none where no export was given.
    pub users: Option<usize>,
    /// When their file was written; none where there is no file, or that is not known.
    pub users_made: Option<Timestamp>,
}

/// A certificate of a federation.
#[derive(Debug, Clone)]
pub struct KnownCertificate {
    /// Where it is known from.
    pub source: Source,
    /// Which one.
    pub role: Role,
    /// SHA-1 of its DER, as PowerShell shows it.
    pub thumbprint: Arc<str>,
    /// The last instant of its validity.
    pub not_after: Timestamp,
}

impl KnownFederation {
    /// What is known of a federation whose keys come from `source`, while the metadata beside it has these.
    pub fn of(federation: &Federation, source: Source, published: &[TrustedKey]) -> Self {
        let known = |source: Source, keys: &mut dyn Iterator<Item = &TrustedKey>| -> Vec<KnownCertificate> {
            let all = Role::ALL.iter().zip(keys).map(|(role, key)| KnownCertificate {
                source,
                role: *role,
                thumbprint: key.thumbprint().clone(),
                not_after: key.certificate().not_after,
            });
            all.collect()
        };
        let mut certificates = known(source, &mut federation.keys.iter().map(|registered| &registered.key));
        certificates.extend(known(Source::Metadata, &mut published.iter()));
        Self {
            domain: federation.domain.as_deref().unwrap_or_default().into(),
            issuer: federation.issuer.clone().unwrap_or_default(),
            source,
            certificates,
            users: federation.users.as_ref().map(|users| users.len()),
            users_made: None,
        }
    }

    /// What was read for it.
    pub(super) fn sources(&self) -> impl Iterator<Item = Source> {
        [self.source].into_iter().chain(self.users.map(|_| Source::Users))
    }
}
