//! The parties of a sign-in, and the domains that are compared: what is written, or goes without saying in a cloud.

use super::file::{Cloud, DomainPolicyValue, DomainPolicyWord, FederationTable, Located};
use super::problem::Problems;
use crate::tenant::DomainPolicy;

/// Assertion consumer service and audience: the cloud's, where they are not written.
pub(super) fn parties(table: &FederationTable, problems: &mut Problems<'_>) -> (String, String) {
    let (acs, audience) = match table.cloud.unwrap_or_default() {
        Cloud::Worldwide => ("https://login.microsoftonline.com/login.srf", "urn:federation:MicrosoftOnline"),
        Cloud::China => {
            ("https://login.partner.microsoftonline.cn/login.srf", "urn:federation:partner.microsoftonline.cn")
        }
        Cloud::UsGovernment => ("https://login.microsoftonline.us/login.srf", "urn:federation:microsoftonline.us"),
    };
    let mut or = |written: &Option<Located<String>>, key: &str, preset: &str| match written {
        Some(written) => {
            if written.value.trim().is_empty() {
                let hint = format!("leave it out for the cloud's own, \"{preset}\"");
                problems.push(Some(written.at.clone()), format!("`{key}` is empty"), Some(hint));
            }
            written.value.clone()
        }
        None => preset.to_owned(),
    };
    (or(&table.acs, "acs", acs), or(&table.audience, "audience", audience))
}

/// The policy that is written.
pub(super) fn domain_policy(written: &DomainPolicyValue) -> DomainPolicy {
    match written {
        DomainPolicyValue::Word(DomainPolicyWord::All) => DomainPolicy::All,
        DomainPolicyValue::Word(DomainPolicyWord::None) => DomainPolicy::None,
        DomainPolicyValue::Word(DomainPolicyWord::AllFederated) => DomainPolicy::AllFederated,
        DomainPolicyValue::Word(DomainPolicyWord::AllManaged) => DomainPolicy::AllManaged,
        DomainPolicyValue::Enumerated(domains) => DomainPolicy::Enumerated(domains.clone()),
    }
}
