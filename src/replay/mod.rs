//! What was seen before: assertions that were used, and requests on their way to the identity provider. In memory, exact, bounded; and
//! assertions in a store that several proxies share, too.

mod assertions;
mod expiring;
mod requests;
mod shared;

pub use assertions::ReplayStore;
pub use requests::Requests;
pub use shared::{QUESTIONS, Settings, SharedError, SharedStore};

use jiff::Timestamp;

use crate::check::{Memory, Seen, Use};

/// Everything that is remembered between two messages.
#[derive(Debug, Default)]
pub struct Remembered {
    /// Assertions that were used.
    pub assertions: ReplayStore,
    /// Requests that passed.
    pub requests: Requests,
}

impl Memory for Remembered {
    fn assertion(&self, issuer: &str, id: &str, until: Timestamp, now: Timestamp) -> Use {
        self.assertions.first_use(issuer, id, until, now)
    }

    fn request(&self, id: &str, answered: bool, now: Timestamp) -> Seen {
        if answered { self.requests.answered(id, now) } else { self.requests.seen(id, now) }
    }
}
