//! The users of a tenant, looked up by ImmutableId and by address, in as little memory as a million of them need.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

use crate::personal::Personal;

/// How many users one lookup names, when several hold the same ImmutableId.
pub const SEVERAL_MAX: usize = 8;

/// The users of a tenant.
///
/// All texts lie in one arena; a user is 16 bytes of offsets into it. The two indexes are sorted arrays of a keyed hash and a
/// user: some hundred bytes of memory a user in all, and no allocation in a lookup that finds one.
#[derive(Default, Clone)]
pub struct Directory {
    pub(super) text: String,
    pub(super) records: Vec<Record>,
    pub(super) by_id: Index,
    pub(super) by_address: Index,
    pub(super) hasher: RandomState,
}

/// Lengths of the texts of one user, which lie one after the other in the arena.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) start: u32,
    pub(super) upn: u16,
    /// [`SAME`]: equal to the UPN, and not stored.
    pub(super) mail: u16,
    pub(super) id: u16,
    pub(super) proxies: u16,
    pub(super) account_enabled: Option<bool>,
    pub(super) user_type: Option<UserType>,
}

/// Length of a mail address that equals the UPN.
pub(super) const SAME: u16 = u16::MAX;

/// Between proxy addresses in the arena.
pub(super) const SEPARATOR: char = '\n';

/// Users by hash: the hash in the upper half, the number of the user in the lower, sorted.
#[derive(Default, Clone)]
pub(super) struct Index(Vec<u64>);

impl Index {
    pub(super) fn push(&mut self, hash: u32, record: u32) {
        self.0.push(u64::from(hash) << 32 | u64::from(record));
    }

    pub(super) fn finish(&mut self) {
        self.0.sort_unstable();
        self.0.shrink_to_fit();
    }

    /// The numbers of the users with this hash, in the order of the file.
    fn with_hash(&self, hash: u32) -> impl Iterator<Item = u32> + '_ {
        let first = self.0.partition_point(|entry| hash_of(*entry) < hash);
        self.0.iter().skip(first).take_while(move |entry| hash_of(**entry) == hash).map(|entry| record_of(*entry))
    }

    /// Groups of users whose hashes are equal.
    pub(super) fn groups(&self) -> impl Iterator<Item = &[u64]> {
        self.0.chunk_by(|a, b| hash_of(*a) == hash_of(*b))
    }
}

fn hash_of(entry: u64) -> u32 {
    u32::try_from(entry >> 32).unwrap_or_default()
}

pub(super) fn record_of(entry: u64) -> u32 {
    u32::try_from(entry & 0xffff_ffff).unwrap_or_default()
}

/// `userType` of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserType {
    /// Somebody of the organisation.
    Member,
    /// Somebody who was invited; the home tenant signs them in.
    Guest,
}

/// One user. `Debug` shows hashes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct User<'a> {
    /// `userPrincipalName`.
    pub upn: &'a str,
    /// `mail`.
    pub mail: Option<&'a str>,
    /// `onPremisesImmutableId`; none where it is absent, null or empty.
    pub immutable_id: Option<&'a str>,
    /// `accountEnabled`, where the export has it.
    pub account_enabled: Option<bool>,
    /// `userType`, where the export has it.
    pub user_type: Option<UserType>,
    proxies: &'a str,
}

impl<'a> User<'a> {
    /// The SMTP addresses of `proxyAddresses` that are neither UPN nor mail, without their prefix.
    pub fn proxy_addresses(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.proxies.split(SEPARATOR).filter(|address| !address.is_empty())
    }

    /// Which address of this user equals the text but for letter case.
    fn address_kind(&self, text: &str) -> Option<AddressKind> {
        let is = |address: &str| address.eq_ignore_ascii_case(text);
        if is(self.upn) {
            Some(AddressKind::Upn)
        } else if self.mail.is_some_and(is) {
            Some(AddressKind::Mail)
        } else {
            self.proxy_addresses().any(is).then_some(AddressKind::Proxy)
        }
    }
}

impl fmt::Debug for User<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("upn", &Personal::new(self.upn))
            .field("mail", &self.mail.map(Personal::new))
            .field("immutable_id", &self.immutable_id.map(Personal::new))
            .field("account_enabled", &self.account_enabled)
            .field("user_type", &self.user_type)
            .finish_non_exhaustive()
    }
}

/// Which users hold an ImmutableId.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// Nobody.
    None,
    /// Exactly one, as it must be.
    One(User<'a>),
    /// More than one, in the order of the file; the first [`SEVERAL_MAX`] of them.
    Several(Vec<User<'a>>),
}

/// Which of a user's addresses was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressKind {
    /// `userPrincipalName`.
    Upn,
    /// `mail`.
    Mail,
    /// One of `proxyAddresses`.
    Proxy,
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upn => "user principal name (UPN)",
            Self::Mail => "mail address",
            Self::Proxy => "proxy address",
        })
    }
}

impl Directory {
    /// The users who hold this ImmutableId, compared byte by byte as Entra does. Nobody holds the empty one.
    pub fn lookup(&self, immutable_id: &str) -> Lookup<'_> {
        let mut found =
            self.with_id_like(immutable_id).filter(|user| user.immutable_id == Some(immutable_id)).take(SEVERAL_MAX);
        let Some(first) = found.next() else { return Lookup::None };
        match found.next() {
            None => Lookup::One(first),
            Some(second) => Lookup::Several([first, second].into_iter().chain(found).collect()),
        }
    }

    /// The first user whose ImmutableId equals this one but for ASCII letter case.
    pub(super) fn lookup_ignoring_case(&self, immutable_id: &str) -> Option<User<'_>> {
        self.with_id_like(immutable_id)
            .find(|user| user.immutable_id.is_some_and(|id| id.eq_ignore_ascii_case(immutable_id)))
    }

    fn with_id_like(&self, immutable_id: &str) -> impl Iterator<Item = User<'_>> {
        self.by_id.with_hash(self.hash(immutable_id)).filter_map(|record| self.user(record))
    }

    /// The user with this address, ignoring ASCII letter case: a UPN goes before a mail address, that before a proxy address.
    pub fn find_by_address(&self, text: &str) -> Option<(User<'_>, AddressKind)> {
        self.by_address
            .with_hash(self.hash(text))
            .filter_map(|record| self.user(record))
            .filter_map(|user| Some((user, user.address_kind(text)?)))
            .min_by_key(|(_, kind)| *kind)
    }

    /// Every user, in the order of the file.
    pub fn users(&self) -> impl ExactSizeIterator<Item = User<'_>> {
        self.records.iter().map(|record| self.read(record))
    }

    /// The user at this place of the file, from 0.
    pub fn user_at(&self, place: usize) -> Option<User<'_>> {
        self.records.get(place).map(|record| self.read(record))
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no user.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn user(&self, record: u32) -> Option<User<'_>> {
        Some(self.read(self.records.get(record as usize)?))
    }

    fn read(&self, record: &Record) -> User<'_> {
        let mut at = record.start as usize;
        let mut next = |len: u16| {
            let text = self.text.get(at..at + usize::from(len)).unwrap_or_default();
            at += text.len();
            text
        };
        let upn = next(record.upn);
        let mail = if record.mail == SAME { upn } else { next(record.mail) };
        let id = next(record.id);
        let proxies = next(record.proxies);
        let given = |text: &'_ str| !text.is_empty();
        User {
            upn,
            mail: Some(mail).filter(|mail| given(mail)),
            immutable_id: Some(id).filter(|id| given(id)),
            account_enabled: record.account_enabled,
            user_type: record.user_type,
            proxies,
        }
    }

    /// A keyed hash of the text in lower case, so that one index finds what is equal and what is equal but for letter case.
    pub(super) fn hash(&self, text: &str) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        for piece in text.as_bytes().chunks(64) {
            let mut lower = [0; 64];
            for (to, from) in lower.iter_mut().zip(piece) {
                *to = from.to_ascii_lowercase();
            }
            hasher.write(lower.get(..piece.len()).unwrap_or_default());
        }
        u32::try_from(hasher.finish() >> 32).unwrap_or_default()
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Directory({} users)", self.len())
    }
}
