//! The headers that end at a proxy, and the request id that begins there.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::body::Bytes;
use hyper::header::{
    CONNECTION, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Request, Uri};
use smallvec::SmallVec;

/// The name of the request id, on every request and every answer.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of a request id that is taken from a request.
const REQUEST_ID_LEN: usize = 128;

/// Fields that belong to one connection alone, beside those that `Connection` names ([RFC 9110 7.6.1]).
const HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    // a password of the explicit proxy is for nobody behind it
    PROXY_AUTHORIZATION,
    PROXY_AUTHENTICATE,
    HeaderName::from_static("http2-settings"),
];

/// Takes the head of a request out of the buffer that it was read into: the body is read into the same one then, instead of a second one
/// beside it for as long as the head lives.
pub(super) fn detach<B>(request: &mut Request<B>) {
    let uri = request.uri();
    let target = match (uri.authority(), uri.path_and_query()) {
        (None, Some(path)) => Cow::Borrowed(path.as_str()),
        _ => Cow::Owned(uri.to_string()),
    };
    let bytes = request.headers().values().map(HeaderValue::len).sum::<usize>();
    let mut copy = Vec::with_capacity(bytes + target.len());
    copy.extend_from_slice(target.as_bytes());
    let target = target.len();
    for value in request.headers().values() {
        copy.extend_from_slice(value.as_bytes());
    }
    let mut copy = Bytes::from(copy);
    // what was valid is so still
    if let Ok(uri) = Uri::from_maybe_shared(copy.split_to(target)) {
        *request.uri_mut() = uri;
    }
    for value in request.headers_mut().values_mut() {
        if let Ok(same) = HeaderValue::from_maybe_shared(copy.split_to(value.len())) {
            *value = same;
        }
    }
}

/// Takes out what must not be forwarded, in either direction.
///
/// `Host`, `Content-Length` and `x-request-id` stay even when `Connection` names them: whoever does so wants the next hop
/// to see another message than this one.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: SmallVec<[HeaderName; 4]> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|token| HeaderName::from_bytes(token.trim().as_bytes()).ok())
        .filter(|name| ![HOST, hyper::header::CONTENT_LENGTH, hyper::header::CONTENT_TYPE, REQUEST_ID].contains(name))
        .collect();
    // most messages have none: to look at the names that are there costs less than to look for each of these
    let present = headers.keys().filter(|name| HOP_BY_HOP.contains(name) || named.contains(name));
    let present: SmallVec<[HeaderName; 4]> = present.cloned().collect();
    for name in &present {
        headers.remove(name);
    }
}

/// Makes the headers of a request fit for the upstream, which speaks HTTP/1.1 and is asked for this host.
pub(super) fn prepare_request(headers: &mut HeaderMap, host: HeaderValue) {
    strip_hop_by_hop(headers);
    // the interim answer was given here
    headers.remove(EXPECT);
    headers.insert(HOST, host);
    join_cookies(headers);
}

/// HTTP/2 may split cookies into fields, HTTP/1.1 may not ([RFC 9113 8.2.3]).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(b"; ".as_slice())) {
        headers.insert(COOKIE, joined);
    }
}

/// The id of a request: the one that it brings, if it is one and short and visible ASCII, else a new one.
pub(super) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let mut brought = headers.get_all(REQUEST_ID).iter();
    if let (Some(id), None) = (brought.next(), brought.next()) {
        let visible = id.as_bytes().iter().all(u8::is_ascii_graphic);
        if visible && (1..=REQUEST_ID_LEN).contains(&id.len()) {
            return id.clone();
        }
    }
    // ids need not be secret, only different: one number a process is enough, and the rest is counting
    static FIRST: LazyLock<[u8; 16]> = LazyLock::new(|| hex(RandomState::new().hash_one(std::process::id())));
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut id = [0; 32];
    let (first, count) = id.split_at_mut(16);
    first.copy_from_slice(&*FIRST);
    count.copy_from_slice(&hex(COUNT.fetch_add(1, Ordering::Relaxed)));
    HeaderValue::from_bytes(&id).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// Sixteen digits.
fn hex(number: u64) -> [u8; 16] {
    let mut left = number;
    let mut digits = [0; 16];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef".get((left & 15) as usize).copied().unwrap_or_default();
        left >>= 4;
    }
    digits
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
            })
            .collect()
    }

    #[test]
    fn a_head_that_is_detached_says_the_same_from_a_place_of_its_own() {
        for target in
            ["/login.srf?a=%20b", "https://login.microsoftonline.com/a?b", "login.microsoftonline.com:443", "*"]
        {
            let read = Bytes::from("text/plain; a=\"\u{e9}\"");
            let range = read.as_ptr_range();
            let value = HeaderValue::from_maybe_shared(read).unwrap();
            let fields = [("a", "1"), ("cookie", "b=c"), ("cookie", ""), ("d", "\t")];
            let mut request = Request::post(target).header("content-type", value);
            for (name, value) in fields {
                request = request.header(name, value);
            }
            let mut request = request.body(()).unwrap();
            let (uri, before) = (request.uri().clone(), request.headers().clone());
            detach(&mut request);
            assert_eq!((request.uri(), request.headers()), (&uri, &before));
            assert!(!range.contains(&request.headers()["content-type"].as_bytes().as_ptr()));
        }
    }

    #[test]
    fn what_belongs_to_the_connection_stays_behind() {
        let mut map = headers(&[
            ("connection", "close, X-Private, host"),
            ("x-private", "1"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABk"),
            ("te", "trailers"),
            ("proxy-authorization", "Basic dGVzdGVy"),
            ("keep-alive", "timeout=5"),
            ("host", "a"),
            ("accept", "*/*"),
        ]);
        strip_hop_by_hop(&mut map);
        let mut left: Vec<_> = map.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "host"]);
    }

    #[test]
    fn split_cookies_are_joined_for_http_1() {
        let mut map = HeaderMap::new();
        map.append(COOKIE, HeaderValue::from_static("a=1"));
        map.append(COOKIE, HeaderValue::from_static("b=2"));
        prepare_request(&mut map, HeaderValue::from_static("login.microsoftonline.com"));
        assert_eq!(map.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }

    #[test]
    fn a_request_id_is_taken_when_it_is_harmless_and_made_otherwise() {
        assert_eq!(request_id(&headers(&[("x-request-id", "abc-1")])), "abc-1");
        let long = "x".repeat(129);
        for bad in ["", "two words", long.as_str()] {
            assert_eq!(request_id(&headers(&[("x-request-id", bad)])).len(), 32);
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
        assert_eq!(hex(0x0123_4567_89ab_cdef), *b"0123456789abcdef");
    }
}
