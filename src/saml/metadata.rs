//! Metadata of an identity provider, read through samael. Operator-supplied files alone: never what somebody posted.

use std::error::Error;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use quick_xml::Reader;
use quick_xml::events::Event;
use samael::metadata::{EntitiesDescriptor, EntityDescriptor, EntityDescriptorType, IdpSsoDescriptor, KeyDescriptor};

use crate::file_text::{self, FileTextError};

/// Bytes of a metadata file. One identity provider needs some 10 kB; the metadata of whole federations is another matter.
pub const METADATA_MAX: usize = 1024 * 1024;
/// Depth of nested elements, of which SAML metadata needs about 10. samael recurses.
const DEPTH_MAX: usize = 64;
const NAMESPACE: &str = "urn:oasis:names:tc:SAML:2.0:metadata";

/// What the metadata of an identity provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdpMetadata {
    /// `entityID`: what the identity provider puts in Issuer.
    pub entity_id: String,
    /// The certificates that it may sign with (`use="signing"` or no `use`), in DER, each once, in the order of the file.
    pub signing_certificates: Vec<Vec<u8>>,
    /// How many keys are for encryption alone.
    pub encryption_keys: usize,
    /// `SingleSignOnService`: where requests go.
    pub sso: Vec<(Binding, String)>,
    /// `SingleLogoutService`.
    pub slo: Vec<(Binding, String)>,
    /// `validUntil` of the document.
    pub valid_until: Option<Timestamp>,
    /// `WantAuthnRequestsSigned`.
    pub wants_signed_requests: Option<bool>,
    /// `NameIDFormat`s that it offers.
    pub name_id_formats: Vec<String>,
}

/// A binding of a service ([SAMLBind 3]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// HTTP-POST.
    Post,
    /// HTTP-Redirect.
    Redirect,
    /// SOAP.
    Soap,
    /// HTTP-Artifact.
    Artifact,
    /// Another, by its URI.
    Other(String),
}

impl Binding {
    fn of(uri: &str) -> Self {
        match uri.trim().strip_prefix("urn:oasis:names:tc:SAML:2.0:bindings:") {
            Some("HTTP-POST") => Self::Post,
            Some("HTTP-Redirect") => Self::Redirect,
            Some("SOAP") => Self::Soap,
            Some("HTTP-Artifact") => Self::Artifact,
            _ => Self::Other(uri.to_owned()),
        }
    }
}

impl IdpMetadata {
    /// Reads the metadata of one identity provider. Its signature, where it has one, is not verified: the operator vouches.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        if bytes.len() > METADATA_MAX {
            return Err(MetadataError::TooLarge { bytes: bytes.len() });
        }
        let text = file_text::decode(bytes)?;
        let text = text.trim();
        // the library's own message speaks of a SAML response; its cause tells what is the matter
        let read = |error: &dyn Error| MetadataError::Xml(error.source().unwrap_or(error).to_string());
        let entity = match survey(text)? {
            Root::Entity => EntityDescriptor::from_str(text).map_err(|error| read(&error))?,
            Root::Entities => one_of(EntitiesDescriptor::from_str(text).map_err(|error| read(&error))?)?,
        };
        from_entity(&entity)
    }
}

enum Root {
    Entity,
    Entities,
}

/// What samael must not be troubled with is refused first: DOCTYPE, deep nesting, other documents.
fn survey(text: &str) -> Result<Root, MetadataError> {
    let start = text.get(..64).unwrap_or(text).to_ascii_lowercase();
    if start.starts_with("<!doctype html") || start.starts_with("<html") {
        return Err(MetadataError::Html);
    }
    if start.contains("-----begin ") || !start.starts_with('<') {
        return Err(MetadataError::NotXml);
    }
    let mut reader = Reader::from_str(text);
    let (mut depth, mut root) = (0usize, None);
    loop {
        let (element, open) = match reader.read_event().map_err(|error| MetadataError::Xml(error.to_string()))? {
            Event::Eof => break,
            Event::DocType(_) => return Err(MetadataError::Doctype),
            Event::Start(element) => (element, true),
            Event::Empty(element) => (element, false),
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                continue;
            }
            _ => continue,
        };
        if root.is_none() {
            let local = element.local_name();
            let is_metadata = element
                .attributes()
                .flatten()
                .any(|attribute| attribute.key.as_ref().starts_with("xmlns") && attribute.value.as_ref() == NAMESPACE);
            root = Some(match local.as_ref() {
                "EntityDescriptor" if is_metadata => Root::Entity,
                "EntitiesDescriptor" if is_metadata => Root::Entities,
                "html" | "HTML" => return Err(MetadataError::Html),
                other => return Err(MetadataError::OtherDocument(other.to_owned())),
            });
        }
        depth += usize::from(open);
        if depth > DEPTH_MAX {
            return Err(MetadataError::TooDeep);
        }
    }
    root.ok_or(MetadataError::NotXml)
}

/// The one identity provider of a list.
fn one_of(list: EntitiesDescriptor) -> Result<EntityDescriptor, MetadataError> {
    let mut lists = vec![list];
    let (mut found, mut others) = (Vec::new(), 0usize);
    while let Some(list) = lists.pop() {
        for item in list.descriptors {
            match item {
                EntityDescriptorType::EntitiesDescriptor(list) => lists.push(list),
                EntityDescriptorType::EntityDescriptor(entity) if entity.idp_sso_descriptors.is_some() => {
                    found.push(entity);
                }
                EntityDescriptorType::EntityDescriptor(_) => others += 1,
            }
        }
    }
    let count = found.len();
    match (found.pop(), count) {
        (Some(entity), 1) => Ok(entity),
        (None, _) if others > 0 => Err(MetadataError::NoIdp { is_sp: true }),
        (None, _) => Err(MetadataError::NoIdp { is_sp: false }),
        _ => Err(MetadataError::Several(count)),
    }
}

fn from_entity(entity: &EntityDescriptor) -> Result<IdpMetadata, MetadataError> {
    let roles: &[IdpSsoDescriptor] = entity.idp_sso_descriptors.as_deref().unwrap_or_default();
    if roles.is_empty() {
        return Err(MetadataError::NoIdp { is_sp: entity.sp_sso_descriptors.is_some() });
    }
    let entity_id = entity.entity_id.clone().filter(|id| !id.is_empty()).ok_or(MetadataError::NoEntityId)?;
    let mut signing_certificates = Vec::new();
    let mut encryption_keys = 0;
    for key in roles.iter().flat_map(|role| &role.key_descriptors) {
        if key.key_use.as_deref() == Some("encryption") {
            encryption_keys += 1;
            continue;
        }
        for der in certificates(key)? {
            if !signing_certificates.contains(&der) {
                signing_certificates.push(der);
            }
        }
    }
    if signing_certificates.is_empty() {
        return Err(MetadataError::NoSigningCertificate);
    }
    let endpoint = |endpoint: &samael::metadata::Endpoint| (Binding::of(&endpoint.binding), endpoint.location.clone());
    Ok(IdpMetadata {
        entity_id,
        signing_certificates,
        encryption_keys,
        sso: roles.iter().flat_map(|role| &role.single_sign_on_services).map(endpoint).collect(),
        slo: roles.iter().flat_map(|role| &role.single_logout_services).map(endpoint).collect(),
        valid_until: entity.valid_until.and_then(|instant| Timestamp::from_second(instant.timestamp()).ok()),
        wants_signed_requests: roles.iter().find_map(|role| role.want_authn_requests_signed),
        name_id_formats: roles.iter().flat_map(|role| role.name_id_formats.iter().cloned()).collect(),
    })
}

fn certificates(key: &KeyDescriptor) -> Result<Vec<Vec<u8>>, MetadataError> {
    let texts = key.key_info.x509_data.iter().flat_map(|data| &data.certificates);
    texts
        .map(|text| {
            let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            STANDARD.decode(compact).map_err(|error| MetadataError::Certificate(error.to_string()))
        })
        .collect()
}

/// Why metadata cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages tell")]
pub enum MetadataError {
    #[error(transparent)]
    Text(#[from] FileTextError),
    #[error("expected at most {METADATA_MAX} bytes of metadata, got {bytes}")]
    TooLarge { bytes: usize },
    #[error("expected SAML metadata, got something that is not XML")]
    NotXml,
    #[error("expected SAML metadata, got an HTML page")]
    Html,
    #[error("expected metadata without a document type, got a DOCTYPE")]
    Doctype,
    #[error("expected at most {DEPTH_MAX} nested elements, got more")]
    TooDeep,
    #[error("expected an EntityDescriptor of SAML 2.0 metadata, got {0}")]
    OtherDocument(String),
    #[error("expected SAML metadata, got XML that does not read as such: {0}")]
    Xml(String),
    #[error("expected the metadata of one identity provider, got {0} of them")]
    Several(usize),
    #[error("expected the metadata of an identity provider, got {}", if *is_sp { "that of a service provider" } else { "metadata without an IDPSSODescriptor" })]
    NoIdp { is_sp: bool },
    #[error("expected an entityID, got none")]
    NoEntityId,
    #[error("expected a signing certificate (KeyDescriptor use=\"signing\"), got none")]
    NoSigningCertificate,
    #[error("expected base64 in X509Certificate, got something else: {0}")]
    Certificate(String),
}

impl MetadataError {
    /// How to mend it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Text(error) => error.hint(),
            Self::Html => {
                "that is a log-in or an error page: take the download URL of the metadata (authentik: provider > Metadata), or sign in first and save the XML"
            }
            Self::NoIdp { is_sp: true } => {
                "that is what the identity provider is told of Entra; the metadata of the identity provider itself is needed"
            }
            Self::NoSigningCertificate => {
                "set a Signing Certificate on the provider (authentik: Advanced protocol settings) and download the metadata again"
            }
            Self::Several(_) | Self::TooLarge { .. } => {
                "give the metadata of the one identity provider, not of a whole federation"
            }
            Self::Doctype | Self::TooDeep => {
                "no identity provider writes such metadata: look where the file comes from"
            }
            _ => "download the metadata anew; or give `issuer` and `certificates` in its place",
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SP: &str = "<md:SPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"><md:AssertionConsumerService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Location=\"https://login.company/\" index=\"0\"/></md:SPSSODescriptor>";

    fn key(usage: &str, certificate: &str) -> String {
        format!(
            "<md:KeyDescriptor{usage}><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        )
    }

    fn entity(roles: &str) -> String {
        format!(
            "<md:EntityDescriptor xmlns:md=\"{NAMESPACE}\" entityID=\"https://authentik.company/m365/\" validUntil=\"2030-01-01T00:00:00Z\">{roles}</md:EntityDescriptor>"
        )
    }

    fn idp(keys: &str) -> String {
        let service = |name: &str, binding: &str| {
            format!(
                "<md:{name} Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:{binding}\" Location=\"https://authentik.company/{name}/{binding}\"/>"
            )
        };
        format!(
            "<md:IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\" WantAuthnRequestsSigned=\"false\">{keys}{}{}<md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>{}{}</md:IDPSSODescriptor>",
            service("SingleLogoutService", "HTTP-Redirect"),
            service("SingleLogoutService", "HTTP-POST"),
            service("SingleSignOnService", "HTTP-Redirect"),
            service("SingleSignOnService", "HTTP-POST"),
        )
    }

    #[test]
    fn an_identity_provider_is_read() {
        let keys =
            [key(" use=\"signing\"", "AAEC"), key("", "AA\n EC"), key("", "AwQF"), key(" use=\"encryption\"", "BgcI")]
                .concat();
        let one = entity(&idp(&keys));
        let xml = format!("<?xml version=\"1.0\"?>\n{one}");
        let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(one.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let list =
            format!("<md:EntitiesDescriptor xmlns:md=\"{NAMESPACE}\">{}{one}</md:EntitiesDescriptor>", entity(SP));
        for file in
            [xml.clone().into_bytes(), [b"\xef\xbb\xbf".as_slice(), xml.as_bytes()].concat(), utf16, list.into_bytes()]
        {
            let metadata = IdpMetadata::parse(&file).unwrap();
            assert_eq!(metadata.entity_id, "https://authentik.company/m365/");
            assert_eq!(metadata.signing_certificates, [vec![0, 1, 2], vec![3, 4, 5]]);
            assert_eq!((metadata.encryption_keys, metadata.wants_signed_requests), (1, Some(false)));
            assert_eq!(metadata.valid_until.unwrap().to_string(), "2030-01-01T00:00:00Z");
            assert_eq!(metadata.sso.len(), 2);
            assert!(
                metadata
                    .slo
                    .contains(&(Binding::Post, "https://authentik.company/SingleLogoutService/HTTP-POST".into()))
            );
            assert_eq!(metadata.name_id_formats.len(), 1);
        }
    }

    #[test]
    fn the_richer_metadata_of_other_products_is_read_too() {
        let signature = "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/><ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/><ds:Reference URI=\"#_1\"><ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/></ds:Transforms><ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue>AAEC</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>AAEC</ds:SignatureValue></ds:Signature>";
        let role = format!(
            "<RoleDescriptor xmlns=\"{NAMESPACE}\" xmlns:xsi=\"x\" xsi:type=\"fed:SecurityTokenServiceType\" protocolSupportEnumeration=\"x\" ServiceDisplayName=\"x\">{}<fed:ClaimTypesOffered xmlns:fed=\"x\"><a/><a/></fed:ClaimTypesOffered></RoleDescriptor>",
            key(" use=\"signing\"", "AAEC")
        );
        let rest = "<md:Extensions><x xmlns=\"y\"/></md:Extensions><md:Organization><md:OrganizationName xml:lang=\"en\">x</md:OrganizationName><md:OrganizationDisplayName xml:lang=\"en\">x</md:OrganizationDisplayName><md:OrganizationURL xml:lang=\"en\">x</md:OrganizationURL></md:Organization><md:ContactPerson contactType=\"technical\"><md:EmailAddress>x</md:EmailAddress></md:ContactPerson>";
        let attribute = "<saml:Attribute xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" Name=\"x\" NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:uri\" FriendlyName=\"E-Mail\"/></md:IDPSSODescriptor>";
        let idp = idp(&key("", "AAEC")).replace("</md:IDPSSODescriptor>", attribute);
        let interleaved = idp
            .replace("</md:IDPSSODescriptor>", &format!("{}</md:IDPSSODescriptor>", key(" use=\"signing\"", "AwQF")));
        let cached = idp.replace("<md:IDPSSODescriptor ", "<md:IDPSSODescriptor cacheDuration=\"PT1H\" ");
        let named = idp.replace("<ds:X509Data>", "<ds:KeyName>x</ds:KeyName><ds:KeyValue><ds:RSAKeyValue/></ds:KeyValue><ds:X509Data><ds:X509SubjectName>x</ds:X509SubjectName>");
        let twice = idp.replace(
            "<ds:X509Data>",
            "<ds:X509Data><ds:X509Certificate>AwQF</ds:X509Certificate></ds:X509Data><ds:X509Data>",
        );
        let read = |roles: &str| IdpMetadata::parse(entity(roles).as_bytes());
        for roles in [
            format!("{signature}{idp}"),
            format!("{role}{role}{idp}"),
            format!("{SP}{idp}"),
            format!("{idp}{rest}"),
            named,
        ] {
            assert_eq!(read(&roles).unwrap().signing_certificates, [vec![0, 1, 2]]);
        }
        // what the library cannot read is refused with another way to go, never misread
        for roles in [interleaved, cached, twice] {
            let error = read(&roles).unwrap_err();
            assert!(matches!(error, MetadataError::Xml(_)) && error.hint().contains("`certificates`"), "{error}");
            assert!(!error.to_string().contains("SAML response"), "{error}");
        }
    }

    #[test]
    fn what_is_no_metadata_of_an_identity_provider_is_named() {
        let good = entity(&idp(&key("", "AAEC")));
        let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
        let cases = [
            ("<!DOCTYPE html><html><body>Log in</body></html>".to_owned(), "HTML page"),
            ("<?xml version=\"1.0\"?><html xmlns=\"x\"/>".to_owned(), "HTML page"),
            (format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{good}"), "DOCTYPE"),
            (entity(&idp(&deep)), "nested"),
            (entity(SP), "service provider"),
            (entity(""), "without an IDPSSODescriptor"),
            (entity(&idp("")), "expected a signing certificate"),
            (entity(&idp(&key(" use=\"encryption\"", "AAEC"))), "expected a signing certificate"),
            (entity(&idp(&key("", "?"))), "X509Certificate"),
            (good.replace(" entityID=\"https://authentik.company/m365/\"", ""), "entityID"),
            (
                format!("<md:EntitiesDescriptor xmlns:md=\"{NAMESPACE}\">{good}{good}</md:EntitiesDescriptor>"),
                "got 2 of them",
            ),
            ("<samlp:Response xmlns:samlp=\"x\"/>".to_owned(), "got Response"),
            ("-----BEGIN CERTIFICATE-----".to_owned(), "not XML"),
            (String::new(), "not XML"),
            (good.replace("</md:EntityDescriptor>", ""), "got XML"),
            (" ".repeat(METADATA_MAX + 1), "at most"),
        ];
        for (file, words) in cases {
            let error = IdpMetadata::parse(file.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(words), "{error}, expected {words}");
            assert!(!error.hint().is_empty());
        }
    }
}
