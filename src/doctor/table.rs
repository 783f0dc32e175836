//! The certificates of a federation, each once: where it is registered, published and was seen.

use jiff::Timestamp;

use super::certificates::published;
use super::days::days_left;
use super::seen::times;
use super::{Case, Seen};
use crate::dsig::{Certificate, TrustedKey};

/// Where a certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Entra holds it as `signingCertificate`.
    Current,
    /// Entra holds it as `nextSigningCertificate`.
    Next,
    /// The metadata of the identity provider has it.
    Published,
    /// Captured sign-ins were signed with it.
    Seen,
}

impl Standing {
    /// The word of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Next => "next",
            Self::Published => "published",
            Self::Seen => "seen",
        }
    }
}

/// A certificate that something is known of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// SHA-1 of its DER, as PowerShell shows it.
    pub thumbprint: String,
    /// The certificate; none where only a thumbprint was captured.
    pub certificate: Option<Certificate>,
    /// Whole days until it ends; negative ones have passed.
    pub days_left: Option<i64>,
    /// Where it stands.
    pub standing: Vec<Standing>,
    /// Sign-ins that it was seen in.
    pub sign_ins: u64,
    /// When it was seen last.
    pub last_seen: Option<Timestamp>,
}

impl Row {
    /// In how many sign-ins it was seen, and when last, in words; none where it was not.
    pub fn seen(&self) -> Option<String> {
        self.standing.contains(&Standing::Seen).then(|| times(self.sign_ins, self.last_seen))
    }

    fn of(now: Timestamp, thumbprint: &str, certificate: Option<&Certificate>) -> Self {
        Self {
            thumbprint: thumbprint.to_owned(),
            certificate: certificate.cloned(),
            days_left: certificate.map(|certificate| days_left(now, certificate.not_after)),
            standing: Vec::new(),
            sign_ins: 0,
            last_seen: None,
        }
    }
}

/// All certificates that are known of a federation: those that are registered first, then those that are only published or seen.
pub fn certificates(case: &Case<'_>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let settings = case.sources.settings.as_ref();
    let first_is_next = settings.is_some_and(|settings| !settings.has_current_certificate);
    let roles = if first_is_next { &[Standing::Next][..] } else { &[Standing::Current, Standing::Next] };
    for (role, key) in roles.iter().zip(&case.federation.keys) {
        stand(&mut rows, case.now, &key.key, *role);
    }
    for key in published(case.sources) {
        stand(&mut rows, case.now, &key, Standing::Published);
    }
    for Seen { thumbprint, sign_ins, last, certificate } in case.seen {
        let new = || Row::of(case.now, thumbprint, certificate.as_ref());
        at(&mut rows, thumbprint, new, |row| {
            row.standing.push(Standing::Seen);
            (row.sign_ins, row.last_seen) = (*sign_ins, *last);
        });
    }
    rows
}

fn stand(rows: &mut Vec<Row>, now: Timestamp, key: &TrustedKey, standing: Standing) {
    let new = || Row::of(now, key.thumbprint(), Some(key.certificate()));
    // metadata may have a certificate twice
    at(rows, key.thumbprint(), new, |row| {
        if !row.standing.contains(&standing) {
            row.standing.push(standing);
        }
    });
}

/// Changes the row of a certificate, a new one where there is none yet.
fn at(rows: &mut Vec<Row>, thumbprint: &str, new: impl FnOnce() -> Row, change: impl FnOnce(&mut Row)) {
    if let Some(row) = rows.iter_mut().find(|row| row.thumbprint == thumbprint) {
        change(row);
    } else {
        let mut row = new();
        change(&mut row);
        rows.push(row);
    }
}
