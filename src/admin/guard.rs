//! Who may look and who may change: a browser of this machine also asks for what strangers' pages want.

use std::net::IpAddr;

use hyper::header::{HOST, HeaderMap, ORIGIN};
use hyper::http::uri::Authority;

/// Both ends of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    /// Where it arrived.
    pub(super) own: IpAddr,
    /// Where it came from.
    pub(super) peer: IpAddr,
}

impl Ends {
    /// Whether pages may be shown. On a loopback address a request names one, too: a stranger's name that was made to resolve
    /// to this machine gives that stranger's pages nothing to read.
    pub(super) fn may_look(self, headers: &HeaderMap) -> bool {
        !self.own.is_loopback() || self.is_named(headers)
    }

    /// Whether something may be changed: only from this machine, by this machine's name, and by no page but its own.
    pub(super) fn may_change(self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(ORIGIN).iter();
        let own_page = origins.all(|origin| {
            let origin = origin.to_str().unwrap_or_default();
            let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            rest.is_some_and(|rest| self.is_own(rest))
        });
        self.peer.is_loopback() && own_page && self.is_named(headers)
    }

    /// Whether `Host` is there once and is ours.
    fn is_named(self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        hosts.next().is_none() && host.is_some_and(|host| self.is_own(host))
    }

    /// Whether this is a loopback name or address, or the very address that was connected to. The port says nothing: it may be
    /// that of a tunnel.
    fn is_own(self, written: &str) -> bool {
        let Ok(authority) = written.parse::<Authority>() else { return false };
        if written.contains('@') {
            return false;
        }
        let host = authority.host().trim_matches(['[', ']']);
        let is_own = |address: IpAddr| address.is_loopback() || address.to_canonical() == self.own;
        host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_own)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn ends(own: &str, peer: &str) -> Ends {
        Ends { own: own.parse().unwrap(), peer: peer.parse().unwrap() }
    }

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_stranger_who_lets_his_name_resolve_to_this_machine_sees_nothing() {
        let here = ends("127.0.0.1", "127.0.0.1");
        for host in ["localhost", "LOCALHOST:9464", "127.0.0.1:9464", "[::1]:9464", "127.3.2.1"] {
            assert!(here.may_look(&headers(host, None)), "{host}");
        }
        for host in
            ["stranger.example:9464", "localhost.stranger.example", "localhost@stranger.example", "192.0.2.1", ""]
        {
            assert!(!here.may_look(&headers(host, None)), "{host}");
        }
        assert!(!here.may_look(&HeaderMap::new()));
        let mut two = headers("localhost", None);
        two.append(HOST, "localhost".parse().unwrap());
        assert!(!here.may_look(&two));
        // whoever listens for the network names the service as they like
        assert!(ends("192.0.2.7", "192.0.2.8").may_look(&headers("samlgate.internal", None)));
    }

    #[test]
    fn only_this_machine_changes_anything_and_no_foreign_page_does() {
        let here = ends("127.0.0.1", "127.0.0.1");
        for origin in [None, Some("http://localhost:9464"), Some("http://127.0.0.1:9464"), Some("https://[::1]")] {
            assert!(here.may_change(&headers("127.0.0.1:9464", origin)), "{origin:?}");
        }
        for origin in ["null", "https://stranger.example", "http://localhost.stranger.example", "localhost", ""] {
            assert!(!here.may_change(&headers("127.0.0.1:9464", Some(origin))), "{origin}");
        }
        assert!(!here.may_change(&headers("stranger.example", None)));
        assert!(!ends("192.0.2.7", "192.0.2.8").may_change(&headers("192.0.2.7:9464", None)));
        assert!(ends("192.0.2.7", "127.0.0.1").may_change(&headers("192.0.2.7:9464", None)));
    }
}
