//! What requests are dealt with by, from one reload to the next. A request takes them once and keeps them.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Settings;
use super::forward::{Forward, UpstreamError};
use super::judging::Inspector;

/// The terms of one time.
pub(super) struct Terms {
    pub(super) settings: Settings,
    pub(super) forward: Forward,
    pub(super) inspector: Inspector,
}

impl Terms {
    /// The first terms.
    pub(super) fn new(settings: Settings, inspector: Inspector) -> Result<Self, UpstreamError> {
        Ok(Self {
            forward: Forward::new(&settings.upstream, settings.ours.clone(), &settings.bounds)?,
            settings,
            inspector,
        })
    }

    /// The terms after `old` ones. What stays the same is kept: connections to the upstream, and sessions of TLS. So are the
    /// bounds, the listener, and the certificate and the users where there are no others.
    async fn after(old: &Self, settings: Settings, inspector: Inspector) -> Result<Self, UpstreamError> {
        let forward = if settings.upstream == old.settings.upstream {
            old.forward.clone()
        } else {
            let forward = Forward::new(&settings.upstream, old.settings.ours.clone(), &old.settings.bounds)?;
            forward.leads_elsewhere().await?;
            forward
        };
        let known = old.settings.certificate.as_ref();
        let certificate = match settings.certificate {
            Some(certificate) => Some(certificate.or_same(known)),
            None => known.cloned(),
        };
        // whoever had to name themselves has to go on doing so: the listener stays where it is, and it may be the network's
        let users = settings.users.or_else(|| old.settings.users.clone());
        let (ours, bounds) = (old.settings.ours.clone(), old.settings.bounds);
        Ok(Self { settings: Settings { certificate, users, ours, bounds, ..settings }, forward, inspector })
    }
}

/// The terms in force.
pub(super) struct InForce(ArcSwap<Terms>);

impl InForce {
    pub(super) fn new(terms: Terms) -> Self {
        Self(ArcSwap::from_pointee(terms))
    }

    /// Those of this moment. Nobody waits for anybody here.
    pub(super) fn now(&self) -> Arc<Terms> {
        self.0.load_full()
    }

    /// Puts other terms in force; whoever took the old ones goes on with them.
    pub(super) async fn replace(&self, settings: Settings, inspector: Inspector) -> Result<(), UpstreamError> {
        let terms = Terms::after(&self.now(), settings, inspector).await?;
        self.0.store(Arc::new(terms));
        Ok(())
    }
}
