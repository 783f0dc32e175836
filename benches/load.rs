//! What a load costs the machine that makes it: signing beside its floor, posting beside wrk and h2load, and memory over an hour's worth of sign-ins.
//!
//! `cargo bench --bench load` takes some minutes, `-- --quick` less; `-- --only minting`, `posting` or `memory` is one part of it. wrk and h2load take part where they
//! are installed. Where there are two cores, whoever posts has one of them for itself, and the target has the other. The processor time is that of the process alone:
//! of the generator, from where its pool is ready.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "benchmark")]

#[expect(dead_code, reason = "what the other benchmarks need of it")]
mod contestants;
#[expect(dead_code, reason = "what the other benchmarks need of it")]
mod documents;
mod figures;

use std::convert::Infallible;
use std::hint::black_box;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use contestants::{Arguments, Process, cores, cpu_of, has_ended, on, play, resident_of};
use documents::{ISSUER, Key, Parts, assertion_of, cpu, judge, parse, user};
use figures::median;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, RsaKeySize};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use samlgate::dsig::SigningKey;
use samlgate::load::Report;
use samlgate::mint::{Errand, Keys, Minter, Person};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Connections that are kept alive.
const CONNECTIONS: &str = "16";
/// Sign-ins a second, where whoever posts is not to be as fast as it can: some, and as many as a core must reach.
const PACES: [u32; 2] = [2_000, 8_000];
const GOALS: &str =
    "must: RSA-2048 <= 1.2 x floor, TLS with a ready pool <= 125 µs (8,000 a second and core), memory flat";

fn main() {
    let arguments = Arguments::given();
    if let Some(role) = arguments.after("--role") {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let folder = arguments.after(role).map(str::to_owned);
        return runtime.block_on(play(|listener| target(listener, folder)));
    }
    // without `--bench` this is a test that everything runs
    let effort = match (arguments.has("--bench"), arguments.has("--quick")) {
        (true, false) => Effort { rounds: 15, slice: 40_000.0, turns: 5, posts: 20_000, hour: 360_000 },
        (true, true) => Effort { rounds: 5, slice: 20_000.0, turns: 2, posts: 5_000, hour: 40_000 },
        _ => Effort { rounds: 1, slice: 1_000.0, turns: 1, posts: 200, hour: 400 },
    };
    let only = arguments.after("--only");
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    if wanted("minting") {
        minting(&effort);
    }
    let folder = tempfile::tempdir().unwrap();
    tenant(folder.path());
    if wanted("posting") {
        posting(&effort, folder.path());
    }
    if wanted("memory") {
        memory(&effort, folder.path());
    }
    println!("\n{GOALS}");
}

/// How much is measured.
struct Effort {
    /// Turns of each key.
    rounds: usize,
    /// Microseconds of one of them.
    slice: f64,
    /// Turns of whoever posts.
    turns: usize,
    /// Sign-ins of each.
    posts: u64,
    /// Sign-ins of an hour.
    hour: u64,
}

// --- minting ---------------------------------------------------------------------------------------------------------

enum Floor {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

/// A key, by which a minter and nothing but a library signs.
struct Contestant {
    name: &'static str,
    floor: Floor,
    minter: Minter,
    people: Vec<Person>,
    /// What the library signs: as long as what the minter has signed.
    message: Vec<u8>,
    number: usize,
    /// Microseconds of each turn.
    figures: Vec<[f64; 2]>,
}

impl Contestant {
    fn new(name: &'static str, key: &KeyPair, floor: fn(&[u8]) -> Floor) -> Self {
        let now = Timestamp::now();
        let certificate = rcgen::CertificateParams::default().self_signed(key).unwrap();
        let current = SigningKey::from_der(key.serialized_der(), certificate.der()).unwrap();
        let federation = judge(&Key::of_fixture("current")).federations.remove(0);
        let keys = Keys { current, expired: None, stranger: None };
        let minter = Minter::new(federation, keys).unwrap().seeded(7);
        let people = minter.people(1_000);
        let minted = minter.mint(None, now, Errand::default()).unwrap();
        let document = parse(&minted.xml);
        let message = Parts::of(&document, assertion_of(&document)).signed_info;
        Self { name, floor: floor(key.serialized_der()), minter, people, message, number: 0, figures: Vec::new() }
    }

    fn sign(&self) {
        let random = SystemRandom::new();
        match &self.floor {
            Floor::Rsa(key) => {
                let mut value = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, &self.message, &mut value).unwrap();
                black_box(value);
            }
            Floor::Ecdsa(key) => _ = black_box(key.sign(&random, &self.message).unwrap()),
        }
    }

    fn mint(&mut self) {
        self.number += 1;
        let person = &self.people[self.number % self.people.len()];
        let errand =
            Errand { request: None, relay_state: "estsredirect=2&estsrequest=rQQIARAA", number: self.number as u64 };
        black_box(self.minter.mint_for(person, None, Timestamp::now(), errand).unwrap().form());
    }

    /// One as often as the other, some at a time: the neighbours of the machine are heard by both.
    fn turn(&mut self, slice: f64) {
        let (mut both, mut all) = ([0.0; 2], 0.0);
        for _ in 0..4 {
            let begun = cpu();
            let mut times = 0_u32;
            while cpu() - begun < slice / 4.0 {
                self.sign();
                times += 1;
            }
            let between = cpu();
            (0..times).for_each(|_| self.mint());
            both[0] += between - begun;
            both[1] += cpu() - between;
            all += f64::from(times);
        }
        self.figures.push(both.map(|micros| micros / all));
    }
}

fn minting(effort: &Effort) {
    let rsa = |bits| KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, bits).unwrap();
    let of_rsa = |der: &[u8]| Floor::Rsa(RsaKeyPair::from_pkcs8(der).unwrap());
    let of_p256 =
        |der: &[u8]| Floor::Ecdsa(EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der).unwrap());
    let of_p384 =
        |der: &[u8]| Floor::Ecdsa(EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_FIXED_SIGNING, der).unwrap());
    let mut all = [
        Contestant::new("RSA-2048", &rsa(RsaKeySize::_2048), of_rsa),
        Contestant::new("RSA-3072", &rsa(RsaKeySize::_3072), of_rsa),
        Contestant::new("RSA-4096", &rsa(RsaKeySize::_4096), of_rsa),
        Contestant::new("P-256", &KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(), of_p256),
        Contestant::new("P-384", &KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(), of_p384),
    ];
    for _ in 0..effort.rounds {
        all.iter_mut().for_each(|one| one.turn(effort.slice));
    }
    println!(
        "\nSign-ins made by one core, beside aws-lc-rs signing as many bytes. Medians of {} turns.\n",
        effort.rounds
    );
    println!("| key | floor µs | minted µs | over the floor | beside the signature µs | minted a second |");
    println!("|---|---|---|---|---|---|");
    for Contestant { name, figures, .. } in &all {
        let of = |how: fn(&[f64; 2]) -> f64| median(figures.iter().map(how).collect());
        let (floor, minted) = (of(|both| both[0]), of(|both| both[1]));
        let (over, beside) = (of(|both| both[1] / both[0]), of(|both| both[1] - both[0]));
        println!("| {name} | {floor:.1} | {minted:.1} | {over:.2} | {beside:.1} | {:.0} |", 1e6 / minted);
    }
}

// --- the target, a process of its own --------------------------------------------------------------------------------

/// Reads bodies and lets everybody in; over TLS with the certificate of this folder.
async fn target(listener: TcpListener, folder: Option<String>) {
    let tls = folder.map(|folder| {
        let folder = Path::new(&folder);
        let chain = vec![CertificateDer::from_pem_file(folder.join("target.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(folder.join("target.key")).unwrap();
        let tls = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        TlsAcceptor::from(Arc::new(tls))
    });
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let tls = tls.clone();
        tokio::spawn(async move {
            let http = hyper::server::conn::http1::Builder::new();
            match tls {
                Some(tls) => {
                    let Ok(stream) = tls.accept(stream).await else { return };
                    http.serve_connection(TokioIo::new(stream), service_fn(let_in)).await.ok();
                }
                None => _ = http.serve_connection(TokioIo::new(stream), service_fn(let_in)).await.ok(),
            }
        });
    }
}

async fn let_in(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    const PAGE: &[u8] = b"<!DOCTYPE html><html><head><title>Stay signed in?</title></head><body><script>//<![CDATA[\n\
        $Config={\"fKmsiEnabled\":true,\"correlationId\":\"00000000-0000-4000-8000-000000000001\",\"pgid\":\"KmsiInterrupt\"};\n\
        //]]></script><h1>Stay signed in?</h1></body></html>";
    request.into_body().collect().await.ok();
    let mut response = Response::new(Full::new(Bytes::from_static(PAGE)));
    response.headers_mut().insert("set-cookie", "ESTSAUTH=1; Secure; HttpOnly".parse().unwrap());
    Ok(response)
}

// --- posting ---------------------------------------------------------------------------------------------------------

/// What a turn came to.
#[derive(Clone, Copy)]
struct Turn {
    rate: f64,
    cpu: f64,
}

/// Who posts.
#[derive(Clone, Copy, PartialEq)]
enum Poster {
    Closed,
    Open(u32),
    Wrk,
    H2load,
}

impl Poster {
    fn name(self) -> String {
        match self {
            Self::Closed => "samlgate, closed".to_owned(),
            Self::Open(pace) => format!("samlgate, open at {pace}/s"),
            Self::Wrk => "wrk".to_owned(),
            Self::H2load => "h2load".to_owned(),
        }
    }

    fn is_there(self) -> bool {
        match self {
            Self::Closed | Self::Open(_) => true,
            Self::Wrk => Path::new("/usr/bin/wrk").exists(),
            Self::H2load => Path::new("/usr/bin/h2load").exists(),
        }
    }

    fn turn(self, place: &Place<'_>, posts: u64) -> Turn {
        match self {
            Self::Closed => place.generator(posts, &["--closed"]),
            Self::Open(pace) => place.generator(posts, &["--rate", &pace.to_string()]),
            Self::Wrk => place.wrk(),
            Self::H2load => place.h2load(posts),
        }
    }
}

/// Where is posted to, and from which core.
struct Place<'a> {
    folder: &'a Path,
    core: Option<&'a str>,
    address: SocketAddr,
    tls: bool,
}

impl Place<'_> {
    fn url(&self) -> String {
        format!("http{}://localhost:{}/login.srf", if self.tls { "s" } else { "" }, self.address.port())
    }

    /// A load of sign-ins that are all signed before the first is sent.
    fn generator(&self, posts: u64, pace: &[&str]) -> Turn {
        let posts = posts.to_string();
        let pool = ["--threads", "1", "--connections", CONNECTIONS, "--requests", &posts, "--pool", &posts];
        let (ended, ready) = self.load(&[&pool, pace].concat(), &mut |_, _| {});
        Turn { rate: ended.1.reached_rate, cpu: (ended.0 - ready) / ended.1.totals.sent as f64 }
    }

    /// Runs `samlgate load`, looked at now and then; its processor time, its report, and its time when its pool was ready.
    fn load(&self, arguments: &[&str], look: &mut dyn FnMut(u32, Duration)) -> ((f64, Report), f64) {
        let mut command = on(self.core, Path::new(env!("CARGO_BIN_EXE_samlgate")));
        command.current_dir(self.folder).args(["load", &self.url(), "--config", "samlgate.toml", "--key", "idp.pem"]);
        command.args(["--connect-to", &self.address.to_string(), "--json", "report.json", "--ca", "target.pem"]);
        let child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let (pid, begun, mut ready) = (child.id(), Instant::now(), None);
        while !has_ended(pid) {
            // the thread that posts begins when everything is signed that was to be
            if ready.is_none() && has_thread(pid, "sender") {
                ready = cpu_of(pid);
            }
            look(pid, begun.elapsed());
            std::thread::sleep(Duration::from_millis(1));
        }
        let cpu = ended(child);
        let report = std::fs::read(self.folder.join("report.json")).unwrap();
        let report: Report = serde_json::from_slice(&report).unwrap();
        assert!(report.totals.sent > 0 && report.totals.sent == report.totals.as_expected, "{report:?}");
        ((cpu, report), ready.unwrap_or_default())
    }

    fn wrk(&self) -> Turn {
        let mut command = on(self.core, Path::new("/usr/bin/wrk"));
        command.current_dir(self.folder).args(["-t1", "-c", CONNECTIONS, "-d1s", "-s", "post.lua", &self.url()]);
        let (cpu, said) = said(&mut command);
        // `30123 requests in 1.00s, 7.84MB read`, and what was not well
        assert!(!said.contains("Non-2xx") && !said.contains("Socket errors"), "{said}");
        let count: f64 = word_before(&said, "requests in").parse().unwrap();
        Turn { rate: word_after(&said, "Requests/sec:").parse().unwrap(), cpu: cpu / count }
    }

    fn h2load(&self, posts: u64) -> Turn {
        let mut command = on(self.core, Path::new("/usr/bin/h2load"));
        command.current_dir(self.folder).args(["--h1", "-t1", "-c", CONNECTIONS, "-n", &posts.to_string()]);
        command.args(["-d", "form", "-H", "content-type: application/x-www-form-urlencoded", &self.url()]);
        let (cpu, said) = said(&mut command);
        // `finished in 1.77s, 11294.25 req/s, 2.63MB/s`
        assert!(said.contains(&format!("{posts} succeeded")), "{said}");
        Turn { rate: word_before(&said, "req/s").parse().unwrap(), cpu: cpu / posts as f64 }
    }
}

fn word_before<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).unwrap().0.split_ascii_whitespace().next_back().unwrap()
}

fn word_after<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).unwrap().1.split_ascii_whitespace().next().unwrap()
}

fn has_thread(pid: u32, name: &str) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().any(|thread| {
        std::fs::read_to_string(thread.path().join("comm")).is_ok_and(|of_thread| of_thread.trim() == name)
    })
}

/// The processor time of a process that has ended.
fn ended(mut child: Child) -> f64 {
    let cpu = cpu_of(child.id()).unwrap();
    assert!(child.wait().unwrap().success());
    cpu
}

/// Runs to the end; the processor time, and what was said, which must fit a pipe.
fn said(command: &mut Command) -> (f64, String) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    while !has_ended(child.id()) {
        std::thread::sleep(Duration::from_millis(1));
    }
    (ended(child), said)
}

fn posting(effort: &Effort, folder: &Path) {
    let (mine, others) = cores().map_or((None, None), |[mine, others]| (Some(mine), Some(others)));
    let over_tls = Process::role("target", others.as_deref(), &[folder.to_str().unwrap()]);
    let plain = Process::role("target", others.as_deref(), &[]);
    let paced = PACES.map(Poster::Open);
    let mut posters = [&[Poster::Closed][..], &paced, &[Poster::Wrk, Poster::H2load]].concat();
    posters.retain(|poster| {
        let there = poster.is_there();
        if !there {
            println!("{} is not installed: it takes no part", poster.name());
        }
        there
    });
    let place = |tls: bool| Place {
        folder,
        core: mine.as_deref(),
        address: if tls { over_tls.address } else { plain.address },
        tls,
    };
    let mut figures: Vec<(bool, Poster, Vec<Turn>)> = Vec::new();
    for tls in [true, false] {
        figures.extend(posters.iter().map(|poster| (tls, *poster, Vec::new())));
    }
    for _ in 0..effort.turns {
        for (tls, poster, turns) in &mut figures {
            turns.push(poster.turn(&place(*tls), effort.posts));
        }
    }
    let bytes = std::fs::metadata(folder.join("form")).unwrap().len();
    println!(
        "\nPosts of {bytes} bytes over {CONNECTIONS} kept connections, a ready pool, one core. Medians of {} turns.\n",
        effort.turns
    );
    println!("| | who | reached a second | CPU µs a post | a second and core | CPU over wrk |");
    println!("|---|---|---|---|---|---|");
    for (tls, poster, turns) in &figures {
        let of = |how: fn(&Turn) -> f64| median(turns.iter().map(how).collect());
        let (rate, cpu) = (of(|turn| turn.rate), of(|turn| turn.cpu));
        let wrk = figures.iter().find(|(of, who, _)| of == tls && *who == Poster::Wrk);
        let over = wrk.map_or_else(
            || "–".to_owned(),
            |(.., wrk)| {
                format!("{:.2}", median(turns.iter().zip(wrk).map(|(one, other)| one.cpu / other.cpu).collect()))
            },
        );
        let over_what = if *tls { "TLS" } else { "plain" };
        println!("| {over_what} | {} | {rate:.0} | {cpu:.1} | {:.0} | {over} |", poster.name(), 1e6 / cpu);
    }
}

// --- memory ----------------------------------------------------------------------------------------------------------

/// Resident memory while as many sign-ins are made and posted as in an hour at 100 a second.
fn memory(effort: &Effort, folder: &Path) {
    let (mine, others) = cores().map_or((None, None), |[mine, others]| (Some(mine), Some(others)));
    let plain = Process::role("target", others.as_deref(), &[]);
    let place = Place { folder, core: mine.as_deref(), address: plain.address, tls: false };
    let requests = effort.hour.to_string();
    let mut seen: Vec<(Duration, f64)> = Vec::new();
    let arguments = ["--closed", "--requests", &requests, "--hdr", "latencies.hdr", "--html", "load.html"];
    let ((_, report), _) = place.load(&[&arguments[..], &["--admin", "127.0.0.1:0"]].concat(), &mut |pid, at| {
        if seen.last().is_none_or(|(last, _)| at.saturating_sub(*last) > Duration::from_millis(100)) {
            seen.extend(resident_of(pid).map(|resident| (at, resident)));
        }
    });
    let end = seen.last().unwrap().0;
    let at = |part: f64| seen.iter().find(|(at, _)| *at >= end.mul_f64(part)).unwrap().1;
    let most = seen.iter().map(|(_, resident)| *resident).fold(0.0, f64::max);
    println!(
        "\n{} sign-ins made and posted in {:.0} s, with every output: {:.1} MB resident after a quarter, {:.1} MB at the end, {most:.1} MB at most",
        report.totals.sent,
        report.seconds,
        at(0.25),
        seen.last().unwrap().1
    );
}

// --- the tenant ------------------------------------------------------------------------------------------------------

/// The files that everybody needs: a configuration, a P-256 key, the certificate of the target, a form.
fn tenant(folder: &Path) {
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    let key = Key::of_fixture("p256");
    std::fs::write(folder.join("idp.cer"), &key.certificate).unwrap();
    std::fs::write(folder.join("idp.pem"), documents::fixture("keys/p256.pem")).unwrap();
    let users = (0..1_000).map(user).map(|(upn, id)| format!("{upn},{id},True\n")).collect::<String>();
    write("users.csv", format!("UserPrincipalName,OnPremisesImmutableId,AccountEnabled\n{users}"));
    write(
        "samlgate.toml",
        format!(
            "environment = \"test\"\n[[federation]]\ndomain = \"domain.company\"\nissuer = \"{ISSUER}\"\n\
             certificates = [\"idp.cer\"]\nusers = \"users.csv\"\nmfa_behavior = \"acceptIfMfaDoneByFederatedIdp\"\n"
        ),
    );
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    write("target.pem", made.cert.pem());
    write("target.key", made.signing_key.serialize_pem());
    let private = PrivateKeyDer::from_pem_slice(&documents::fixture("keys/p256.pem")).unwrap();
    let current = SigningKey::from_der(private.secret_der(), &key.certificate).unwrap();
    let federation = judge(&key).federations.remove(0);
    let minter = Minter::new(federation, Keys { current, expired: None, stranger: None }).unwrap();
    let earlier = Timestamp::now() - SignedDuration::from_secs(1);
    let errand = Errand { request: None, relay_state: "estsredirect=2&estsrequest=rQQIARAA", number: 1 };
    std::fs::write(folder.join("form"), minter.mint(None, earlier, errand).unwrap().form()).unwrap();
    write(
        "post.lua",
        "wrk.method = \"POST\"\nlocal file = io.open(\"form\", \"rb\")\nwrk.body = file:read(\"*a\")\nfile:close()\n\
         wrk.headers[\"Content-Type\"] = \"application/x-www-form-urlencoded\"\n"
            .to_owned(),
    );
}
