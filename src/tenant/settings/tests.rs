//! Federation settings in every spelling that is known, and what is said of broken ones.
#![expect(clippy::unwrap_used, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::certificate::CertificateForm;
use super::super::certificate::tests::{BASE64, as_pem};
use super::*;

const ISSUER: &str = "https://authentik.company/application/saml/m365/metadata/";

fn graph() -> String {
    format!(
        r#"{{"@odata.context":"https://graph.company/v1.0/$metadata#domains('domain.company')/federationConfiguration","value":[{{
        "id":"6601d14b-d113-8f64-fda2-9b5ddda18ecc","displayName":"domain.company","issuerUri":"{ISSUER}","metadataExchangeUri":null,
        "signingCertificate":"{BASE64}","nextSigningCertificate":null,"passiveSignInUri":"https://authentik.company/sso/",
        "preferredAuthenticationProtocol":"saml","activeSignInUri":"","signOutUri":"https://authentik.company/slo/",
        "promptLoginBehavior":"nativeSupport","isSignedAuthenticationRequestRequired":true,
        "signingCertificateUpdateStatus":{{"certificateUpdateResult":"Success"}},"federatedIdpMfaBehavior":"acceptIfMfaDoneByFederatedIdp"}}]}}"#
    )
}

fn powershell() -> String {
    format!(
        r#"{{"ActiveSignInUri":null,"DisplayName":"domain.company","FederatedIdpMfaBehavior":"AcceptIfMfaDoneByFederatedIdp",
        "Id":"1","IsSignedAuthenticationRequestRequired":true,"IssuerUri":"{ISSUER}","PassiveSignInUri":"https://authentik.company/sso/",
        "PreferredAuthenticationProtocol":"Saml","PromptLoginBehavior":"nativeSupport","SignOutUri":"https://authentik.company/slo/",
        "SigningCertificate":"{BASE64}","AdditionalProperties":{{}}}}"#
    )
}

fn fault(text: &str, domain: Option<&str>) -> SettingsError {
    let fault = Settings::parse(text.as_bytes(), domain).unwrap_err();
    assert!(!fault.hint().is_empty());
    fault
}

#[test]
fn every_spelling_gives_the_same_settings() {
    let legacy = format!(
        r#"{{"FederationBrandName":"domain.company","IssuerUri":"{ISSUER}","PassiveLogOnUri":"https://authentik.company/sso/",
        "LogOffUri":"https://authentik.company/slo/","PreferredAuthenticationProtocol":"Samlp","SigningCertificate":"{BASE64}",
        "AdditionalProperties":{{"federatedIdpMfaBehavior":"acceptIfMfaDoneByFederatedIdp","isSignedAuthenticationRequestRequired":"True"}},
        "PromptLoginBehavior":"nativeSupport"}}"#
    );
    let powershell = powershell();
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(powershell.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let wanted = Settings::parse(graph().as_bytes(), None).unwrap();
    assert_eq!(wanted.issuer_uri.as_deref(), Some(ISSUER));
    assert_eq!(wanted.protocol, Some(Protocol::Saml));
    assert_eq!(wanted.mfa_behavior, Some(MfaBehavior::AcceptIfMfaDoneByFederatedIdp));
    assert_eq!(wanted.current_certificate().unwrap().form, CertificateForm::Base64);
    assert_eq!((wanted.next_certificate(), wanted.active_sign_in_uri.as_deref()), (None, None));
    assert_eq!(wanted.domain.as_deref(), Some("domain.company"));
    for file in [format!("[{powershell}]").into_bytes(), utf16, powershell.into_bytes(), legacy.into_bytes()] {
        assert_eq!(Settings::parse(&file, Some("domain.company")).unwrap(), wanted);
    }
}

#[test]
fn certificates_as_pem_are_read_and_marked() {
    let pem = as_pem();
    for (text, form) in [
        (pem.clone(), CertificateForm::Pem),
        (STANDARD.encode(&pem), CertificateForm::PemInBase64),
        (pem.replace('\n', " "), CertificateForm::Pem),
    ] {
        let file = serde_json::json!({ "issuerUri": ISSUER, "nextSigningCertificate": text }).to_string();
        let settings = Settings::parse(file.as_bytes(), None).unwrap();
        let next = settings.next_certificate().unwrap();
        assert_eq!((next.form, next.is_pem(), settings.current_certificate()), (form, true, None));
    }
}

#[test]
fn several_objects_need_a_domain_that_one_of_them_names() {
    let two = format!("[{},{}]", powershell(), powershell().replace("domain.company", "other.company"));
    let settings = Settings::parse(two.as_bytes(), Some("Other.company")).unwrap();
    assert_eq!(settings.display_name.as_deref(), Some("other.company"));
    assert!(matches!(fault(&two, None), SettingsError::Several { count: 2, domain: None }));
    assert!(fault(&two, Some("third.company")).to_string().contains("third.company"));
    assert!(matches!(fault(&graph(), Some("other.company")), SettingsError::OtherDomain { .. }));
}

#[test]
fn faults_are_named() {
    let cases = [
        (r#"{"value":[]}"#, "not federated"),
        ("[]", "not federated"),
        ("null", "not federated"),
        ("{", "JSON"),
        ("<html>", "JSON"),
        (r#"{"error":{"code":"Request_ResourceNotFound"}}"#, "Request_ResourceNotFound"),
        (r#"{"value":[{"userPrincipalName":"x"}]}"#, "got userPrincipalName"),
        (r#"{"issuerUri":12}"#, "issuerUri: expected text, got 12"),
        (r#"{"issuerUri":"x","signingCertificate":"AAAA"}"#, "signingCertificate: "),
        (
            r#"{"issuerUri":"x","federatedIdpMfaBehavior":"accept"}"#,
            "expected one of acceptIfMfaDoneByFederatedIdp, enforceMfaByFederatedIdp, rejectMfaByFederatedIdp, got accept",
        ),
    ];
    for (file, words) in cases {
        let message = fault(file, None).to_string();
        assert!(message.contains(words), "{message}");
    }
}
