//! The algorithms of XML signatures that are judged, and those that are refused by name.

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1: verified to be judged, always warned of.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// Short name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// The library's own.
    pub(super) fn backend(self) -> &'static aws_lc_rs::digest::Algorithm {
        use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512};
        match self {
            Self::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
        }
    }

    /// The URI of this digest algorithm ([RFC 9231 2.1]).
    pub(super) fn uri(self) -> &'static str {
        match self {
            Self::Sha1 => "http://www.w3.org/2000/09/xmldsig#sha1",
            Self::Sha256 => "http://www.w3.org/2001/04/xmlenc#sha256",
            Self::Sha384 => "http://www.w3.org/2001/04/xmldsig-more#sha384",
            Self::Sha512 => "http://www.w3.org/2001/04/xmlenc#sha512",
        }
    }

    /// The digest algorithm of this URI.
    pub(super) fn of_uri(uri: &str) -> Option<Self> {
        [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512].into_iter().find(|hash| hash.uri() == uri)
    }
}

/// How a signature is made of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureScheme {
    /// RSASSA-PKCS1-v1_5.
    RsaPkcs1,
    /// RSASSA-PSS with MGF1 of the same hash and a salt as long as the hash.
    RsaPss,
    /// ECDSA, r and s joined.
    Ecdsa,
}

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureAlgorithm {
    /// How.
    pub scheme: SignatureScheme,
    /// Over which hash.
    pub hash: Hash,
}

/// Name, URI, scheme and hash of all that is judged ([RFC 9231 2.3], [xmldsig 6.4]).
const SIGNATURES: [(&str, &str, SignatureScheme, Hash); 11] = {
    use SignatureScheme::{Ecdsa, RsaPkcs1, RsaPss};
    [
        ("rsa-sha1", "http://www.w3.org/2000/09/xmldsig#rsa-sha1", RsaPkcs1, Hash::Sha1),
        ("rsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", RsaPkcs1, Hash::Sha256),
        ("rsa-sha384", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", RsaPkcs1, Hash::Sha384),
        ("rsa-sha512", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", RsaPkcs1, Hash::Sha512),
        ("rsa-pss-sha256", "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", RsaPss, Hash::Sha256),
        ("rsa-pss-sha384", "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1", RsaPss, Hash::Sha384),
        ("rsa-pss-sha512", "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1", RsaPss, Hash::Sha512),
        ("ecdsa-sha1", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1", Ecdsa, Hash::Sha1),
        ("ecdsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", Ecdsa, Hash::Sha256),
        ("ecdsa-sha384", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", Ecdsa, Hash::Sha384),
        ("ecdsa-sha512", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", Ecdsa, Hash::Sha512),
    ]
};

impl SignatureAlgorithm {
    /// The algorithm of this short name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|algorithm| algorithm.as_str() == name)
    }

    /// Every algorithm that is judged.
    pub fn all() -> impl Iterator<Item = Self> {
        SIGNATURES.into_iter().map(|(_, _, scheme, hash)| Self { scheme, hash })
    }

    /// Short name, as `rsa-sha256`.
    pub fn as_str(self) -> &'static str {
        let known = SIGNATURES.into_iter().find(|(_, _, scheme, hash)| *scheme == self.scheme && *hash == self.hash);
        known.map_or("unknown", |(name, ..)| name)
    }

    /// The URI of this algorithm, where it is one that is judged.
    pub(super) fn uri(self) -> Option<&'static str> {
        let known = SIGNATURES.into_iter().find(|(_, _, scheme, hash)| *scheme == self.scheme && *hash == self.hash);
        known.map(|(_, uri, ..)| uri)
    }

    /// The signature algorithm of this URI.
    pub(super) fn of_uri(uri: &str) -> Option<Self> {
        let known = SIGNATURES.into_iter().find(|(_, known, ..)| *known == uri);
        known.map(|(_, _, scheme, hash)| Self { scheme, hash })
    }
}
