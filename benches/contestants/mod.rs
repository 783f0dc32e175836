//! Programs that are compared: each a process on a core of its own, beside one for those who ask.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::net::{TcpListener, TcpStream};

/// What this process was started for.
pub(crate) enum Part {
    /// To ask, and to start the contestants, on this core where there is one for them alone.
    Compare(Arguments, Option<String>),
    /// To be one of the processes: its name, and what it was given.
    Role(String, Vec<String>),
}

/// The words after the name of the benchmark.
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    /// Those of this process.
    pub(crate) fn given() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// Whether a word is among them.
    pub(crate) fn has(&self, wanted: &str) -> bool {
        self.0.iter().any(|argument| argument == wanted)
    }

    /// The word after this one.
    pub(crate) fn after(&self, wanted: &str) -> Option<&str> {
        let at = self.0.iter().position(|argument| argument == wanted)?;
        self.0.get(at + 1).map(String::as_str)
    }

    /// The rounds, and how long a turn of each contestant is. Without `--bench` this is a test that everything runs.
    pub(crate) fn rounds(&self) -> (usize, Duration) {
        match (self.has("--bench"), self.has("--quick")) {
            (true, false) => (40, Duration::from_millis(500)),
            (true, true) => (10, Duration::from_millis(300)),
            _ => (1, Duration::from_millis(100)),
        }
    }
}

/// Finds out what this process is to do. Where there are two cores it starts itself once more on one of them, waits, and gives back nothing.
pub(crate) fn part() -> Option<Part> {
    let arguments = Arguments::given();
    if let Some(at) = arguments.0.iter().position(|argument| argument == "--role") {
        let rest = arguments.0.get(at + 2..).unwrap_or_default().to_vec();
        return Some(Part::Role(arguments.0[at + 1].clone(), rest));
    }
    if arguments.has("--core") {
        let core = arguments.after("--core").map(str::to_owned);
        return Some(Part::Compare(arguments, core));
    }
    let Some([load, contestant]) = cores() else { return Some(Part::Compare(arguments, None)) };
    let mut again = on(Some(&load), &std::env::current_exe().unwrap());
    again.args(&arguments.0).args(["--core", &contestant]);
    assert!(again.status().unwrap().success());
    None
}

/// Binds a port, says which, and is there until its standard input ends.
pub(crate) async fn play<F: Future<Output = ()> + Send + 'static>(role: impl FnOnce(TcpListener) -> F) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    tokio::spawn(role(listener));
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
}

/// The two cores that this process may run on, as `taskset` takes them: one for the load, one for whom it is put on.
pub(crate) fn cores() -> Option<[String; 2]> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let number = |text: &str| text.trim().parse::<u32>().ok();
    let mut all = list.split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(number(first)?..=number(last)?)
    });
    let mut all = all.by_ref().flatten().map(|core| core.to_string());
    Some([all.next()?, all.next()?]).filter(|_| Path::new(TASKSET).exists())
}

const TASKSET: &str = "/usr/bin/taskset";

/// The program on the core; where there is none for it alone, wherever it comes to run.
pub(crate) fn on(core: Option<&str>, program: &Path) -> Command {
    let Some(core) = core else { return Command::new(program) };
    let mut command = Command::new(TASKSET);
    command.args(["-c", core]).arg(program);
    command
}

/// A process that ends with this value.
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Drop for Process {
    fn drop(&mut self) {
        // whoever has workers of its own takes them along only when it is asked
        let asked = Pid::from_child(&self.child);
        rustix::process::kill_process(asked, Signal::TERM).ok();
        for _ in 0..50 {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Process {
    /// This benchmark once more, in a role.
    pub(crate) fn role(name: &str, core: Option<&str>, arguments: &[&str]) -> Self {
        let mut child = on(core, &std::env::current_exe().unwrap())
            .args(["--role", name])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: (Ipv4Addr::LOCALHOST, line.trim().parse().unwrap()).into() }
    }

    /// A program that listens on a port that it is told.
    pub(crate) async fn program(command: &mut Command, address: SocketAddr) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut process = Self { child, address };
        for _ in 0..500 {
            if TcpStream::connect(address).await.is_ok() {
                return process;
            }
            if process.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic_with(&format!("{command:?} does not listen"))
    }

    /// Processor time of the threads of the process and of its children so far, in microseconds. To be compared while none of them ends,
    /// or else by [`Process::cpu_of_all`].
    pub(crate) fn cpu(&self) -> f64 {
        let threads = self
            .family()
            .flat_map(|(pid, _)| numbered(&format!("/proc/{pid}/task")).filter_map(move |thread| nanos(pid, thread)));
        let sum: f64 = threads.sum();
        assert!(sum > 0.0, "the system does not say what threads took");
        sum / 1e3
    }

    /// The same with all that have ended, which the system counts in hundredths of a second alone: a tenth of a short turn.
    pub(crate) fn cpu_of_all(&self) -> f64 {
        self.family().map(|(_, stat)| stat.micros(4)).sum()
    }

    /// The process and its children.
    fn family(&self) -> impl Iterator<Item = (u32, Stat)> + use<> {
        let root = self.child.id();
        let all = numbered("/proc").filter_map(|pid| Some((pid, Stat::of(pid)?)));
        all.filter(move |(pid, stat)| *pid == root || stat.parent() == root)
    }

    /// Resident memory in MB.
    pub(crate) fn resident(&self) -> f64 {
        resident_of(self.child.id()).unwrap()
    }
}

#[expect(clippy::panic, reason = "benchmark")]
fn panic_with(text: &str) -> ! {
    panic!("{text}")
}

/// A port that is free now.
pub(crate) fn free() -> SocketAddr {
    StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// What the system says of a process (`proc_pid_stat(5)`), also of one that has ended and was not waited for: the fields behind its name.
struct Stat(Vec<String>);

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Self(stat.rsplit_once(')')?.1.split_ascii_whitespace().map(str::to_owned).collect()))
    }

    fn parent(&self) -> u32 {
        self.0[1].parse().unwrap()
    }

    /// Processor time so far in microseconds: the sum of so many of its own by user and system, and its ended children's by both.
    fn micros(&self, counts: usize) -> f64 {
        let ticks: f64 = self.0[11..11 + counts].iter().map(|field| field.parse::<f64>().unwrap()).sum();
        ticks * 10_000.0
    }
}

/// The entries of a folder that have a number for a name.
fn numbered(folder: &str) -> impl Iterator<Item = u32> + use<> {
    std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Processor time of a thread so far, in nanoseconds.
fn nanos(pid: u32, thread: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat")).ok()?;
    stat.split_ascii_whitespace().next()?.parse().ok()
}

/// Processor time of a process so far, in microseconds.
pub(crate) fn cpu_of(pid: u32) -> Option<f64> {
    Stat::of(pid).map(|stat| stat.micros(2))
}

/// Whether a process has ended and was not waited for.
pub(crate) fn has_ended(pid: u32) -> bool {
    Stat::of(pid).is_some_and(|stat| stat.0[0] == "Z")
}

/// Resident memory of a process in MB.
pub(crate) fn resident_of(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_ascii_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}
