//! Assertions that were used, remembered by several proxies together, in Redis or Valkey.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ExistenceCheck, SetExpiry, SetOptions};

use super::expiring::key;

/// How long a store that did not answer is left alone: while it is away, one message a second waits for it, and not each of them.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two attempts to connect.
const RECONNECT: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// The store that several proxies share.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `redis://…`; it may hold a password, and is never shown.
    pub url: String,
    /// For one question.
    pub timeout: Duration,
    /// Whether a sign-in is rejected when it cannot be asked for.
    pub closed: bool,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("timeout", &self.timeout).field("closed", &self.closed).finish_non_exhaustive()
    }
}

/// The way to that store. Connections are made when they are needed, and made again when they break.
pub struct SharedStore {
    connection: ConnectionManager,
    timeout: Duration,
    /// It is not asked before.
    paused: Mutex<Option<Instant>>,
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl SharedStore {
    /// Whether the URL is one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(settings: &Settings) -> Result<(), SharedError> {
        Client::open(settings.url.as_str()).map(drop).map_err(|error| SharedError::of(&error))
    }

    /// The way to a store, which nobody has gone yet.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn new(settings: &Settings) -> Result<Self, SharedError> {
        let client = Client::open(settings.url.as_str()).map_err(|error| SharedError::of(&error))?;
        let [first, longest] = RECONNECT;
        let config = ConnectionManagerConfig::new()
            .set_min_delay(first)
            .set_max_delay(longest)
            .set_connection_timeout(Some(longest))
            .set_response_timeout(Some(settings.timeout));
        let connection = ConnectionManager::new_lazy_with_config(client, config).map_err(|e| SharedError::of(&e))?;
        Ok(Self { connection, timeout: settings.timeout, paused: Mutex::default() })
    }

    /// Whether this is the first use of an assertion, by whichever proxy; the store keeps it until it ends. All in one step: of two
    /// that ask at one time, one is first. The store learns a digest and nothing else.
    ///
    /// # Errors
    /// The store did not answer in time, or a moment ago.
    pub async fn first_use(
        &self,
        issuer: &str,
        id: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, SharedError> {
        if self.paused().is_some_and(|paused| Instant::now() < paused) {
            return Err(SharedError("it did not answer a moment ago".to_owned()));
        }
        let name =
            key(&[issuer, id]).iter().fold("samlgate:used:".to_owned(), |name, byte| format!("{name}{byte:02x}"));
        let lasting = u64::try_from(until.duration_since(now).as_millis()).unwrap_or(0).max(1);
        let options = SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(SetExpiry::PX(lasting));
        let mut connection = self.connection.clone();
        let mut question = redis::cmd("SET");
        question.arg(name).arg("").arg(options);
        let asked = tokio::time::timeout(self.timeout, question.query_async::<Option<String>>(&mut connection)).await;
        let answer = match asked {
            Ok(Ok(set)) => Ok(set.is_some()),
            Ok(Err(error)) => Err(SharedError::of(&error)),
            Err(_) => Err(SharedError(format!("no answer within {} ms", self.timeout.as_millis()))),
        };
        *self.paused() = answer.is_err().then(|| Instant::now() + PAUSE);
        answer
    }

    fn paused(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        // a panic while the lock was held leaves one time or another behind
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the store cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("the store of used assertions: {0}")]
pub struct SharedError(String);

impl SharedError {
    fn of(error: &redis::RedisError) -> Self {
        // its words may quote the URL, and so the password
        Self(match error.code() {
            Some(code) => format!("it answered {code}"),
            None => error.category().to_owned(),
        })
    }
}
