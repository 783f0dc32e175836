//! Users by object id, so that what changed can be merged: 16 bytes a user beside the directory.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::builder::{DirectoryBuilder, DirectoryError, NewUser};
use super::directory::{Directory, User, UserType};

/// The object id of a user, a GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId([u8; 16]);

impl ObjectId {
    /// Reads 32 hexadecimal digits with or without dashes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let mut digits = text.bytes().filter(|byte| *byte != b'-').map(|byte| char::from(byte).to_digit(16));
        for byte in &mut bytes {
            let (high, low) = (digits.next()??, digits.next()??);
            *byte = u8::try_from(high << 4 | low).ok()?;
        }
        digits.next().is_none().then_some(Self(bytes))
    }
}

/// What is said of one user: everything, or what changed. The outer `None` is "not said", the inner one "there is none".
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Said<'a> {
    /// `userPrincipalName`.
    pub upn: Option<Cow<'a, str>>,
    /// `mail`.
    pub mail: Option<Option<Cow<'a, str>>>,
    /// `onPremisesImmutableId`.
    pub immutable_id: Option<Option<Cow<'a, str>>>,
    /// `accountEnabled`.
    pub account_enabled: Option<Option<bool>>,
    /// `userType`.
    pub user_type: Option<Option<UserType>>,
    /// `proxyAddresses`, with `;` between them.
    pub proxy_addresses: Option<String>,
}

impl std::fmt::Debug for Said<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Said({:?})", self.upn.as_deref().map(crate::personal::Personal::new))
    }
}

impl Said<'_> {
    fn owned(self) -> Said<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Said {
            upn: self.upn.map(own),
            mail: self.mail.map(|mail| mail.map(own)),
            immutable_id: self.immutable_id.map(|id| id.map(own)),
            account_enabled: self.account_enabled,
            user_type: self.user_type,
            proxy_addresses: self.proxy_addresses,
        }
    }

    /// As a user, over what was known of one.
    fn push(&self, known: Option<&User<'_>>, builder: &mut DirectoryBuilder) -> Result<(), RosterError> {
        let upn = self.upn.as_deref().or(known.map(|user| user.upn)).ok_or(RosterError::Unknown)?;
        let text = |said: &Option<Option<Cow<'_, str>>>| said.as_ref().map(|said| said.as_deref().map(str::to_owned));
        let mail = text(&self.mail).unwrap_or_else(|| known.and_then(|user| user.mail).map(str::to_owned));
        let id =
            text(&self.immutable_id).unwrap_or_else(|| known.and_then(|user| user.immutable_id).map(str::to_owned));
        let kept = || known.map(|user| joined(user)).unwrap_or_default();
        let user = NewUser {
            upn,
            mail: mail.as_deref(),
            immutable_id: id.as_deref(),
            account_enabled: self.account_enabled.unwrap_or_else(|| known.and_then(|user| user.account_enabled)),
            user_type: self.user_type.unwrap_or_else(|| known.and_then(|user| user.user_type)),
            proxy_addresses: &self.proxy_addresses.clone().unwrap_or_else(kept),
        };
        Ok(builder.push(user)?)
    }

    /// What is said later, over what was said before.
    fn then(&mut self, later: Self) {
        fn over<T>(before: &mut Option<T>, later: Option<T>) {
            if later.is_some() {
                *before = later;
            }
        }
        over(&mut self.upn, later.upn);
        over(&mut self.mail, later.mail);
        over(&mut self.immutable_id, later.immutable_id);
        over(&mut self.account_enabled, later.account_enabled);
        over(&mut self.user_type, later.user_type);
        over(&mut self.proxy_addresses, later.proxy_addresses);
    }
}

/// The addresses that a directory keeps: an address that equalled the UPN is not among them, and is lost when the UPN changes
/// and the addresses are said not to.
fn joined(user: &User<'_>) -> String {
    user.proxy_addresses().collect::<Vec<_>>().join(";")
}

fn push_whole(user: &User<'_>, builder: &mut DirectoryBuilder) -> Result<(), DirectoryError> {
    builder.push(NewUser {
        upn: user.upn,
        mail: user.mail,
        immutable_id: user.immutable_id,
        account_enabled: user.account_enabled,
        user_type: user.user_type,
        proxy_addresses: &joined(user),
    })
}

/// Users and their object ids.
#[derive(Debug, Clone)]
pub struct Roster {
    /// In the order of the directory.
    ids: Arc<[ObjectId]>,
    directory: Arc<Directory>,
}

impl Roster {
    /// The users.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// The roster after these changes. This one stays as it is: whoever judges by it is not disturbed.
    ///
    /// # Errors
    /// A user is too large, or what changed was never told whole.
    pub fn merged(&self, changes: Changes) -> Result<Self, RosterError> {
        let mut said = changes.0;
        let mut builder = DirectoryBuilder::default();
        let mut ids = Vec::with_capacity(self.ids.len() + said.len());
        for (id, user) in self.ids.iter().zip(self.directory.users()) {
            match said.remove(id) {
                None => push_whole(&user, &mut builder)?,
                Some(Some(said)) => said.push(Some(&user), &mut builder)?,
                Some(None) => continue,
            }
            ids.push(*id);
        }
        let mut new: Vec<_> = said.into_iter().filter_map(|(id, said)| Some((id, said?))).collect();
        new.sort_unstable_by_key(|(id, _)| *id);
        for (id, said) in new {
            said.push(None, &mut builder)?;
            ids.push(id);
        }
        Ok(Self { ids: ids.into(), directory: Arc::new(builder.finish().0) })
    }
}

/// A roster in the making.
#[derive(Debug, Default)]
pub struct RosterBuilder {
    ids: Vec<ObjectId>,
    builder: DirectoryBuilder,
}

impl RosterBuilder {
    /// Adds a user.
    ///
    /// # Errors
    /// The user is too large, or has no UPN.
    pub fn push(&mut self, id: ObjectId, said: &Said<'_>) -> Result<(), RosterError> {
        said.push(None, &mut self.builder)?;
        self.ids.push(id);
        Ok(())
    }

    /// How many were added.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether nobody was added.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The roster. Whoever moved from one page to another while they were read, and came twice, is taken once.
    ///
    /// # Errors
    /// A user is too large.
    pub fn finish(mut self) -> Result<Roster, RosterError> {
        let mut order: Vec<(ObjectId, usize)> = self.ids.iter().copied().zip(0..).collect();
        order.sort_unstable();
        let earlier = order.windows(2).filter_map(|pair| match pair {
            [(a, at), (b, _)] if a == b => Some(*at),
            _ => None,
        });
        let earlier: HashSet<usize> = earlier.collect();
        drop(order);
        let mut directory = self.builder.finish().0;
        if !earlier.is_empty() {
            let mut builder = DirectoryBuilder::default();
            for (at, user) in directory.users().enumerate() {
                if !earlier.contains(&at) {
                    push_whole(&user, &mut builder)?;
                }
            }
            directory = builder.finish().0;
            let mut at = 0..;
            self.ids.retain(|_| at.next().is_none_or(|at| !earlier.contains(&at)));
        }
        Ok(Roster { ids: self.ids.into(), directory: Arc::new(directory) })
    }
}

/// What changed, by user; none for one who was removed.
#[derive(Debug, Default)]
pub struct Changes(HashMap<ObjectId, Option<Said<'static>>>);

impl Changes {
    /// Something is said of a user.
    pub fn say(&mut self, id: ObjectId, said: Said<'_>) {
        match self.0.get_mut(&id) {
            Some(Some(before)) => before.then(said.owned()),
            _ => _ = self.0.insert(id, Some(said.owned())),
        }
    }

    /// A user was removed.
    pub fn remove(&mut self, id: ObjectId) {
        self.0.insert(id, None);
    }

    /// How many users changed.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why users cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// A user that the directory cannot hold.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A user of whom nothing is known but a change.
    #[error("expected a user with userPrincipalName, got one without")]
    Unknown,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::directory::Lookup;
    use super::*;

    fn id(number: u8) -> ObjectId {
        ObjectId::parse(&format!("00000000-0000-4000-8000-0000000000{number:02x}")).unwrap()
    }

    fn said(upn: &str, immutable_id: &str) -> Said<'static> {
        Said {
            upn: Some(upn.to_owned().into()),
            mail: Some(Some(upn.to_owned().into())),
            immutable_id: Some(Some(immutable_id.to_owned().into())),
            account_enabled: Some(Some(true)),
            user_type: Some(None),
            proxy_addresses: Some(format!("SMTP:{upn};smtp:other.{upn}")),
        }
    }

    fn roster() -> Roster {
        let mut builder = RosterBuilder::default();
        for (number, name) in [(1, "first"), (2, "second"), (3, "third")] {
            builder.push(id(number), &said(&format!("{name}.user@domain.company"), name)).unwrap();
        }
        builder.finish().unwrap()
    }

    #[test]
    fn an_object_id_is_a_guid() {
        assert_eq!(ObjectId::parse("00000000000040008000000000000001"), Some(id(1)));
        for wrong in ["", "1", "00000000-0000-4000-8000-0000000000", "00000000-0000-4000-8000-00000000000g"] {
            assert_eq!(ObjectId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_change_leaves_alone_what_it_does_not_say() {
        let before = roster();
        let mut changes = Changes::default();
        changes.say(id(1), Said { account_enabled: Some(Some(false)), ..Said::default() });
        changes.say(id(1), Said { immutable_id: Some(Some("anew".into())), ..Said::default() });
        changes.say(id(2), Said { mail: Some(None), ..Said::default() });
        changes.remove(id(3));
        changes.remove(id(9));
        changes.say(id(4), said("fourth.user@domain.company", "fourth"));
        let after = before.merged(changes).unwrap();
        let of = |key: &str| match after.directory.lookup(key) {
            Lookup::One(user) => Some((user.upn, user.mail, user.account_enabled, user.proxy_addresses().count())),
            _ => None,
        };
        let first = "first.user@domain.company";
        assert_eq!(of("anew"), Some((first, Some(first), Some(false), 1)));
        assert_eq!(of("second"), Some(("second.user@domain.company", None, Some(true), 1)));
        assert_eq!((of("first"), of("third")), (None, None));
        assert!(of("fourth").is_some());
        assert_eq!((after.directory.len(), before.directory.len()), (3, 3));
    }

    #[test]
    fn who_comes_twice_is_taken_once_as_said_last() {
        let mut builder = RosterBuilder::default();
        builder.push(id(1), &said("first.user@domain.company", "old")).unwrap();
        builder.push(id(2), &said("second.user@domain.company", "second")).unwrap();
        builder.push(id(1), &said("first.user@domain.company", "new")).unwrap();
        let roster = builder.finish().unwrap();
        assert_eq!((roster.directory.len(), roster.ids.as_ref()), (2, [id(2), id(1)].as_slice()));
        assert_eq!(roster.directory.lookup("old"), Lookup::None);
        assert!(matches!(roster.directory.lookup("new"), Lookup::One(_)));
    }

    #[test]
    fn a_change_of_somebody_unknown_is_no_user() {
        let mut changes = Changes::default();
        changes.say(id(9), Said { mail: Some(None), ..Said::default() });
        assert_eq!(roster().merged(changes).unwrap_err(), RosterError::Unknown);
    }
}
