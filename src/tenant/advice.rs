//! Mistakes that federation settings and metadata give away before anybody signs in.

use super::Protocol;
use super::settings::Settings;
use crate::saml::metadata::{Binding, IdpMetadata};
use crate::verdict::{Code, Finding};

/// What is wrong with these settings, against the metadata of the identity provider where that is given. Empty when all is well.
///
/// A finding that fails carries the code that every sign-in of the domain will be answered with.
pub fn advice(settings: &Settings, metadata: Option<&IdpMetadata>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(certificate_as_pem(settings));
    findings.extend(protocol(settings));
    findings.extend(issuer(settings, metadata));
    findings.extend(sign_in(settings, metadata));
    findings.extend(sign_out(settings, metadata));
    findings.extend(metadata.and_then(encryption));
    findings
}

fn certificate_as_pem(settings: &Settings) -> Option<Finding> {
    settings.certificates.iter().any(|certificate| certificate.is_pem()).then(|| {
        Finding::warn("a signing certificate of the federation settings is PEM text")
            .expected("base64 of the DER certificate")
            .got("PEM text")
            .hint(
                "$cert = (Get-Content .\\authentik.pem | Where-Object { $_ -notmatch 'CERTIFICATE' }) -join ''; \
                 then Update-MgDomainFederationConfiguration … -SigningCertificate $cert",
            )
    })
}

fn protocol(settings: &Settings) -> Option<Finding> {
    let (finding, got) = match settings.protocol {
        Some(Protocol::Saml) => return None,
        Some(Protocol::WsFed) => (
            Finding::fail(
                Code::RealmUnknown,
                "the domain is federated by WS-Federation, so Entra takes no SAML 2.0 response for it",
            ),
            "wsFed",
        ),
        None => (Finding::warn("the settings name no protocol; Entra then speaks WS-Federation"), "nothing"),
    };
    Some(
        finding
            .expected("preferredAuthenticationProtocol saml")
            .got(got)
            .hint("Update-MgDomainFederationConfiguration … -PreferredAuthenticationProtocol saml"),
    )
}

fn issuer(settings: &Settings, metadata: Option<&IdpMetadata>) -> Option<Finding> {
    let Some(issuer) = &settings.issuer_uri else {
        return Some(
            Finding::fail(Code::RealmUnknown, "the settings have no issuerUri")
                .hint("Update-MgDomainFederationConfiguration … -IssuerUri with the entityID of the identity provider"),
        );
    };
    match metadata.map(|metadata| &metadata.entity_id) {
        Some(entity_id) if entity_id != issuer => {
            let hint = if entity_id == "authentik" {
                "set Issuer of the provider in authentik to the issuerUri: before 2026.5 it is `authentik` unless it is typed in"
            } else {
                "make Issuer at the identity provider and issuerUri equal to the byte, a slash at the end included"
            };
            Some(
                Finding::fail(Code::RealmUnknown, "the issuerUri is not the entityID of the metadata")
                    .expected(issuer.clone())
                    .got(entity_id.clone())
                    .hint(hint),
            )
        }
        _ if issuer == "authentik" => Some(
            Finding::warn("the issuerUri is `authentik`, the default of the identity provider")
                .expected("a URI of this domain alone")
                .got("authentik")
                .hint(
                    "set Issuer of the provider to a URI, as https://authentik.company/application/saml/m365/metadata/, and the same as \
                     issuerUri: it must be unique among all federated domains of Entra",
                ),
        ),
        _ => None,
    }
}

/// Entra posts its requests to `passiveSignInUri`.
fn sign_in(settings: &Settings, metadata: Option<&IdpMetadata>) -> Option<Finding> {
    let uri = settings.passive_sign_in_uri.as_deref()?;
    let services = metadata.map_or(&[][..], |metadata| &metadata.sso);
    wrong_binding(uri, services, &Binding::Redirect, &Binding::Post).then(|| {
        let right = location(services, &Binding::Post).unwrap_or("the HTTP-POST location of SingleSignOnService");
        Finding::warn("the passiveSignInUri is the location for HTTP-Redirect, but Entra posts its requests")
            .expected(right.to_owned())
            .got(uri.to_owned())
            .hint("Update-MgDomainFederationConfiguration … -PassiveSignInUri with the location of the POST binding")
    })
}

/// Entra signs out by HTTP-Redirect.
fn sign_out(settings: &Settings, metadata: Option<&IdpMetadata>) -> Option<Finding> {
    let uri = settings.sign_out_uri.as_deref()?;
    let services = metadata.map_or(&[][..], |metadata| &metadata.slo);
    wrong_binding(uri, services, &Binding::Post, &Binding::Redirect).then(|| {
        let right =
            location(services, &Binding::Redirect).unwrap_or("the HTTP-Redirect location of SingleLogoutService");
        Finding::warn("the signOutUri is the location for HTTP-POST, but Entra signs out by HTTP-Redirect")
            .expected(right.to_owned())
            .got(uri.to_owned())
            .hint("Update-MgDomainFederationConfiguration … -SignOutUri with the location of the Redirect binding")
    })
}

/// Whether a URI is that of the wrong binding: by the metadata, or by the paths that authentik uses.
fn wrong_binding(uri: &str, services: &[(Binding, String)], wrong: &Binding, right: &Binding) -> bool {
    let same = |location: &String| location.trim_end_matches('/') == uri.trim_end_matches('/');
    let has = |binding| services.iter().any(|(other, location)| other == binding && same(location));
    let word = if *wrong == Binding::Post { "/binding/post" } else { "/binding/redirect" };
    !has(right) && (has(wrong) || uri.trim_end_matches('/').ends_with(word))
}

fn location<'a>(services: &'a [(Binding, String)], binding: &Binding) -> Option<&'a str> {
    services.iter().find(|(other, _)| other == binding).map(|(_, location)| location.as_str())
}

fn encryption(metadata: &IdpMetadata) -> Option<Finding> {
    (metadata.encryption_keys > 0).then(|| {
        Finding::note("the metadata offers a key for encryption").hint(
            "leave Encryption Certificate of the provider empty: Entra cannot read an encrypted assertion and answers AADSTS500082",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::certificate::{CertificateForm, CertificateInput};
    use super::*;
    use crate::verdict::Outcome;

    const ISSUER: &str = "https://authentik.company/application/saml/m365/metadata/";
    const BASE: &str = "https://authentik.company/application/saml/m365";

    fn metadata() -> IdpMetadata {
        let both = |service: &str| {
            vec![
                (Binding::Redirect, format!("{BASE}/{service}/binding/redirect/")),
                (Binding::Post, format!("{BASE}/{service}/binding/post/")),
            ]
        };
        IdpMetadata {
            entity_id: ISSUER.to_owned(),
            signing_certificates: vec![vec![1]],
            encryption_keys: 0,
            sso: both("sso"),
            slo: both("slo"),
            valid_until: None,
            wants_signed_requests: None,
            name_id_formats: Vec::new(),
        }
    }

    fn settings() -> Settings {
        Settings {
            issuer_uri: Some(ISSUER.to_owned()),
            protocol: Some(Protocol::Saml),
            certificates: vec![CertificateInput { der: vec![1], form: CertificateForm::Base64 }],
            has_current_certificate: true,
            passive_sign_in_uri: Some(format!("{BASE}/sso/binding/post")),
            sign_out_uri: Some(format!("{BASE}/slo/binding/redirect/")),
            ..Settings::default()
        }
    }

    #[test]
    fn sound_settings_need_no_advice() {
        assert_eq!(advice(&settings(), Some(&metadata())), []);
        assert_eq!(advice(&settings(), None), []);
    }

    #[test]
    fn every_mistake_of_the_files_is_told() {
        type Spoil = fn(&mut Settings, &mut IdpMetadata);
        let cases: [(Spoil, &str, Outcome); 9] = [
            (|s, _| s.certificates.iter_mut().for_each(|c| c.form = CertificateForm::Pem), "PEM text", Outcome::Warn),
            (|s, _| s.protocol = Some(Protocol::WsFed), "WS-Federation", Outcome::Fail),
            (|s, _| s.protocol = None, "no protocol", Outcome::Warn),
            (|s, _| s.issuer_uri = None, "no issuerUri", Outcome::Fail),
            (|_, m| m.entity_id = "authentik".to_owned(), "not the entityID", Outcome::Fail),
            (
                |s, m| {
                    s.issuer_uri = Some("authentik".to_owned());
                    m.entity_id = "authentik".to_owned();
                },
                "the default",
                Outcome::Warn,
            ),
            (|s, _| s.sign_out_uri = Some(format!("{BASE}/slo/binding/post/")), "HTTP-Redirect", Outcome::Warn),
            (
                |s, _| s.passive_sign_in_uri = Some(format!("{BASE}/sso/binding/redirect/")),
                "posts its requests",
                Outcome::Warn,
            ),
            (|_, m| m.encryption_keys = 1, "encryption", Outcome::Pass),
        ];
        for (spoil, words, outcome) in cases {
            let (mut settings, mut metadata) = (settings(), metadata());
            spoil(&mut settings, &mut metadata);
            let findings = advice(&settings, Some(&metadata));
            let said: Vec<_> = findings
                .iter()
                .map(|finding| {
                    (finding.outcome, finding.detail.finding.as_ref().map(ToString::to_string).unwrap_or_default())
                })
                .collect();
            assert!(
                matches!(&said[..], [(is, text)] if *is == outcome && text.contains(words)),
                "{said:?}, expected {words}"
            );
            assert!(findings.iter().all(|finding| finding.detail.hint.is_some()));
        }
    }
}
