//! What a visit at the URL of the metadata tells: whether Entra could take the next certificate from there, and what time it is there.

use jiff::{SignedDuration, Timestamp};

use super::{Case, Diagnosis, Harm};
use crate::verdict::Code;

/// Seconds that a clock may be off before it is worth a word.
const CLOCK_OFF: SignedDuration = SignedDuration::from_secs(60);
/// Days before its end from which a certificate is worth a look.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A visit at the URL of the metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The URL.
    pub url: String,
    /// What came of it.
    pub met: Met,
    /// The clock there less the clock here, where it was told.
    pub clock_offset: Option<SignedDuration>,
    /// The last instant of the certificate that TLS was spoken with.
    pub certificate_until: Option<Timestamp>,
}

/// What was met at a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Met {
    /// The metadata of an identity provider.
    Metadata,
    /// Something else; what, in words.
    SomethingElse(String),
    /// Somebody whom nobody vouches for.
    Unverified(String),
    /// Somebody who speaks only TLS 1.1 or older.
    OldTls,
    /// Nobody.
    Nobody(String),
}

pub(super) fn examine(case: &Case<'_>, found: &mut Vec<Diagnosis>) {
    let Some(visit) = case.visit else { return };
    found.extend(clock(visit, case.skew));
    found.extend(unavailable(visit));
    found.extend(ends_soon(visit, case.now));
}

fn clock(visit: &Visit, skew: SignedDuration) -> Option<Diagnosis> {
    let offset = visit.clock_offset?;
    let off = offset.abs();
    let (harm, code) = if off > skew {
        (Harm::Everybody, Some(Code::AssertionInvalid))
    } else if off > CLOCK_OFF {
        (Harm::Around, None)
    } else {
        return None;
    };
    let way = if offset.is_negative() { "behind" } else { "ahead" };
    let finding = format!("the clock of the identity provider is {} s {way}", off.as_secs());
    let mut diagnosis = Diagnosis::new("clock_offset", harm, finding)
        .entra(format!("a skew of {} s is taken, from the clock of this machine", skew.as_secs()))
        .provider(format!("Date of {}", visit.url))
        .mend("let both machines follow a time server: timedatectl set-ntp true (in a container, the clock is its host's)");
    diagnosis.code = code;
    Some(diagnosis)
}

/// Entra takes certificates from a URL that it can reach and verify, and from no other.
fn unavailable(visit: &Visit) -> Option<Diagnosis> {
    let (id, finding, provider, mend) = match &visit.met {
        Met::Metadata => return None,
        Met::Nobody(why) => (
            "metadata_unreachable",
            "nothing answers at the URL of the metadata, so the next certificate cannot be taken from there",
            why.as_str(),
            "look at the name, the port and the way there; where only Entra cannot reach it, put the next certificate into nextSigningCertificate by hand before the change",
        ),
        Met::Unverified(why) => (
            "metadata_tls",
            "nobody vouches for the server of the metadata, so the next certificate cannot be taken from there",
            why.as_str(),
            "give that server a certificate of a public CA, with its whole chain; a CA of your own goes into `metadata_ca`, which Entra does not know",
        ),
        Met::OldTls => (
            "metadata_tls",
            "the server of the metadata speaks only an old TLS, so the next certificate cannot be taken from there",
            "TLS 1.1 or older",
            "let that server speak TLS 1.2",
        ),
        Met::SomethingElse(what) => (
            "metadata_unreadable",
            "what is at the URL of the metadata does not read as such, so the next certificate cannot be taken from there",
            what.as_str(),
            "take the download URL of the metadata, which needs no sign-in (authentik: provider > Metadata)",
        ),
    };
    Some(Diagnosis::new(id, Harm::Soon, finding).provider(format!("{}: {provider}", visit.url)).mend(mend))
}

fn ends_soon(visit: &Visit, now: Timestamp) -> Option<Diagnosis> {
    let until = visit.certificate_until.filter(|until| until.duration_since(now) < SOON)?;
    let days = until.duration_since(now).as_hours().div_euclid(24).max(0);
    Some(
        Diagnosis::new(
            "metadata_tls_expires",
            Harm::Soon,
            format!("the TLS certificate of the metadata's server ends in {days} days"),
        )
        .provider(format!("{}: valid until {until}", visit.url))
        .mend("renew it: after that day the next signing certificate cannot be taken from there"),
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::tenant::{Federation, Sources};

    fn found(change: impl FnOnce(&mut Visit)) -> Vec<(&'static str, Harm)> {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let mut visit = Visit {
            url: "https://authentik.company/metadata/".to_owned(),
            met: Met::Metadata,
            clock_offset: Some(SignedDuration::from_secs(-60)),
            certificate_until: Some(now + SignedDuration::from_hours(24 * 30)),
        };
        change(&mut visit);
        let (federation, sources) = (Federation::default(), Sources::default());
        let skew = SignedDuration::from_mins(5);
        let case = Case {
            federation: &federation,
            sources: &sources,
            root_domains: &[],
            now,
            visit: Some(&visit),
            seen: &[],
            skew,
        };
        let mut found = Vec::new();
        examine(&case, &mut found);
        assert!(found.iter().all(|diagnosis| !diagnosis.mend.to_string_for(crate::verdict::Show::Hashed).is_empty()));
        found.iter().map(|diagnosis| (diagnosis.id, diagnosis.harm)).collect()
    }

    #[test]
    fn each_fault_of_a_visit_has_its_name() {
        let off = |seconds| move |visit: &mut Visit| visit.clock_offset = Some(SignedDuration::from_secs(seconds));
        let met = |met| move |visit: &mut Visit| visit.met = met;
        let why = || "why".to_owned();
        assert_eq!(found(|_| {}), []);
        assert_eq!(found(off(61)), [("clock_offset", Harm::Around)]);
        assert_eq!(found(off(-300)), [("clock_offset", Harm::Around)]);
        assert_eq!(found(off(301)), [("clock_offset", Harm::Everybody)]);
        assert_eq!(found(off(-301)), [("clock_offset", Harm::Everybody)]);
        assert_eq!(found(met(Met::Nobody(why()))), [("metadata_unreachable", Harm::Soon)]);
        assert_eq!(found(met(Met::Unverified(why()))), [("metadata_tls", Harm::Soon)]);
        assert_eq!(found(met(Met::OldTls)), [("metadata_tls", Harm::Soon)]);
        assert_eq!(found(met(Met::SomethingElse(why()))), [("metadata_unreadable", Harm::Soon)]);
        let sooner = |visit: &mut Visit| {
            visit.certificate_until = visit.certificate_until.map(|until| until - SignedDuration::from_secs(1));
        };
        assert_eq!(found(sooner), [("metadata_tls_expires", Harm::Soon)]);
    }
}
