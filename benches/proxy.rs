//! What the proxy costs a request: before a bare hyper proxy and nginx, on the same machine, in turns.
//!
//! `cargo bench --bench proxy` takes some minutes, `-- --quick` less; `-- --only ', judging'` is for who profiles, flat out or with `--paced` at the pace, and
//! `-- --beside PATH` has another build take part. nginx takes part where it is installed. Where there are two cores, each contestant has one of them for itself, and the load and the upstream have the other: what is counted
//! is a proxy at work, and not how often it is interrupted by those who ask. The processor time is that of the contestant's process alone.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "benchmark")]

#[expect(dead_code, reason = "what the other benchmarks need of it")]
mod contestants;
#[expect(dead_code, reason = "what the other benchmarks need of it")]
mod documents;
mod figures;

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair};
use contestants::{Arguments, Part, Process, free, on, part, play};
use documents::{ISSUER, Key, USERS, Wish, cpu, fixture, form, response, user};
use figures::median;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const HOST: &str = "login.microsoftonline.com";
/// Distinct sign-ins that are posted.
const SIGN_INS: usize = 2_000;
/// Connections that are kept alive.
const CONNECTIONS: usize = 16;
/// Verifications that are timed in each turn.
const VERIFICATIONS: usize = 50;
/// What one of them took, in microseconds, where the aims in microseconds come from. Machines differ, and so do the hours of a shared one.
const AIMED_WITH: f64 = 19.1;
/// Requests a second, for all of them, where none is to be asked faster than another: who answers sooner wakes its neighbours less.
const PACE: u32 = 2_000;

fn main() {
    let Some(part) = part() else { return };
    // as many workers as cores, like the contestants
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match part {
            Part::Compare(arguments, core) => compare(&arguments, core.as_deref()).await,
            Part::Role(name, _) if name == "upstream" => play(upstream).await,
            Part::Role(_, given) => play(|listener| bare(listener, given[0].clone(), given[1].clone().into())).await,
        }
    });
}

// --- the roles, each a process of its own ----------------------------------------------------------------------------

async fn upstream(listener: TcpListener) {
    let body = Bytes::from("x".repeat(2_000));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let body = body.clone();
        let answer = service_fn(move |request: Request<Incoming>| {
            let body = body.clone();
            async move {
                request.into_body().collect().await.ok();
                Ok::<_, Infallible>(Response::new(Full::new(body)))
            }
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

/// The least that a reverse proxy does with hyper: TLS in, the whole body, a pooled connection out.
async fn bare(listener: TcpListener, upstream: String, folder: std::path::PathBuf) {
    let chain = vec![CertificateDer::from_pem_file(folder.join("proxy.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder.join("proxy.key")).unwrap();
    let tls = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (acceptor, client, upstream) = (acceptor.clone(), client.clone(), upstream.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let forward = service_fn(move |request: Request<Incoming>| {
                let (client, upstream) = (client.clone(), upstream.clone());
                async move {
                    let (mut head, body) = request.into_parts();
                    head.uri = Uri::try_from(format!("http://{upstream}{}", head.uri.path())).unwrap();
                    let body = Full::new(body.collect().await.unwrap().to_bytes());
                    client.request(Request::from_parts(head, body)).await
                }
            });
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), forward).await.ok();
        });
    }
}

// --- the load --------------------------------------------------------------------------------------------------------

/// What is asked, again and again.
#[derive(Clone)]
struct Ask {
    path: &'static str,
    bodies: Arc<Vec<Bytes>>,
}

#[derive(Default)]
struct Measured {
    /// Microseconds, in order.
    latencies: Vec<u32>,
    seconds: f64,
}

impl Measured {
    /// The latency that so many of a thousand requests do not exceed.
    fn percentile(&self, per_mille: usize) -> f64 {
        let at = (self.latencies.len() * per_mille / 1_000).min(self.latencies.len().saturating_sub(1));
        f64::from(self.latencies.get(at).copied().unwrap_or_default())
    }
}

/// Connections that are kept from turn to turn: their handshakes are not counted.
struct Connections(Vec<SendRequest<Full<Bytes>>>);

impl Connections {
    async fn open(address: SocketAddr, tls: &TlsConnector, count: usize) -> Self {
        let mut connections = Vec::new();
        for _ in 0..count {
            let stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let stream = tls.connect(ServerName::try_from(HOST).unwrap(), stream).await.unwrap();
            let (sender, connected) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connected);
            connections.push(sender);
        }
        Self(connections)
    }

    /// Asks on all of them for so long, as fast as answers come, or one request on each connection in every `pace`.
    async fn load(&mut self, ask: &Ask, turn: Duration, pace: Option<Duration>) -> Measured {
        let count = u32::try_from(self.0.len()).unwrap();
        let begun = Instant::now();
        let asking = self.0.drain(..).enumerate().map(|(connection, mut sender)| {
            let ask = ask.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                let mut n = connection * 7;
                let first = pace.map_or(begun, |pace| begun + pace * u32::try_from(connection).unwrap() / count);
                let mut clock = pace.map(|pace| tokio::time::interval_at(first.into(), pace));
                while begun.elapsed() < turn {
                    if let Some(clock) = &mut clock {
                        clock.tick().await;
                    }
                    n += CONNECTIONS;
                    let request = Request::post(ask.path)
                        .header("host", HOST)
                        .header("content-type", "application/x-www-form-urlencoded")
                        .body(Full::new(ask.bodies[n % ask.bodies.len()].clone()))
                        .unwrap();
                    let asked = Instant::now();
                    let answer = sender.send_request(request).await.unwrap();
                    assert!(answer.status().is_success());
                    answer.into_body().collect().await.unwrap();
                    latencies.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                (sender, latencies)
            })
        });
        let asking: Vec<_> = asking.collect();
        let mut measured = Measured::default();
        for task in asking {
            let (sender, latencies) = task.await.unwrap();
            self.0.push(sender);
            measured.latencies.extend(latencies);
        }
        measured.seconds = begun.elapsed().as_secs_f64();
        measured.latencies.sort_unstable();
        measured
    }
}

// --- the table -------------------------------------------------------------------------------------------------------

const GOALS: &str = "must: judging - not judging <= 75 µs, judging <= 2.4 x bare, not judging <= 1.15 x bare and <= 1.3 x nginx, \
    p99 of others while judging <= 2 x without (reach for 55 µs, 2.0, 1.05, 1.15)";

async fn compare(arguments: &Arguments, core: Option<&str>) {
    let (rounds, turn) = arguments.rounds();
    let (only, beside) = (arguments.after("--only"), arguments.after("--beside"));
    let folder = tempfile::tempdir().unwrap();
    let tls = certificate(folder.path());
    let upstream = Process::role("upstream", None, &[]);
    let posts = Ask { path: "/login.srf", bodies: sign_ins() };
    let passes = Ask { path: "/other", ..posts.clone() };
    let bare = Process::role("bare", core, &[&upstream.address.to_string(), folder.path().to_str().unwrap()]);
    let samlgate = serving(Path::new(env!("CARGO_BIN_EXE_samlgate")), folder.path(), upstream.address, core).await;
    let nginx = nginx(folder.path(), upstream.address, core).await;

    let other = match beside {
        Some(program) => Some(serving(Path::new(program), folder.path(), upstream.address, core).await),
        None => None,
    };
    let mut contestants = vec![("bare hyper", &bare, &passes), ("samlgate, not judging", &samlgate, &passes)];
    contestants.push(("samlgate, judging", &samlgate, &posts));
    contestants.extend(nginx.as_ref().map(|nginx| ("nginx", nginx, &passes)));
    if let Some(other) = &other {
        contestants.extend([("the other, not judging", other, &passes), ("the other, judging", other, &posts)]);
    }
    if let Some(only) = only {
        contestants.retain(|(name, ..)| name.ends_with(only));
    }
    let mut connections = Vec::new();
    for (_, process, _) in &contestants {
        connections.push(Connections::open(process.address, &tls, CONNECTIONS).await);
    }
    let pace = Duration::from_secs(1) * u32::try_from(CONNECTIONS).unwrap() / PACE;
    let mut figures: Vec<Vec<[f64; 6]>> = vec![Vec::new(); contestants.len()];
    let verification = verification();
    let mut floors = Vec::new();
    for _ in 0..rounds {
        let begun = cpu();
        assert!((0..VERIFICATIONS).all(|_| verification()));
        floors.push((cpu() - begun) / VERIFICATIONS as f64);
        for (((_, process, ask), connections), figures) in contestants.iter().zip(&mut connections).zip(&mut figures) {
            connections.load(ask, turn / 4, None).await;
            let before = process.cpu();
            let measured = connections.load(ask, turn, only.and(arguments.has("--paced").then_some(pace))).await;
            let between = process.cpu();
            // a profile is of the one or of the other
            let paced = match only {
                None => connections.load(ask, turn, Some(pace)).await,
                Some(_) => Measured::default(),
            };
            let count = measured.latencies.len() as f64;
            let [p50, p99, p999] = [500, 990, 999].map(|share| measured.percentile(share));
            let [flat_out, paced] =
                [(between - before) / count, (process.cpu() - between) / paced.latencies.len() as f64];
            figures.push([count / measured.seconds, p50, p99, p999, flat_out, paced]);
        }
    }
    println!("\n8 kB posts on {CONNECTIONS} kept connections, TLS in, plain out. Medians of {rounds} turns.\n");
    if only.is_some() {
        for ((name, ..), turns) in contestants.iter().zip(&figures) {
            println!("{name}: {:.1} µs of processor time", median(turns.iter().map(|turn| turn[4]).collect()));
        }
        return;
    }
    println!("| | requests/s | p50 µs | p99 µs | p99.9 µs | CPU µs | over bare | CPU µs at {PACE}/s | over bare |");
    println!("|---|---|---|---|---|---|---|---|---|");
    let medians: Vec<[f64; 6]> = figures
        .iter()
        .map(|turns| [0, 1, 2, 3, 4, 5].map(|at| median(turns.iter().map(|turn| turn[at]).collect())))
        .collect();
    // neighbours are loud at times: turn by turn, all contestants hear the same
    let over = |one: usize, other: usize, what: usize, how: fn(f64, f64) -> f64| {
        median(figures[one].iter().zip(&figures[other]).map(|(one, other)| how(one[what], other[what])).collect())
    };
    for (at, ((name, ..), [rate, p50, p99, p999, cpu, paced])) in contestants.iter().zip(&medians).enumerate() {
        let [over_bare, paced_over_bare] = [4, 5].map(|what| over(at, 0, what, |one, other| one / other));
        println!(
            "| {name} | {rate:.0} | {p50:.0} | {p99:.0} | {p999:.0} | {cpu:.1} | {over_bare:.2} | {paced:.1} | {paced_over_bare:.2} |"
        );
    }
    let floor = median(floors);
    println!("\na verification of RSA-2048: {floor:.1} µs; {AIMED_WITH} where the aims come from");
    for (what, when) in [(4, "flat out"), (5, "at the pace")] {
        let cost = over(2, 1, what, |one, other| one - other);
        let there = cost / floor * AIMED_WITH;
        println!("\n{when}: judging costs {cost:.1} µs a request, as much as {there:.1} µs there");
        if nginx.is_some() {
            println!("{when}: not judging is {:.2} x nginx", over(1, 3, what, |one, other| one / other));
        }
    }

    // what others feel while sign-ins are judged, and while as many bodies go through unread
    let others = Ask { path: "/other", bodies: Arc::new(vec![Bytes::new()]) };
    let mut many = Connections::open(samlgate.address, &tls, CONNECTIONS).await;
    let mut few = Connections::open(samlgate.address, &tls, 4).await;
    let mut tails: [Vec<f64>; 2] = Default::default();
    for _ in 0..rounds {
        for (beside, tails) in [&passes, &posts].into_iter().zip(&mut tails) {
            let (_, measured) = tokio::join!(many.load(beside, turn, None), few.load(&others, turn, None));
            tails.push(measured.percentile(990));
        }
    }
    let [without, with] = tails.map(median);
    println!(
        "p99 of others: {without:.0} µs beside unread posts, {with:.0} µs beside judged ones ({:.2} x)",
        with / without
    );
    println!("resident: {:.1} MB", samlgate.resident());
    println!("\n{GOALS}");
}

/// Writes the certificate that all listeners have; gives back a client that trusts it.
fn certificate(folder: &Path) -> TlsConnector {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    std::fs::write(folder.join("proxy.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("proxy.key"), made.signing_key.serialize_pem()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    TlsConnector::from(Arc::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

/// One verification of a signature, the key being parsed already: what no judgement can do without.
fn verification() -> impl Fn() -> bool {
    let pem = PrivatePkcs8KeyDer::from_pem_slice(&fixture("keys/current.pem")).unwrap();
    let key = RsaKeyPair::from_pkcs8(pem.secret_pkcs8_der()).unwrap();
    let (message, mut signature) = ([0; 500], vec![0; key.public_modulus_len()]);
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &message, &mut signature).unwrap();
    let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref()).unwrap();
    move || public.verify_sig(&message, &signature).is_ok()
}

/// Forms that are valid now.
fn sign_ins() -> Arc<Vec<Bytes>> {
    let key = Key::of_fixture("current");
    let groups = "<saml:Attribute Name=\"http://schemas.xmlsoap.org/claims/Group\">".to_owned()
        + &"<saml:AttributeValue>CN=Group,OU=Groups,DC=domain,DC=company</saml:AttributeValue>".repeat(22)
        + "</saml:Attribute>";
    let wish = Wish { attributes: &groups, issued: Timestamp::now(), ..Wish::default() };
    Arc::new((0..SIGN_INS).map(|n| Bytes::from(form(&response(&key, n, &wish)))).collect())
}

async fn serving(program: &Path, folder: &Path, upstream: SocketAddr, core: Option<&str>) -> Process {
    let mut users = "UserPrincipalName,OnPremisesImmutableId,AccountEnabled\n".to_owned();
    for (upn, id) in (0..USERS).map(user) {
        writeln!(users, "{upn},{id},True").unwrap();
    }
    std::fs::write(folder.join("users.csv"), users).unwrap();
    std::fs::write(folder.join("current.cer"), Key::of_fixture("current").certificate).unwrap();
    let (address, admin) = (free(), free());
    // each sign-in is posted many times: to tell of every one of them as a replay is another matter
    let config = format!(
        "environment = \"test\"\n[listen]\nreverse = \"{address}\"\nadmin = \"{admin}\"\n\
         [tls]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n[upstream]\nurl = \"http://{upstream}\"\n\
         [[federation]]\ndomain = \"domain.company\"\nissuer = \"{ISSUER}\"\ncertificates = [\"current.cer\"]\n\
         users = \"users.csv\"\nmfa_behavior = \"acceptIfMfaDoneByFederatedIdp\"\n[policy]\nskew = \"1d\"\nreplay = \"off\"\n"
    );
    std::fs::write(folder.join("samlgate.toml"), config).unwrap();
    let mut command = on(core, program);
    Process::program(command.arg("serve").arg("--config").arg(folder.join("samlgate.toml")), address).await
}

/// nginx as a TLS reverse proxy with kept connections, where it is installed.
async fn nginx(folder: &Path, upstream: SocketAddr, core: Option<&str>) -> Option<Process> {
    let address = free();
    let at = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {at}/{kind};"))
        .collect();
    let config = format!(
        "daemon off; worker_processes 1; pid {at}/nginx.pid; error_log {at}/nginx.log; events {{ worker_connections 512; }}\n\
         http {{ access_log off; {temporary} client_body_buffer_size 64k; keepalive_requests 100000000;\n\
         upstream up {{ server {upstream}; keepalive 64; keepalive_requests 100000000; }}\n\
         server {{ listen {address} ssl; ssl_certificate {at}/proxy.pem; ssl_certificate_key {at}/proxy.key;\n\
         location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host; }} }} }}\n"
    );
    std::fs::write(folder.join("nginx.conf"), config).unwrap();
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx"].map(Path::new).into_iter().find(|program| program.exists())?;
    Some(Process::program(on(core, program).arg("-c").arg(folder.join("nginx.conf")), address).await)
}
