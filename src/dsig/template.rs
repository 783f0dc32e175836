//! The text of a signature around its values, as different producers write it.

use base64_simd::STANDARD as BASE64;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::grammar::DS;
use super::sign::Manner;

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
/// Characters of a line of base64.
const LINE: usize = 64;

/// Where a signature has line breaks; they are signed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Nowhere.
    Joined,
    /// After every tag, and base64 in lines: libxmlsec1's templates, authentik's among them.
    Lines,
    /// Inside SignedInfo, with blanks before the tags: PHP's xmlseclibs.
    Indented,
}

/// What is said of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyInfoForm {
    /// The certificate.
    Certificate,
    /// The certificate, in a KeyInfo without a prefix: AD FS.
    Unprefixed,
    /// A name, the certificate, and the key itself where it is RSA: Keycloak.
    Several,
}

/// Everything but the value of the signature.
pub(super) struct Template<'a> {
    pub(super) manner: &'a Manner<'a>,
    pub(super) id: &'a str,
    pub(super) method: &'a str,
    pub(super) digest_method: &'a str,
    pub(super) digest_value: &'a str,
    pub(super) certificate: &'a [u8],
}

impl Template<'_> {
    /// Up to the value.
    pub(super) fn opening(&self) -> String {
        let manner = self.manner;
        let name = |uri: &str| if manner.https_names { uri.replace("http://", "https://") } else { uri.to_owned() };
        let p = prefix(manner.prefix);
        let (canonical, enveloped) = (name(EXCLUSIVE), name(ENVELOPED));
        let (method, digest_method) = (name(self.method), name(self.digest_method));
        let canonicalisation = |element: &str| match manner.prefix_list {
            "" => format!(r#"<{p}{element} Algorithm="{canonical}"/>"#),
            list => format!(
                r#"<{p}{element} Algorithm="{canonical}"><ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="{list}"/></{p}{element}>"#
            ),
        };
        let [start, first, second, each] = match manner.layout {
            Layout::Joined => [""; 4],
            Layout::Lines => ["\n"; 4],
            Layout::Indented => ["\n  ", "\n    ", "\n  ", ""],
        };
        let declaration = match (manner.declared, manner.prefix) {
            (false, _) => String::new(),
            (true, "") => format!(r#" xmlns="{DS}""#),
            (true, prefix) => format!(r#" xmlns:{prefix}="{DS}""#),
        };
        let (id, value) = (self.id, self.digest_value);
        [
            format!("<{p}Signature{declaration}>{start}<{p}SignedInfo>{each}"),
            canonicalisation("CanonicalizationMethod") + first,
            format!(r#"<{p}SignatureMethod Algorithm="{method}"/>{second}"#),
            format!(r##"<{p}Reference URI="#{id}">{each}<{p}Transforms>{each}"##),
            format!(r#"<{p}Transform Algorithm="{enveloped}"/>{each}"#),
            format!("{}{each}</{p}Transforms>{each}", canonicalisation("Transform")),
            format!(r#"<{p}DigestMethod Algorithm="{digest_method}"/>{each}"#),
            format!("<{p}DigestValue>{value}</{p}DigestValue>{each}</{p}Reference>{each}</{p}SignedInfo>{each}"),
            format!("<{p}SignatureValue>"),
        ]
        .concat()
    }

    /// After the value.
    pub(super) fn closing(&self) -> String {
        let manner = self.manner;
        let p = prefix(manner.prefix);
        let (before, each) = match manner.layout {
            Layout::Joined => ("", ""),
            Layout::Lines => ("\n", "\n"),
            Layout::Indented => ("\n", ""),
        };
        let certificate = broken(&BASE64.encode_to_string(self.certificate), manner.layout);
        let certificate =
            format!("<{p}X509Data>{each}<{p}X509Certificate>{certificate}</{p}X509Certificate>{each}</{p}X509Data>");
        let key_info = match manner.key_info_form {
            _ if !manner.key_info => String::new(),
            KeyInfoForm::Certificate => format!("{before}<{p}KeyInfo>{each}{certificate}{each}</{p}KeyInfo>{each}"),
            KeyInfoForm::Unprefixed => format!(r#"<KeyInfo xmlns="{DS}">{certificate}</KeyInfo>"#),
            KeyInfoForm::Several => {
                let value = self.key_value().unwrap_or_default();
                format!("<{p}KeyInfo><{p}KeyName>samlgate</{p}KeyName>{certificate}{value}</{p}KeyInfo>")
            }
        };
        format!("</{p}SignatureValue>{key_info}</{p}Signature>")
    }

    /// The key itself, where it is RSA.
    fn key_value(&self) -> Option<String> {
        let (_, certificate) = X509Certificate::from_der(self.certificate).ok()?;
        let PublicKey::RSA(key) = certificate.public_key().parsed().ok()? else { return None };
        let number = |bytes: &[u8]| {
            let first = bytes.iter().position(|byte| *byte != 0).unwrap_or_default();
            BASE64.encode_to_string(bytes.get(first..).unwrap_or_default())
        };
        let (p, modulus, exponent) = (prefix(self.manner.prefix), number(key.modulus), number(key.exponent));
        Some(format!(
            "<{p}KeyValue><{p}RSAKeyValue><{p}Modulus>{modulus}</{p}Modulus><{p}Exponent>{exponent}</{p}Exponent></{p}RSAKeyValue></{p}KeyValue>"
        ))
    }
}

fn prefix(prefix: &str) -> String {
    if prefix.is_empty() { String::new() } else { format!("{prefix}:") }
}

/// Base64 as the layout has it.
pub(super) fn broken(base64: &str, layout: Layout) -> String {
    if layout != Layout::Lines {
        return base64.to_owned();
    }
    let mut out = String::from("\n");
    for (index, character) in base64.chars().enumerate() {
        if index > 0 && index % LINE == 0 {
            out.push('\n');
        }
        out.push(character);
    }
    out + "\n"
}
