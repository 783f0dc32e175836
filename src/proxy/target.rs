//! What a CONNECT may ask for: pure, a target is one of those that are written down, or it is refused.

use std::net::SocketAddr;

use hyper::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::{Settings, route};

/// The port at which browsers look for the intercepted hosts.
const HTTPS: u16 = 443;

/// A place that is tunnelled to blindly, written as `host:port` or `host:port=address:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnelled {
    /// What a CONNECT asks for, in lower case.
    authority: String,
    host: String,
    port: u16,
    /// Where to connect, whatever the name resolves to.
    address: Option<SocketAddr>,
}

impl Tunnelled {
    /// A place as the configuration writes it; none when it is written otherwise.
    pub fn parse(written: &str) -> Option<Self> {
        let (authority, address) = match written.split_once('=') {
            Some((authority, address)) => (authority.trim(), Some(address.trim().parse().ok()?)),
            None => (written, None),
        };
        let authority = authority.to_ascii_lowercase();
        if let Ok(address) = authority.parse::<SocketAddr>() {
            // an address in its one usual spelling; it is where it says
            let (host, port) = (address.ip().to_string(), address.port());
            let is_usual = address.to_string() == authority && port != 0;
            return is_usual.then_some(Self { authority, host, port, address: Some(address) });
        }
        let (host, port) = authority.rsplit_once(':')?;
        let is_name = !host.is_empty()
            && !host.starts_with('.')
            && !host.ends_with('.')
            // or else it may be an address in a spelling of its own
            && host.bytes().any(|byte| byte.is_ascii_alphabetic())
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
        let (host, port) = (host.to_owned(), port.parse().ok().filter(|_| is_name && is_port)?);
        Some(Self { authority, host, port, address })
    }

    /// What a CONNECT asks for.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host, without brackets, and the port.
    pub fn place(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// The address that is written, where one is.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

/// What is done with a CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Leads {
    /// To ourselves: we are that host.
    Here,
    /// To somebody else, unread.
    There(Tunnelled),
}

/// Why nothing is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NotConnect,
    PlainHttp,
    /// As any request would be refused.
    Host(route::Refusal),
    Body,
    NotListed,
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::NotConnect => StatusCode::METHOD_NOT_ALLOWED,
            Self::PlainHttp | Self::NotListed => StatusCode::FORBIDDEN,
            Self::Host(refusal) => refusal.status(),
            Self::Body => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::NotConnect => "This is a proxy: it takes CONNECT, and nothing else.",
            Self::PlainHttp => "This proxy takes CONNECT alone, and forwards no request that it could read on its way.",
            Self::Host(refusal) => refusal.sentence(),
            Self::Body => "A CONNECT has no body.",
            Self::NotListed => {
                "This proxy opens no way to there: it knows the hosts of `[intercept]`, at port 443, and what `tunnel` lists."
            }
        }
    }
}

/// Every target that is let through, as `host:port`.
pub(super) fn all(settings: &Settings) -> Vec<String> {
    let here = settings.intercept.hosts().iter().map(|host| format!("{host}:{HTTPS}"));
    here.chain(settings.tunnels.iter().map(|there| there.authority.clone())).collect()
}

/// Where a request leads.
pub(super) fn leads(settings: &Settings, request: &Parts) -> Result<Leads, Refusal> {
    let uri = &request.uri;
    if request.method != Method::CONNECT {
        return Err(if uri.scheme().is_some() { Refusal::PlainHttp } else { Refusal::NotConnect });
    }
    let mut hosts = request.headers.get_all(HOST).iter();
    let host = hosts.next().ok_or(Refusal::Host(route::Refusal::HostMissing))?;
    if hosts.next().is_some() {
        return Err(Refusal::Host(route::Refusal::HostDoubled));
    }
    let is_empty = |length: &hyper::header::HeaderValue| length.as_bytes() == b"0";
    if request.headers.contains_key(TRANSFER_ENCODING) || !request.headers.get_all(CONTENT_LENGTH).iter().all(is_empty)
    {
        return Err(Refusal::Body);
    }
    // a scheme or a path beside it is another target than the one that is written down
    let bare = uri.scheme().is_none() && uri.path_and_query().is_none_or(|path| path.as_str().is_empty());
    let target = uri.authority().filter(|_| bare).ok_or(Refusal::NotListed)?.as_str();
    // some say the host alone
    let names = |known: &str| {
        let host = host.as_bytes();
        let (alone, _) = known.rsplit_once(':').unwrap_or((known, ""));
        host.eq_ignore_ascii_case(known.as_bytes()) || host.eq_ignore_ascii_case(alone.as_bytes())
    };
    // letters have two cases in names; apart from that there is one spelling
    let is = |known: &str| known.eq_ignore_ascii_case(target);
    let is_here = |host: &String| is(&format!("{host}:{HTTPS}"));
    let found = if settings.intercept.hosts().iter().any(is_here) {
        Leads::Here
    } else {
        let there = settings.tunnels.iter().find(|there| is(&there.authority));
        Leads::There(there.ok_or(Refusal::NotListed)?.clone())
    };
    if names(target) { Ok(found) } else { Err(Refusal::Host(route::Refusal::HostMismatch)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_spelling() {
        let parsed = |written: &str| Tunnelled::parse(written).map(|there| (there.authority, there.address));
        let address = |text: &str| text.parse::<SocketAddr>().ok();
        let name = |authority: &str, to: &str| Some((authority.to_owned(), address(to)));
        assert_eq!(parsed("Authentik.Company:443"), name("authentik.company:443", ""));
        assert_eq!(parsed("authentik.company:443 = 127.0.0.1:9443"), name("authentik.company:443", "127.0.0.1:9443"));
        assert_eq!(parsed("203.0.113.7:443"), name("203.0.113.7:443", "203.0.113.7:443"));
        assert_eq!(parsed("[2001:db8::1]:443"), name("[2001:db8::1]:443", "[2001:db8::1]:443"));
        for wrong in [
            "",
            ":443",
            "authentik.company",
            "authentik.company:",
            "authentik.company:0443",
            "authentik.company:+443",
            "authentik.company:0",
            "authentik.company:65536",
            "authentik.company.:443",
            ".company:443",
            "*.company:443",
            "user@authentik.company:443",
            "https://authentik.company:443",
            "authentik.company:443/",
            "authentik.company:443=localhost:1",
            "127.1:443",
            "2130706433:443",
            "127.0.0.1:0",
            "[2001:0db8::1]:443",
            "2001:db8::1:443",
        ] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
