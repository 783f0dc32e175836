//! A URL that may be asked: https, and http on this machine alone.

use std::fmt;
use std::net::IpAddr;

use hyper::Uri;

/// A URL that may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url(Uri);

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// Why it may not be asked.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let uri: Uri = text.parse().map_err(|_| UrlError::NoUrl)?;
        let authority = uri.authority().ok_or(UrlError::NoUrl)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::Password);
        }
        // whatever follows the colon must be a port
        if authority.port().is_none() && authority.as_str() != authority.host() {
            return Err(UrlError::NoUrl);
        }
        match uri.scheme_str() {
            Some("https") => Ok(Self(uri)),
            Some("http") if is_loopback(authority.host()) => Ok(Self(uri)),
            Some(_) => Err(UrlError::Scheme),
            None => Err(UrlError::NoUrl),
        }
    }

    /// The URL that a Location of an answer from here names.
    ///
    /// # Errors
    /// It may not be asked, or was asked with TLS and leads to where there is none.
    pub fn join(&self, location: &str) -> Result<Self, UrlError> {
        let origin = |scheme: &str, authority: &str| format!("{scheme}://{authority}");
        let (scheme, authority) =
            (self.0.scheme_str().unwrap_or("https"), self.0.authority().map_or("", |a| a.as_str()));
        let absolute = if location.starts_with("//") {
            format!("{scheme}:{location}")
        } else if location.starts_with('/') {
            format!("{}{location}", origin(scheme, authority))
        } else if location.contains("://") {
            location.to_owned()
        } else {
            let folder = self.0.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{}{folder}/{location}", origin(scheme, authority))
        };
        let url = Self::parse(&absolute)?;
        if self.is_tls() && !url.is_tls() { Err(UrlError::Scheme) } else { Ok(url) }
    }

    /// Whether TLS is spoken.
    pub fn is_tls(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        self.0.authority().map_or("", |authority| authority.as_str())
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn is_loopback(host: &str) -> bool {
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Why a URL may not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not a URL.
    #[error("expected a URL such as https://authentik.company/metadata/, got something else")]
    NoUrl,
    /// Without TLS anybody on the way can write the answer.
    #[error("expected an https URL (http is for this machine alone)")]
    Scheme,
    /// It would stand in logs.
    #[error("expected a URL without a user name or password")]
    Password,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn tls_or_this_machine() {
        for (text, expected) in [
            ("https://authentik.company/metadata/?download", Ok(())),
            ("https://authentik.company:9443", Ok(())),
            ("http://127.0.0.1:8080/", Ok(())),
            ("http://localhost/", Ok(())),
            ("http://[::1]:8080/", Ok(())),
            ("http://authentik.company/", Err(UrlError::Scheme)),
            ("http://127.0.0.1.company/", Err(UrlError::Scheme)),
            ("http://localhost.company/", Err(UrlError::Scheme)),
            ("file:///etc/passwd", Err(UrlError::NoUrl)),
            ("ftp://authentik.company/", Err(UrlError::Scheme)),
            ("https://user:word@authentik.company/", Err(UrlError::Password)),
            ("authentik.company", Err(UrlError::NoUrl)),
            ("https://authentik.company:port/", Err(UrlError::NoUrl)),
            ("/metadata", Err(UrlError::NoUrl)),
        ] {
            assert_eq!(Url::parse(text).map(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn an_answer_leads_on_and_never_out_of_tls() {
        let from = Url::parse("https://authentik.company/a/b?c").unwrap();
        for (location, expected) in [
            ("/d", Some("https://authentik.company/d")),
            ("d", Some("https://authentik.company/a/d")),
            ("//other.company/d", Some("https://other.company/d")),
            ("https://other.company/d", Some("https://other.company/d")),
            ("http://authentik.company/d", None),
            ("http://127.0.0.1/d", None),
            ("gopher://authentik.company/", None),
        ] {
            assert_eq!(from.join(location).ok().map(|url| url.to_string()).as_deref(), expected, "{location}");
        }
        let here = Url::parse("http://127.0.0.1:80/a").unwrap();
        assert_eq!(here.join("/b").unwrap().to_string(), "http://127.0.0.1:80/b");
        assert!(here.join("http://authentik.company/").is_err());
    }
}
