//! Where browsers are sent: sign-in, sign-out, metadata exchange, and the parties that the identity provider must name.

use super::command::{quoted, update};
use super::{Case, Diagnosis, Harm};
use crate::saml::metadata::Binding;
use crate::verdict::Code;

const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";

pub(super) fn examine(case: &Case<'_>, found: &mut Vec<Diagnosis>) {
    found.extend(sign_in(case));
    found.extend(sign_out(case));
    found.extend(exchange(case));
    found.extend(signed_requests(case));
    found.extend(outdated(case));
    found.extend(name_id_format(case));
    found.extend(audience(case));
}

/// Entra posts its requests to `passiveSignInUri`.
fn sign_in(case: &Case<'_>) -> Option<Diagnosis> {
    let settings = case.sources.settings.as_ref()?;
    let services = case.sources.metadata.as_ref().map_or(&[][..], |metadata| &metadata.sso);
    let Some(uri) = settings.passive_sign_in_uri.as_deref() else {
        let finding = "Entra has no address to send users to";
        let right = location(services, &Binding::Post).unwrap_or("https://…");
        let parameter = format!("-PassiveSignInUri {}", quoted(right));
        return Some(
            Diagnosis::new("sign_in_uri", Harm::Everybody, finding)
                .entra("no passiveSignInUri")
                .mend(update(case.domain(), &parameter)),
        );
    };
    let (harm, finding) = match service(uri, services, &Binding::Post, &Binding::Redirect) {
        Service::Right if uri.starts_with("http://") => {
            (Harm::Around, "users are sent to the identity provider without TLS")
        }
        Service::Right => return None,
        Service::WrongBinding => {
            (Harm::Everybody, "the passiveSignInUri is the location for HTTP-Redirect, but Entra posts its requests")
        }
        Service::Unknown => (Harm::Everybody, "the metadata knows no sign-in service at the passiveSignInUri"),
    };
    let right = location(services, &Binding::Post).unwrap_or("the HTTP-POST location of SingleSignOnService");
    Some(
        Diagnosis::new("sign_in_uri", harm, finding)
            .entra(uri.to_owned())
            .provider(listed(services))
            .mend(update(case.domain(), &format!("-PassiveSignInUri {}", quoted(right)))),
    )
}

/// Entra signs out by HTTP-Redirect.
fn sign_out(case: &Case<'_>) -> Option<Diagnosis> {
    let settings = case.sources.settings.as_ref()?;
    let services = case.sources.metadata.as_ref().map_or(&[][..], |metadata| &metadata.slo);
    let uri = settings.sign_out_uri.as_deref()?;
    let finding = match service(uri, services, &Binding::Redirect, &Binding::Post) {
        Service::Right => return None,
        Service::WrongBinding => "the signOutUri is the location for HTTP-POST, but Entra signs out by HTTP-Redirect",
        Service::Unknown => "the metadata knows no sign-out service at the signOutUri",
    };
    let right = location(services, &Binding::Redirect).unwrap_or("the HTTP-Redirect location of SingleLogoutService");
    Some(
        Diagnosis::new("sign_out_uri", Harm::Around, finding)
            .entra(uri.to_owned())
            .provider(listed(services))
            .mend(update(case.domain(), &format!("-SignOutUri {}", quoted(right)))),
    )
}

enum Service {
    Right,
    WrongBinding,
    Unknown,
}

/// What a URL is at the identity provider: by the metadata, or by the paths that authentik uses.
fn service(uri: &str, services: &[(Binding, String)], right: &Binding, wrong: &Binding) -> Service {
    let same = |location: &String| location.trim_end_matches('/') == uri.trim_end_matches('/');
    let has = |binding: &Binding| services.iter().any(|(other, location)| other == binding && same(location));
    let word = if *wrong == Binding::Post { "/binding/post" } else { "/binding/redirect" };
    if has(right) {
        Service::Right
    } else if has(wrong) || uri.trim_end_matches('/').ends_with(word) {
        Service::WrongBinding
    } else if services.is_empty() {
        Service::Right
    } else {
        Service::Unknown
    }
}

fn location<'a>(services: &'a [(Binding, String)], binding: &Binding) -> Option<&'a str> {
    services.iter().find(|(other, _)| other == binding).map(|(_, location)| location.as_str())
}

fn listed(services: &[(Binding, String)]) -> String {
    let all: Vec<_> = services.iter().map(|(binding, location)| format!("{location} ({binding:?})")).collect();
    if all.is_empty() { "no metadata was given".to_owned() } else { all.join(", ") }
}

/// Entra looks for the next certificate at `metadataExchangeUri`.
fn exchange(case: &Case<'_>) -> Option<Diagnosis> {
    let settings = case.sources.settings.as_ref()?;
    let published = case.sources.metadata_url.as_deref();
    let (finding, entra) = match (settings.metadata_exchange_uri.as_deref(), published) {
        (None, _) => {
            ("Entra has no metadataExchangeUri, so it cannot take the next certificate from there by itself", "nothing")
        }
        (Some(uri), _) if !uri.starts_with("https://") => ("the metadataExchangeUri is not https", uri),
        (Some(uri), Some(published)) if uri != published => {
            ("the metadataExchangeUri is not the URL that the metadata was had from", uri)
        }
        _ => return None,
    };
    let parameter = format!("-MetadataExchangeUri {}", quoted(published.unwrap_or("https://… of the metadata")));
    let mut diagnosis = Diagnosis::new("metadata_exchange_uri", Harm::Around, finding).entra(entra.to_owned());
    if let Some(published) = published {
        diagnosis = diagnosis.provider(published.to_owned());
    }
    Some(diagnosis.mend(update(case.domain(), &parameter)))
}

fn signed_requests(case: &Case<'_>) -> Option<Diagnosis> {
    let (settings, metadata) = (case.sources.settings.as_ref()?, case.sources.metadata.as_ref()?);
    let (wants, signs) = (metadata.wants_signed_requests == Some(true), settings.signed_requests == Some(true));
    (wants && !signs).then(|| {
        let finding = "the identity provider wants requests to be signed, and Entra does not sign them";
        Diagnosis::new("requests_unsigned", Harm::Everybody, finding)
            .entra("isSignedAuthenticationRequestRequired is not true")
            .provider("WantAuthnRequestsSigned is true")
            .mend(format!(
                "take the verification certificate out of the provider (Entra signs with RSA-SHA1 and names its key by SKI alone), or {}",
                update(case.domain(), "-IsSignedAuthenticationRequestRequired:$true")
            ))
    })
}

fn outdated(case: &Case<'_>) -> Option<Diagnosis> {
    let until = case.sources.metadata.as_ref()?.valid_until.filter(|until| *until < case.now)?;
    Some(
        Diagnosis::new("metadata_outdated", Harm::Around, "the metadata is past its validUntil")
            .provider(format!("validUntil {until}"))
            .mend("download it again"),
    )
}

fn name_id_format(case: &Case<'_>) -> Option<Diagnosis> {
    let formats = &case.sources.metadata.as_ref()?.name_id_formats;
    let lacks = !formats.is_empty() && !formats.iter().any(|format| format == PERSISTENT);
    lacks.then(|| {
        Diagnosis::new("name_id_format", Harm::Around, "the metadata does not offer the persistent NameID that Entra asks for")
            .entra(PERSISTENT)
            .provider(formats.join(", "))
            .mend("let the provider send NameID Format persistent (authentik: NameID Property Mapping, Default NameID Policy)")
    })
}

/// Audience and ACS of different clouds go together with nothing.
fn audience(case: &Case<'_>) -> Option<Diagnosis> {
    const CLOUDS: [(&str, &str); 3] = [
        ("login.microsoftonline.com", "urn:federation:MicrosoftOnline"),
        ("login.partner.microsoftonline.cn", "urn:federation:partner.microsoftonline.cn"),
        ("login.microsoftonline.us", "urn:federation:microsoftonline.us"),
    ];
    let host = case.federation.acs.strip_prefix("https://")?.split('/').next()?;
    let (_, audience) = CLOUDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(host))?;
    (*audience != case.federation.audience).then(|| {
        Diagnosis::new(
            "audience",
            Harm::Everybody,
            "the audience does not belong to the cloud of the assertion consumer service",
        )
        .code(Code::AssertionInvalid)
        .entra(format!("{audience} at {}", case.federation.acs))
        .provider(format!("configuration: {}", case.federation.audience))
        .mend("set `cloud`, and leave `acs` and `audience` out")
    })
}
