//! Who speaks, and by which protocol: issuerUri against entityID, and what Entra makes of the domain.

use super::command::{quoted, update};
use super::{Case, Diagnosis, Harm};
use crate::tenant::Protocol;
use crate::verdict::Code;

pub(super) fn examine(case: &Case<'_>, found: &mut Vec<Diagnosis>) {
    found.extend(protocol(case));
    found.extend(issuer(case));
    found.extend(placeholder(case));
    found.extend(written(case));
}

fn protocol(case: &Case<'_>) -> Option<Diagnosis> {
    let settings = case.sources.settings.as_ref()?;
    let got = match settings.protocol {
        Some(Protocol::Saml) => return None,
        Some(Protocol::WsFed) => "preferredAuthenticationProtocol is wsFed",
        None => "preferredAuthenticationProtocol is not set, which means WS-Federation",
    };
    let finding = "the domain is federated by WS-Federation, so Entra takes no SAML 2.0 response for it";
    Some(
        Diagnosis::new("protocol", Harm::Everybody, finding)
            .code(Code::RealmUnknown)
            .entra(got)
            .mend(update(case.domain(), "-PreferredAuthenticationProtocol saml")),
    )
}

/// Entra compares them byte by byte.
fn issuer(case: &Case<'_>) -> Option<Diagnosis> {
    let entity_id = &case.sources.metadata.as_ref()?.entity_id;
    let issuer = case.federation.issuer.as_ref()?;
    if entity_id == issuer {
        return None;
    }
    let finding =
        format!("the issuer that Entra expects is not the entityID of the metadata: {}", unlike(issuer, entity_id));
    Some(
        Diagnosis::new("issuer_differs", Harm::Everybody, finding)
            .code(Code::RealmUnknown)
            .entra(issuer.clone())
            .provider(entity_id.clone())
            .mend(format!(
                "{}; or set Issuer of the provider (authentik: Issuer under Protocol settings) to {issuer}",
                update(case.domain(), &format!("-IssuerUri {}", quoted(entity_id)))
            )),
    )
}

/// What two issuers differ in, in words; the smallest difference is the one to name.
fn unlike(entra: &str, provider: &str) -> &'static str {
    let without_slash = |text: &str| text.trim_end_matches('/').to_owned();
    let without_scheme =
        |text: &str| text.split_once("://").map_or_else(|| text.to_owned(), |(_, rest)| rest.to_owned());
    if provider == "authentik" {
        return "authentik puts in the word `authentik` until somebody types another one";
    }
    let same_but_for = |form: &dyn Fn(&str) -> String| form(entra) == form(provider);
    if same_but_for(&|text| text.trim().to_owned()) {
        "there is white space around one of them"
    } else if same_but_for(&without_slash) {
        "they differ in the slash at the end"
    } else if same_but_for(&without_scheme) {
        "they differ in the scheme, http or https"
    } else if same_but_for(&str::to_lowercase) {
        "they differ in upper and lower case"
    } else if same_but_for(&|text| without_scheme(&without_slash(&text.trim().to_lowercase()))) {
        "they differ in scheme, case or a slash at the end"
    } else {
        "they are different names"
    }
}

/// One word is no name for one domain among all the domains of Entra.
fn placeholder(case: &Case<'_>) -> Option<Diagnosis> {
    let issuer = case.federation.issuer.as_ref()?;
    if issuer.contains(':') {
        return None;
    }
    let finding = "the issuer is no URI: issuerUri must be unique among all federated domains of all tenants";
    Some(
        Diagnosis::new("issuer_no_uri", Harm::Around, finding).entra(issuer.clone()).mend(
            "set Issuer of the provider to a URI of this domain alone, as https://authentik.company/application/saml/m365/metadata/, \
             and issuerUri to the same",
        ),
    )
}

/// What the operator wrote beside the settings is not judged by, and may be out of date.
fn written(case: &Case<'_>) -> Option<Diagnosis> {
    let (settings, written) = (case.sources.settings.as_ref()?, case.sources.issuer.as_ref()?);
    let held = settings.issuer_uri.as_ref()?;
    (held != written).then(|| {
        Diagnosis::new("configuration_differs", Harm::Around, "`issuer` of the configuration is not what Entra holds")
            .entra(held.clone())
            .provider(format!("configuration: {written}"))
            .mend("take `issuer` out of the configuration: with `settings` it is not used")
    })
}

#[cfg(test)]
mod tests {
    use super::unlike;

    #[test]
    fn the_smallest_difference_is_named() {
        let entra = "https://idp.domain.company/a";
        for (provider, word) in [
            ("https://idp.domain.company/a/", "slash"),
            ("http://idp.domain.company/a", "scheme"),
            ("https://idp.domain.company/A", "case"),
            (" https://idp.domain.company/a", "white space"),
            ("http://idp.domain.company/A/", "scheme, case"),
            ("authentik", "authentik"),
            ("urn:b", "different names"),
        ] {
            assert!(unlike(entra, provider).contains(word), "{provider}: {}", unlike(entra, provider));
        }
    }
}
