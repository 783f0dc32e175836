//! Where a request goes: pure, from host, method and path.

use hyper::Method;
use hyper::header::{HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{StatusCode, Version};

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intercept {
    hosts: Vec<String>,
    /// The same, as most requests name them.
    authorities: Vec<Authority>,
    paths: Vec<String>,
}

impl Intercept {
    /// Host names without ports, and paths.
    pub fn new(hosts: impl IntoIterator<Item = String>, paths: impl IntoIterator<Item = String>) -> Self {
        let hosts: Vec<_> = hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect();
        Self {
            authorities: hosts.iter().filter_map(|host| Authority::try_from(host.as_str()).ok()).collect(),
            hosts,
            paths: paths.into_iter().map(|path| normalise(&path)).collect(),
        }
    }

    fn is_host(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }

    /// The names, in lower case.
    pub(super) fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// What a field says that names a host.
    fn authority(&self, field: &HeaderValue) -> Result<Authority, Refusal> {
        // parsed once for all of them
        let known = self.authorities.iter().find(|known| known.as_str().as_bytes() == field.as_bytes());
        known.map_or_else(
            || Authority::try_from(field.as_bytes()).map_err(|_| Refusal::HostInvalid),
            |known| Ok(known.clone()),
        )
    }

    /// Whether the body of such a request is read and judged, where its host is one of these.
    pub(super) fn reads(&self, method: &Method, path: &str) -> bool {
        // methods have a case, but not every server minds it
        method.as_str().eq_ignore_ascii_case("POST") && self.is_path(path)
    }

    fn is_path(&self, path: &str) -> bool {
        // nearly every path differs from its one form by its case alone
        if is_plain(path) {
            return self.paths.iter().any(|known| known.eq_ignore_ascii_case(path));
        }
        let path = normalise(path);
        self.paths.contains(&path)
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Its body is read and judged.
    Inspect,
    /// It is forwarded, its body unread: it may carry a password.
    Pass,
}

/// Why a request is answered here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    HostMissing,
    HostDoubled,
    HostInvalid,
    HostMismatch,
    LengthAmbiguous,
    MethodRefused,
    Misdirected,
    /// One of too many at one time.
    TooMany,
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::MethodRefused => StatusCode::METHOD_NOT_ALLOWED,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::TooMany => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::HostMissing => "The request names no host.",
            Self::HostDoubled => "The request names more than one host.",
            Self::HostInvalid => "The Host of the request is no host name.",
            Self::HostMismatch => "The Host of the request is not the host of its target.",
            Self::LengthAmbiguous => "The request does not say plainly how long its body is.",
            Self::MethodRefused => "This listener opens no tunnels.",
            Self::Misdirected => "This proxy does not stand in for the host of the request.",
            Self::TooMany => "Too many requests are being answered just now. Please try again.",
        }
    }
}

/// The host that a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// As it is forwarded.
    pub(super) field: HeaderValue,
    /// What it says.
    pub(super) authority: Authority,
}

/// What becomes of a request, and the host that it is forwarded to.
pub(super) fn route(intercept: &Intercept, request: &Parts) -> Result<(Way, Host), Refusal> {
    if request.method == Method::CONNECT {
        return Err(Refusal::MethodRefused);
    }
    if !is_plainly_framed(&request.headers) {
        return Err(Refusal::LengthAmbiguous);
    }
    let host = host(intercept, request)?;
    if !intercept.is_host(host.authority.host()) {
        return Err(Refusal::Misdirected);
    }
    let inspect = intercept.reads(&request.method, request.uri.path());
    Ok((if inspect { Way::Inspect } else { Way::Pass }, host))
}

/// The one host that a request is for ([RFC 9112 3.2], [RFC 9113 8.3.1]).
fn host(intercept: &Intercept, request: &Parts) -> Result<Host, Refusal> {
    let mut fields = request.headers.get_all(HOST).iter();
    let field = match (fields.next(), fields.next()) {
        (_, Some(_)) => return Err(Refusal::HostDoubled),
        (field, None) => field,
    };
    let target = request.uri.authority();
    let field = match (field, target) {
        (Some(field), _) => field.clone(),
        (None, Some(target)) if request.version >= Version::HTTP_2 => {
            HeaderValue::from_str(target.as_str()).map_err(|_| Refusal::HostInvalid)?
        }
        _ => return Err(Refusal::HostMissing),
    };
    let authority = intercept.authority(&field)?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(Refusal::HostInvalid);
    }
    if target.is_some_and(|target| !target.as_str().eq_ignore_ascii_case(authority.as_str())) {
        return Err(Refusal::HostMismatch);
    }
    Ok(Host { field, authority })
}

/// Whether the length of the body can be read in one way alone; what Content-Length says was checked while parsing.
fn is_plainly_framed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked") && !headers.contains_key(hyper::header::CONTENT_LENGTH)
        }
        _ => false,
    }
}

/// Whether all that [`normalise`] could change is the case of letters.
fn is_plain(path: &str) -> bool {
    let mut last = 0;
    for byte in path.bytes() {
        if matches!((last, byte), (_, b'%' | b'\\') | (b'/', b'/' | b'.')) {
            return false;
        }
        last = byte;
    }
    path.starts_with('/') && (last != b'/' || path.len() == 1)
}

/// A path in the one form in which paths are compared, so that no spelling of it slips past: percent-decoded, lower case, `\`
/// as `/`, without dot segments and without empty ones.
fn normalise(path: &str) -> String {
    let decoded = percent_decoded(path.as_bytes()).to_ascii_lowercase();
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in decoded.split(|byte| matches!(byte, b'/' | b'\\')) {
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    let mut normal = String::from("/");
    normal.push_str(&String::from_utf8_lossy(&segments.join(&b'/')));
    normal
}

/// Escapes decoded once; what is no escape stays.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return decoded,
            [b'%', high, low, after @ ..] if digit(high).is_some() && digit(low).is_some() => {
                let value = digit(high).zip(digit(low)).map_or(0, |(high, low)| high * 16 + low);
                decoded.push(u8::try_from(value).unwrap_or_default());
                after
            }
            [byte, after @ ..] => {
                decoded.push(*byte);
                after
            }
        };
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use hyper::Request;

    use super::*;

    fn routed(request: Request<()>) -> Result<Way, Refusal> {
        let intercept = Intercept::new(["login.microsoftonline.com".to_owned()], ["/login.srf".to_owned()]);
        route(&intercept, &request.into_parts().0).map(|(way, _)| way)
    }

    fn post(path: &str) -> Request<()> {
        Request::post(path).header(HOST, "login.microsoftonline.com").body(()).unwrap()
    }

    #[test]
    fn no_spelling_of_an_intercepted_path_slips_past() {
        for path in [
            "/login.srf",
            "/login.srf?wa=wsignin1.0",
            "/LOGIN.srf",
            "//login.srf",
            "/login.srf/",
            "/./login.srf",
            "/x/../login.srf",
            "/x/%2e%2E/login.srf",
            "/%6Cogin%2Esrf",
            "/..%2flogin.srf",
            "/x/..%5clogin.srf",
        ] {
            assert_eq!(routed(post(path)), Ok(Way::Inspect), "{path}");
        }
    }

    #[test]
    fn a_plain_path_is_in_its_one_form_but_for_its_case() {
        let pieces = ["", "/", ".", "..", "%2e", "\\", "a", "B.c", "é"];
        let paths = pieces.iter().flat_map(|first| pieces.iter().map(move |second| [*first, *second]));
        let paths =
            paths.flat_map(|[first, second]| pieces.iter().map(move |third| format!("/{first}{second}/{third}")));
        let (plain, other): (Vec<_>, Vec<_>) = paths.partition(|path| is_plain(path));
        assert!(plain.iter().all(|path| normalise(path) == path.to_ascii_lowercase()));
        assert!(plain.len() > 20 && other.len() > 20);
        assert!(is_plain("/") && !is_plain("") && !is_plain("*"));
    }

    #[test]
    fn other_paths_and_methods_pass_unread() {
        for path in ["/", "/login.srf2", "/common/login", "/%", "/%zz", "/login.srf%"] {
            assert_eq!(routed(post(path)), Ok(Way::Pass), "{path}");
        }
        for (method, way) in [("GET", Way::Pass), ("post", Way::Inspect), ("PosT", Way::Inspect)] {
            let mut request = post("/login.srf");
            *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(routed(request), Ok(way));
        }
    }

    #[test]
    fn the_host_is_one_and_the_same() {
        let with = |target: &str, hosts: &[&str], version| {
            let mut request = Request::post(target).version(version).body(()).unwrap();
            for host in hosts {
                request.headers_mut().append(HOST, HeaderValue::from_str(host).unwrap());
            }
            routed(request)
        };
        let (v1, v2) = (Version::HTTP_11, Version::HTTP_2);
        let own = "login.microsoftonline.com";
        assert_eq!(with("/", &[], v1), Err(Refusal::HostMissing));
        assert_eq!(with("/", &[own, own], v1), Err(Refusal::HostDoubled));
        assert_eq!(with("/", &["user@login.microsoftonline.com"], v1), Err(Refusal::HostInvalid));
        assert_eq!(with("/", &["a b"], v1), Err(Refusal::HostInvalid));
        assert_eq!(with("/", &["other.example"], v1), Err(Refusal::Misdirected));
        assert_eq!(with("/", &["login.microsoftonline.com.other.example"], v1), Err(Refusal::Misdirected));
        assert_eq!(with("/", &["LOGIN.microsoftonline.com.:8443"], v1), Ok(Way::Pass));
        assert_eq!(with("https://login.microsoftonline.com/", &[], v1), Err(Refusal::HostMissing));
        assert_eq!(with("https://other.example/", &[own], v1), Err(Refusal::HostMismatch));
        assert_eq!(with("https://login.microsoftonline.com/", &[own], v1), Ok(Way::Pass));
        assert_eq!(with("https://login.microsoftonline.com/", &[], v2), Ok(Way::Pass));
        assert_eq!(with("https://login.microsoftonline.com/", &["other.example"], v2), Err(Refusal::HostMismatch));
    }

    #[test]
    fn a_body_has_one_length() {
        let framed = |coding: &str| {
            let mut request = post("/");
            request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_str(coding).unwrap());
            routed(request)
        };
        assert_eq!(framed("chunked"), Ok(Way::Pass));
        assert_eq!(framed("gzip, chunked"), Err(Refusal::LengthAmbiguous));
        assert_eq!(framed("identity"), Err(Refusal::LengthAmbiguous));
    }
}
