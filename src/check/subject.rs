//! `subject` `name_id_format`: the shape of the subject and of what stands around it.

use super::{Facts, Findings};
use crate::saml::Claims;
use crate::verdict::{Code, Finding};
use crate::xml::NodeId;

const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";

/// `subject`: each part once, and none that Entra cannot read.
pub(super) fn subject(facts: &Facts<'_>) -> Option<Findings> {
    let claims = facts.claims?;
    let mut findings = Findings::new();
    let mut fail = |text: String, expected: &'static str, node: NodeId| {
        findings.push(Finding::fail(Code::AssertionInvalid, text).expected(expected).at(facts.at(node)));
    };
    if claims.subject.count != 1 {
        fail(format!("the Assertion has {} Subjects", claims.subject.count), "one Subject", claims.node);
    }
    let subject = claims.subject.first.unwrap_or(claims.node);
    if let Some(other) = claims.other_id {
        fail(
            "the Subject is named by an EncryptedID or BaseID, which Entra cannot read".to_owned(),
            "a NameID in plain text",
            other,
        );
    } else if claims.name_id.count != 1 && claims.subject.first.is_some() {
        fail(format!("the Subject has {} NameIDs", claims.name_id.count), "one NameID", subject);
    }
    if let Some(name_id) = claims.name_id.first.as_ref().filter(|name_id| name_id.value.has_elements) {
        fail("the NameID holds an element".to_owned(), "text alone", name_id.value.node);
    }
    if claims.subject.first.is_some() {
        confirmations(claims, &mut fail);
    }
    if claims.conditions.count > 1 {
        fail(format!("the Assertion has {} Conditions", claims.conditions.count), "one Conditions", claims.node);
    }
    if let Some(unknown) = claims.conditions.first.as_ref().and_then(|conditions| conditions.unknown) {
        let name = facts.document().written_name(unknown).chars().take(80).collect::<String>();
        fail(
            format!("the condition {name} is not understood, so the assertion is not valid"),
            "AudienceRestriction, OneTimeUse or ProxyRestriction",
            unknown,
        );
    }
    if claims.authn_statements.is_empty() {
        fail(
            "the Assertion has no AuthnStatement, so it signs nobody in".to_owned(),
            "one AuthnStatement",
            claims.node,
        );
    }
    if let Some(declaration) = claims.authn_statements.iter().find_map(|statement| statement.declaration) {
        fail(
            "the AuthnContext holds a declaration (AuthnContextDeclRef)".to_owned(),
            "AuthnContextClassRef alone",
            declaration,
        );
    }
    let bearer = claims.bearer();
    if let Some(confirmation) = bearer.filter(|confirmation| confirmation.not_before.is_some()) {
        findings.push(
            Finding::warn("SubjectConfirmationData has a NotBefore, which a bearer confirmation must not have")
                .expected("no NotBefore")
                .got(confirmation.not_before.unwrap_or_default().to_owned())
                .at(facts.at(confirmation.node)),
        );
    }
    Some(findings)
}

fn confirmations(claims: &Claims<'_>, fail: &mut impl FnMut(String, &'static str, NodeId)) {
    let subject = claims.subject.first.unwrap_or(claims.node);
    match claims.confirmations.as_slice() {
        [one] if !one.is_bearer() => {
            fail(
                "the SubjectConfirmation is not a bearer confirmation".to_owned(),
                "Method urn:oasis:names:tc:SAML:2.0:cm:bearer",
                one.node,
            );
        }
        [one] if one.data.count != 1 => {
            let count = one.data.count;
            fail(
                format!("the SubjectConfirmation has {count} SubjectConfirmationData"),
                "one SubjectConfirmationData",
                one.node,
            );
        }
        [_] => {}
        several => {
            let count = several.len();
            fail(format!("the Subject has {count} SubjectConfirmations"), "one bearer SubjectConfirmation", subject);
        }
    }
}

/// `name_id_format`.
pub(super) fn name_id_format(facts: &Facts<'_>) -> Option<Findings> {
    let name_id = facts.claims?.name_id.first.as_ref()?;
    Some(match name_id.format {
        Some(PERSISTENT) => Findings::new(),
        other => vec![
            Finding::warn("the Format of the NameID is not persistent")
                .expected(PERSISTENT)
                .got(other.unwrap_or("no Format").to_owned())
                .hint("Entra asks for a persistent NameID: a sign-in that began at Entra gets it from authentik; one that began at the identity provider does not")
                .at(facts.at(name_id.value.node)),
        ],
    })
}
