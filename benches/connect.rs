//! What the explicit proxy costs: TLS handshakes inside a CONNECT beside those of the reverse listener, and blind tunnels beside socat and HAProxy.
//!
//! `cargo bench --bench connect` takes some minutes, `-- --quick` less. socat and HAProxy take part where they are installed. Each contestant has a
//! core for itself, as in the benchmark `proxy`; the processor time is that of the contestant's process alone.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "benchmark")]

#[expect(dead_code, reason = "what the other benchmarks need of it")]
mod contestants;
#[expect(dead_code, reason = "what the other benchmarks need of it")]
mod documents;
mod figures;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contestants::{Arguments, Part, Process, free, on, part, play};
use documents::{ISSUER, Key};
use figures::median;
use rustls::client::Resumption;
use rustls::{ClientConfig, HandshakeKind};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const HOST: &str = "login.microsoftonline.com";
const FAR: &str = "authentik.company:443";
/// Clients that shake hands at one time.
const CLIENTS: usize = 8;
/// Tunnels that carry bytes at one time.
const TUNNELS: usize = 4;
/// Bytes that each of them carries in a turn: less than a tunnel may.
const CARRIED: u64 = 96 << 20;

fn main() {
    let Some(part) = part() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match part {
            Part::Compare(arguments, core) => {
                let folder = tempfile::tempdir().unwrap();
                let far = Process::role("far", None, &[]);
                let stage = Stage { folder: folder.path(), far: far.address, core: core.as_deref() };
                let samlgate = stage.samlgate().await;
                handshakes(&arguments, &stage, &samlgate).await;
                tunnels(&arguments, &stage, &samlgate).await;
            }
            Part::Role(name, _) if name == "far" => play(far).await,
            Part::Role(_, given) => play(|listener| bare(listener, given[0].clone().into())).await,
        }
    });
}

// --- the roles, each a process of its own ----------------------------------------------------------------------------

/// The far end of the tunnels: told how many bytes to send, to take, or to send back one by one.
async fn far(listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(errand(stream));
    }
}

async fn errand(mut stream: TcpStream) -> std::io::Result<()> {
    let (kind, count) = (stream.read_u8().await?, stream.read_u64().await?);
    match kind {
        b's' => send(&mut stream, count).await,
        b't' => {
            take(&mut stream, count).await?;
            stream.write_u8(0).await
        }
        _ => {
            for _ in 0..count {
                let one = stream.read_u8().await?;
                stream.write_u8(one).await?;
            }
            Ok(())
        }
    }
}

async fn send(stream: &mut TcpStream, count: u64) -> std::io::Result<()> {
    let piece = vec![b'x'; 256 * 1024];
    let mut left = count;
    while left > 0 {
        let now = piece.len().min(usize::try_from(left).unwrap());
        stream.write_all(&piece[..now]).await?;
        left -= now as u64;
    }
    Ok(())
}

async fn take(stream: &mut TcpStream, count: u64) -> std::io::Result<()> {
    let mut piece = vec![0; 256 * 1024];
    let mut left = count;
    while left > 0 {
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        left = left.saturating_sub(read as u64);
    }
    Ok(())
}

/// The least that a server does with rustls: a handshake, and the end of it.
async fn bare(listener: TcpListener, folder: std::path::PathBuf) {
    let chain = vec![CertificateDer::from_pem_file(folder.join("bare.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder.join("bare.key")).unwrap();
    let tls = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let _ = stream.read(&mut [0; 64]).await;
            let _ = stream.shutdown().await;
        });
    }
}

// --- the contestants -------------------------------------------------------------------------------------------------

/// What all of them are started with.
struct Stage<'a> {
    folder: &'a Path,
    far: SocketAddr,
    core: Option<&'a str>,
}

/// samlgate, whose process is known by its reverse listener.
struct Samlgate {
    process: Process,
    connect: SocketAddr,
}

impl Stage<'_> {
    async fn samlgate(&self) -> Samlgate {
        let program = Path::new(env!("CARGO_BIN_EXE_samlgate"));
        let made = Command::new(program).arg("ca").arg("--out").arg(self.folder).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let (reverse, connect, admin, upstream) = (free(), free(), free(), free());
        let config = format!(
            "environment = \"test\"\n[listen]\nreverse = \"{reverse}\"\nconnect = \"{connect}\"\nadmin = \"{admin}\"\n\
             [intercept]\nhosts = [\"{HOST}\"]\ntunnel = [\"{FAR}={}\"]\n\
             [tls]\nca_certificate = \"ca.pem\"\nca_key = \"ca.key\"\n[upstream]\nurl = \"http://{upstream}\"\n\
             [[federation]]\ndomain = \"domain.company\"\nissuer = \"{ISSUER}\"\ncertificates = [\"current.cer\"]\n",
            self.far
        );
        std::fs::write(self.folder.join("current.cer"), Key::of_fixture("current").certificate).unwrap();
        std::fs::write(self.folder.join("samlgate.toml"), config).unwrap();
        let mut command = on(self.core, program);
        command.arg("serve").arg("--config").arg(self.folder.join("samlgate.toml"));
        Samlgate { process: Process::program(&mut command, reverse).await, connect }
    }

    async fn socat(&self) -> Option<Process> {
        let address = free();
        let mut command = on(self.core, installed("socat")?);
        command
            .args(["-b", "65536"])
            .arg(format!("TCP-LISTEN:{},bind=127.0.0.1,fork,reuseaddr,nodelay", address.port()));
        Some(Process::program(command.arg(format!("TCP:{},nodelay", self.far)), address).await)
    }

    async fn haproxy(&self) -> Option<Process> {
        let address = free();
        let config = format!(
            "global\n    nbthread 1\ndefaults\n    mode tcp\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n\
             listen tunnel\n    bind {address}\n    server far {}\n",
            self.far
        );
        let file = self.folder.join("haproxy.cfg");
        std::fs::write(&file, config).unwrap();
        Some(Process::program(on(self.core, installed("haproxy")?).arg("-f").arg(file), address).await)
    }
}

fn installed(name: &str) -> Option<&'static Path> {
    let found =
        ["/usr/bin", "/usr/sbin"].map(|folder| Path::new(folder).join(name)).into_iter().find(|file| file.exists());
    if found.is_none() {
        println!("{name} is not installed, and takes no part");
    }
    found.map(|file| &*Box::leak(file.into_boxed_path()))
}

/// Opens a tunnel, or is spoken to directly where nothing is named.
async fn connected(proxy: SocketAddr, target: Option<&str>) -> TcpStream {
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let Some(target) = target else { return stream };
    stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
    stream
}

// --- handshakes ------------------------------------------------------------------------------------------------------

/// Somebody who shakes hands again and again.
#[derive(Clone)]
struct Client {
    address: SocketAddr,
    target: Option<String>,
    tls: TlsConnector,
    kind: HandshakeKind,
}

impl Client {
    fn new(address: SocketAddr, root: &Path, target: Option<&str>, kind: HandshakeKind) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(root).unwrap()).unwrap();
        let mut tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        if kind == HandshakeKind::Full {
            tls.resumption = Resumption::disabled();
        }
        Self { address, target: target.map(str::to_owned), tls: TlsConnector::from(Arc::new(tls)), kind }
    }

    /// One connection, from its beginning to an orderly end.
    async fn visit(&self) -> HandshakeKind {
        let stream = connected(self.address, self.target.as_deref()).await;
        let name = ServerName::try_from(HOST).unwrap();
        let mut stream = self.tls.connect(name, stream).await.unwrap();
        let kind = stream.get_ref().1.handshake_kind().unwrap();
        // the other side has seen all of it when it ends in its turn; its tickets come on the way
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
        kind
    }

    /// How many in this time, by eight at once.
    async fn visits(&self, turn: Duration) -> f64 {
        // so that there is a ticket to come back with
        self.visit().await;
        let begun = Instant::now();
        let clients = (0..CLIENTS).map(|_| {
            let client = self.clone();
            tokio::spawn(async move {
                let mut count = 0_u32;
                let mut others = 0_u32;
                while begun.elapsed() < turn {
                    others += u32::from(client.visit().await != client.kind);
                    count += 1;
                }
                // eight who come at the same time find fewer tickets now and then
                assert!(others * 10 <= count || count < 20, "{others} of {count} were not {:?}", client.kind);
                count
            })
        });
        let clients: Vec<_> = clients.collect();
        let mut count = 0;
        for client in clients {
            count += client.await.unwrap();
        }
        f64::from(count)
    }
}

async fn handshakes(arguments: &Arguments, stage: &Stage<'_>, samlgate: &Samlgate) {
    let (rounds, turn) = arguments.rounds();
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    std::fs::write(stage.folder.join("bare.pem"), made.cert.pem()).unwrap();
    std::fs::write(stage.folder.join("bare.key"), made.signing_key.serialize_pem()).unwrap();
    let bare = Process::role("bare", stage.core, &[stage.folder.to_str().unwrap()]);
    let (own, ca) = (stage.folder.join("bare.pem"), stage.folder.join("ca.pem"));
    let inside = format!("{HOST}:443");
    let (full, resumed) = (HandshakeKind::Full, HandshakeKind::Resumed);
    let reverse = samlgate.process.address;
    let contestants = [
        ("bare rustls, full", &bare, Client::new(bare.address, &own, None, full)),
        ("reverse listener, full", &samlgate.process, Client::new(reverse, &ca, None, full)),
        ("inside a CONNECT, full", &samlgate.process, Client::new(samlgate.connect, &ca, Some(&inside), full)),
        ("bare rustls, resumed", &bare, Client::new(bare.address, &own, None, resumed)),
        ("reverse listener, resumed", &samlgate.process, Client::new(reverse, &ca, None, resumed)),
        ("inside a CONNECT, resumed", &samlgate.process, Client::new(samlgate.connect, &ca, Some(&inside), resumed)),
    ];
    let mut figures: [Vec<[f64; 2]>; 6] = Default::default();
    for _ in 0..rounds {
        for ((_, process, client), figures) in contestants.iter().zip(&mut figures) {
            let (before, begun) = (process.cpu(), Instant::now());
            let count = client.visits(turn).await;
            figures.push([count / begun.elapsed().as_secs_f64(), (process.cpu() - before) / count]);
        }
    }
    println!("\nConnections with a TLS 1.3 handshake, P-256 leaves, {CLIENTS} clients. Medians of {rounds} turns.\n");
    println!("| | handshakes/s | CPU µs | over bare |\n|---|---|---|---|");
    for (at, (name, ..)) in contestants.iter().enumerate() {
        let [rate, cpu] = [0, 1].map(|what| median(figures[at].iter().map(|turn| turn[what]).collect()));
        let over = figures[at].iter().zip(&figures[at / 3 * 3]).map(|(one, bare)| one[1] / bare[1]).collect();
        println!("| {name} | {rate:.0} | {cpu:.0} | {:.2} |", median(over));
    }
}

// --- tunnels ---------------------------------------------------------------------------------------------------------

/// Seconds that it takes to have this done by so many connections, each of which ends well.
async fn carried(proxy: SocketAddr, target: Option<&str>, kind: u8, count: u64, connections: usize) -> f64 {
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(connected(proxy, target).await);
    }
    let begun = Instant::now();
    let carrying = streams.into_iter().map(|mut stream| {
        tokio::spawn(async move {
            stream.write_u8(kind).await.unwrap();
            stream.write_u64(count).await.unwrap();
            match kind {
                b's' => take(&mut stream, count).await.unwrap(),
                b't' => {
                    send(&mut stream, count).await.unwrap();
                    stream.read_u8().await.unwrap();
                }
                _ => back_and_forth(&mut stream, count).await.unwrap(),
            }
        })
    });
    for task in carrying.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    begun.elapsed().as_secs_f64()
}

async fn back_and_forth(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), count: u64) -> std::io::Result<()> {
    for _ in 0..count {
        stream.write_u8(b'x').await?;
        stream.read_u8().await?;
    }
    Ok(())
}

async fn tunnels(arguments: &Arguments, stage: &Stage<'_>, samlgate: &Samlgate) {
    let (rounds, carry, trips, opened) = match arguments.rounds() {
        (1, _) => (1, 1 << 20, 20, 20),
        (rounds, _) => (rounds / 2, CARRIED, 2_000, 500),
    };
    let (socat, haproxy) = (stage.socat().await, stage.haproxy().await);
    let mut contestants = vec![("samlgate", &samlgate.process, samlgate.connect, Some(FAR))];
    contestants.extend(haproxy.as_ref().map(|haproxy| ("HAProxy, mode tcp", haproxy, haproxy.address, None)));
    contestants.extend(socat.as_ref().map(|socat| ("socat", socat, socat.address, None)));
    let mut figures: Vec<Vec<[f64; 6]>> = vec![Vec::new(); contestants.len()];
    for _ in 0..rounds {
        for ((_, process, address, target), figures) in contestants.iter().zip(&mut figures) {
            let megabytes = (carry * TUNNELS as u64) as f64 / 1e6;
            let mut turn = [0.0; 6];
            for (at, kind) in [b's', b't'].into_iter().enumerate() {
                let before = process.cpu_of_all();
                let seconds = carried(*address, *target, kind, carry, TUNNELS).await;
                turn[2 * at] = megabytes / seconds;
                turn[2 * at + 1] = (process.cpu_of_all() - before) / megabytes;
            }
            turn[4] = carried(*address, *target, b'e', trips, 1).await / trips as f64 * 1e6;
            let begun = Instant::now();
            for _ in 0..opened {
                carried(*address, *target, b'e', 1, 1).await;
            }
            turn[5] = begun.elapsed().as_secs_f64() / f64::from(opened) * 1e6;
            figures.push(turn);
        }
    }
    println!(
        "\nTunnels: {TUNNELS} at a time for the bytes, one for the way there and back. Medians of {rounds} turns.\n"
    );
    println!(
        "| | down MB/s | CPU µs/MB | up MB/s | CPU µs/MB | there and back µs | a tunnel for one byte µs |\n|---|---|---|---|---|---|---|"
    );
    for ((name, ..), figures) in contestants.iter().zip(&figures) {
        let [down, down_cpu, up, up_cpu, trip, opening] =
            [0, 1, 2, 3, 4, 5].map(|what| median(figures.iter().map(|turn| turn[what]).collect()));
        println!("| {name} | {down:.0} | {down_cpu:.0} | {up:.0} | {up_cpu:.0} | {trip:.1} | {opening:.0} |");
    }
    println!("\nresident: {:.1} MB", samlgate.process.resident());
}
