//! What the service manager is told: that the service is ready, reloads, stops, and still lives (`sd_notify(3)` of systemd).

use std::io;
use std::time::Duration;

/// For the service manager to take one message; it is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whoever supervises the service; nobody, unless the environment names a socket.
#[derive(Debug, Clone, Default)]
pub(super) struct Supervisor {
    socket: Option<socket::Address>,
    /// It takes the service for dead after so long a silence.
    silence: Option<Duration>,
}

impl Supervisor {
    /// As the environment says.
    pub(super) fn of_environment() -> Self {
        let text = |name| std::env::var(name).ok();
        let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Self::default();
        };
        let address = socket::Address::new(&socket);
        if let Err(error) = &address {
            tracing::warn!(%error, "NOTIFY_SOCKET names no socket: the service manager is told nothing");
        }
        let silence = silence(text("WATCHDOG_USEC").as_deref(), text("WATCHDOG_PID").as_deref());
        Self { socket: address.ok(), silence }
    }

    /// The service does its work now, as these words say.
    pub(super) async fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", line(status))).await;
    }

    /// Another configuration is read; [`ready`](Self::ready) says that this is over.
    pub(super) async fn reloading(&self) {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=Reloading", socket::monotonic_micros())).await;
    }

    /// The service comes to its end.
    pub(super) async fn stopping(&self, status: &str) {
        self.tell(&format!("STOPPING=1\nSTATUS={}", line(status))).await;
    }

    /// Says from now on that the service lives, twice in the time that silence may last. Each time this goes the way of any other
    /// work: where the runtime moves nothing any more, nothing is said.
    pub(super) fn keep_alive(&self) {
        let (Some(silence), Some(_)) = (self.silence, &self.socket) else { return };
        let supervisor = self.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(silence / 2);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let supervisor = supervisor.clone();
                // a task of its own, as each connection is
                if tokio::spawn(async move { supervisor.tell("WATCHDOG=1").await }).await.is_err() {
                    return;
                }
            }
        });
    }

    /// A message that is not taken is told of, and changes nothing.
    async fn tell(&self, message: &str) {
        let Some(address) = &self.socket else { return };
        let sent = tokio::time::timeout(PATIENCE, address.send(message)).await;
        let sent = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if let Err(error) = sent {
            let message = message.lines().next();
            tracing::warn!(message_kind = message, %error, "the service manager was not told");
        }
    }
}

/// How long silence may last. A process that inherited the variables from whom they were meant for is not asked.
fn silence(micros: Option<&str>, pid: Option<&str>) -> Option<Duration> {
    if pid.is_some_and(|pid| pid.parse() != Ok(std::process::id())) {
        return None;
    }
    micros?.parse().ok().filter(|micros| *micros > 0).map(Duration::from_micros)
}

/// A message has a line for each thing that it says.
fn line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(unix)]
mod socket {
    use std::ffi::OsStr;
    use std::io;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    /// Where messages go.
    #[derive(Debug, Clone)]
    pub(super) struct Address(SocketAddr);

    impl Address {
        /// A path, or a name without a file after `@`.
        pub(super) fn new(name: &OsStr) -> io::Result<Self> {
            match name.as_bytes() {
                [b'@', rest @ ..] => without_file(rest),
                [b'/', ..] => SocketAddr::from_pathname(name),
                _ => {
                    Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path from the root nor a name after @"))
                }
            }
            .map(Self)
        }

        /// A socket for each message: whoever listens may have come anew.
        pub(super) async fn send(&self, message: &str) -> io::Result<()> {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            socket.connect_addr(&self.0)?;
            // a datagram goes whole or not at all
            tokio::net::UnixDatagram::from_std(socket)?.send(message.as_bytes()).await.map(drop)
        }
    }

    #[cfg(target_os = "linux")]
    fn without_file(name: &[u8]) -> io::Result<SocketAddr> {
        use std::os::linux::net::SocketAddrExt as _;
        SocketAddr::from_abstract_name(name)
    }

    #[cfg(not(target_os = "linux"))]
    fn without_file(_: &[u8]) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The clock by which the service manager orders what happened.
    pub(super) fn monotonic_micros() -> i64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
    }
}

#[cfg(not(unix))]
mod socket {
    use std::ffi::OsStr;
    use std::io;

    /// Where messages go: nowhere, on this system.
    #[derive(Debug, Clone)]
    pub(super) enum Address {}

    impl Address {
        pub(super) fn new(_: &OsStr) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) async fn send(&self, _: &str) -> io::Result<()> {
            match *self {}
        }
    }

    pub(super) fn monotonic_micros() -> i64 {
        0
    }
}

#[cfg(all(test, unix))]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::sync::mpsc;

    use super::*;

    fn supervised(silence: Option<Duration>) -> (tempfile::TempDir, UnixDatagram, Supervisor) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let socket = socket::Address::new(path.as_os_str()).unwrap();
        (folder, listener, Supervisor { socket: Some(socket), silence })
    }

    fn next(listener: &UnixDatagram) -> io::Result<String> {
        let mut bytes = [0; 4096];
        let length = listener.recv(&mut bytes)?;
        Ok(String::from_utf8_lossy(bytes.get(..length).unwrap()).into_owned())
    }

    #[test]
    fn a_runtime_that_stands_still_does_not_say_that_it_lives() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (_folder, listener, supervisor) = supervised(Some(Duration::from_millis(20)));
        let _entered = runtime.enter();
        supervisor.keep_alive();
        for _ in 0..3 {
            assert_eq!(next(&listener).unwrap(), "WATCHDOG=1");
        }
        let (begun, begins) = mpsc::channel();
        let (end, ends) = mpsc::channel::<()>();
        runtime.spawn(async move {
            begun.send(()).unwrap();
            // whoever stalls a thread of the runtime like this is at fault
            ends.recv().unwrap();
        });
        begins.recv().unwrap();
        listener.set_nonblocking(true).unwrap();
        while next(&listener).is_ok() {}
        listener.set_nonblocking(false).unwrap();
        listener.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
        assert!(next(&listener).is_err(), "it said that it lives");
        end.send(()).unwrap();
        listener.set_read_timeout(None).unwrap();
        assert_eq!(next(&listener).unwrap(), "WATCHDOG=1");
    }

    #[tokio::test]
    async fn a_status_is_one_line() {
        let (_folder, listener, supervisor) = supervised(None);
        supervisor.ready("in force\nWATCHDOG=trigger").await;
        assert_eq!(next(&listener).unwrap(), "READY=1\nSTATUS=in force WATCHDOG=trigger");
    }

    #[test]
    fn silence_may_last_as_long_as_this_process_was_told() {
        let own = std::process::id().to_string();
        let five = Some(Duration::from_secs(5));
        assert_eq!(silence(Some("5000000"), Some(own.as_str())), five);
        assert_eq!(silence(Some("5000000"), None), five);
        assert_eq!(silence(Some("5000000"), Some("1")), None);
        assert_eq!(silence(Some("5000000"), Some("")), None);
        assert_eq!([silence(Some("0"), None), silence(Some("soon"), None), silence(None, None)], [None; 3]);
    }

    #[test]
    fn what_is_neither_a_path_nor_a_name_is_no_socket() {
        for name in ["notify", "vsock:2:1", ""] {
            assert!(socket::Address::new(name.as_ref()).is_err(), "{name}");
        }
    }
}
