//! Federation settings as Graph and PowerShell give them: `internalDomainFederation`, in any spelling.

use serde_json::{Map, Value};

use super::certificate::{CertificateError, CertificateInput, certificate_text};
use super::{MfaBehavior, Protocol};
use crate::file_text::{self, FileTextError};

/// The federation settings of one domain.
///
/// Source: Microsoft Graph, resource type internalDomainFederation; the names of `Get-MsolDomainFederationSettings` too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the Graph property of the same name")]
pub struct Settings {
    /// The domain, where the file tells it (`@odata.context`) or the caller did. The object itself has no such property.
    pub domain: Option<String>,
    pub issuer_uri: Option<String>,
    /// `signingCertificate`, `nextSigningCertificate`: the current one, then the next one.
    pub certificates: Vec<CertificateInput>,
    /// Whether the first of `certificates` is `signingCertificate`; there may be a next one alone.
    pub has_current_certificate: bool,
    pub protocol: Option<Protocol>,
    pub mfa_behavior: Option<MfaBehavior>,
    pub passive_sign_in_uri: Option<String>,
    pub active_sign_in_uri: Option<String>,
    pub sign_out_uri: Option<String>,
    pub metadata_exchange_uri: Option<String>,
    pub password_reset_uri: Option<String>,
    pub signed_requests: Option<bool>,
    pub prompt_login_behavior: Option<String>,
    pub display_name: Option<String>,
}

impl Settings {
    /// Reads the settings of a domain: Graph's list, one object, or what `ConvertTo-Json` makes of either.
    ///
    /// `domain` picks among several objects by the domain or the display name that they carry.
    pub fn parse(bytes: &[u8], domain: Option<&str>) -> Result<Self, SettingsError> {
        let text = file_text::decode(bytes)?;
        let value: Value = serde_json::from_str(&text).map_err(|error| SettingsError::Json {
            line: error.line(),
            column: error.column(),
            problem: error.to_string(),
        })?;
        let mut named = None;
        let mut objects = Vec::new();
        collect(&value, &mut objects, &mut named)?;
        if let (Some(named), Some(wanted)) = (&named, domain)
            && !named.eq_ignore_ascii_case(wanted)
        {
            return Err(SettingsError::OtherDomain { expected: wanted.to_owned(), got: named.clone() });
        }
        let object = pick(&objects, domain)?;
        let mut settings = read(&Fields(object))?;
        settings.domain = domain.map(str::to_owned).or(named);
        Ok(settings)
    }

    /// `signingCertificate`.
    pub fn current_certificate(&self) -> Option<&CertificateInput> {
        self.certificates.first().filter(|_| self.has_current_certificate)
    }

    /// `nextSigningCertificate`.
    pub fn next_certificate(&self) -> Option<&CertificateInput> {
        self.certificates.get(usize::from(self.has_current_certificate))
    }
}

type Object = Map<String, Value>;

/// The settings objects of a document, and the domain that `@odata.context` names.
fn collect<'a>(
    value: &'a Value,
    objects: &mut Vec<&'a Object>,
    named: &mut Option<String>,
) -> Result<(), SettingsError> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| collect(item, objects, named)),
        Value::Object(object) => {
            let fields = Fields(object);
            if let Some(Value::String(context)) = fields.value(&["@odata.context"]) {
                *named = domain_of_context(context).or(named.take());
            }
            if let Some(Value::Object(error)) = fields.value(&["error"]) {
                let code = error.get("code").and_then(Value::as_str).unwrap_or("without a code");
                return Err(SettingsError::Graph { code: code.to_owned() });
            }
            match fields.value(&["value"]) {
                Some(list @ Value::Array(items)) => {
                    if items.is_empty() {
                        return Err(SettingsError::NotFederated);
                    }
                    collect(list, objects, named)
                }
                _ if fields
                    .value(&["issuerUri", "signingCertificate", "passiveSignInUri", "passiveLogOnUri"])
                    .is_some() =>
                {
                    objects.push(object);
                    Ok(())
                }
                _ => Err(SettingsError::OtherObject {
                    got: object.keys().take(8).cloned().collect::<Vec<_>>().join(", "),
                }),
            }
        }
        Value::Null => Err(SettingsError::NotFederated),
        _ => Err(SettingsError::OtherObject { got: "a single value".to_owned() }),
    }
}

/// `…/$metadata#domains('domain.company')/federationConfiguration` -> `domain.company`.
fn domain_of_context(context: &str) -> Option<String> {
    let (_, rest) = context.split_once("domains('")?;
    rest.split_once('\'').map(|(domain, _)| domain.replace("%2E", "."))
}

fn pick<'a>(objects: &[&'a Object], domain: Option<&str>) -> Result<&'a Object, SettingsError> {
    match objects {
        [] => return Err(SettingsError::NotFederated),
        [object] => return Ok(object),
        _ => {}
    }
    let names = ["domain", "domainId", "domainName", "displayName", "federationBrandName"];
    let mut of_domain = objects.iter().filter(|object| {
        domain.is_some_and(|domain| {
            names.iter().any(|name| {
                Fields(object)
                    .value(&[name])
                    .and_then(Value::as_str)
                    .is_some_and(|text| text.eq_ignore_ascii_case(domain))
            })
        })
    });
    match (of_domain.next(), of_domain.next()) {
        (Some(object), None) => Ok(object),
        _ => Err(SettingsError::Several { count: objects.len(), domain: domain.map(str::to_owned) }),
    }
}

/// An object whose keys are found in any letter case.
struct Fields<'a>(&'a Object);

impl<'a> Fields<'a> {
    /// The first of these keys that is there and not null; also within PowerShell's `AdditionalProperties`.
    fn value(&self, names: &[&str]) -> Option<&'a Value> {
        let of = |object: &'a Object, name: &str| {
            object
                .iter()
                .find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null())
                .map(|(_, value)| value)
        };
        let more = || of(self.0, "AdditionalProperties").and_then(Value::as_object);
        names.iter().find_map(|name| of(self.0, name)).or_else(|| names.iter().find_map(|name| of(more()?, name)))
    }

    fn text(&self, names: &[&'static str]) -> Result<Option<&'a str>, SettingsError> {
        match self.value(names) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.trim().is_empty())),
            Some(other) => Err(wrong(names, "text", other)),
        }
    }

    fn owned(&self, names: &[&'static str]) -> Result<Option<String>, SettingsError> {
        Ok(self.text(names)?.map(str::to_owned))
    }

    fn flag(&self, names: &[&'static str]) -> Result<Option<bool>, SettingsError> {
        match self.value(names) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(other) => Err(wrong(names, "true or false", other)),
        }
    }

    /// One of a closed list of words.
    fn word<T: Copy>(&self, name: &'static str, words: &[(&'static str, T)]) -> Result<Option<T>, SettingsError> {
        let Some(text) = self.text(&[name])? else { return Ok(None) };
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text.trim()));
        found.map(|(_, value)| Some(*value)).ok_or_else(|| SettingsError::Value {
            property: name,
            expected: format!("one of {}", words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")),
            got: text.to_owned(),
        })
    }

    fn certificate(&self, name: &'static str) -> Result<Option<CertificateInput>, SettingsError> {
        let Some(text) = self.text(&[name])? else { return Ok(None) };
        certificate_text(text).map(Some).map_err(|error| SettingsError::Certificate { property: name, error })
    }
}

fn wrong(names: &[&'static str], expected: &str, got: &Value) -> SettingsError {
    let property = names.first().copied().unwrap_or_default();
    SettingsError::Value { property, expected: expected.to_owned(), got: got.to_string().chars().take(80).collect() }
}

fn read(fields: &Fields<'_>) -> Result<Settings, SettingsError> {
    let current = fields.certificate("signingCertificate")?;
    let has_current_certificate = current.is_some();
    let certificates = current.into_iter().chain(fields.certificate("nextSigningCertificate")?).collect();
    Ok(Settings {
        domain: None,
        issuer_uri: fields.owned(&["issuerUri"])?,
        certificates,
        has_current_certificate,
        protocol: fields.word(
            "preferredAuthenticationProtocol",
            &[("saml", Protocol::Saml), ("wsFed", Protocol::WsFed), ("Samlp", Protocol::Saml)],
        )?,
        mfa_behavior: fields.word(
            "federatedIdpMfaBehavior",
            &[
                ("acceptIfMfaDoneByFederatedIdp", MfaBehavior::AcceptIfMfaDoneByFederatedIdp),
                ("enforceMfaByFederatedIdp", MfaBehavior::EnforceMfaByFederatedIdp),
                ("rejectMfaByFederatedIdp", MfaBehavior::RejectMfaByFederatedIdp),
            ],
        )?,
        passive_sign_in_uri: fields.owned(&["passiveSignInUri", "passiveLogOnUri"])?,
        active_sign_in_uri: fields.owned(&["activeSignInUri", "activeLogOnUri"])?,
        sign_out_uri: fields.owned(&["signOutUri", "logOffUri"])?,
        metadata_exchange_uri: fields.owned(&["metadataExchangeUri"])?,
        password_reset_uri: fields.owned(&["passwordResetUri"])?,
        signed_requests: fields.flag(&["isSignedAuthenticationRequestRequired"])?,
        prompt_login_behavior: fields.owned(&["promptLoginBehavior"])?,
        display_name: fields.owned(&["displayName", "federationBrandName"])?,
    })
}

/// Why federation settings cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages tell")]
pub enum SettingsError {
    #[error(transparent)]
    Text(#[from] FileTextError),
    #[error("expected federation settings as JSON, got something else: {problem}")]
    Json { line: usize, column: usize, problem: String },
    #[error("expected federation settings, got an error that Microsoft Graph answered: {code}")]
    Graph { code: String },
    #[error("expected one federation, got none: the domain is not federated (Graph answers 404)")]
    NotFederated,
    #[error("expected an object with issuerUri and signingCertificate, got {got}")]
    OtherObject { got: String },
    #[error("expected the settings of one domain, got {count} objects{}", match domain { Some(domain) => format!(" of which not exactly one names {domain}"), None => String::new() })]
    Several { count: usize, domain: Option<String> },
    #[error("expected the settings of {expected}, got those of {got}")]
    OtherDomain { expected: String, got: String },
    #[error("{property}: expected {expected}, got {got}")]
    Value { property: &'static str, expected: String, got: String },
    #[error("{property}: {error}")]
    Certificate { property: &'static str, error: CertificateError },
}

impl SettingsError {
    /// How to mend it.
    pub fn hint(&self) -> &'static str {
        const EXPORT: &str = "Get-MgDomainFederationConfiguration -DomainId domain.company | ConvertTo-Json -Depth 5 | Out-File federation.json -Encoding utf8";
        match self {
            Self::Text(error) => error.hint(),
            Self::Graph { .. } => "ask again with the permission Domain.Read.All or Domain-InternalFederation.Read.All",
            Self::NotFederated => {
                "check the name of the domain, and whether New-MgDomainFederationConfiguration ever succeeded"
            }
            Self::Several { .. } => {
                "the objects do not tell their domain: export the settings of each domain to a file of its own"
            }
            Self::OtherDomain { .. } => "give each [[federation]] the settings of its own domain",
            Self::Value { .. } => {
                "this is not what Graph holds in this property: export the settings anew instead of typing them"
            }
            Self::Certificate { error, .. } => error.hint(),
            Self::Json { .. } | Self::OtherObject { .. } => EXPORT,
        }
    }
}

#[cfg(test)]
mod tests;
