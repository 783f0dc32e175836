//! The real program under what happens to processes: full disks, sudden ends, signals, a log that nobody reads.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::bench::{Answer, Client, FORM, HOST_NAME, PATIENCE, Record, full, posted, upstream};
use super::post;

/// `samlgate serve`, usually without TLS.
pub(super) struct Process {
    child: Child,
    pub(super) reverse: SocketAddr,
    admin: SocketAddr,
    /// Where nobody has read further than needed.
    pub(super) log: BufReader<ChildStderr>,
}

impl Process {
    pub(super) fn start(folder: &Path, settings: &str, upstream: SocketAddr) -> Self {
        Self::start_with(folder, settings, "tls = false\n", upstream)
    }

    /// The same; `listen` ends that section, and may begin others.
    pub(super) fn start_with(folder: &Path, settings: &str, listen: &str, upstream: SocketAddr) -> Self {
        let config = configured(folder, settings, listen, upstream);
        let mut command = Command::new("sh");
        // a file that may not grow is an error then, as on a disk, and not a signal
        command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
        Self::run(command, &config)
    }

    /// The same by a command of the caller's, to which the program and its arguments are added.
    pub(super) fn run(mut command: Command, config: &Path) -> Self {
        let mut child = command
            .arg(assert_cmd::cargo::cargo_bin!("samlgate"))
            .args(["serve", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let serving = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "{said}");
            said.push_str(&line);
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"] == "serving" {
                break line;
            }
        };
        let address = |key: &str| serving[key].as_str().unwrap().parse().unwrap();
        Self { child, reverse: address("reverse"), admin: address("admin"), log }
    }

    /// Resident memory in MB.
    pub(super) fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_ascii_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub(super) async fn client(&self) -> Client {
        let stream = TcpStream::connect(self.reverse).await.unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Client::Http1(sender)
    }

    async fn metric(&self, name: &str) -> u64 {
        let stream = TcpStream::connect(self.admin).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = hyper::Request::get("/metrics").header("host", "localhost").body(full("")).unwrap();
        let answer = Answer::of(sender.send_request(request).await.unwrap()).await;
        let line = answer.body.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse().unwrap()
    }

    /// Bytes that any of its files may grow to.
    fn files_up_to(&self, bytes: Option<u64>) {
        prlimit(Some(self.pid()), Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
    }

    /// Waits for its end, and gives the code.
    pub(super) fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::yield_now();
        }
    }
}

/// Writes a configuration.
pub(super) fn configured(folder: &Path, settings: &str, listen: &str, upstream: SocketAddr) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let config = folder.join("samlgate.toml");
    let text = format!(
        "environment = \"test\"\n{settings}\n[listen]\nreverse = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n{listen}\
         [upstream]\nurl = \"http://{upstream}\"\n[[federation]]\ndomain = \"domain.company\"\n\
         issuer = \"https://authentik.company/application/saml/m365/metadata/\"\ncertificates = [{:?}]\n",
        fixtures.join("certificates/current.cer")
    );
    fs::write(&config, text).unwrap();
    config
}

impl Drop for Process {
    fn drop(&mut self) {
        // nothing to do when it has ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An upstream, and the place of a proxy before it.
pub(super) struct Stage {
    folder: TempDir,
    pub(super) record: Record,
    upstream: SocketAddr,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let record = Record::default();
        let upstream = upstream(Arc::clone(&record), None).await;
        Self { folder: tempfile::tempdir().unwrap(), record, upstream }
    }

    fn start(&self, settings: &str) -> Process {
        Process::start(self.folder.path(), settings, self.upstream)
    }

    /// Writes a configuration without settings of its own.
    pub(super) fn configured(&self) -> PathBuf {
        configured(self.folder.path(), "", "tls = false\n", self.upstream)
    }

    fn capture(&self) -> PathBuf {
        self.folder.path().join("verdicts.jsonl")
    }

    /// Every line, each of which is whole.
    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.capture()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).map_err(|_| line.to_owned()).unwrap()).collect()
    }

    fn verdicts(&self) -> usize {
        self.lines().iter().filter(|line| line["type"] == "verdict").count()
    }
}

async fn sign_in(client: &mut Client) -> StatusCode {
    client.send(post("/login.srf"), full(&posted("sound_and_strict"))).await.status
}

const CAPTURE: &str = "[capture]\nfile = \"verdicts.jsonl\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_lines_and_no_traffic_and_recovers() {
    let stage = Stage::new().await;
    let process = stage.start(CAPTURE);
    let mut client = process.client().await;
    assert_eq!(sign_in(&mut client).await, StatusCode::OK);
    // not enough for two verdicts: the second one is cut in the middle
    process.files_up_to(Some(5_000));
    let lose = async {
        while process.metric("samlgate_capture_dropped_total").await < 3 {
            assert_eq!(sign_in(&mut client).await, StatusCode::OK);
        }
    };
    tokio::time::timeout(PATIENCE, lose).await.unwrap();
    let before = stage.verdicts();
    assert!(fs::metadata(stage.capture()).unwrap().len() <= 5_000);

    process.files_up_to(None);
    let recover = async {
        while stage.verdicts() == before {
            assert_eq!(sign_in(&mut client).await, StatusCode::OK);
        }
    };
    tokio::time::timeout(PATIENCE, recover).await.unwrap();
    process.signal(Signal::TERM);
    let mut process = process;
    assert_eq!(process.ended(), Some(0));
    let said: Vec<String> = process.log.by_ref().lines().map(Result::unwrap).collect();
    let told = said.iter().filter(|line| line.contains("the capture is not written as it should be")).count();
    assert_eq!(told, 1, "{said:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_enforce_nobody_is_answered_without_a_durable_verdict() {
    let stage = Stage::new().await;
    let process = stage.start(&format!("mode = \"enforce\"\n{CAPTURE}durable = true\n"));
    let mut client = process.client().await;
    let answered = sign_in(&mut client).await;
    assert!(matches!(answered, StatusCode::OK | StatusCode::FORBIDDEN), "{answered}");
    assert_eq!(stage.verdicts(), 1);
    process.files_up_to(Some(fs::metadata(stage.capture()).unwrap().len() + 100));
    let forwarded = stage.record.lock().unwrap().len();
    for _ in 0..3 {
        assert_eq!(sign_in(&mut client).await, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(stage.record.lock().unwrap().len(), forwarded);
    // what is not judged goes on
    let visit = client.send(hyper::Request::get("/").header("host", HOST_NAME), full("")).await;
    assert_eq!(visit.status, StatusCode::OK);
    process.files_up_to(None);
    assert_ne!(sign_in(&mut client).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(stage.verdicts(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sudden_end_costs_half_a_line_at_most() {
    let stage = Stage::new().await;
    let process = stage.start(CAPTURE);
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = process.client().await;
        for _ in 0..5 {
            assert_eq!(sign_in(&mut client).await, StatusCode::OK);
        }
        clients.push(client);
    }
    process.signal(Signal::KILL);
    drop(process);
    let whole = stage.verdicts();
    // as if it had ended while it wrote
    let mut file = fs::OpenOptions::new().append(true).open(stage.capture()).unwrap();
    std::io::Write::write_all(&mut file, b"{\"type\":\"verdict\",\"time\":\"2026-").unwrap();

    let mut process = stage.start(CAPTURE);
    assert_eq!(sign_in(&mut process.client().await).await, StatusCode::OK);
    process.signal(Signal::TERM);
    assert_eq!(process.ended(), Some(0));
    assert_eq!(stage.verdicts(), whole + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_the_end_is_in_the_capture() {
    const POSTS: usize = 40;
    let stage = Stage::new().await;
    let mut process = stage.start(CAPTURE);
    let mut client = process.client().await;
    for _ in 0..POSTS {
        assert_eq!(sign_in(&mut client).await, StatusCode::OK);
    }
    process.signal(Signal::TERM);
    assert_eq!(process.ended(), Some(0));
    assert_eq!(stage.verdicts(), POSTS);
    assert_eq!(stage.lines().len(), POSTS * 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_holds_up_nobody() {
    const POSTS: usize = 250;
    let stage = Stage::new().await;
    // nothing is answered there before its line is written
    let mut process = stage.start("mode = \"enforce\"\n");
    let mut client = process.client().await;
    // more than twice what a pipe holds
    let post = async {
        for _ in 0..POSTS {
            // expired by now: a rejection is the longest line
            assert_eq!(sign_in(&mut client).await, StatusCode::FORBIDDEN);
        }
    };
    tokio::time::timeout(PATIENCE * 2, post).await.unwrap();
    process.signal(Signal::TERM);
    assert_eq!(process.ended(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_grace_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(folder.path(), "", listener.local_addr().unwrap());
    let mut client = TcpStream::connect(process.reverse).await.unwrap();
    let request =
        format!("POST /login.srf HTTP/1.1\r\nHost: {HOST_NAME}\r\nContent-Type: {FORM}\r\nContent-Length: 1\r\n\r\nx");
    client.write_all(request.as_bytes()).await.unwrap();
    // the upstream has it, and never answers
    let (mut asked, _) = listener.accept().await.unwrap();
    assert!(asked.read(&mut [0; 100]).await.unwrap() > 0);
    process.signal(Signal::TERM);
    let mut line = String::new();
    while !line.contains("stopping") {
        line.clear();
        assert!(process.log.read_line(&mut line).unwrap() > 0);
    }
    let start = Instant::now();
    process.signal(Signal::INT);
    assert_eq!(process.ended(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// A disk of its own, mounted where only the program sees it.
#[cfg(target_os = "linux")]
struct Disk {
    folder: PathBuf,
    stage: Stage,
}

#[cfg(target_os = "linux")]
impl Disk {
    /// The program on a disk of these options, or none where nothing may be mounted.
    async fn with(options: &str, settings: &str) -> Option<(Self, Process)> {
        let may_mount = Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success());
        if !may_mount {
            return None;
        }
        let stage = Stage::new().await;
        let folder = stage.folder.path().join("disk");
        fs::create_dir(&folder).unwrap();
        let settings = format!("{settings}[capture]\nfile = \"disk/verdicts.jsonl\"\n");
        let config = configured(stage.folder.path(), &settings, "tls = false\n", stage.upstream);
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", "mount -t tmpfs -o \"$0\" none \"$1\" && shift && exec \"$@\"", options]);
        command.arg(&folder);
        Some((Self { folder, stage }, Process::run(command, &config)))
    }

    fn remount(&self, process: &Process, options: &str) {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &process.child.id().to_string(), "mount", "-o"]);
        let status = command.arg(format!("remount,{options}")).arg(&self.folder).status();
        assert!(status.unwrap().success());
    }

    /// Every line, each of which is whole.
    fn lines(&self, process: &Process) -> usize {
        let file = self.folder.join("verdicts.jsonl");
        let seen = Path::new("/proc").join(process.child.id().to_string()).join("root");
        let Ok(text) = fs::read_to_string(seen.join(file.strip_prefix("/").unwrap())) else { return 0 };
        assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{text}");
        text.lines().count()
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_small_disk_that_is_full_and_grows_is_written_again() {
    let Some((disk, process)) = Disk::with("size=16k", "").await else { return };
    let mut client = process.client().await;
    let lose = async {
        while process.metric("samlgate_capture_dropped_total").await < 5 {
            assert_eq!(sign_in(&mut client).await, StatusCode::OK);
        }
    };
    tokio::time::timeout(PATIENCE, lose).await.unwrap();
    let before = disk.lines(&process);
    assert!(before > 0);
    disk.remount(&process, "size=1m");
    let recover = async {
        while disk.lines(&process) <= before {
            assert_eq!(sign_in(&mut client).await, StatusCode::OK);
        }
    };
    tokio::time::timeout(PATIENCE, recover).await.unwrap();
    assert!(disk.stage.record.lock().unwrap().len() > before / 2);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_read_only_at_the_start_stops_nobody() {
    let Some((disk, process)) = Disk::with("size=1m,ro", "").await else { return };
    let mut client = process.client().await;
    let lose = async {
        while process.metric("samlgate_capture_dropped_total").await < 5 {
            assert_eq!(sign_in(&mut client).await, StatusCode::OK);
        }
    };
    tokio::time::timeout(PATIENCE, lose).await.unwrap();
    assert_eq!(disk.lines(&process), 0);
    disk.remount(&process, "rw");
    let recover = async {
        while disk.lines(&process) == 0 {
            assert_eq!(sign_in(&mut client).await, StatusCode::OK);
        }
    };
    tokio::time::timeout(PATIENCE, recover).await.unwrap();
}

/// Neither the configuration, nor its problems, nor the log at its loudest shows the password of the store.
#[tokio::test(flavor = "multi_thread")]
async fn the_password_of_the_store_is_nowhere_to_be_read() {
    const PASSWORD: &str = "not-for-anybody";
    let stage = Stage::new().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for scheme in ["redis", "rediss"] {
        let store = format!("{scheme}://samlgate:{PASSWORD}@{nobody}/0");
        let mut process = stage.start(&format!("[log]\nlevel = \"trace\"\n[replay]\nstore = \"{store}\"\n"));
        let mut client = process.client().await;
        // one of now: an old one is not asked for
        let mut mint = Command::new(assert_cmd::cargo::cargo_bin!("samlgate"));
        mint.current_dir(&stage.folder).args(["mint", "--config", "samlgate.toml", "--format", "form", "--key"]);
        let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/keys/current.pem");
        let form = String::from_utf8(mint.arg(key).output().unwrap().stdout).unwrap();
        assert_eq!(client.send(post("/login.srf"), full(form.trim())).await.status, StatusCode::OK);
        let counted = async {
            while process.metric("samlgate_replay_store_errors_total").await != 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, counted).await.unwrap();
        process.signal(Signal::TERM);
        assert_eq!(process.ended(), Some(0));
        let mut said = String::new();
        process.log.read_to_string(&mut said).unwrap();
        assert!(said.contains("an assertion was not asked for") && !said.contains(PASSWORD), "{said}");
    }
    let broken = format!("[replay]\nstore = \"redis://samlgate:{PASSWORD}@127.0.0.1:x/0\"\n");
    let insecure = format!("[replay]\nstore = \"rediss://samlgate:{PASSWORD}@127.0.0.1/0#insecure\"\n");
    for settings in [broken, insecure] {
        let config = configured(stage.folder.path(), &settings, "tls = false\n", stage.upstream);
        let mut check = Command::new(assert_cmd::cargo::cargo_bin!("samlgate"));
        let checked = check.args(["config", "check", "-v"]).arg(config).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
        assert!(!checked.status.success() && said.contains("`replay.store`") && !said.contains(PASSWORD), "{said}");
    }
}
