//! `message` `encoding` `xml` `status` `assertion`: whether there is a readable response with one assertion at all.

use super::{Facts, Findings};
use crate::saml::{ASSERTION, EncodingProblem, Form, FormProblem, IdProblem, MessageForm};
use crate::verdict::{Code, Finding, Position, Text};
use crate::xml::XmlError;

const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";

/// `message` over the fields of a form. None of them is a SAMLResponse: what else was posted is named.
pub(crate) fn message(form: &Form) -> Findings {
    if form.saml_response.is_none() && form.problems.is_empty() {
        return vec![if form.ws_fed {
            not_a_sign_in(MessageForm::WsFed)
        } else if form.saml_request {
            not_a_sign_in(MessageForm::Request)
        } else {
            Finding::fail(Code::Unreadable, "the form has no SAMLResponse field")
                .expected("one field named SAMLResponse")
                .hint("the identity provider must answer with the HTTP-POST binding; look at the fields of the form that it posts")
        }];
    }
    form.problems.iter().map(form_problem).collect()
}

fn form_problem(problem: &FormProblem) -> Finding {
    let finding = Finding::fail(Code::Unreadable, problem.to_string()).expected("exactly one SAMLResponse field");
    match problem {
        FormProblem::TooManyFields(_) => finding.hint("post SAMLResponse and RelayState, and nothing else"),
        _ => finding.hint("two readers may take different fields for the response: find out what added the second one"),
    }
}

/// `message` over a document that is another message.
pub(crate) fn not_a_sign_in(form: MessageForm) -> Finding {
    let (what, hint) = match form {
        MessageForm::WsFed => (
            "a WS-Federation message (wresult), not a SAML 2.0 response",
            "it is judged by other rules; for SAML 2.0 set preferredAuthenticationProtocol of the domain to saml",
        ),
        MessageForm::Logout => (
            "a sign-out message (LogoutRequest or LogoutResponse), not a sign-in",
            "it is passed on and counted, nothing is judged",
        ),
        MessageForm::Request => (
            "a request (SAMLRequest, as AuthnRequest), not a response",
            "requests go from Entra to the identity provider: record the form that the identity provider posts back",
        ),
        MessageForm::Response | MessageForm::Unknown => {
            ("not a sign-in response", "record the form that is posted to login.srf")
        }
    };
    Finding::refuse(what).expected("a SAML 2.0 Response").hint(hint)
}

/// `encoding`.
pub(crate) fn encoding(problem: &EncodingProblem) -> Finding {
    Finding::fail(Code::Unreadable, problem.to_string())
        .expected("base64 of the XML, in the standard alphabet with padding, percent-encoded once")
        .hint(problem.hint())
}

/// `xml` for a document that could not be parsed.
pub(crate) fn unparsable(error: &XmlError) -> Finding {
    Finding::fail(Code::InvalidXml, error.problem.to_string()).hint(error.problem.hint()).at(error.at)
}

/// `xml` for a document whose root is no message at all.
pub(crate) fn other_root(namespace: &str, name: &str, at: Position) -> Finding {
    Finding::fail(Code::InvalidXml, "the root element is not a SAML 2.0 Response")
        .expected("Response in urn:oasis:names:tc:SAML:2.0:protocol")
        .got(format!("{name} in {}", if namespace.is_empty() { "no namespace" } else { namespace }))
        .hint("post the whole Response, not the assertion alone, and not SAML 1.1")
        .at(at)
}

/// `xml`: what is well-formed, but not SAML 2.0.
pub(super) fn xml(facts: &Facts<'_>) -> Findings {
    let response = facts.response;
    let mut findings = Findings::new();
    let versions = [
        ("Response", Some(response.node), response.version),
        ("Assertion", facts.claims.map(|claims| claims.node), facts.claims.and_then(|claims| claims.version)),
    ];
    for (element, node, version) in versions {
        if let Some(node) = node
            && version != Some("2.0")
        {
            findings.push(
                Finding::fail(Code::InvalidXml, format!("the Version of the {element} is not 2.0"))
                    .expected("2.0")
                    .got(version.map_or_else(|| "no Version".to_owned(), str::to_owned))
                    .hint("the identity provider must speak SAML 2.0")
                    .at(facts.at(node)),
            );
        }
    }
    for (problem, node) in &response.id_problems {
        let finding = Finding::fail(Code::InvalidXml, problem.to_string()).at(facts.at(*node));
        findings.push(match problem {
            IdProblem::Missing(_) => finding.expected("an ID without a prefix"),
            IdProblem::NotAName { got, .. } => finding
                .expected("a name that begins with a letter or `_`, of at most 256 characters")
                .got(got.clone())
                .hint("put a `_` before an ID that may begin with a digit"),
            IdProblem::Twice { got, .. } => finding.expected("each ID once in the document").got(got.clone()).hint(
                "a signature refers to its element by ID: two of them may mean that somebody moved a signed element",
            ),
        });
    }
    if let Some(instruction) = response.instruction {
        findings.push(
            Finding::fail(Code::InvalidXml, "a processing instruction stands inside the Assertion")
                .expected("none")
                .hint("readers disagree on what it does to the text around it; no identity provider writes one")
                .at(facts.at(instruction)),
        );
    }
    findings
}

/// `status`.
pub(super) fn status(facts: &Facts<'_>) -> Findings {
    let response = facts.response;
    if response.status.count != 1 || response.status_code.count != 1 {
        let at = response.status.first.unwrap_or(response.node);
        return vec![
            Finding::fail(Code::AssertionMissing, "the Response has no single Status with a single StatusCode")
                .expected("one Status with one top-level StatusCode")
                .got(format!("{} Status, {} StatusCode", response.status.count, response.status_code.count))
                .at(facts.at(at)),
        ];
    }
    let Some(node) = response.status_code.first else { return Findings::new() };
    let document = facts.document();
    let value = document.attribute(node, "Value").unwrap_or_default();
    if value == SUCCESS {
        return Findings::new();
    }
    let second = document.child_elements(node).find_map(|second| document.attribute(second, "Value"));
    let got = second.map_or_else(|| value.to_owned(), |second| format!("{value}, {second}"));
    let hint = match second.unwrap_or(value).rsplit(':').next() {
        Some("NoAuthnContext") => "the identity provider cannot do the context class that was asked for",
        Some("NoPassive") => "the user has no session at the identity provider, and was not to be asked",
        Some("InvalidNameIDPolicy") => {
            "the identity provider cannot make a NameID of the format that Entra asks for (persistent)"
        }
        Some("RequestDenied" | "AuthnFailed") => "the identity provider refused the user: read its own log",
        _ => "the identity provider reports an error of its own: read its log for this sign-in",
    };
    vec![
        Finding::fail(Code::AssertionMissing, "the identity provider reports that the sign-in failed")
            .expected(SUCCESS)
            .got(got)
            .hint(hint)
            .at(facts.at(node)),
    ]
}

/// Elements too many that are told of, of each kind.
const FLOOD: usize = 4;

/// `assertion`: exactly one, in plain text, in its place, and nothing else in the document that could be taken for one.
pub(super) fn assertion(facts: &Facts<'_>) -> Findings {
    let response = facts.response;
    let document = facts.document();
    let fail = |text: Text| {
        Finding::fail(Code::AssertionMissing, text).expected("one Assertion in plain text, as a child of the Response")
    };
    let mut findings = Findings::new();
    match (response.assertion, response.encrypted) {
        (Some(_), _) => {}
        (None, Some(encrypted)) if document.namespace(encrypted) == ASSERTION => findings.push(
            fail("the assertion is encrypted, and Entra has no key to read it".into())
                .got("EncryptedAssertion")
                .hint("turn encryption off: in authentik remove the Encryption Certificate of the SAML provider; in others, the encryption of assertions for this service provider")
                .at(facts.at(encrypted)),
        ),
        (None, _) => findings.push(
            fail("the Response holds no Assertion".into())
                .got("none")
                .hint("the identity provider answered without signing the user in; its Status may say why")
                .at(facts.at(response.node)),
        ),
    }
    for further in response.further.iter().take(FLOOD) {
        let name = document.written_name(*further).chars().take(80).collect::<String>();
        let parent = document.written_name(document.parent(*further)).chars().take(80).collect::<String>();
        findings.push(
            fail(format!("a further {name} stands in {parent}").into())
                .got(name)
                .hint("two readers may take different elements for the assertion: this is how signatures are wrapped. Find out what put it there")
                .at(facts.at(*further)),
        );
    }
    for unexpected in response.unexpected.iter().take(FLOOD) {
        let name = document.written_name(*unexpected).chars().take(80).collect::<String>();
        let name = if name.is_empty() { "text".to_owned() } else { name };
        findings.push(
            fail(format!("the Response holds {name}, which SAML 2.0 does not have there").into())
                .expected("Issuer, Signature, Extensions, Status and Assertion, each once at most")
                .got(name)
                .at(facts.at(*unexpected)),
        );
    }
    findings
}
