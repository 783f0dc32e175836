//! What was given about one federation, each source by itself: Entra is judged by one of them, the others are compared with it.

use jiff::Timestamp;

use super::{CertificateInput, Settings};
use crate::saml::metadata::IdpMetadata;

/// Every source of one federation.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// What Entra holds: exported, or asked for.
    pub settings: Option<Settings>,
    /// What the identity provider publishes.
    pub metadata: Option<IdpMetadata>,
    /// Where the metadata was had from, where that is a URL.
    pub metadata_url: Option<String>,
    /// `issuer`, as the operator wrote it.
    pub issuer: Option<String>,
    /// `certificates`: the operator's files.
    pub certificates: Vec<CertificateInput>,
    /// When the file of `users` was written; none where they come from elsewhere.
    pub users_made: Option<Timestamp>,
}
