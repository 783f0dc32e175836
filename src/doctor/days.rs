//! The days that are left of the registered certificates: the fewer, the worse.

use jiff::{SignedDuration, Timestamp};

use super::certificates::base64;
use super::command::{quoted, update};
use super::{Case, Diagnosis, Harm};
use crate::dsig::{Certificate, TrustedKey};

/// Entra looks for a new certificate in the metadata 30 days before the old one ends.
const EARLY: SignedDuration = days(30);
/// The harm of an end that is nearer than this.
const STAGES: [(SignedDuration, Harm); 3] = [(days(3), Harm::Imminent), (days(14), Harm::Soon), (EARLY, Harm::Around)];

const fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count * 24)
}

pub(super) fn examine(case: &Case<'_>, published: &[TrustedKey], found: &mut Vec<Diagnosis>) {
    let held: Vec<&Certificate> = case.federation.keys.iter().map(|key| key.key.certificate()).collect();
    found.extend(held.iter().filter(|certificate| certificate.not_before > case.now).map(|certificate| {
        let finding = format!("a registered certificate is not valid before {}", certificate.not_before);
        let mend = "check the clock of the machine that made it; sign with it only from that day on";
        Diagnosis::new("certificate_not_yet_valid", Harm::Around, finding).entra(of(certificate)).mend(mend)
    }));
    let lasts = |certificate: &Certificate| stage(case.now, certificate).is_none();
    if held.iter().any(|certificate| lasts(certificate)) {
        found.extend(current(case, &held));
    } else if let Some(last) = held.iter().max_by_key(|certificate| certificate.not_after) {
        let published: Vec<&Certificate> = published.iter().map(TrustedKey::certificate).collect();
        found.push(all(case, &held, last, &published));
    }
}

/// None of those that are registered lasts.
fn all(case: &Case<'_>, held: &[&Certificate], last: &Certificate, published: &[&Certificate]) -> Diagnosis {
    let left = days_left(case.now, last.not_after);
    let (id, finding) = if last.not_after < case.now {
        // whether Entra refuses is not documented, so nobody may count on either
        ("certificate_expired", format!("every registered certificate has expired, the last one {} days ago", -left))
    } else {
        (
            "certificate_expires",
            format!("every registered certificate ends within {} days, and no later one is registered", left + 1),
        )
    };
    let mend = match published.iter().find(|next| stage(case.now, next).is_none()) {
        Some(next) => update(case.domain(), &format!("-NextSigningCertificate {}", quoted(&base64(next)))),
        None => format!(
            "make a new signing certificate at the identity provider, then {}",
            update(case.domain(), "-NextSigningCertificate with base64 of its DER")
        ),
    };
    let several = |all: &[&Certificate]| all.iter().map(|one| of(one)).collect::<Vec<_>>().join("; ");
    let provider = if published.is_empty() { "no metadata was given".to_owned() } else { several(published) };
    let harm = stage(case.now, last).unwrap_or(Harm::Around);
    Diagnosis::new(id, harm, finding).entra(several(held)).provider(provider).mend(mend)
}

/// The current one ends and the next one lasts: it is the identity provider that must change, unless it was seen to have done so.
fn current(case: &Case<'_>, held: &[&Certificate]) -> Option<Diagnosis> {
    let (current, next) = (held.first()?, held.get(1)?);
    let harm = match stage(case.now, current)? {
        Harm::Imminent => Harm::Soon,
        _ => Harm::Around,
    };
    let last_seen = case.seen.iter().max_by_key(|seen| seen.last);
    if last_seen.is_some_and(|seen| seen.thumbprint == next.thumbprint()) {
        return None;
    }
    let left = days_left(case.now, current.not_after);
    let finding = match left {
        ..0 => format!("the current certificate has expired {} days ago; the next one lasts", -left),
        _ => format!("the current certificate ends within {} days; the next one lasts", left + 1),
    };
    let mend = format!(
        "let the identity provider sign with {} (authentik: Signing Certificate of the provider), after samlgate rollover rehearse --key",
        next.thumbprint()
    );
    Some(
        Diagnosis::new("certificate_current_ends", harm, finding)
            .entra(format!("current {}; next {}", of(current), of(next)))
            .mend(mend),
    )
}

/// How much harm it does that a certificate ends when it does; none where that is far away.
fn stage(now: Timestamp, certificate: &Certificate) -> Option<Harm> {
    let left = certificate.not_after.duration_since(now);
    STAGES.into_iter().find(|(within, _)| left < *within).map(|(_, harm)| harm)
}

fn of(certificate: &Certificate) -> String {
    format!("{}, until {}", certificate.subject, certificate.not_after)
}

/// Whole days from now; negative ones have passed.
pub(super) fn days_left(now: Timestamp, then: Timestamp) -> i64 {
    then.duration_since(now).as_secs().div_euclid(86_400)
}
