//! Where sign-ins are posted: a URL, and how it is reached.

use std::sync::Arc;

use hyper::Uri;
use hyper::header::HeaderValue;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls_pki_types::ServerName;

use crate::trust::{self, TrustError};

/// Domains in which Microsoft's sign-in lives.
const MICROSOFT: [&str; 7] = [
    "microsoftonline.com",
    "microsoftonline.us",
    "microsoftonline.cn",
    "chinacloudapi.cn",
    "windows.net",
    "microsoft.com",
    "live.com",
];

/// How the target is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// Another place, `HOST:PORT`, to connect to in the name of the URL.
    pub connect_to: Option<String>,
    /// Certificates (DER) of authorities that are believed besides those of this machine.
    pub extra_roots: Vec<Vec<u8>>,
    /// Whether HTTP/2 is spoken; else HTTP/1.1.
    pub http2: bool,
    /// Whether connections serve more than one request.
    pub keep_alive: bool,
    /// Whether no TLS session is taken up again.
    pub full_handshakes: bool,
}

/// A place to post to.
#[derive(Clone)]
pub struct Target {
    uri: Uri,
    /// What stands in the request line: a path for HTTP/1.1, all of it for HTTP/2.
    pub(super) asked: Uri,
    pub(super) host: HeaderValue,
    pub(super) place: String,
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(super) http2: bool,
    pub(super) keep_alive: bool,
    /// How TLS is spoken, in words.
    tls_words: &'static str,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// It is none, or nobody could be believed there.
    pub fn new(url: &str, reach: &Reach) -> Result<Self, TargetError> {
        let wrong = || TargetError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?;
        let bare = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let place = match &reach.connect_to {
            Some(place) if place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) => place.clone(),
            Some(place) => return Err(TargetError::Place(place.clone())),
            None => format!("{}:{port}", authority.host()),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let asked = if reach.http2 { uri.clone() } else { path.parse().map_err(|_| wrong())? };
        let tls = if tls {
            let mut config = trust::client(&reach.extra_roots)?;
            config.alpn_protocols = vec![if reach.http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
            if reach.full_handshakes {
                config.resumption = Resumption::disabled();
            }
            Some((Arc::new(config), ServerName::try_from(bare).map_err(|_| wrong())?))
        } else {
            None
        };
        let tls_words = match (&tls, reach.full_handshakes) {
            (None, _) => "none",
            (Some(_), false) => "sessions are taken up again",
            (Some(_), true) => "full handshakes",
        };
        Ok(Self { uri, asked, host, place, tls, http2: reach.http2, keep_alive: reach.keep_alive, tls_words })
    }

    /// The URL.
    pub fn url(&self) -> String {
        self.uri.to_string()
    }

    /// How TLS is spoken, in words.
    pub fn tls(&self) -> &'static str {
        self.tls_words
    }

    /// Whether this is Microsoft's own sign-in, which is not there to be loaded.
    pub fn is_microsoft(&self) -> bool {
        let host = self.place.rsplit_once(':').map_or("", |(host, _)| host).trim_end_matches('.').to_ascii_lowercase();
        MICROSOFT
            .iter()
            .any(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({} at {})", self.uri, self.place)
    }
}

/// Why there is nowhere to post to.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// No URL.
    #[error("expected a URL such as https://localhost:8443/login.srf, got `{0}`")]
    Url(String),
    /// No place.
    #[error("expected a host and a port to connect to, as 127.0.0.1:8443, got `{0}`")]
    Place(String),
    /// Nobody to vouch for the server.
    #[error(transparent)]
    Trust(#[from] TrustError),
}
