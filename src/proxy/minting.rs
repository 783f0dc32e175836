//! The certificate that is shown, minted by a test CA and minted anew before it ends.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::ca::{Authority, AuthorityError};

/// How long a leaf is valid. Short: nobody revokes the certificates of a test.
const LIFE: SignedDuration = SignedDuration::from_hours(72);
/// Age at which a leaf is replaced.
const RENEWED: SignedDuration = SignedDuration::from_hours(48);

/// A certificate that renews itself.
#[derive(Debug)]
pub(super) struct Minting {
    authority: Authority,
    hosts: Vec<String>,
    now: fn() -> Timestamp,
    current: RwLock<Leaf>,
}

#[derive(Debug, Clone)]
struct Leaf {
    certified: Arc<CertifiedKey>,
    /// When to try for another.
    renewal: Timestamp,
}

impl Minting {
    pub(super) fn new(
        authority: Authority,
        hosts: Vec<String>,
        now: fn() -> Timestamp,
    ) -> Result<Self, AuthorityError> {
        let at = now();
        let certified = authority.leaf(&hosts, at, LIFE)?;
        let current = RwLock::new(Leaf { certified, renewal: after(at, RENEWED) });
        Ok(Self { authority, hosts, now, current })
    }

    pub(super) fn current(&self) -> Arc<CertifiedKey> {
        let now = (self.now)();
        let leaf = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        if now < leaf.renewal {
            return leaf.certified;
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // another handshake may have done it meanwhile
        if now >= current.renewal {
            match self.authority.leaf(&self.hosts, now, LIFE) {
                Ok(certified) => *current = Leaf { certified, renewal: after(now, RENEWED) },
                Err(error) => {
                    tracing::error!(%error, "the certificate of the listener cannot be renewed");
                    current.renewal = after(now, SignedDuration::from_mins(1));
                }
            }
        }
        Arc::clone(&current.certified)
    }
}

fn after(instant: Timestamp, duration: SignedDuration) -> Timestamp {
    instant.checked_add(duration).unwrap_or(Timestamp::MAX)
}

impl ResolvesServerCert for Minting {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // whoever asks for another host gets the same, and finds out: the hosts are no secret
        Some(self.current())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// Seconds after the beginning, on the clock of this test.
    static CLOCK: AtomicI64 = AtomicI64::new(0);

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000 + CLOCK.load(Ordering::Relaxed)).unwrap()
    }

    #[test]
    fn a_leaf_is_replaced_before_it_ends_and_kept_when_there_is_no_other() {
        let hosts = vec!["login.microsoftonline.com".to_owned()];
        let created = Authority::create(&hosts, now(), 4).unwrap();
        let authority = Authority::from_pem(created.certificate.as_bytes(), created.key.as_bytes()).unwrap();
        let minting = Minting::new(authority, hosts, now).unwrap();
        let first = minting.current();
        assert!(Arc::ptr_eq(&first, &minting.current()));
        CLOCK.store(RENEWED.as_secs() - 1, Ordering::Relaxed);
        assert!(Arc::ptr_eq(&first, &minting.current()));
        CLOCK.store(RENEWED.as_secs(), Ordering::Relaxed);
        let second = minting.current();
        assert!(!Arc::ptr_eq(&first, &second));
        // the authority itself has ended: what there is, is kept
        CLOCK.store(SignedDuration::from_hours(24 * 5).as_secs(), Ordering::Relaxed);
        assert!(Arc::ptr_eq(&second, &minting.current()));
    }
}
