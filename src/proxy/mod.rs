//! The sockets: what comes in is judged where it is a sign-in, and forwarded as it came.

mod accepting;
mod answer;
mod answers;
mod body;
mod budget;
mod ca;
mod caught;
mod connect;
mod crowd;
mod form;
mod forward;
mod frames;
mod framing;
mod gulps;
mod headers;
mod heads;
mod judging;
mod keeping;
mod lanes;
mod lock;
mod minting;
mod ourselves;
mod permits;
mod pieces;
mod place;
mod requests;
mod reverse;
mod route;
mod seldom;
mod service;
mod shorter;
mod spoken;
mod stream;
mod target;
mod terms;
mod tls;
mod tunnel;
mod turn;
mod uploads;
mod users;
mod watched;

use std::net::SocketAddr;
use std::time::Duration;

pub use ca::{Authority, AuthorityError, Created};
pub use connect::Connect;
pub use forward::UpstreamError;
pub use judging::Inspector;
pub use ourselves::Ourselves;
pub use reverse::Reverse;
pub use route::Intercept;
pub use service::Proxy;
pub use target::Tunnelled;
pub use tls::{ServerCertificate, TlsError};
pub use users::{Users, UsersError};

/// What is done with a message that is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Judge beside the forward: every message goes on.
    #[default]
    Observe,
    /// Judge before the forward: only what is accepted goes on.
    Enforce,
}

/// Everything that a proxy is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is done with a message that is not accepted.
    pub mode: Mode,
    /// In `enforce`, whether messages that are no sign-in responses go on.
    pub pass_unjudged: bool,
    /// What is looked at.
    pub intercept: Intercept,
    /// Where a CONNECT leads to blindly.
    pub tunnels: Vec<Tunnelled>,
    /// Who may CONNECT; everybody, where none are given.
    pub users: Option<Users>,
    /// Where everything goes.
    pub upstream: Upstream,
    /// The certificate that browsers are shown.
    pub certificate: Option<ServerCertificate>,
    /// Where the proxy itself listens: no place to forward to.
    pub ours: Ourselves,
    /// Bytes of one body that is judged.
    pub body_bytes: usize,
    /// Bounds on what a peer may take.
    pub bounds: Bounds,
}

/// The one place that requests are forwarded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Whether TLS is spoken to it.
    pub tls: bool,
    /// The name that its certificate must bear.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether HTTP/2 is offered to it; it goes by TLS alone.
    pub http2: bool,
    /// Where to connect instead of what the name resolves to.
    pub address: Option<SocketAddr>,
    /// The DNS server that is asked for the name instead of the machine's resolver.
    pub dns: Option<SocketAddr>,
    /// Certificates in DER that are trusted beside the machine's own.
    pub extra_roots: Vec<Vec<u8>>,
}

/// Bounds on time and space that hold for every peer.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections at one time.
    pub connections: usize,
    /// Bytes of all bodies that are held at one time.
    pub buffered_bytes: usize,
    /// Bodies of at most 16 kB that are in the middle of being read at one time. The others wait unread.
    pub small_uploads: usize,
    /// Larger bodies that are read at one time; one of more than 64 kB, or of unknown length, counts for eight, and so does a larger
    /// one over HTTP/2. The others wait unread.
    pub uploads: usize,
    /// Bytes of all answers that are kept to be read at one time.
    pub copied_bytes: usize,
    /// Messages of fewer bytes are judged on the threads that move bytes, which takes some 0.1 ms: handing them over would cost as much
    /// again. 0 where the judge waits for somebody else.
    pub judged_at_once: usize,
    /// Other messages that are judged at one time, for each core.
    pub judged_a_core: usize,
    /// For a TLS handshake, and for the head of a request; HTTP/1.1 counts the wait for it, too.
    pub head: Duration,
    /// For the whole body of an intercepted post, and for each piece of any other body.
    pub body: Duration,
    /// For a connection without a request.
    pub idle: Duration,
    /// For the next piece of an answer to be taken, the time until it comes included.
    pub stalled: Duration,
    /// Requests at one time beside one of each connection: of HTTP/2, which may have many. One more is refused.
    pub requests_beside: usize,
    /// Requests at the upstream at one time; the others wait.
    pub forwarded: usize,
    /// For a connection to the upstream.
    pub connect: Duration,
    /// For the head of the upstream's answer, the connection included.
    pub answer: Duration,
    /// Tunnels at one time, of those connections.
    pub tunnels: usize,
    /// Bytes of one tunnel, both ways together.
    pub tunnel_bytes: u64,
    /// For a tunnel in which nothing moves.
    pub tunnel_idle: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 4096,
            // two of the largest bodies, and some 600 of the usual ones
            buffered_bytes: 8 * 1024 * 1024,
            // a sign-in comes in with one round trip or two: more than 1,000 a second by slow clients
            small_uploads: 128,
            // four of the largest: each takes its own bytes, and as much again until the system has them back
            uploads: 32,
            // 64 of the largest copies, or some 1,000 packed pages
            copied_bytes: 16 * 1024 * 1024,
            // sign-ins have some 8 kB
            judged_at_once: 16 * 1024,
            judged_a_core: 1,
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            // longer than `body` and `answer` together
            stalled: Duration::from_secs(120),
            // half of what may be forwarded: the connections that take no answers must not take all of it
            requests_beside: 128,
            // five hundred a second at an upstream that takes half of one
            forwarded: 256,
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(60),
            // dozens for each of some hundred browsers
            tunnels: 2048,
            // no sign-in is so long, and no download should be
            tunnel_bytes: 1024 * 1024 * 1024,
            // as long as browsers keep a connection that they do not use
            tunnel_idle: Duration::from_secs(300),
        }
    }
}
