//! What the identity provider publishes, compared with what is judged by: whenever either is put in force, not in a pre-flight alone.

use std::iter;

use jiff::Timestamp;

use crate::config::Config;
use crate::doctor::{Case, Diagnosis, Harm, compare};
use crate::dsig::TrustedKey;
use crate::observe::{KnownFederation, Source};
use crate::tenant::{Federation, Sources};
use crate::verdict::Show;

/// The federations as an operator sees them, with the certificates that are published beside those that are judged by.
pub(super) fn known(config: &Config) -> Vec<KnownFederation> {
    let all = with_evidence(config).zip(&config.sources);
    all.map(|((federation, evidence), source)| {
        let metadata = evidence.and_then(|evidence| evidence.metadata.as_ref()).filter(|_| *source != Source::Metadata);
        let published = metadata.iter().flat_map(|metadata| &metadata.signing_certificates);
        let published: Vec<_> = published.filter_map(|der| TrustedKey::from_der(der).ok()).collect();
        let users_made = evidence.and_then(|evidence| evidence.users_made);
        KnownFederation { users_made, ..KnownFederation::of(federation, *source, &published) }
    })
    .collect()
}

/// Tells what stops sign-ins, today or on a day to come, where metadata is at hand. `doctor` tells the rest, and how to mend it.
pub(super) fn tell(config: &Config, now: Timestamp) {
    for (federation, evidence) in with_evidence(config) {
        let Some(sources) = evidence.filter(|evidence| evidence.metadata.is_some()) else { continue };
        let case = Case {
            federation,
            sources,
            root_domains: &[],
            now,
            visit: None,
            seen: &[],
            skew: config.judge.policy.skew,
        };
        for Diagnosis { id, harm, finding, .. } in compare(&case) {
            // an end that is near is worth a line from the first day on
            if matches!(harm, Harm::Everybody | Harm::Imminent | Harm::Soon) || id == "certificate_expires" {
                let finding = finding.to_string_for(Show::Hashed);
                tracing::warn!(federation = federation.name(), id, %harm, finding, "the two sides disagree: `doctor` says more");
            }
        }
    }
}

fn with_evidence(config: &Config) -> impl Iterator<Item = (&Federation, Option<&Sources>)> {
    config.judge.federations.iter().zip(config.evidence.iter().map(Some).chain(iter::repeat(None)))
}
