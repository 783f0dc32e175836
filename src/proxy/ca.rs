//! A test CA that may speak for the intercepted hosts alone, and the leaves that it signs.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::aws_lc_rs::{default_provider, sign};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Before now, for clients whose clocks are behind.
const BACKDATED: SignedDuration = SignedDuration::from_hours(1);

/// A certificate authority, with its key.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    constrained: bool,
    not_after: Timestamp,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority(until {})", self.not_after)
    }
}

/// A new authority, as it is written to files.
pub struct Created {
    /// The certificate in PEM.
    pub certificate: String,
    /// The key in PEM. Whoever has it can impersonate the hosts towards everybody who trusts the certificate.
    pub key: String,
}

impl Authority {
    /// Its certificate in DER.
    pub(super) fn der(&self) -> &[u8] {
        &self.certificate
    }

    /// Makes an authority over these hosts, valid for some days. Its key is P-256.
    ///
    /// # Errors
    /// When there is no host, or one that cannot stand in a certificate.
    pub fn create(hosts: &[String], now: Timestamp, days: u16) -> Result<Created, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "samlgate test CA");
        params
            .distinguished_name
            .push(DnType::OrganizationalUnitName, hosts.first().ok_or(AuthorityError::NoHost)?.as_str());
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.name_constraints = Some(constraints(hosts));
        valid(&mut params, now, SignedDuration::from_hours(24 * i64::from(days)));
        let certificate = params.self_signed(&key)?;
        Ok(Created { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// An authority of files: its certificate and its key, both PEM.
    ///
    /// # Errors
    /// When they are not what they should be, or do not belong together.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, AuthorityError> {
        let certificate =
            CertificateDer::from_pem_slice(certificate).map_err(AuthorityError::Certificate)?.into_owned();
        let key = PrivateKeyDer::from_pem_slice(key).map_err(AuthorityError::Key)?;
        let key = KeyPair::try_from(&key)?;
        let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|_| AuthorityError::NotAnAuthority)?;
        if !parsed.is_ca() {
            return Err(AuthorityError::NotAnAuthority);
        }
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(AuthorityError::OtherKey);
        }
        let constrained = matches!(parsed.name_constraints(), Ok(Some(_)));
        let not_after = Timestamp::from_second(parsed.validity().not_after.timestamp()).unwrap_or(Timestamp::MAX);
        let issuer = Issuer::from_ca_cert_der(&certificate, key)?;
        Ok(Self { certificate, issuer, constrained, not_after })
    }

    /// The certificate in DER: what clients trust.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Whether it may speak for some names alone.
    pub fn is_constrained(&self) -> bool {
        self.constrained
    }

    /// A fresh P-256 certificate for these hosts. It has been verified as clients do.
    ///
    /// # Errors
    /// When the authority has expired, or may not speak for a host.
    pub fn leaf(
        &self,
        hosts: &[String],
        now: Timestamp,
        life: SignedDuration,
    ) -> Result<Arc<CertifiedKey>, AuthorityError> {
        if now >= self.not_after {
            return Err(AuthorityError::Expired(self.not_after));
        }
        let (leaf, key) = self.sign(hosts, now, life)?;
        for host in hosts {
            self.vouched(&leaf, host, now)?;
        }
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = sign::any_ecdsa_type(&key).map_err(AuthorityError::Rustls)?;
        Ok(Arc::new(CertifiedKey::new(vec![leaf], signing)))
    }

    fn sign(
        &self,
        hosts: &[String],
        now: Timestamp,
        life: SignedDuration,
    ) -> Result<(CertificateDer<'static>, KeyPair), AuthorityError> {
        let mut params = CertificateParams::new(hosts)?;
        params.distinguished_name = DistinguishedName::new();
        // the hosts are in the alternative names; some clients want a subject all the same
        params.distinguished_name.push(DnType::CommonName, "samlgate");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let end = self.not_after.duration_since(now).min(life);
        valid(&mut params, now, end);
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &self.issuer)?;
        Ok((leaf.der().clone(), key))
    }

    /// What a client would say of a leaf: signature, dates, names and the constraints on them.
    fn vouched(&self, leaf: &CertificateDer<'_>, host: &str, now: Timestamp) -> Result<(), AuthorityError> {
        let refused = |error: rustls::Error| AuthorityError::Host { host: host.to_owned(), error };
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).map_err(AuthorityError::Rustls)?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()))
            .build()
            .map_err(|_| AuthorityError::NotAnAuthority)?;
        let name = ServerName::try_from(host).map_err(|_| AuthorityError::NoName(host.to_owned()))?;
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let clock = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        verifier.verify_server_cert(leaf, &[], &name, &[], clock).map_err(refused)?;
        Ok(())
    }
}

/// What browsers pin a certificate by: SHA-256 of its public key, in base64.
pub(super) fn pin(certificate: &[u8]) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(base64_simd::STANDARD.encode_to_string(digest(&SHA256, parsed.public_key().raw)))
}

/// These hosts (and, since nothing narrower can be said, names below them), and no address that is not among them.
fn constraints(hosts: &[String]) -> NameConstraints {
    let addresses: Vec<IpAddr> = hosts.iter().filter_map(|host| host.parse().ok()).collect();
    let prefix = |address: &IpAddr| if address.is_ipv4() { 32 } else { 128 };
    let name = |host: &&String| host.parse::<IpAddr>().is_err();
    let mut permitted: Vec<_> = hosts.iter().filter(name).cloned().map(GeneralSubtree::DnsName).collect();
    permitted.extend(
        addresses
            .iter()
            .map(|address| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(*address, prefix(address)))),
    );
    let mut excluded = Vec::new();
    if !addresses.iter().any(IpAddr::is_ipv4) {
        excluded.push(GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([0; 4], 0)));
    }
    if !addresses.iter().any(IpAddr::is_ipv6) {
        excluded.push(GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix([0; 16], 0)));
    }
    NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded }
}

/// From a little before now until `life` after it.
fn valid(params: &mut CertificateParams, now: Timestamp, life: SignedDuration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since = |instant: SignedDuration| Duration::from_secs(u64::try_from(instant.as_secs()).unwrap_or_default());
    let now = now.duration_since(Timestamp::UNIX_EPOCH);
    params.not_before = epoch + since(now - BACKDATED);
    params.not_after = epoch + since(now + life);
}

/// Why there is no authority, or no leaf of it.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Nothing to speak for.
    #[error("expected a host that the CA may speak for, got none")]
    NoHost,
    /// Not PEM.
    #[error("expected the certificate of a CA in PEM, got something else: {0}")]
    Certificate(rustls_pki_types::pem::Error),
    /// Not PEM.
    #[error("expected the key of a CA in PEM, got something else: {0}")]
    Key(rustls_pki_types::pem::Error),
    /// A certificate that signs none.
    #[error("expected the certificate of a CA, got one that may sign no other")]
    NotAnAuthority,
    /// Certificate and key do not belong together.
    #[error("expected the key of the CA's certificate, got another key")]
    OtherKey,
    /// Too late.
    #[error("expected a CA that is valid, got one that expired at {0}")]
    Expired(Timestamp),
    /// Not a name.
    #[error("expected a host name, got `{0}`")]
    NoName(String),
    /// The authority must not speak for a host.
    #[error("the CA may not speak for {host}: {error}")]
    Host {
        /// The host.
        host: String,
        /// What a client says.
        error: rustls::Error,
    },
    /// What the library says.
    #[error("a certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    /// What the library says.
    #[error("{0}")]
    Rustls(rustls::Error),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const HOST: &str = "login.microsoftonline.com";
    const DAYS: SignedDuration = SignedDuration::from_hours(72);

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn authority(hosts: &[&str], days: u16) -> Authority {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let created = Authority::create(&hosts, now(), days).unwrap();
        Authority::from_pem(created.certificate.as_bytes(), created.key.as_bytes()).unwrap()
    }

    fn hosts(host: &str) -> Vec<String> {
        vec![host.to_owned()]
    }

    #[test]
    fn a_leaf_is_made_for_the_hosts_of_the_authority_and_for_no_other() {
        let authority = authority(&[HOST, "127.0.0.1"], 90);
        assert!(authority.is_constrained());
        for host in [HOST, "127.0.0.1"] {
            authority.leaf(&hosts(host), now(), DAYS).unwrap();
        }
        for host in ["example.com", "microsoftonline.com", "xlogin.microsoftonline.com", "127.0.0.2", "::1"] {
            let refused = authority.leaf(&hosts(host), now(), DAYS).unwrap_err();
            assert!(matches!(refused, AuthorityError::Host { .. }), "{host}: {refused}");
        }
    }

    #[test]
    fn a_leaf_never_outlives_its_authority() {
        let authority = authority(&[HOST], 1);
        let leaf = authority.leaf(&hosts(HOST), now(), DAYS).unwrap();
        let (_, parsed) = X509Certificate::from_der(leaf.cert.first().unwrap()).unwrap();
        let tomorrow = now() + SignedDuration::from_hours(24);
        assert_eq!(parsed.validity().not_after.timestamp(), tomorrow.as_second());
        let refused = authority.leaf(&hosts(HOST), tomorrow, DAYS).unwrap_err();
        assert!(matches!(refused, AuthorityError::Expired(_)), "{refused}");
    }

    #[test]
    fn what_is_no_authority_is_named() {
        let one = Authority::create(&hosts(HOST), now(), 90).unwrap();
        let other = Authority::create(&hosts(HOST), now(), 90).unwrap();
        let read =
            |certificate: &str, key: &str| Authority::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap_err();
        assert!(matches!(read(&one.certificate, &other.key), AuthorityError::OtherKey));
        assert!(matches!(read(&one.key, &one.key), AuthorityError::Certificate(_)));
        assert!(matches!(read(&one.certificate, &one.certificate), AuthorityError::Key(_)));
        assert!(matches!(Authority::create(&[], now(), 90), Err(AuthorityError::NoHost)));
        let leaf = rcgen::generate_simple_self_signed(hosts(HOST)).unwrap();
        let refused = read(&leaf.cert.pem(), &leaf.signing_key.serialize_pem());
        assert!(matches!(refused, AuthorityError::NotAnAuthority), "{refused}");
    }
}
