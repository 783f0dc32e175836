//! The domains of the fake Graph: their list, their federation settings, and the policy over them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::page::Page;
use super::answer;
use crate::tenant::{Federation, MfaBehavior, Protocol, Sources};

/// A domain of the tenant.
#[derive(Debug, Clone)]
pub struct FakeDomain {
    /// Its name.
    pub name: String,
    /// The root domain that it belongs to; itself, where it is one.
    pub root: String,
    /// `internalDomainFederation`; none where the domain is managed.
    pub federation: Option<Value>,
}

impl FakeDomain {
    /// The domain of a federation, with the settings that it was told of.
    pub fn of(federation: &Federation, sources: &Sources) -> Self {
        let name = federation.name().to_owned();
        let settings = sources.settings.as_ref();
        let uri = |uri: Option<&String>| uri.cloned();
        let key = |index: usize| {
            federation.keys.get(index).map(|registered| STANDARD.encode(&registered.key.certificate().der))
        };
        let mfa = federation.mfa_behavior.map(|behavior| match behavior {
            MfaBehavior::AcceptIfMfaDoneByFederatedIdp => "acceptIfMfaDoneByFederatedIdp",
            MfaBehavior::EnforceMfaByFederatedIdp => "enforceMfaByFederatedIdp",
            MfaBehavior::RejectMfaByFederatedIdp => "rejectMfaByFederatedIdp",
        });
        let protocol = match federation.protocol {
            Some(Protocol::WsFed) => "wsFed",
            Some(Protocol::Saml) | None => "saml",
        };
        let object = json!({
            "id": "00000000-0000-4000-8000-000000000001",
            "displayName": settings.and_then(|settings| settings.display_name.clone()).unwrap_or_else(|| name.clone()),
            "issuerUri": federation.issuer,
            "metadataExchangeUri": uri(settings.and_then(|settings| settings.metadata_exchange_uri.as_ref())),
            "signingCertificate": key(0),
            "nextSigningCertificate": key(1),
            "passiveSignInUri": uri(settings.and_then(|settings| settings.passive_sign_in_uri.as_ref())),
            "activeSignInUri": uri(settings.and_then(|settings| settings.active_sign_in_uri.as_ref())),
            "signOutUri": uri(settings.and_then(|settings| settings.sign_out_uri.as_ref())),
            "passwordResetUri": uri(settings.and_then(|settings| settings.password_reset_uri.as_ref())),
            "preferredAuthenticationProtocol": protocol,
            "promptLoginBehavior": uri(settings.and_then(|settings| settings.prompt_login_behavior.as_ref())),
            "isSignedAuthenticationRequestRequired": settings.and_then(|settings| settings.signed_requests),
            "federatedIdpMfaBehavior": mfa,
        });
        let root = federation.root_domain.clone().unwrap_or_else(|| name.clone());
        Self { name, root, federation: Some(object) }
    }
}

pub(super) fn list(domains: &[FakeDomain]) -> Page {
    let value: Vec<Value> = domains
        .iter()
        .map(|domain| {
            json!({
                "id": domain.name,
                "authenticationType": if domain.federation.is_some() { "Federated" } else { "Managed" },
                "isRoot": domain.name == domain.root,
                "isVerified": true,
                "isDefault": false,
            })
        })
        .collect();
    answer::ok(&json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#domains", "value": value}))
}

pub(super) fn federation(domains: &[FakeDomain], name: &str) -> Page {
    let domain = domains.iter().find(|domain| domain.name.eq_ignore_ascii_case(name));
    match domain.and_then(|domain| domain.federation.as_ref()) {
        Some(object) => {
            let context =
                format!("https://graph.microsoft.com/v1.0/$metadata#domains('{name}')/federationConfiguration");
            answer::ok(&json!({"@odata.context": context, "value": [object]}))
        }
        None => answer::not_found(name),
    }
}

pub(super) fn policy(validating: Option<&str>) -> Page {
    match validating {
        Some(words) => {
            let (kind, names) = words.split_once(' ').unwrap_or((words, ""));
            let mut validating = json!({"rootDomains": kind});
            if !names.is_empty() {
                let names: Vec<&str> = names.split(' ').collect();
                validating = json!({"rootDomains": kind, "domainNames": names});
            }
            answer::ok(&json!({"id": "federatedTokenValidationPolicy", "validatingDomains": validating}))
        }
        None => answer::not_found("federatedTokenValidationPolicy"),
    }
}
