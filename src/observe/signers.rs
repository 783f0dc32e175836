//! When each registered certificate last verified a sign-in: whether the identity provider has changed to the next one yet.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use prometheus::{Error, IntGauge, IntGaugeVec, Opts, Registry};

use super::family::register;
use super::label::Role;
use super::setup::Setup;

/// `certificate_last_verified_timestamp_seconds`, where there is no series before the first sign-in.
pub(super) struct Signers {
    family: IntGaugeVec,
    /// The registered certificates that are in force.
    known: ArcSwap<Vec<Signer>>,
}

struct Signer {
    domain: Arc<str>,
    role: Role,
    thumbprint: Arc<str>,
    /// Seconds since 1970; 0 before the first time.
    last: AtomicI64,
    gauge: OnceLock<IntGauge>,
}

impl Signers {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let help = "When a sign-in was last verified by a registered certificate, by federation and role.";
        let opts = Opts::new("certificate_last_verified_timestamp_seconds", help).namespace("samlgate");
        let family = register(registry, IntGaugeVec::new(opts, &["federation", "role"])?)?;
        Ok(Self { family, known: ArcSwap::default() })
    }

    /// Another setup is in force: a certificate that stays keeps its time, though its role may be another one.
    pub(super) fn set(&self, setup: &Setup) {
        let before = self.known.load_full();
        for signer in before.iter() {
            // an error says that there is none
            let _ = self.family.remove_label_values(&signer.labels());
        }
        let registered = setup.federations.iter().flat_map(|federation| {
            let held = federation.certificates.iter().filter(|certificate| certificate.source == federation.source);
            held.map(|certificate| (&federation.domain, certificate))
        });
        let new: Vec<Signer> = registered
            .map(|(domain, certificate)| {
                let known = before.iter().find(|known| known.is(domain, &certificate.thumbprint));
                let signer = Signer {
                    domain: Arc::clone(domain),
                    role: certificate.role,
                    thumbprint: Arc::clone(&certificate.thumbprint),
                    last: AtomicI64::new(0),
                    gauge: OnceLock::new(),
                };
                signer.verified(&self.family, known.map_or(0, |known| known.last.load(Ordering::Relaxed)));
                signer
            })
            .collect();
        self.known.store(Arc::new(new));
    }

    /// A sign-in was verified.
    pub(super) fn verified(&self, domain: &str, thumbprint: &str, now: Timestamp) {
        let known = self.known.load();
        // the same certificate may be the current one and the next one
        for signer in known.iter().filter(|signer| signer.is(domain, thumbprint)) {
            signer.verified(&self.family, now.as_second());
        }
    }

    /// When that was last, of a certificate.
    pub(super) fn last(&self, domain: &str, thumbprint: &str) -> Option<Timestamp> {
        let known = self.known.load();
        let last = known.iter().find(|signer| signer.is(domain, thumbprint))?.last.load(Ordering::Relaxed);
        Timestamp::from_second(last).ok().filter(|_| last > 0)
    }
}

impl Signer {
    fn is(&self, domain: &str, thumbprint: &str) -> bool {
        &*self.domain == domain && &*self.thumbprint == thumbprint
    }

    fn labels(&self) -> [&str; 2] {
        [&self.domain, self.role.as_str()]
    }

    fn verified(&self, family: &IntGaugeVec, second: i64) {
        // of several at once the latest counts
        if second > self.last.fetch_max(second, Ordering::Relaxed) {
            self.gauge.get_or_init(|| family.with_label_values(&self.labels())).set(second);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::label::Source;
    use super::super::setup::{KnownCertificate, KnownFederation};
    use super::*;

    fn setup(certificates: &[(Source, Role, &str)]) -> Setup {
        let known = |(source, role, thumbprint): &(Source, Role, &str)| KnownCertificate {
            source: *source,
            role: *role,
            thumbprint: (*thumbprint).into(),
            not_after: Timestamp::UNIX_EPOCH,
        };
        let federation = KnownFederation {
            domain: "domain.company".into(),
            issuer: String::new(),
            source: Source::Settings,
            certificates: certificates.iter().map(known).collect(),
            users: None,
            users_made: None,
        };
        Setup { federations: vec![federation], ..Setup::default() }
    }

    /// The series, as `role value`.
    fn series(registry: &Registry) -> Vec<String> {
        let families = registry.gather();
        let all = families.iter().flat_map(|family| family.get_metric());
        let text = |series: &prometheus::proto::Metric| {
            let role = series.get_label().iter().find(|label| label.name() == "role").unwrap();
            format!("{} {}", role.value(), series.get_gauge().get_value())
        };
        all.map(text).collect()
    }

    #[test]
    fn a_certificate_keeps_its_time_when_its_role_changes() {
        use Role::{Current, Next};
        use Source::{Metadata, Settings};
        let registry = Registry::new();
        let signers = Signers::new(&registry).unwrap();
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        signers.set(&setup(&[(Settings, Current, "A"), (Settings, Next, "B"), (Metadata, Current, "C")]));
        assert_eq!(series(&registry), Vec::<String>::new());
        for (thumbprint, second) in [("B", 7), ("C", 8), ("D", 9)] {
            signers.verified("domain.company", thumbprint, at(second));
        }
        signers.verified("other.company", "A", at(10));
        // judged on another core, and told later
        signers.verified("domain.company", "B", at(6));
        assert_eq!(series(&registry), ["next 7"]);
        signers.set(&setup(&[(Settings, Current, "B"), (Settings, Next, "E")]));
        assert_eq!(series(&registry), ["current 7"]);
        assert_eq!(signers.last("domain.company", "B"), Some(at(7)));
        assert_eq!(signers.last("domain.company", "E"), None);
        signers.set(&setup(&[]));
        assert_eq!(series(&registry), Vec::<String>::new());
    }
}
