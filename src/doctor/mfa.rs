//! What becomes of a second factor: federatedIdpMfaBehavior against what the identity provider is to send.

use super::command::update;
use super::{Case, Diagnosis, Harm};
use crate::tenant::MfaBehavior;

const MULTIPLE_AUTHN: &str = "http://schemas.microsoft.com/claims/multipleauthn";

pub(super) fn examine(case: &Case<'_>, found: &mut Vec<Diagnosis>) {
    found.extend(behaviour(case));
}

fn behaviour(case: &Case<'_>) -> Option<Diagnosis> {
    let required = &case.federation.authn_context;
    let sends = required.iter().any(|class| class == MULTIPLE_AUTHN);
    let (id, finding, entra, mend) = match (case.federation.mfa_behavior, sends) {
        (None, _) if case.sources.settings.is_some() => (
            "mfa_unset",
            "federatedIdpMfaBehavior is not set: whether a second factor at the identity provider counts hangs on an older switch",
            "not set",
            update(case.domain(), "-FederatedIdpMfaBehavior acceptIfMfaDoneByFederatedIdp"),
        ),
        (None, _) => return None,
        (Some(MfaBehavior::RejectMfaByFederatedIdp), true) => (
            "mfa_second_prompt",
            "the identity provider asks for a second factor, and Entra ignores it and asks again",
            "rejectMfaByFederatedIdp",
            update(case.domain(), "-FederatedIdpMfaBehavior acceptIfMfaDoneByFederatedIdp"),
        ),
        (Some(MfaBehavior::EnforceMfaByFederatedIdp), false) => (
            "mfa_loop",
            "Entra sends users back for a second factor until the response says that there was one: an identity provider that never \
             says so loops",
            "enforceMfaByFederatedIdp",
            format!(
                "let the provider send AuthnContextClassRef {MULTIPLE_AUTHN} after a second factor, and add it to `authn_context`; or {}",
                update(case.domain(), "-FederatedIdpMfaBehavior acceptIfMfaDoneByFederatedIdp")
            ),
        ),
        (Some(MfaBehavior::AcceptIfMfaDoneByFederatedIdp | MfaBehavior::EnforceMfaByFederatedIdp), true) if required.len() == 1 => (
            "mfa_asserted",
            "every sign-in is to say that there was a second factor: where the identity provider says so by a constant, Entra believes it \
             though there was none",
            "believes the response",
            "let the provider send the class only after a second factor (authentik 2025.4 and later: AuthnContextClassRef Property Mapping \
             with a condition), and bind an MFA stage to the flow"
                .to_owned(),
        ),
        _ => return None,
    };
    let provider = if required.is_empty() { "no context class is required".to_owned() } else { required.join(", ") };
    Some(Diagnosis::new(id, Harm::Around, finding).entra(entra).provider(provider).mend(mend))
}
