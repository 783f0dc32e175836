//! What the real program tells a service manager: a socket of the test's own takes the place of systemd's.

use std::fs;
use std::io::Read as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::Command;

use hyper::{Request, StatusCode};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::bench::{HOST_NAME, PATIENCE, Record, full, upstream};
use super::process::{Process, configured};

/// What listens where the service manager would, and the configuration of a service.
struct Stage {
    folder: TempDir,
    config: PathBuf,
    notify: PathBuf,
    listener: UnixDatagram,
}

impl Stage {
    async fn new() -> Self {
        let upstream = upstream(Record::default(), None).await;
        let folder = tempfile::tempdir().unwrap();
        let config = configured(folder.path(), "", "tls = false\n", upstream);
        let notify = folder.path().join("notify");
        let listener = UnixDatagram::bind(&notify).unwrap();
        listener.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { folder, config, notify, listener }
    }

    /// What came, line by line.
    fn next(&self) -> Vec<String> {
        next(&self.listener).unwrap()
    }

    fn has_nothing(&self) -> bool {
        self.listener.set_nonblocking(true).unwrap();
        let nothing = next(&self.listener).is_none();
        self.listener.set_nonblocking(false).unwrap();
        nothing
    }
}

fn next(listener: &UnixDatagram) -> Option<Vec<String>> {
    let mut bytes = [0; 4096];
    let length = listener.recv(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes[..length]).lines().map(str::to_owned).collect())
}

/// A command whose process the program takes over.
fn told(socket: &Path, watchdog: &str) -> Command {
    let mut command = Command::new("sh");
    command.env("NOTIFY_SOCKET", socket).args(["-c", &format!("{watchdog} exec \"$@\""), "sh"]);
    command
}

fn micros(line: &str) -> i64 {
    line.strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap()
}

fn monotonic() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

async fn answers(process: &Process) -> bool {
    let visit = Request::get("/").header("host", HOST_NAME);
    process.client().await.send(visit, full("")).await.status == StatusCode::OK
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_comes_when_the_listener_answers_and_no_sooner() {
    let stage = Stage::new().await;
    // the service does not start before this one has answered
    let slow = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut text = fs::read_to_string(&stage.config).unwrap();
    text.push_str(&format!("metadata = \"http://{}/\"\n", slow.local_addr().unwrap()));
    fs::write(&stage.config, text).unwrap();
    let (notify, config) = (stage.notify.clone(), stage.config.clone());
    let starting = tokio::task::spawn_blocking(move || Process::run(told(&notify, ""), &config));
    let (mut asked, _) = tokio::time::timeout(PATIENCE, slow.accept()).await.unwrap().unwrap();
    assert!(stage.has_nothing());
    asked.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    assert_eq!(stage.next(), ["READY=1", "STATUS=mode observe, federations: 1"]);
    assert!(answers(&starting.await.unwrap()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_start_is_never_ready() {
    let stage = Stage::new().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = fs::read_to_string(&stage.config).unwrap();
    let text = text.replacen("127.0.0.1:0", &taken.local_addr().unwrap().to_string(), 1);
    fs::write(&stage.config, text).unwrap();
    let mut command = told(&stage.notify, "");
    command.arg(assert_cmd::cargo::cargo_bin!("samlgate")).args(["serve", "--config"]).arg(&stage.config);
    assert_eq!(command.output().unwrap().status.code(), Some(2));
    assert!(stage.has_nothing());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_is_told_from_its_beginning_to_its_end_and_so_is_the_stop() {
    let stage = Stage::new().await;
    let mut process = Process::run(told(&stage.notify, ""), &stage.config);
    assert_eq!(stage.next()[0], "READY=1");
    let good = fs::read_to_string(&stage.config).unwrap();
    let failed = "STATUS=the last reload failed, see the log; still in force: mode observe, federations: 1";
    for (text, status) in [(format!("{good}x"), failed), (good, "STATUS=mode observe, federations: 1")] {
        // written beforehand, in one piece: what is seen to change by itself comes after what was asked for
        let other = stage.folder.path().join("other");
        fs::write(&other, text).unwrap();
        let before = monotonic();
        fs::rename(&other, &stage.config).unwrap();
        process.signal(Signal::HUP);
        let begun = stage.next();
        assert_eq!([begun[0].as_str(), begun[2].as_str()], ["RELOADING=1", "STATUS=Reloading"]);
        assert!((before..=monotonic()).contains(&micros(&begun[1])), "{begun:?}");
        assert_eq!(stage.next(), ["READY=1", status]);
    }
    process.signal(Signal::TERM);
    let words = "STATUS=stopping: what is being answered has 10 s to end";
    assert_eq!(stage.next(), ["STOPPING=1", words]);
    assert_eq!(process.ended(), Some(0));
    assert!(stage.has_nothing());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watchdog_is_fed_while_the_service_runs_and_only_by_whom_it_watches() {
    let stage = Stage::new().await;
    let watched = told(&stage.notify, "WATCHDOG_USEC=100000 WATCHDOG_PID=$$");
    let start = monotonic();
    let process = Process::run(watched, &stage.config);
    assert_eq!(stage.next()[0], "READY=1");
    for _ in 0..5 {
        assert_eq!(stage.next(), ["WATCHDOG=1"]);
    }
    // the first at once, the others each half of the time later
    assert!(monotonic() - start >= 4 * 50_000);
    assert!(answers(&process).await);
    drop(process);

    let stage = Stage::new().await;
    let another = told(&stage.notify, "WATCHDOG_USEC=1 WATCHDOG_PID=1");
    let mut process = Process::run(another, &stage.config);
    assert_eq!(stage.next()[0], "READY=1");
    assert!(answers(&process).await);
    process.signal(Signal::TERM);
    assert_eq!(stage.next()[0], "STOPPING=1");
    assert_eq!(process.ended(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_without_a_file_is_told_as_well() {
    let stage = Stage::new().await;
    let name = format!("samlgate-test-{}", std::process::id());
    let listener = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    listener.set_read_timeout(Some(PATIENCE)).unwrap();
    let process = Process::run(told(Path::new(&format!("@{name}")), ""), &stage.config);
    assert_eq!(next(&listener).unwrap()[0], "READY=1");
    assert!(answers(&process).await && stage.has_nothing());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_the_socket_harms_nothing_and_no_socket_says_nothing() {
    let stage = Stage::new().await;
    let nobody = stage.folder.path().join("nobody");
    for (socket, told_of) in [(nobody.as_path(), true), (Path::new(""), false)] {
        let mut process = Process::run(told(socket, "WATCHDOG_USEC=100000"), &stage.config);
        assert!(answers(&process).await);
        process.signal(Signal::HUP);
        process.signal(Signal::TERM);
        assert_eq!(process.ended(), Some(0));
        let mut said = String::new();
        process.log.read_to_string(&mut said).unwrap();
        assert_eq!(said.contains("the service manager was not told"), told_of, "{said}");
    }
    assert!(stage.has_nothing());
}
