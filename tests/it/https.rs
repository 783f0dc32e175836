//! A small HTTPS server that says what it is told to, and counts who came.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::serve::bench::acceptor;

/// What is said to every request.
#[derive(Clone)]
pub(crate) enum Say {
    /// A document; 304 to who has it already, where it has a name.
    Document { etag: Option<&'static str>, body: String },
    /// A status, and a header.
    Status(u16, &'static str, String),
    /// Nothing, ever.
    Nothing,
}

pub(crate) fn document(body: impl Into<String>) -> Say {
    Say::Document { etag: None, body: body.into() }
}

/// The server.
pub(crate) struct Https {
    pub(crate) address: SocketAddr,
    /// Its certificate, which signs itself.
    pub(crate) root: rcgen::Certificate,
    say: Arc<Mutex<Say>>,
    /// A header of every answer.
    pub(crate) also: Arc<Mutex<Option<(&'static str, String)>>>,
    connections: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
    unchanged: Arc<AtomicUsize>,
}

impl Https {
    pub(crate) async fn saying(say: Say) -> Self {
        let parameters = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let root = parameters.self_signed(&key).unwrap();
        let acceptor = acceptor(&root.pem(), &key.serialize_pem());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            root,
            say: Arc::new(Mutex::new(say)),
            also: Arc::default(),
            connections: Arc::default(),
            asked: Arc::default(),
            unchanged: Arc::default(),
        };
        let (say, also, connections) = (server.say.clone(), server.also.clone(), server.connections.clone());
        let (asked, unchanged) = (server.asked.clone(), server.unchanged.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::AcqRel);
                let (acceptor, say, also) = (acceptor.clone(), say.clone(), also.clone());
                let (asked, unchanged) = (asked.clone(), unchanged.clone());
                tokio::spawn(async move {
                    // who does not trust us goes away
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(|request| {
                        asked.fetch_add(1, Ordering::AcqRel);
                        let (say, also) = (say.lock().unwrap().clone(), also.lock().unwrap().clone());
                        let unchanged = Arc::clone(&unchanged);
                        async move {
                            let mut response = answer(&request, say).await;
                            if response.status() == 304 {
                                unchanged.fetch_add(1, Ordering::AcqRel);
                            }
                            if let Some((name, value)) = also {
                                response.headers_mut().insert(name, value.parse().unwrap());
                            }
                            Ok::<_, Infallible>(response)
                        }
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    // who does not like what comes goes away
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}/metadata/", self.address)
    }

    pub(crate) fn say(&self, say: Say) {
        *self.say.lock().unwrap() = say;
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Acquire)
    }

    /// How many were told that nothing has changed.
    pub(crate) fn unchanged(&self) -> usize {
        self.unchanged.load(Ordering::Acquire)
    }
}

async fn answer(request: &Request<Incoming>, say: Say) -> Response<Full<Bytes>> {
    let with = |status: u16, name: &'static str, value: &str, body: String| {
        Response::builder().status(status).header(name, value).body(Full::new(Bytes::from(body))).unwrap()
    };
    match say {
        Say::Document { etag: Some(etag), body } => {
            let known = request.headers().get("if-none-match").is_some_and(|known| known == etag);
            if known { with(304, "etag", etag, String::new()) } else { with(200, "etag", etag, body) }
        }
        Say::Document { etag: None, body } => with(200, "content-type", "application/xml", body),
        Say::Status(status, name, value) => with(status, name, &value, "an answer".to_owned()),
        Say::Nothing => std::future::pending().await,
    }
}

/// Metadata of an identity provider with this name, which signs with these certificates of the fixtures.
pub(crate) fn metadata(entity_id: &str, certificates: &[&str]) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/certificates");
    let keys = certificates.iter().map(|name| {
        let text = base64::engine::general_purpose::STANDARD.encode(std::fs::read(folder.join(name)).unwrap());
        format!(
            "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{text}</ds:X509Certificate>\
             </ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        )
    });
    format!(
        "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" \
         xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" entityID=\"{entity_id}\"><md:IDPSSODescriptor \
         protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">{}<md:SingleSignOnService \
         Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Location=\"https://authentik.company/sso/\"/>\
         </md:IDPSSODescriptor></md:EntityDescriptor>",
        keys.collect::<String>()
    )
}
