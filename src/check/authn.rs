//! `authn_context`: what Entra makes of the context class, given the MFA behaviour of the federation.

use super::{Facts, Findings};
use crate::saml::Claims;
use crate::tenant::MfaBehavior;
use crate::verdict::{Code, Finding, Label};

/// The one context class that Entra takes for MFA.
const MULTIPLE_AUTHN: &str = "http://schemas.microsoft.com/claims/multipleauthn";

/// AuthnStatements that are looked into.
const FLOOD: usize = 4;

/// `authn_context`.
pub(super) fn authn_context(facts: &Facts<'_>) -> Option<Findings> {
    let claims = facts.claims?;
    let behavior = facts.federation.and_then(|federation| federation.mfa_behavior);
    let required: &[String] = facts.federation.map_or(&[], |federation| &federation.authn_context);
    let mut findings = cardinality(facts, claims);
    if !findings.is_empty() {
        return Some(findings);
    }
    let class = claims.authn_context();
    let text = class.map_or("", |class| class.text.as_ref());
    let node = class.map_or(claims.node, |class| class.node);
    let at = || facts.at(node);
    let got = || if class.is_some() { text.to_owned() } else { "no AuthnContextClassRef".to_owned() };
    if !required.is_empty() && !required.iter().any(|required| required == text) {
        findings.push(
            Finding::refuse("the context class is none of those that the configuration requires")
                .expected(required.join(" or "))
                .got(got())
                .hint("the identity provider did not do what is required, or does not say so: set AuthnContextClassRef after the second factor (authentik: AuthnContextClassRef Property Mapping)")
                .at(at()),
        );
    }
    let Some(behavior) = behavior else {
        return (!required.is_empty()).then_some(findings);
    };
    let has_claim = text == MULTIPLE_AUTHN;
    let labelled = match (behavior, has_claim) {
        (MfaBehavior::RejectMfaByFederatedIdp, _) => {
            Finding::warn("Entra ignores the context class and always does its own MFA (rejectMfaByFederatedIdp)")
                .label(Label::Ignored)
                .hint("set federatedIdpMfaBehavior to acceptIfMfaDoneByFederatedIdp to let the identity provider's MFA count")
        }
        (_, true) => {
            return Some(if findings.is_empty() { vec![satisfied()] } else { findings });
        }
        (MfaBehavior::AcceptIfMfaDoneByFederatedIdp, false) => {
            Finding::warn("no MFA claim: where a policy asks for MFA, Entra asks the user itself")
                .label(Label::SecondPromptIfRequired)
                .hint(missing_hint(claims))
        }
        (MfaBehavior::EnforceMfaByFederatedIdp, false) => {
            Finding::warn("no MFA claim: where a policy asks for MFA, Entra sends the user back to the identity provider again and again")
                .label(Label::LoopIfRequired)
                .hint(missing_hint(claims))
        }
    };
    findings.push(labelled.expected(MULTIPLE_AUTHN).got(got()).at(at()));
    Some(findings)
}

/// One AuthnStatement, one AuthnContextClassRef.
fn cardinality(facts: &Facts<'_>, claims: &Claims<'_>) -> Findings {
    let mut findings = Findings::new();
    let mut fail = |text: String, expected: &'static str, node| {
        findings.push(Finding::fail(Code::AssertionInvalid, text).expected(expected).at(facts.at(node)));
    };
    if let [_, second, ..] = claims.authn_statements.as_slice() {
        let count = claims.authn_statements.len();
        fail(
            format!("the Assertion has {count} AuthnStatements, so readers may take different ones"),
            "one AuthnStatement",
            second.node,
        );
    }
    // a second one fails already: what is wrong with thousands of them needs no telling
    for statement in claims.authn_statements.iter().take(FLOOD) {
        match statement.class_ref.count {
            1 => {}
            0 if statement.declaration.is_some() => {}
            0 => fail(
                "the AuthnStatement has no AuthnContextClassRef".to_owned(),
                "one AuthnContextClassRef",
                statement.node,
            ),
            count => fail(
                format!("the AuthnStatement has {count} AuthnContextClassRefs"),
                "one AuthnContextClassRef",
                statement.node,
            ),
        }
        if let Some(class) = statement.class_ref.first.as_ref().filter(|class| class.has_elements) {
            fail("AuthnContextClassRef holds an element".to_owned(), "text alone", class.node);
        }
    }
    findings
}

fn satisfied() -> Finding {
    Finding::note(
        "Entra takes this for MFA, whether or not a second factor was asked for: a mapping that returns a constant claims MFA for everybody",
    )
    .label(Label::Satisfied)
}

/// What is said where the claim is missing; an attribute of its name is a mistake of its own.
fn missing_hint(claims: &Claims<'_>) -> &'static str {
    if claims.attributes().any(|(name, _)| name == MULTIPLE_AUTHN) {
        "an attribute is named multipleauthn, and Entra ignores attributes of that name: only AuthnContextClassRef counts. Give the mapping another SAML attribute name, and set the AuthnContextClassRef Property Mapping of the provider"
    } else {
        "send AuthnContextClassRef http://schemas.microsoft.com/claims/multipleauthn after a second factor (authentik 2025.4 and later: AuthnContextClassRef Property Mapping); other classes are not MFA to Entra"
    }
}
