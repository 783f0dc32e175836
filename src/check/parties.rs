//! `issuer` `audience` `destination` `recipient`: who speaks, and to whom.

use super::{Facts, Findings};
use crate::saml::Value;
use crate::tenant::{Federation, Protocol};
use crate::verdict::{Code, Finding};
use crate::xml::NodeId;

const ENTITY: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";

/// `issuer`: the Assertion's, and the Response's where it has one, byte for byte.
pub(super) fn issuer(facts: &Facts<'_>) -> Option<Findings> {
    if facts.issuers.is_empty() {
        return None;
    }
    let document = facts.document();
    let mut findings = Findings::new();
    let in_assertion = facts.claims.map(|claims| (&claims.issuer, claims.node));
    match in_assertion.map(|(issuer, node)| (issuer.single(), node)) {
        Some((Some(issuer), _)) => one_issuer(facts, issuer, "the Assertion", &mut findings),
        Some((None, node)) => findings.push(
            Finding::fail(Code::RealmUnknown, "the Assertion has no single Issuer")
                .expected("one Issuer")
                .at(facts.at(node)),
        ),
        None => {}
    }
    match facts.response.issuer.first {
        Some(node) => one_issuer(facts, &Value::of(document, node), "the Response", &mut findings),
        None if facts.claims.is_none() => findings
            .push(Finding::fail(Code::RealmUnknown, "nothing says who issued this").at(facts.at(facts.response.node))),
        None => {}
    }
    if let Some(federation) = facts.federation
        && federation.protocol == Some(Protocol::WsFed)
    {
        findings.push(
            Finding::fail(Code::RealmUnknown, "the domain is federated by WS-Federation (wsFed), not by SAML 2.0")
                .expected("preferredAuthenticationProtocol saml")
                .got("wsFed")
                .hint(format!(
                    "Update-MgDomainFederationConfiguration -DomainId {} -InternalDomainFederationId <id> -PreferredAuthenticationProtocol saml",
                    federation.name()
                )),
        );
    }
    Some(findings)
}

fn one_issuer(facts: &Facts<'_>, issuer: &Value<'_>, place: &str, findings: &mut Findings) {
    let format = facts.document().attribute(issuer.node, "Format");
    if let Some(format) = format.filter(|format| *format != ENTITY) {
        findings.push(
            Finding::fail(Code::RealmUnknown, format!("the Issuer of {place} has a Format other than entity"))
                .expected(ENTITY)
                .got(format.to_owned())
                .at(facts.at(issuer.node)),
        );
    }
    let text = issuer.text.as_ref();
    // with several federations each of the two must name the one that the message is judged against
    let own = facts.federation.and_then(|federation| federation.issuer.as_deref());
    let matches = own.map_or_else(|| facts.issuers.contains(&text), |own| own == text);
    if matches && !issuer.has_elements {
        return;
    }
    let nearest = own.or_else(|| nearest(text, facts.issuers)).unwrap_or_default();
    findings.push(
        Finding::fail(Code::RealmUnknown, format!("the Issuer of {place} {}", difference(text, nearest)))
            .expected(nearest.to_owned())
            .got(text.to_owned())
            .hint(mending(text, nearest, facts.federation))
            .at(facts.at(issuer.node)),
    );
}

/// The configured issuer that looks most like this one.
fn nearest<'a>(text: &str, issuers: &[&'a str]) -> Option<&'a str> {
    let common = |issuer: &str| issuer.bytes().zip(text.bytes()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    // of several, the first
    issuers.iter().rev().copied().max_by_key(|issuer| common(issuer))
}

fn without_scheme(text: &str) -> &str {
    text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text)
}

/// How two issuers differ, as the end of a sentence.
fn difference(got: &str, expected: &str) -> &'static str {
    if got == "authentik" {
        "is `authentik`, the default of a provider whose Issuer was never filled in"
    } else if got.trim() == expected {
        "is surrounded by white space"
    } else if got.trim_end_matches('/') == expected.trim_end_matches('/') {
        "differs from the registered one by a trailing slash"
    } else if got.eq_ignore_ascii_case(expected) {
        "differs from the registered one by letter case; Entra compares byte by byte"
    } else if without_scheme(got) == without_scheme(expected) {
        "differs from the registered one by its scheme, http or https"
    } else if without_scheme(got)
        .trim_end_matches('/')
        .eq_ignore_ascii_case(without_scheme(expected).trim_end_matches('/'))
    {
        "differs from the registered one by scheme, case or a trailing slash"
    } else {
        "names no federation that Entra knows"
    }
}

fn mending(got: &str, expected: &str, federation: Option<&Federation>) -> String {
    let domain = federation.and_then(|federation| federation.domain.as_deref()).unwrap_or("<domain>");
    let quoted = got.trim().replace('\'', "''");
    format!(
        "set Issuer of the provider (authentik: SAML provider, Issuer) to exactly {expected}; or, where the identity provider is right, \
         Update-MgDomainFederationConfiguration -DomainId {domain} -InternalDomainFederationId <id> -IssuerUri '{quoted}'"
    )
}

/// `audience`: every restriction must contain the audience.
pub(super) fn audience(facts: &Facts<'_>) -> Option<Findings> {
    let (claims, federation) = (facts.claims?, facts.federation?);
    let expected = federation.audience.as_str();
    let fail = |text: &'static str, node: NodeId| {
        Finding::fail(Code::AssertionInvalid, text).expected(expected.to_owned()).at(facts.at(node))
    };
    const HINT: &str =
        "set the Audience of the provider (authentik: SAML provider, Audience) to exactly the expected value";
    let Some(conditions) = &claims.conditions.first else {
        return Some(vec![fail("the Assertion has no Conditions, so no audience", claims.node).hint(HINT)]);
    };
    if conditions.restrictions.is_empty() {
        return Some(vec![fail("the Assertion has no AudienceRestriction", conditions.node).hint(HINT)]);
    }
    let mut findings = Findings::new();
    for restriction in &conditions.restrictions {
        let is_ours = |audience: &&Value<'_>| audience.text == expected && !audience.has_elements;
        let others: Vec<&str> = restriction
            .audiences
            .iter()
            .filter(|audience| !is_ours(audience))
            .map(|audience| audience.text.as_ref())
            .collect();
        if !restriction.audiences.iter().any(|audience| is_ours(&audience)) {
            let near = others.iter().any(|other| other.trim().eq_ignore_ascii_case(expected));
            let text = if near {
                "the audience differs by white space or letter case; it is compared byte by byte"
            } else {
                "an AudienceRestriction does not contain the audience of Entra"
            };
            let got = if others.is_empty() { "no Audience".to_owned() } else { others.join(", ") };
            findings.push(fail(text, restriction.node).got(got).hint(HINT));
        } else if !others.is_empty() {
            findings.push(
                Finding::warn("the assertion names further audiences beside Entra")
                    .expected(expected.to_owned())
                    .got(others.join(", "))
                    .hint("an assertion that several parties accept can be carried from one to the other: name one audience")
                    .at(facts.at(restriction.node)),
            );
        }
    }
    Some(findings)
}

/// `destination`, of the Response.
pub(super) fn destination(facts: &Facts<'_>) -> Option<Findings> {
    let federation = facts.federation?;
    let node = facts.response.node;
    Some(match facts.response.destination {
        Some(destination) if destination == federation.acs => Findings::new(),
        None | Some("") => vec![
            Finding::warn("the Response has no Destination").expected(federation.acs.clone()).at(facts.at(node)),
        ],
        Some(other) => vec![
            Finding::fail(Code::AssertionInvalid, "the Destination of the Response is not the address it is posted to")
                .expected(federation.acs.clone())
                .got(other.to_owned())
                .hint("set the ACS URL of the provider to the expected value; an address of another cloud or of another service provider stands here")
                .at(facts.at(node)),
        ],
    })
}

/// `recipient`, of SubjectConfirmationData.
pub(super) fn recipient(facts: &Facts<'_>) -> Option<Findings> {
    let (claims, federation) = (facts.claims?, facts.federation?);
    let confirmation = claims.bearer().or_else(|| claims.confirmations.first());
    let recipient = confirmation.and_then(|confirmation| confirmation.recipient);
    if recipient == Some(federation.acs.as_str()) {
        return Some(Findings::new());
    }
    let node = confirmation.map_or(claims.node, |confirmation| confirmation.data.first.unwrap_or(confirmation.node));
    let (text, got) = match recipient {
        None | Some("") => ("SubjectConfirmationData has no Recipient", "no Recipient"),
        Some(other) => ("the Recipient is not the address that the response is posted to", other),
    };
    Some(vec![
        Finding::fail(Code::AssertionInvalid, text)
            .expected(federation.acs.clone())
            .got(got.to_owned())
            .hint("set the ACS URL of the provider to the expected value")
            .at(facts.at(node)),
    ])
}
