//! Where used assertions are remembered: `[replay]` resolved.

use std::time::Duration;

use super::file::{OnError, ReplayTable};
use super::problem::Problems;
use super::resolve::{Folder, roots};
use crate::replay::{Settings, SharedStore};

/// For one question.
const TIMEOUT: Duration = Duration::from_millis(20);

/// The store that several proxies share; none where each remembers for itself.
pub(super) fn resolve(
    table: &ReplayTable,
    folder: &Folder,
    problems: &mut Problems<'_>,
    notes: &mut Vec<String>,
) -> Option<Settings> {
    let timeout = table.timeout.as_ref().map_or(Ok(TIMEOUT), |written| Duration::try_from(written.value.0));
    let timeout = timeout.unwrap_or_default();
    if let (true, Some(written)) = (timeout.is_zero(), &table.timeout) {
        problems.push(Some(written.at.clone()), "`replay.timeout`: expected more than 0", None);
    }
    let Some(store) = table.store.as_ref().filter(|store| store.value.reveal() != "memory") else {
        if table.on_error.is_some() || table.timeout.is_some() || table.ca.is_some() {
            notes.push(
                "`replay.on_error`, `replay.timeout` and `replay.ca` do nothing: the memory of this process always answers"
                    .to_owned(),
            );
        }
        return None;
    };
    let closed = table.on_error == Some(OnError::FailClosed);
    let extra_roots = table.ca.as_ref().map_or_else(Vec::new, |ca| roots("replay.ca", ca, folder, problems));
    let settings = Settings { url: store.value.reveal().to_owned(), timeout, closed, extra_roots };
    match SharedStore::is_secure(&settings) {
        Ok(secure) => {
            if let (false, Some(ca)) = (secure, &table.ca) {
                let cause = "`replay.ca`: expected a store that is asked by TLS, got one that is not";
                problems.push(Some(ca.at.clone()), cause, Some("write rediss:// instead of redis://".to_owned()));
            }
        }
        Err(error) => {
            // what was written is not shown: it may hold a password
            let hint = "as in store = \"rediss://redis.domain.company:6379/0\", or store = \"memory\"".to_owned();
            problems.push(Some(store.at.clone()), format!("`replay.store`: {error}"), Some(hint));
        }
    }
    Some(settings)
}
