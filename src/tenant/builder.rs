//! A directory in the making: users are added one by one, indexed once.

use super::directory::{Directory, Record, SAME, SEPARATOR, UserType, record_of};

/// A directory in the making.
#[derive(Debug, Default)]
pub struct DirectoryBuilder {
    directory: Directory,
}

/// A user to be added.
#[derive(Clone, Copy, Default)]
pub struct NewUser<'a> {
    /// `userPrincipalName`.
    pub upn: &'a str,
    /// `mail`.
    pub mail: Option<&'a str>,
    /// `onPremisesImmutableId`, as it is: blanks and all.
    pub immutable_id: Option<&'a str>,
    /// `accountEnabled`.
    pub account_enabled: Option<bool>,
    /// `userType`.
    pub user_type: Option<UserType>,
    /// `proxyAddresses`, with `;` or white space between them. Only SMTP addresses are kept.
    pub proxy_addresses: &'a str,
}

impl std::fmt::Debug for NewUser<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewUser({})", crate::personal::Personal::new(self.upn))
    }
}

impl DirectoryBuilder {
    /// An empty one, for an export of about so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        // room that is not used costs address space alone, and goes back in `finish`
        Self { directory: Directory { text: String::with_capacity(bytes), ..Directory::default() } }
    }

    /// Adds a user.
    pub fn push(&mut self, user: NewUser<'_>) -> Result<(), DirectoryError> {
        let Directory { text, records, .. } = &mut self.directory;
        let start = u32::try_from(text.len()).map_err(|_| DirectoryError::Full)?;
        let mail = user.mail.unwrap_or_default();
        let id = user.immutable_id.unwrap_or_default();
        let mut add = |field, value: &str| {
            text.push_str(value);
            u16::try_from(value.len()).ok().filter(|len| *len != SAME).ok_or(DirectoryError::TooLong { field })
        };
        let upn = add("userPrincipalName", user.upn)?;
        let mail_len = if !mail.is_empty() && mail == user.upn { SAME } else { add("mail", mail)? };
        let id = add("onPremisesImmutableId", id)?;
        let before = text.len();
        for address in smtp_addresses(user.proxy_addresses) {
            if !address.eq_ignore_ascii_case(user.upn) && !address.eq_ignore_ascii_case(mail) {
                text.push_str(address);
                text.push(SEPARATOR);
            }
        }
        let proxies =
            u16::try_from(text.len() - before).map_err(|_| DirectoryError::TooLong { field: "proxyAddresses" })?;
        records.push(Record {
            start,
            upn,
            mail: mail_len,
            id,
            proxies,
            account_enabled: user.account_enabled,
            user_type: user.user_type,
        });
        Ok(())
    }

    /// The directory, and the users who share an ImmutableId with an earlier one: how many, and the first such id.
    pub fn finish(mut self) -> (Directory, Duplicates) {
        let directory = &mut self.directory;
        directory.text.shrink_to_fit();
        directory.records.shrink_to_fit();
        let (mut by_id, mut by_address) =
            (std::mem::take(&mut directory.by_id), std::mem::take(&mut directory.by_address));
        for (number, user) in (0u32..).zip(directory.users()) {
            if let Some(id) = user.immutable_id {
                by_id.push(directory.hash(id), number);
            }
            by_address.push(directory.hash(user.upn), number);
            if let Some(mail) = user.mail.filter(|mail| !mail.eq_ignore_ascii_case(user.upn)) {
                by_address.push(directory.hash(mail), number);
            }
            for address in user.proxy_addresses() {
                by_address.push(directory.hash(address), number);
            }
        }
        by_id.finish();
        by_address.finish();
        directory.by_id = by_id;
        directory.by_address = by_address;
        let duplicates = Duplicates::of(directory);
        (self.directory, duplicates)
    }
}

/// The SMTP addresses of a `proxyAddresses` list, without their prefix. Others (X500, SIP, SPO) sign nobody in.
fn smtp_addresses(list: &str) -> impl Iterator<Item = &str> {
    list.split(|c: char| c == ';' || c.is_whitespace()).filter_map(|entry| {
        let address = match entry.split_once(':') {
            Some((kind, address)) if kind.eq_ignore_ascii_case("smtp") => address,
            Some(_) => return None,
            None => entry,
        };
        address.contains('@').then_some(address)
    })
}

/// ImmutableIds that more than one user holds: neither of them can sign in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Duplicates {
    /// How many users hold the id of an earlier one.
    pub count: usize,
    /// One such id.
    pub example: Option<crate::personal::Personal>,
}

impl Duplicates {
    fn of(directory: &Directory) -> Self {
        let mut found = Self::default();
        for group in directory.by_id.groups().filter(|group| group.len() > 1) {
            let mut ids: Vec<_> =
                group.iter().filter_map(|entry| directory.user(record_of(*entry))?.immutable_id).collect();
            ids.sort_unstable();
            for pair in ids.windows(2) {
                if let [a, b] = pair
                    && a == b
                {
                    found.count += 1;
                    found.example.get_or_insert_with(|| crate::personal::Personal::new(*a));
                }
            }
        }
        found
    }
}

/// Why a user cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// A value beyond 65,534 bytes.
    #[error("expected at most 65534 bytes of {field}, got more")]
    TooLong {
        /// The property.
        field: &'static str,
    },
    /// More than 4 GiB of text.
    #[error("expected at most 4 GiB of users, got more")]
    Full,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::directory::{AddressKind, Lookup};
    use super::*;

    fn build(users: &[NewUser<'_>]) -> (Directory, Duplicates) {
        let mut builder = DirectoryBuilder::default();
        users.iter().for_each(|user| builder.push(*user).unwrap());
        builder.finish()
    }

    fn first<'a>() -> NewUser<'a> {
        NewUser {
            upn: "first.user@domain.company",
            mail: Some("first.user@domain.company"),
            immutable_id: Some("1wfM9xV8fUSHbcAbDlqeOA=="),
            account_enabled: Some(true),
            user_type: Some(UserType::Member),
            proxy_addresses: "SMTP:first.user@domain.company;smtp:First@domain.company;X500:/o=a b/cn=c;sip:first@sip.company",
        }
    }

    #[test]
    fn an_id_is_found_byte_by_byte_alone() {
        let second = NewUser { upn: "second.user@domain.company", ..NewUser::default() };
        let (directory, _) = build(&[first(), second]);
        let Lookup::One(user) = directory.lookup("1wfM9xV8fUSHbcAbDlqeOA==") else { unreachable!() };
        assert_eq!((user.upn, user.mail), ("first.user@domain.company", Some("first.user@domain.company")));
        assert_eq!((user.account_enabled, user.user_type), (Some(true), Some(UserType::Member)));
        assert_eq!(user.proxy_addresses().collect::<Vec<_>>(), ["First@domain.company"]);
        for wrong in ["1wfm9xv8fushbcabdlqeoa==", "1wfM9xV8fUSHbcAbDlqeOA", "", " 1wfM9xV8fUSHbcAbDlqeOA=="] {
            assert_eq!(directory.lookup(wrong), Lookup::None);
        }
        assert!(directory.lookup_ignoring_case("1wfm9xv8fushbcabdlqeoa==").is_some());
        assert_eq!(directory.len(), 2);
        assert_eq!(directory.users().nth(1).unwrap().immutable_id, None);
    }

    #[test]
    fn addresses_are_found_whatever_their_letter_case() {
        let second = NewUser {
            upn: "second.user@domain.company",
            mail: Some("FIRST.user@domain.company"),
            ..NewUser::default()
        };
        let (directory, _) = build(&[second, first()]);
        let kind = |text| directory.find_by_address(text).map(|(user, kind)| (user.upn, kind));
        assert_eq!(kind("First.User@domain.company"), Some(("first.user@domain.company", AddressKind::Upn)));
        assert_eq!(kind("first@DOMAIN.company"), Some(("first.user@domain.company", AddressKind::Proxy)));
        assert_eq!(kind("first@sip.company"), None);
        assert_eq!(kind(""), None);
    }

    #[test]
    fn users_who_share_an_id_are_counted_and_named_up_to_a_bound() {
        let upns: Vec<_> = (0..20).map(|n| format!("user{n}@domain.company")).collect();
        let users: Vec<_> = upns
            .iter()
            .map(|upn| NewUser { upn, immutable_id: Some("dOXSvFiNNkGp34oZsUXbeQ=="), ..NewUser::default() })
            .collect();
        let (directory, duplicates) = build(&users);
        assert_eq!(duplicates.count, 19);
        let Lookup::Several(users) = directory.lookup("dOXSvFiNNkGp34oZsUXbeQ==") else { unreachable!() };
        assert_eq!(users.len(), super::super::directory::SEVERAL_MAX);
        assert_eq!(users.first().unwrap().upn, "user0@domain.company");
    }

    #[test]
    fn nothing_that_shows_itself_shows_a_person() {
        let (directory, duplicates) = build(&[first(), first()]);
        let shown =
            format!("{directory:?} {duplicates:?} {:?} {:?}", directory.lookup("1wfM9xV8fUSHbcAbDlqeOA=="), first());
        assert!(!shown.contains("first") && !shown.contains("1wfM"), "{shown}");
    }

    #[test]
    fn a_value_of_absurd_length_is_refused() {
        let long = "x".repeat(70_000);
        let user = NewUser { upn: "first.user@domain.company", immutable_id: Some(&long), ..NewUser::default() };
        let error = DirectoryBuilder::default().push(user).unwrap_err();
        assert_eq!(error, DirectoryError::TooLong { field: "onPremisesImmutableId" });
    }
}
