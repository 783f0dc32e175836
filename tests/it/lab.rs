//! The fake ends over real sockets: what they ask, what they answer, and that predictions are compared with a second opinion.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use samlgate::inspect::{Effort, Posted};
use samlgate::lab::{self, End, Entra, Idp, Unasked};
use samlgate::mint::{Errand, Fault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::mint::{now, tenant};

/// A fake end that serves until the sender is dropped.
async fn started(end: impl End) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stops) = watch::channel(false);
    tokio::spawn(lab::serve(listener, None, Arc::new(end), stops));
    (address, stop)
}

fn entra() -> Entra {
    Entra { federations: tenant().0.federations, sign_in: "https://authentik.company/sso".to_owned(), now }
}

fn idp(post_to: &str, unasked: Unasked) -> Idp {
    Idp { minter: tenant().1, post_to: post_to.to_owned(), users: Vec::new(), unasked, now }
}

/// The head and the body of the answer to one request.
async fn asked(address: SocketAddr, request: &str, headers: &str, body: &[u8]) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{request} HTTP/1.1\r\nhost: login.microsoftonline.com\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end + 4..].to_vec())
}

async fn page(address: SocketAddr, request: &str, body: &[u8]) -> (String, String) {
    let (head, body) = asked(address, request, "", body).await;
    (head, String::from_utf8(body).unwrap())
}

/// The value of a hidden field.
fn field(html: &str, name: &str) -> String {
    let value = html.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1;
    value.split_once('"').unwrap().0.replace("&quot;", "\"").replace("&amp;", "&")
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('+', "%2B").replace('&', "%26").replace('=', "%3D")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fake_answers_every_fault_as_was_predicted() {
    let (judge, minter) = tenant();
    let (address, _stop) = started(entra()).await;
    let mut wrong = Vec::new();
    for fault in Fault::ALL.into_iter().map(Some).chain([None]) {
        let form = minter.mint(fault, now(), Errand::default()).unwrap().form();
        let predicted = judge.inspect(Posted::Form(&form), now(), Effort::Verdict).verdict.predicted;
        let (head, html) = page(address, "POST /login.srf", &form).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let fits = match predicted {
            None => {
                head.contains("set-cookie: ESTSAUTH=")
                    && head.contains("ESTSAUTHPERSISTENT=")
                    && !html.contains("AADSTS")
            }
            Some(code) => {
                html.contains(&format!("\"strServiceExceptionMessage\":\"{code}: "))
                    && html.contains(&format!("\"sErrorCode\":\"{}\"", code.digits()))
                    && html.contains("\"pgid\":\"ConvergedError\"")
                    && !head.contains("ESTSAUTH")
            }
        };
        if !fits {
            wrong.push(format!("{fault:?}: predicted {predicted:?}, got {html}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_goes_round_and_relay_state_and_request_come_back() {
    let (entra, _stop) = started(entra()).await;
    let post_to = format!("http://{entra}/login.srf");
    let (idp, _stop) = started(idp(&post_to, Unasked::Sign(None))).await;

    let (_, asking) = page(entra, "GET /common/oauth2/v2.0/authorize?client_id=x", b"").await;
    assert!(asking.contains("action=\"https://authentik.company/sso\""), "{asking}");
    let (request, relay_state) = (field(&asking, "SAMLRequest"), field(&asking, "RelayState"));
    let body = format!("SAMLRequest={}&RelayState={}", escaped(&request), escaped(&relay_state));
    let (_, posting) = page(idp, "POST /sso", body.as_bytes()).await;
    assert!(posting.contains(&format!("action=\"{post_to}\"")), "{posting}");
    assert_eq!(field(&posting, "RelayState"), relay_state);
    let response = field(&posting, "SAMLResponse");
    let id = String::from_utf8(STANDARD.decode(request).unwrap()).unwrap();
    let id = id.split_once("ID=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    let xml = String::from_utf8(STANDARD.decode(&response).unwrap()).unwrap();
    assert_eq!(xml.matches(&format!("InResponseTo=\"{id}\"")).count(), 2);

    let body = format!("SAMLResponse={}&RelayState={}", escaped(&response), escaped(&relay_state));
    let (head, _) = page(entra, "POST /login.srf", body.as_bytes()).await;
    assert!(head.contains("ESTSAUTH="), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_identity_provider_lists_its_faults_and_makes_the_one_that_is_asked_for() {
    let (idp, _stop) = started(idp("https://login.test/login.srf", Unasked::Ask)).await;
    let (_, index) = page(idp, "GET /", b"").await;
    assert!(
        Fault::ALL.into_iter().all(|fault| index.contains(&format!("name=\"fault\" value=\"{fault}\""))),
        "{index}"
    );
    let (_, faulty) = page(idp, "GET /sso?fault=wrong_issuer", b"").await;
    let xml = String::from_utf8(STANDARD.decode(field(&faulty, "SAMLResponse")).unwrap()).unwrap();
    assert!(xml.contains(">authentik<"), "{xml}");
    let (head, _) = page(idp, "GET /sso?fault=none-such", b"").await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_packed_when_that_is_asked_for() {
    let (entra, _stop) = started(entra()).await;
    let (head, body) = asked(entra, "POST /login.srf", "accept-encoding: br, gzip\r\n", b"RelayState=").await;
    assert!(head.contains("content-encoding: gzip"), "{head}");
    let mut html = String::new();
    GzDecoder::new(body.as_slice()).read_to_string(&mut html).unwrap();
    assert!(html.contains("AADSTS90081"), "{html}");
    let (head, _) = page(entra, "GET /nothing", b"").await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
}

/// The clock of the next test, in seconds.
static CLOCK: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);

fn clock() -> jiff::Timestamp {
    jiff::Timestamp::from_second(CLOCK.load(std::sync::atomic::Ordering::Relaxed)).unwrap()
}

/// Attacks are left out: the fake looks for mistakes, and is easier to fool than the judge.
#[test]
fn the_fake_answers_every_mistake_among_the_fixtures_as_was_predicted() {
    const DIFFERENT: [&str; 4] = [
        // no sign-ins: nothing is predicted of them
        "responses/authn_request",
        "responses/logout_response",
        // the operator of that tenant allows less than Entra does
        "responses/hardly_any_skew",
        // the fake asks for no exponent
        "responses/rsa_with_exponent_3",
    ];
    let mut wrong = Vec::new();
    let mut asked = 0;
    for sample in crate::corpus::samples() {
        if sample.name.starts_with("attacks/") || DIFFERENT.contains(&sample.name.as_str()) {
            continue;
        }
        CLOCK.store(sample.now.as_second(), std::sync::atomic::Ordering::Relaxed);
        let entra = Entra { federations: sample.judge.federations.clone(), sign_in: String::new(), now: clock };
        let head = hyper::Request::post("/login.srf").body(()).unwrap().into_parts().0;
        let body = samlgate::mint::urlencoded(&[("SAMLResponse", &STANDARD.encode(&sample.xml))]).into_bytes();
        let predicted = sample.judge.inspect(Posted::Form(&body), clock(), Effort::Verdict).verdict.predicted;
        let page = entra.answer(&lab::Asked { head, body });
        let code = page.html.split_once("AADSTS").map(|(_, rest)| rest.split_once(':').unwrap().0.to_owned());
        asked += 1;
        let predicted = predicted.map(|code| code.digits().to_owned());
        if code != predicted {
            wrong.push(format!("{}: predicted {predicted:?}, answered {code:?}", sample.name));
        }
    }
    assert!(asked > 300, "only {asked}");
    assert!(wrong.is_empty(), "{} of {asked}\n{}\n", wrong.len(), wrong.join("\n"));
}
