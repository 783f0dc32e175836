//! The explicit proxy: a CONNECT to an intercepted host leads to ourselves, one to a listed place is tunnelled, and that is all.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, HeaderValue, PROXY_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::accepting::accept;
use super::body::{self, Body, full};
use super::crowd::Present;
use super::requests::{HEAD_BYTES, secured};
use super::service::{Proxy, waits};
use super::target::{Leads, Refusal, leads};
use super::tunnel::{self, Tunnel};
use super::{answer, headers};
use crate::observe::{Listener, Route, TunnelFailure};

/// The listener of the explicit proxy.
#[derive(Debug)]
pub struct Connect {
    /// Where connections come in.
    pub listener: TcpListener,
    /// What answers, and says where a CONNECT may lead.
    pub proxy: Arc<Proxy>,
}

impl Connect {
    /// Serves until `stop` turns true, then gives what is being answered `grace` to end.
    pub async fn serve(self, stop: watch::Receiver<bool>, grace: watch::Receiver<Duration>) {
        accept(self.listener, self.proxy, stop, grace, connection).await;
    }
}

/// What a CONNECT opened.
enum Opened {
    Here,
    There(Tunnel),
}

/// What was answered, and what follows on the same connection.
type Answered = (Route, Response<Body>, Option<Opened>);

/// One connection: one request, and what it opens.
async fn connection(stream: TcpStream, proxy: Arc<Proxy>, present: Present, mut stop: watch::Receiver<bool>) {
    let opened = Arc::new(Mutex::new(None));
    let service = service_fn(|request: Request<Incoming>| {
        let (proxy, opened) = (Arc::clone(&proxy), Arc::clone(&opened));
        async move { Ok::<_, Infallible>(respond(request, &proxy, &opened).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(proxy.bounds().head).max_buf_size(HEAD_BYTES as usize);
    let ended = tokio::select! {
        ended = builder.serve_connection(TokioIo::new(stream), service).with_upgrades() => ended,
        () = present.member.asked_to_leave() => return,
        // nothing was opened yet
        _ = stop.wait_for(|stop| *stop) => return,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
        return;
    }
    let Some((upgrade, opened)) = take(&opened) else { return };
    let Ok(near) = upgrade.await else { return };
    match opened {
        Opened::Here => secured(TokioIo::new(near), Listener::Connect, proxy, present, stop).await,
        Opened::There(tunnel) => tunnel.carry(near, &proxy, present, stop).await,
    }
}

type Slot = Mutex<Option<(OnUpgrade, Opened)>>;

fn take(slot: &Slot) -> Option<(OnUpgrade, Opened)> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Answers a request, and leaves in `slot` what follows it.
async fn respond(mut request: Request<Incoming>, proxy: &Proxy, slot: &Slot) -> Response<Body> {
    let _in_flight = proxy.metrics().in_flight(Listener::Connect);
    let upgrade = hyper::upgrade::on(&mut request);
    let (parts, body) = request.into_parts();
    let request_id = headers::request_id(&parts.headers);
    let (route, mut response, opened) = answered(&parts, proxy, &request_id).await;
    match opened {
        Some(opened) => *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((upgrade, opened)),
        None => {
            // who is still sending would not hear why
            if !body.is_end_stream() && !waits(&parts.headers) {
                body::discard(body).await;
            }
            response = answer::closing(response);
        }
    }
    answer::mark(&mut response, request_id);
    proxy.metrics().request(Listener::Connect, route, response.status().as_u16());
    response
}

async fn answered(parts: &Parts, proxy: &Proxy, request_id: &HeaderValue) -> Answered {
    let terms = proxy.terms();
    let refused = |status, sentence| (Route::Refuse, answer::sentence(status, sentence, request_id), None);
    if terms.settings.users.as_ref().is_some_and(|users| !users.know(&parts.headers)) {
        let sentence = "This proxy is for those whom it knows by name and password.";
        let (route, mut response, opened) = refused(StatusCode::PROXY_AUTHENTICATION_REQUIRED, sentence);
        let challenge = HeaderValue::from_static("Basic realm=\"samlgate\", charset=\"UTF-8\"");
        response.headers_mut().insert(PROXY_AUTHENTICATE, challenge);
        return (route, response, opened);
    }
    match leads(&terms.settings, parts) {
        Ok(Leads::Here) => (Route::Intercept, established(), Some(Opened::Here)),
        Ok(Leads::There(there)) => match tunnel::open(&there, proxy).await {
            Ok(tunnel) => (Route::Tunnel, established(), Some(Opened::There(tunnel))),
            Err(failure) => {
                let (status, sentence) = failed(failure);
                (Route::Tunnel, answer::sentence(status, sentence, request_id), None)
            }
        },
        Err(refusal) => {
            let id = request_id.to_str().unwrap_or_default();
            tracing::debug!(request_id = id, target = %parts.uri, "nothing was opened: {}", refusal.sentence());
            let (route, mut response, opened) = refused(refusal.status(), refusal.sentence());
            if refusal == Refusal::NotConnect {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("CONNECT"));
            }
            (route, response, opened)
        }
    }
}

fn established() -> Response<Body> {
    Response::new(full(hyper::body::Bytes::new()))
}

fn failed(failure: TunnelFailure) -> (StatusCode, &'static str) {
    match failure {
        TunnelFailure::Timeout => (StatusCode::GATEWAY_TIMEOUT, "The host did not answer in time."),
        TunnelFailure::Full => (StatusCode::SERVICE_UNAVAILABLE, "Too many tunnels are open just now."),
        TunnelFailure::Forbidden | TunnelFailure::Loop => {
            (StatusCode::FORBIDDEN, "The name of the host leads to where no tunnel goes.")
        }
        TunnelFailure::Resolve | TunnelFailure::Connect => (StatusCode::BAD_GATEWAY, "The host could not be reached."),
    }
}
