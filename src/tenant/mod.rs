//! What Entra is set to expect: federations and the users behind them.

use std::sync::Arc;

use crate::dsig::TrustedKey;

mod anchor;
mod builder;
mod certificate;
mod directory;
mod mending;
mod near_miss;
mod roster;
mod settings;
mod sources;
mod users;

pub(crate) use anchor::{decode as anchor_bytes, encode as anchor_text, swapped as other_byte_order};
pub use builder::{DirectoryBuilder, DirectoryError, Duplicates, NewUser};
pub use certificate::{CertificateError, CertificateForm, CertificateInput, certificate, certificate_text};
pub use directory::{AddressKind, Directory, Lookup, SEVERAL_MAX, User, UserType};
pub use mending::general_hint;
pub use near_miss::{ByteOrder, Mistake, NearMiss, diagnose};
pub use roster::{Changes, ObjectId, Roster, RosterBuilder, RosterError, Said};
pub use settings::{Settings, SettingsError};
pub use sources::Sources;
pub use users::{Loaded, Note, NoteKind, UsersError};

/// Characters that an ImmutableId may have, as a NameID; Entra refuses longer ones.
pub const ID_MAX: usize = 64;
/// Characters of an ImmutableId beyond which it is worth a warning.
pub const ID_LONG: usize = 60;

/// What Entra is set to expect of one federated domain. Where something was not given it is `None` (or empty), and what
/// depends on it is not judged.
#[derive(Debug, Clone, Default)]
pub struct Federation {
    /// The federated domain, by which reports and metrics name this federation.
    pub domain: Option<String>,
    /// The root domain that it belongs to.
    pub root_domain: Option<String>,
    /// `issuerUri`: what Issuer must equal, byte for byte.
    pub issuer: Option<String>,
    /// The registered signing keys: the current one, then the next one.
    pub keys: Vec<RegisteredKey>,
    /// `preferredAuthenticationProtocol`.
    pub protocol: Option<Protocol>,
    /// `federatedIdpMfaBehavior`.
    pub mfa_behavior: Option<MfaBehavior>,
    /// Context classes of which one is required by the operator; empty when none is.
    pub authn_context: Vec<String>,
    /// The tenant's federated token validation policy.
    pub domain_policy: DomainPolicy,
    /// The assertion consumer service that Destination and Recipient must name.
    pub acs: String,
    /// What every AudienceRestriction must contain.
    pub audience: String,
    /// The users of the tenant.
    pub users: Option<Arc<Directory>>,
}

impl Federation {
    /// The name by which reports and metrics know this federation: its domain, else its issuer, else `unknown`.
    pub fn name(&self) -> &str {
        self.domain.as_deref().or(self.issuer.as_deref()).unwrap_or("unknown")
    }
}

/// A signing key that Entra holds.
#[derive(Debug, Clone)]
pub struct RegisteredKey {
    /// The key.
    pub key: TrustedKey,
    /// Whether it was given as PEM text inside the federation settings, where Microsoft Graph wants base64 of DER.
    pub pem_in_settings: bool,
}

/// `preferredAuthenticationProtocol` of a federated domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `saml`, of old `Samlp`.
    Saml,
    /// `wsFed`.
    WsFed,
}

/// `federatedIdpMfaBehavior` of a federated domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MfaBehavior {
    /// Entra takes the claim, and asks itself when it is missing.
    AcceptIfMfaDoneByFederatedIdp,
    /// Entra takes the claim, and sends the user back when it is missing.
    EnforceMfaByFederatedIdp,
    /// Entra ignores the claim and asks itself.
    RejectMfaByFederatedIdp,
}

/// Which root domains the federated token validation policy compares (Graph `validatingDomains`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DomainPolicy {
    /// Every domain: the default of every tenant.
    #[default]
    All,
    /// No domain.
    None,
    /// Federated domains.
    AllFederated,
    /// Managed domains: a federated sign-in is exempt.
    AllManaged,
    /// These root domains.
    Enumerated(Vec<String>),
}
