//! A verdict as one JSON object, in the names of the contract.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Check, Claims, Show, SignatureSummary, Verdict};
use crate::personal::Personal;

/// A verdict about to be written for a reader.
pub struct Report<'a> {
    /// What was judged, by the name the operator knows it by.
    pub input: Option<&'a str>,
    /// What came of it.
    pub verdict: &'a Verdict,
    /// Who reads it.
    pub show: Show,
}

impl Serialize for Report<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { input, verdict, show } = self;
        let mut map = serializer.serialize_map(None)?;
        if let Some(input) = input {
            map.serialize_entry("input", input)?;
        }
        map.serialize_entry("verdict", verdict.word())?;
        map.serialize_entry("predicted", &verdict.predicted.map(|code| code.to_string()))?;
        map.serialize_entry("provenance", verdict.provenance.as_str())?;
        let checks: Vec<_> = verdict.checks.iter().map(|check| CheckReport(check, *show)).collect();
        map.serialize_entry("checks", &checks)?;
        map.serialize_entry("claims", &verdict.claims.as_ref().map(|claims| ClaimsReport(claims, *show)))?;
        map.serialize_entry("signature", &verdict.signature.as_ref().map(SignatureReport))?;
        map.end()
    }
}

struct CheckReport<'a>(&'a Check, Show);

impl Serialize for CheckReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(check, show) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", check.id.as_str())?;
        map.serialize_entry("outcome", check.outcome.as_str())?;
        if let Some(detail) = &check.detail {
            if let Some(code) = detail.code {
                map.serialize_entry("code", &code.to_string())?;
            }
            let texts = [
                ("finding", &detail.finding),
                ("hint", &detail.hint),
                ("expected", &detail.expected),
                ("got", &detail.got),
            ];
            for (name, text) in texts {
                if let Some(text) = text {
                    map.serialize_entry(name, &text.to_string_for(*show))?;
                }
            }
            if let Some(at) = detail.at {
                map.serialize_entry("line", &at.line)?;
                map.serialize_entry("column", &at.column)?;
            }
            if let Some(label) = detail.label {
                map.serialize_entry("label", label.as_str())?;
            }
        }
        map.end()
    }
}

struct ClaimsReport<'a>(&'a Claims, Show);

impl Serialize for ClaimsReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(claims, show) = self;
        let personal = |value: &Option<Personal>| {
            value.as_ref().map(|value| match show {
                Show::Personal => value.expose().to_owned(),
                Show::Hashed => value.to_string(),
            })
        };
        let mut map = serializer.serialize_map(Some(12))?;
        map.serialize_entry("id", &claims.id)?;
        map.serialize_entry("issuer", &claims.issuer)?;
        map.serialize_entry("audience", &claims.audience)?;
        map.serialize_entry("name_id", &personal(&claims.name_id))?;
        map.serialize_entry("name_id_format", &claims.name_id_format)?;
        map.serialize_entry("idp_email", &personal(&claims.idp_email))?;
        map.serialize_entry("authn_context", &claims.authn_context)?;
        map.serialize_entry("in_response_to", &claims.in_response_to)?;
        map.serialize_entry("not_before", &claims.not_before)?;
        map.serialize_entry("not_on_or_after", &claims.not_on_or_after)?;
        map.serialize_entry("recipient", &claims.recipient)?;
        map.serialize_entry("destination", &claims.destination)?;
        map.end()
    }
}

struct SignatureReport<'a>(&'a SignatureSummary);

impl Serialize for SignatureReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("covers", self.0.covers.as_str())?;
        map.serialize_entry("algorithm", self.0.algorithm)?;
        map.serialize_entry("digest", self.0.digest)?;
        map.serialize_entry("thumbprint", self.0.thumbprint.as_ref())?;
        map.end()
    }
}
