//! What the Entra of the demonstration is set to expect: two domains, their keys, a few users who are made up.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::DemoError;
use crate::dsig::SigningKey;
use crate::lab::{self, KeyForm};
use crate::mint::{Keys, Minter};
use crate::tenant::{
    Directory, DirectoryBuilder, DomainPolicy, Federation, MfaBehavior, NewUser, Protocol, RegisteredKey,
};

/// Days for which the certificates are valid, and for which the expired one was.
const DAYS: i64 = 365;

/// The federations, and who makes sign-ins to each.
pub(super) struct Tenant {
    pub(super) federations: Vec<Federation>,
    pub(super) minter: Minter,
    pub(super) other: Minter,
}

impl Tenant {
    /// Makes the keys anew, each on a thread of its own: prime numbers take their time.
    pub(super) fn new(now: Timestamp) -> Result<Self, DemoError> {
        let days = |days: i64| now.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(now);
        let (valid, over) = ((days(-1), days(DAYS)), (days(-DAYS), days(-1)));
        let wanted = [("current", valid), ("expired", over), ("stranger", valid), ("other", valid)];
        let made: Vec<_> = std::thread::scope(|scope| {
            let threads = wanted
                .map(|(name, (from, to))| scope.spawn(move || lab::signing_key(KeyForm::Rsa2048, name, from, to)));
            threads.into_iter().map(|thread| thread.join().map_err(|_| DemoError::Thread)).collect()
        });
        let mut keys = made.into_iter().map(|key| Ok::<SigningKey, DemoError>(key??));
        let mut next = || keys.next().ok_or(DemoError::Thread)?;
        let (current, expired, stranger, legacy) = (next()?, next()?, next()?, next()?);

        let users = Arc::new(users()?);
        let federation = |domain: &str, name: &str, keys: Vec<RegisteredKey>| Federation {
            domain: Some(domain.to_owned()),
            root_domain: Some(domain.to_owned()),
            issuer: Some(format!("https://authentik.company/application/saml/{name}/metadata/")),
            keys,
            protocol: Some(Protocol::Saml),
            mfa_behavior: Some(MfaBehavior::AcceptIfMfaDoneByFederatedIdp),
            authn_context: Vec::new(),
            domain_policy: DomainPolicy::All,
            acs: "https://login.microsoftonline.com/login.srf".to_owned(),
            audience: "urn:federation:MicrosoftOnline".to_owned(),
            users: Some(Arc::clone(&users)),
        };
        let registered =
            |key: &SigningKey, pem_in_settings| RegisteredKey { key: key.public().clone(), pem_in_settings };
        let first =
            federation("domain.company", "m365", vec![registered(&current, false), registered(&expired, false)]);
        let second = federation("other.company", "second-tenant", vec![registered(&legacy, true)]);
        let keys = Keys { current, expired: Some(expired), stranger: Some(stranger) };
        Ok(Self {
            minter: Minter::new(first.clone(), keys)?,
            other: Minter::new(second.clone(), Keys { current: legacy, expired: None, stranger: None })?,
            federations: vec![first, second],
        })
    }
}

/// Somebody sound in each domain, and somebody whose account is disabled.
fn users() -> Result<Directory, DemoError> {
    let mut users = DirectoryBuilder::default();
    for (upn, mail, immutable_id, enabled) in [
        ("first.user@domain.company", "first.user@mail.domain.company", "1wfM9xV8fUSHbcAbDlqeOA==", true),
        ("second.user@domain.company", "second.user@mail.domain.company", "dOXSvFiNNkGp34oZsUXbeQ==", true),
        ("disabled.user@domain.company", "disabled.user@mail.domain.company", "ERERESIiM0OERFVVVVVVVQ==", false),
        ("user@other.company", "user@other.company", "WjwfCy6dYE+Ke2xdTj8qGw==", true),
    ] {
        users.push(NewUser {
            upn,
            mail: Some(mail),
            immutable_id: Some(immutable_id),
            account_enabled: Some(enabled),
            ..NewUser::default()
        })?;
    }
    Ok(users.finish().0)
}
