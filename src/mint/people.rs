//! Users who are made up, for tests without an export of a tenant.

use aws_lc_rs::digest::{SHA256, digest};

use crate::tenant::{Directory, DirectoryBuilder, DirectoryError, NewUser, anchor_text};

/// Why nobody is made up.
pub type PeopleError = DirectoryError;

/// So many users of a domain, whose ImmutableIds are those of GUIDs and follow from the seed; one more whose account is disabled,
/// and one of another domain.
///
/// # Errors
/// When there are more than a directory holds.
pub fn people(domain: &str, count: usize, seed: u64) -> Result<Directory, PeopleError> {
    let mut users = DirectoryBuilder::default();
    let mut add = |upn: &str, enabled: bool| {
        let hash = digest(&SHA256, &[&seed.to_be_bytes(), upn.as_bytes()].concat());
        let id = anchor_text(hash.as_ref().get(..16).unwrap_or_default());
        let mail = upn.replace('@', "@mail.");
        users.push(NewUser {
            upn,
            mail: Some(&mail),
            immutable_id: Some(&id),
            account_enabled: Some(enabled),
            ..NewUser::default()
        })
    };
    for number in 1..=count.max(1) {
        add(&format!("user{number}@{domain}"), true)?;
    }
    add(&format!("disabled.user@{domain}"), false)?;
    add("user@elsewhere.company", true)?;
    Ok(users.finish().0)
}
