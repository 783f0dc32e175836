//! Assertions that were used, remembered by several proxies together, in Redis or Valkey.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{
    Client, ConnectionAddr, ConnectionInfo, ErrorKind, ExistenceCheck, IntoConnectionInfo as _, RedisError,
    ServerErrorKind, SetExpiry, SetOptions, TlsCertificates,
};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::expiring::key;

/// How long a store that did not answer is left alone: while it is away, those wait for it who come at the end of each second, and not all.
const PAUSE: Duration = Duration::from_secs(1);
/// Questions that wait for an answer at one time. For one more the store is too slow, and a line in front of it would be longer than
/// anybody is to wait.
pub const QUESTIONS: usize = 128;
/// Between two attempts to connect.
const RECONNECT: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// The store that several proxies share.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `redis://…` or `rediss://…`; it may hold a password, and is never shown.
    pub url: String,
    /// For one question.
    pub timeout: Duration,
    /// Whether a sign-in is rejected when it cannot be asked for.
    pub closed: bool,
    /// In DER: trusted for its TLS beside the roots of this machine.
    pub extra_roots: Vec<Vec<u8>>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("timeout", &self.timeout).field("closed", &self.closed).finish_non_exhaustive()
    }
}

/// The way to that store.
pub struct SharedStore {
    client: Client,
    timeout: Duration,
    state: Mutex<State>,
    questions: Semaphore,
}

struct State {
    link: Arc<Link>,
    /// It is not asked before.
    paused: Option<Instant>,
}

/// A connection, which is made anew by itself when it breaks.
struct Link {
    manager: ConnectionManager,
    /// Connects at once: the first question shall not wait for a handshake, which takes longer than an answer may.
    connecting: JoinHandle<()>,
    since: Instant,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.connecting.abort();
    }
}

impl Link {
    fn new(client: &Client) -> Result<Self, SharedError> {
        let [first, longest] = RECONNECT;
        let config = ConnectionManagerConfig::new()
            .set_min_delay(first)
            .set_max_delay(longest)
            .set_connection_timeout(Some(longest))
            // the question has its own
            .set_response_timeout(None);
        let manager =
            ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(|error| SharedError::of(&error))?;
        let mut connection = manager.clone();
        let connecting = tokio::spawn(async move {
            // whoever asks will hear what came of it
            let _: Result<(), RedisError> = redis::cmd("PING").query_async(&mut connection).await;
        });
        Ok(Self { manager, connecting, since: Instant::now() })
    }

    /// Whether nobody answered for so long that another attempt is better than more patience: the address may lead elsewhere by now.
    fn is_stuck(&self) -> bool {
        let [_, longest] = RECONNECT;
        !self.connecting.is_finished() && self.since.elapsed() > longest
    }
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl SharedStore {
    /// Whether the store is asked by TLS.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn is_secure(settings: &Settings) -> Result<bool, SharedError> {
        Ok(matches!(info(settings)?.addr(), ConnectionAddr::TcpTls { .. }))
    }

    /// The way to a store; `roots` are in PEM and vouch for it where it is asked by TLS. Within a runtime.
    ///
    /// # Errors
    /// What is wrong with the URL or the roots.
    pub fn new(settings: &Settings, roots: Option<&str>) -> Result<Self, SharedError> {
        let info = info(settings)?;
        let client = match roots {
            Some(roots) => {
                let root_cert = Some(roots.as_bytes().to_vec());
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })
            }
            None => Client::open(info),
        };
        let client = client.map_err(|error| SharedError::of(&error))?;
        let link = Arc::new(Link::new(&client)?);
        let state = Mutex::new(State { link, paused: None });
        Ok(Self { client, timeout: settings.timeout, state, questions: Semaphore::new(QUESTIONS) })
    }

    /// Whether this is the first use of an assertion, by whichever proxy; the store keeps it until it ends. All in one step: of two
    /// that ask at one time, one is first. The store learns a digest and nothing else.
    ///
    /// # Errors
    /// The store did not answer in time, or a moment ago, or [`QUESTIONS`] others wait for it.
    pub async fn first_use(
        &self,
        issuer: &str,
        id: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, SharedError> {
        let Ok(_question) = self.questions.try_acquire() else {
            return Err(SharedError(format!("{QUESTIONS} others wait for it")));
        };
        let link = {
            let mut state = self.state();
            if state.paused.is_some_and(|paused| Instant::now() < paused) {
                return Err(SharedError("it did not answer a moment ago".to_owned()));
            }
            if state.link.is_stuck() {
                state.link = Arc::new(Link::new(&self.client)?);
            }
            Arc::clone(&state.link)
        };
        let name =
            key(&[issuer, id]).iter().fold("samlgate:used:".to_owned(), |name, byte| format!("{name}{byte:02x}"));
        let lasting = u64::try_from(until.duration_since(now).as_millis()).unwrap_or(0).max(1);
        let options = SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(SetExpiry::PX(lasting));
        let mut connection = link.manager.clone();
        let mut question = redis::cmd("SET");
        question.arg(name).arg("").arg(options);
        let asked = tokio::time::timeout(self.timeout, question.query_async::<Option<String>>(&mut connection)).await;
        let (answer, elsewhere) = match asked {
            Ok(Ok(set)) => (Ok(set.is_some()), false),
            Ok(Err(error)) => {
                // a master that was made a replica keeps its connections: the new one is behind another
                let demoted = error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
                (Err(SharedError::of(&error)), demoted)
            }
            // so is one that took over from a machine that is silent and not closed
            Err(_) => (Err(SharedError(format!("no answer within {} ms", self.timeout.as_millis()))), true),
        };
        let mut state = self.state();
        state.paused = answer.is_err().then(|| Instant::now() + PAUSE);
        if elsewhere && Arc::ptr_eq(&state.link, &link) {
            state.link = Arc::new(Link::new(&self.client)?);
        }
        answer
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // a panic while the lock was held leaves one state or another behind
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the URL says.
fn info(settings: &Settings) -> Result<ConnectionInfo, SharedError> {
    let info = settings.url.as_str().into_connection_info().map_err(|error| SharedError::of(&error))?;
    match info.addr() {
        ConnectionAddr::TcpTls { insecure: true, .. } => {
            Err(SharedError("expected a server that is verified, got #insecure".to_owned()))
        }
        _ => {
            // it is told no name of a library: a user with few rights may not say it
            let redis = info.redis_settings().clone().set_skip_set_lib_name();
            Ok(info.set_redis_settings(redis))
        }
    }
}

/// Why the store cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("the store of used assertions: {0}")]
pub struct SharedError(String);

impl SharedError {
    fn of(error: &RedisError) -> Self {
        // its own words may quote the URL, and so the password; those of a socket, and of the TLS upon it, do not know it
        let cause = error.is_io_error().then(|| std::error::Error::source(error)).flatten();
        Self(match (error.code(), cause) {
            (Some(code), _) => format!("it answered {code}"),
            (None, Some(cause)) => cause.to_string(),
            (None, None) => error.category().to_owned(),
        })
    }
}
