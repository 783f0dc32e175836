//! Claims into XML, through samael: the door by which documents go out. What is posted never comes in here.

use samael::attribute::{Attribute, AttributeValue};
use samael::schema::{
    Assertion, AttributeStatement, AudienceRestriction, AuthnContext, AuthnContextClassRef, AuthnStatement, Conditions,
    Issuer, Response, Status, StatusCode, Subject, SubjectConfirmation, SubjectConfirmationData, SubjectNameID,
};
use samael::traits::ToXml as _;

use super::MintError;
use super::claims::Claims;

/// The response that says this, unsigned.
pub(super) fn write(claims: &Claims) -> Result<String, MintError> {
    // samael escapes attributes, and writes text as it is given
    let issuer = || Issuer { value: Some(escape(&claims.issuer)), ..Issuer::default() };
    // its type of instants is not named here: it reads one from text
    let issued = claims.issued.to_string();
    let not_on_or_after = claims.not_on_or_after.to_string();
    let subject = Subject {
        name_id: Some(SubjectNameID {
            format: Some(claims.name_id_format.clone()),
            value: escape(claims.name_id.expose()),
        }),
        subject_confirmations: Some(vec![SubjectConfirmation {
            method: Some("urn:oasis:names:tc:SAML:2.0:cm:bearer".to_owned()),
            name_id: None,
            subject_confirmation_data: Some(SubjectConfirmationData {
                not_before: None,
                not_on_or_after: Some(claims.confirmed_until.to_string().parse().map_err(clock)?),
                recipient: claims.recipient.clone(),
                in_response_to: claims.confirmation_in_response_to.clone(),
                address: None,
                content: None,
            }),
        }]),
    };
    let restriction = |audience: &String| AudienceRestriction { audience: vec![escape(audience)] };
    let conditions = Conditions {
        not_before: Some(claims.not_before.to_string().parse().map_err(clock)?),
        not_on_or_after: Some(not_on_or_after.parse().map_err(clock)?),
        audience_restrictions: claims.audience.as_ref().map(|audience| vec![restriction(audience)]),
        one_time_use: None,
        proxy_restriction: None,
    };
    let statement = AuthnStatement {
        authn_instant: Some(issued.parse().map_err(clock)?),
        session_index: Some(claims.session.clone()),
        session_not_on_or_after: None,
        subject_locality: None,
        authn_context: Some(AuthnContext {
            value: Some(AuthnContextClassRef { value: Some(escape(&claims.authn_context)) }),
        }),
    };
    let attributes = claims.attributes.iter().map(|(name, value)| Attribute {
        friendly_name: None,
        name: Some(name.clone()),
        name_format: None,
        values: vec![AttributeValue {
            attribute_type: Some("xs:string".to_owned()),
            value: Some(escape(value.expose())),
        }],
    });
    let attributes: Vec<Attribute> = attributes.collect();
    let statements = (!attributes.is_empty()).then(|| vec![AttributeStatement { attributes }]);
    let response = Response {
        id: claims.response_id.clone(),
        in_response_to: claims.in_response_to.clone(),
        version: "2.0".to_owned(),
        issue_instant: issued.parse().map_err(clock)?,
        destination: claims.destination.clone(),
        consent: None,
        issuer: Some(issuer()),
        signature: None,
        status: Some(Status {
            status_code: StatusCode { value: Some(claims.status.clone()) },
            status_message: None,
            status_detail: None,
        }),
        encrypted_assertion: None,
        assertion: Some(Assertion {
            id: claims.assertion_id.clone(),
            issue_instant: issued.parse().map_err(clock)?,
            version: "2.0".to_owned(),
            issuer: issuer(),
            signature: None,
            subject: Some(subject),
            conditions: Some(conditions),
            authn_statements: Some(vec![statement]),
            attribute_statements: statements,
        }),
    };
    response.to_string().map_err(|error| MintError::Document(error.to_string()))
}

fn clock<E>(_: E) -> MintError {
    MintError::Clock
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
