//! One request: routed, judged where it is a sign-in, forwarded, answered.

use std::sync::Arc;
use std::time::Instant;

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_LENGTH, EXPECT, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode, Version};
use jiff::Timestamp;
use tokio_rustls::TlsAcceptor;

use super::answers::{Answers, Pair};
use super::body::{self, Body, Read, Relay, full};
use super::budget::Budget;
use super::caught::caught;
use super::crowd::Crowd;
use super::form::is_plain_form;
use super::forward::{Failure, UpstreamError};
use super::judging::{Decision, Inspector, Judging};
use super::route::{Host, Refusal, Way, route};
use super::terms::{InForce, Terms};
use super::tunnel::Tunnels;
use super::turn::{let_by, many};
use super::uploads::Uploads;
use super::{Bounds, Mode, ServerCertificate, Settings, answer, headers, target};
use crate::capture::Capture;
use crate::observe::{InFlight, Listener, Metrics, Recent, Route, UpstreamFailure};
use crate::replay::Remembered;
use crate::trace::RequestSpan;

/// Bytes that a body takes of the budget beside its own, and then some.
const ONE_BODY: usize = 64 * 1024;

/// What a request was, for whoever reads the answer.
enum Asked {
    /// Something that was forwarded unread, by this method.
    Visit(Method),
    /// A message that is judged, or was.
    SignIn(Arc<Pair>),
    /// Another post to an intercepted path.
    Other,
}

/// A request that is being answered, but for its body: on the heap, since whatever a future is given it holds twice.
struct Asking {
    parts: Parts,
    terms: Arc<Terms>,
    in_flight: InFlight,
    span: RequestSpan,
}

/// What is to be done with a post to an intercepted path.
enum Next {
    Forward(Body, Asked),
    Answer(Response<Body>),
}

/// The proxy: what is done with each request, whatever listener it came by.
pub struct Proxy {
    terms: InForce,
    bounds: Bounds,
    crowd: Crowd,
    tunnels: Tunnels,
    uploads: Uploads,
    judging: Arc<Judging>,
    answers: Arc<Answers>,
    budget: Budget,
    /// From so many requests in flight on, they let each other by.
    many: i64,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("settings", &self.terms.now().settings).finish_non_exhaustive()
    }
}

impl Proxy {
    /// A proxy that judges with `inspector`, at the instants that `now` tells, has the requests `remembered` that pass, keeps
    /// `recent` verdicts, and writes all of them into `capture`.
    pub fn new(
        settings: Settings,
        inspector: Inspector,
        remembered: Arc<Remembered>,
        now: fn() -> Timestamp,
        metrics: Arc<Metrics>,
        recent: Arc<Recent>,
        capture: Option<Arc<Capture>>,
    ) -> Result<Self, UpstreamError> {
        let judging = Arc::new(Judging::new(now, Arc::clone(&metrics), recent, capture, &settings.bounds));
        let bounds = settings.bounds;
        let copied_bytes = bounds.copied_bytes;
        let answers = Answers::new(Arc::clone(&judging), remembered, now, Arc::clone(&metrics), copied_bytes);
        Ok(Self {
            judging,
            answers: Arc::new(answers),
            budget: Budget::new(bounds.buffered_bytes.max(least(&settings)), settings.body_bytes),
            terms: InForce::new(Terms::new(settings, inspector)?),
            crowd: Crowd::new(bounds.connections, bounds.requests_beside),
            tunnels: Tunnels::new(bounds.tunnels),
            uploads: Uploads::new(bounds.small_uploads, bounds.uploads),
            many: many(),
            bounds,
            metrics,
        })
    }

    /// Deals with requests by other settings from now on; the bounds stay. Whatever is being answered goes on by the old ones.
    ///
    /// # Errors
    /// The upstream cannot be used, or is this proxy itself; nothing has changed then.
    pub async fn renew(&self, settings: Settings, inspector: Inspector) -> Result<(), UpstreamError> {
        let least = least(&settings);
        self.terms.replace(settings, inspector).await?;
        self.budget.at_least(least);
        Ok(())
    }

    /// What speaks TLS with the certificate of this moment.
    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.terms.now().settings.certificate.as_ref().map(ServerCertificate::acceptor)
    }

    /// Waits until every message that was taken in is judged.
    pub async fn drained(&self) {
        self.judging.drained().await;
    }

    /// Whether what is forwarded goes elsewhere than to this proxy, as far as can be told today.
    ///
    /// # Errors
    /// The address at which it would come back.
    pub async fn leads_elsewhere(&self) -> Result<(), UpstreamError> {
        self.terms.now().forward.leads_elsewhere().await
    }

    /// Counts a panic outside the judge: it took a connection with it, and nothing else.
    pub(super) fn panicked(&self) {
        self.metrics.panic();
    }

    /// The terms of this moment.
    pub(super) fn terms(&self) -> Arc<Terms> {
        self.terms.now()
    }

    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// All connections, whatever listener they came by.
    pub(super) fn crowd(&self) -> &Crowd {
        &self.crowd
    }

    /// The room that there is for tunnels.
    pub(super) fn tunnels(&self) -> &Tunnels {
        &self.tunnels
    }

    /// The turns of large bodies.
    pub(super) fn uploads(&self) -> &Uploads {
        &self.uploads
    }

    /// Whether the body of such a request is read and judged, as far as can be told before it is looked at.
    pub(super) fn reads(&self, request: &Request<Incoming>) -> bool {
        self.terms.now().settings.intercept.reads(request.method(), request.uri().path())
    }

    /// Whether only those may CONNECT who are known.
    pub fn knows_users(&self) -> bool {
        self.terms.now().settings.users.is_some()
    }

    /// What may be asked for by CONNECT at this moment, as `host:port`.
    pub fn targets(&self) -> Vec<String> {
        target::all(&self.terms.now().settings)
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Answers one request, to which its connection may have something against. Every answer bears the request id.
    pub(super) fn answer(
        self: Arc<Self>,
        listener: Listener,
        request: Request<Incoming>,
        refusal: Option<Refusal>,
    ) -> impl Future<Output = Response<Body>> {
        let (parts, body) = request.into_parts();
        let request_id = headers::request_id(&parts.headers);
        let span = RequestSpan::begin(&parts, &request_id, listener.as_str());
        let in_flight = self.metrics.in_flight(listener);
        let asking = Box::new(Asking { parts, terms: self.terms.now(), in_flight, span: span.clone() });
        async move {
            let answered = caught(self.answered(asking, body, refusal, &request_id)).await;
            let (taken, mut response) = answered.unwrap_or_else(|| {
                self.panicked();
                let sentence = "This request could not be answered, through a fault of this proxy.";
                // nobody knows how much of the request was read
                let response = answer::sentence(StatusCode::INTERNAL_SERVER_ERROR, sentence, &request_id);
                (Route::Refuse, answer::closing(response))
            });
            answer::mark(&mut response, request_id);
            span.answered(taken.as_str(), response.status().as_u16());
            self.metrics.request(listener, taken, response.status().as_u16());
            response
        }
    }

    /// The answer to one request, and what was done with it.
    async fn answered(
        &self,
        mut asking: Box<Asking>,
        body: Incoming,
        refusal: Option<Refusal>,
        request_id: &HeaderValue,
    ) -> (Route, Response<Body>) {
        let (way, host) = match refusal.map_or_else(|| route(&asking.terms.settings.intercept, &asking.parts), Err) {
            Ok(way) => way,
            Err(refusal) => {
                let unread = !body.is_end_stream();
                // where nobody knows how long it is, nothing more is read
                let two_lengths = refusal == Refusal::LengthAmbiguous;
                if unread && !two_lengths && !waits(&asking.parts.headers) {
                    body::discard_from(asking.parts.version, body).await;
                }
                let response = answer::sentence(refusal.status(), refusal.sentence(), request_id);
                let closes = unread || two_lengths || refusal == Refusal::TooMany;
                return (Route::Refuse, if closes { answer::closing(response) } else { response });
            }
        };
        let (taken, body, asked) = match way {
            Way::Pass => {
                let Ok(body) = body::relayed(body, self.bounds.body).await else {
                    return (Route::Pass, answer::broken(request_id));
                };
                (Route::Pass, body, Asked::Visit(asking.parts.method.clone()))
            }
            Way::Inspect => match self.inspected(&mut asking, body, request_id).await {
                Next::Forward(body, asked) => (Route::Inspect, body, asked),
                Next::Answer(response) => return (Route::Inspect, response),
            },
        };
        (taken, self.forwarded(asking, host, body, asked, request_id).await)
    }

    /// A post to an intercepted path: its body is read and judged, to be sent on byte for byte.
    async fn inspected(&self, asking: &mut Asking, body: Incoming, request_id: &HeaderValue) -> Next {
        let settings = &asking.terms.settings;
        let enforce = settings.mode == Mode::Enforce;
        let bytes = match body::read(body, settings.body_bytes, &self.budget, self.bounds.body).await {
            Read::Whole(bytes) => bytes,
            Read::Over(rest, reason) => {
                self.metrics.unjudged(reason);
                tracing::warn!(
                    request_id = request_id.to_str().unwrap_or_default(),
                    reason = reason.as_str(),
                    "body not judged"
                );
                if !enforce {
                    return Next::Forward(body::of_request(rest), Asked::Other);
                }
                let (status, sentence) = answer::unjudged(reason);
                if !waits(&asking.parts.headers) {
                    body::discard_from(asking.parts.version, rest).await;
                }
                return Next::Answer(answer::closing(answer::sentence(status, sentence, request_id)));
            }
            Read::TimedOut => {
                let sentence = "The body of the request did not come in time.";
                let response = answer::sentence(StatusCode::REQUEST_TIMEOUT, sentence, request_id);
                return Next::Answer(answer::closing(response));
            }
            Read::Broken => return Next::Answer(answer::broken(request_id)),
        };

        let asked = if !is_plain_form(&asking.parts.headers) {
            self.judging.other(request_id);
            if enforce && !settings.pass_unjudged {
                return Next::Answer(answer::not_judged(request_id));
            }
            Asked::Other
        } else {
            let (inspector, within) = (Arc::clone(&asking.terms.inspector), asking.span.within());
            let (message, id) = (bytes.clone(), request_id.clone());
            let pair = self.answers.pair(request_id);
            if enforce {
                let decision = self.judging.decide(inspector, message, id, within).await;
                match decision {
                    Decision::Accepted(_) => {
                        Arc::clone(&pair).judged(decision);
                        Asked::SignIn(pair)
                    }
                    Decision::NotJudged if settings.pass_unjudged => Asked::Other,
                    refused => return Next::Answer(answer::refused(refused, request_id)),
                }
            } else {
                let judged = Arc::clone(&pair);
                // nobody waits for what comes of it: it is compared with the answer
                self.judging.judge(inspector, message, id, within, move |decision, _| judged.judged(decision)).await;
                Asked::SignIn(pair)
            }
        };
        // a body that came in chunks, or with trailers, goes on as one piece
        asking.parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        Next::Forward(full(bytes), asked)
    }

    async fn forwarded(
        &self,
        mut asking: Box<Asking>,
        host: Host,
        body: Body,
        asked: Asked,
        request_id: &HeaderValue,
    ) -> Response<Body> {
        headers::prepare_request(&mut asking.parts.headers, host.field);
        let many = asking.in_flight.beside() >= self.many;
        if many {
            let_by().await;
        }
        let Asking { mut parts, terms, in_flight, span } = *asking;
        let upstream = span.ask(&mut parts, &terms.settings.upstream.host, terms.settings.upstream.port);
        let asked_at = Instant::now();
        let answered = terms.forward.send(parts, host.authority, body).await;
        // a client that broke off says nothing about the upstream
        if answered.as_ref().err().is_none_or(|failure| failure.reason.is_some()) {
            let status = answered.as_ref().ok().map(|(response, _)| response.status().as_u16());
            self.metrics.upstream_answered(status, asked_at.elapsed());
        }
        match answered {
            Ok((response, room)) => {
                upstream.answered(response.status().as_u16());
                let (mut parts, body) = response.into_parts();
                headers::strip_hop_by_hop(&mut parts.headers);
                parts.version = Version::default();
                parts.extensions.clear();
                let keeper = match asked {
                    Asked::Visit(method) => self.answers.to_visit(&method, &parts, request_id),
                    Asked::SignIn(pair) => Some(self.answers.to_sign_in(&parts, pair)),
                    Asked::Other => None,
                };
                let (metrics, request_id) = (Arc::clone(&self.metrics), request_id.clone());
                let relay = Relay::new(body, self.bounds.answer).kept_by(keeper).telling(move |error| {
                    metrics.upstream_failure(UpstreamFailure::Broken);
                    let id = request_id.to_str().unwrap_or_default();
                    tracing::warn!(request_id = id, error, "the upstream did not end its answer");
                    drop((in_flight, room, span));
                });
                let response = Response::from_parts(parts, relay.boxed_unsync());
                // whoever goes away meanwhile drops an answer that knows what is to be told of it
                if many {
                    let_by().await;
                }
                response
            }
            Err(Failure { reason, error }) => {
                let id = request_id.to_str().unwrap_or_default();
                let Some(reason) = reason else {
                    tracing::debug!(request_id = id, error, "the request was not forwarded whole");
                    return answer::broken(request_id);
                };
                self.metrics.upstream_failure(reason);
                upstream.failed(reason.as_str());
                tracing::warn!(request_id = id, reason = reason.as_str(), error, "the upstream did not answer");
                let (status, sentence) = match reason {
                    UpstreamFailure::Timeout => (StatusCode::GATEWAY_TIMEOUT, "The upstream did not answer in time."),
                    UpstreamFailure::Loop => (StatusCode::BAD_GATEWAY, "The upstream is this proxy itself."),
                    _ => (StatusCode::BAD_GATEWAY, "The upstream could not be reached."),
                };
                answer::sentence(status, sentence, request_id)
            }
        }
    }
}

/// What the budget of all bodies must hold, or none would ever be judged: one body, and what goes with it.
fn least(settings: &Settings) -> usize {
    settings.body_bytes.saturating_add(ONE_BODY)
}

/// Whether a client sends its body only when it is asked to: reading would ask it.
pub(super) fn waits(headers: &HeaderMap) -> bool {
    headers.contains_key(EXPECT)
}
