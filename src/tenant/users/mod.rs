//! An export of users as PowerShell or Graph writes it -> [`Directory`]: finds out which format it is.

mod csv_table;
mod error;
mod json;
mod note;

pub use error::UsersError;
pub use note::{Note, NoteKind};

use self::note::Tally;
use super::builder::{DirectoryBuilder, NewUser};
use super::directory::{Directory, UserType};
use crate::file_text;

/// A directory, and what is to be said of the export that it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The users.
    pub directory: Directory,
    /// What a reader of the export should know; empty when all is well.
    pub notes: Vec<Note>,
}

impl Directory {
    /// Reads an export of users: CSV (`Export-Csv`, the portal), Graph JSON (one page, several, an array of pages),
    /// `ConvertTo-Json` (an array or one object), JSON lines; UTF-8 or UTF-16. Columns and keys may come in any order and
    /// letter case.
    pub fn load(bytes: &[u8]) -> Result<Loaded, UsersError> {
        let text = file_text::decode(bytes)?;
        let mut sink = Sink { builder: DirectoryBuilder::with_capacity(text.len()), ..Sink::default() };
        match text.trim_start().chars().next() {
            None => return Err(UsersError::Empty),
            Some('{' | '[') => json::read(&text, &mut sink)?,
            Some('<') => return Err(UsersError::Form("markup, as of a web page or of Export-Clixml")),
            Some(_) => csv_table::read(&text, &mut sink)?,
        }
        let (directory, duplicates) = sink.builder.finish();
        if directory.is_empty() {
            return Err(UsersError::NoUsers);
        }
        let notes = sink.tally.into_notes(directory.len(), duplicates);
        Ok(Loaded { directory, notes })
    }
}

/// Where readers put what they read.
#[derive(Default)]
struct Sink {
    builder: DirectoryBuilder,
    tally: Tally,
}

impl Sink {
    fn push(&mut self, user: NewUser<'_>) -> Result<(), UsersError> {
        self.tally.count(&user);
        Ok(self.builder.push(user)?)
    }
}

/// A property of a user that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Property {
    Upn,
    Mail,
    ImmutableId,
    AccountEnabled,
    /// The opposite of `accountEnabled`, in exports of the old MSOnline module.
    BlockCredential,
    UserType,
    ProxyAddresses,
}

impl Property {
    /// The names that exports give to properties, in lower case without blanks, dashes and underscores.
    const NAMES: [(&str, Self); 13] = [
        ("userprincipalname", Self::Upn),
        ("upn", Self::Upn),
        ("mail", Self::Mail),
        ("email", Self::Mail),
        ("emailaddress", Self::Mail),
        ("onpremisesimmutableid", Self::ImmutableId),
        ("immutableid", Self::ImmutableId),
        ("sourceanchor", Self::ImmutableId),
        ("accountenabled", Self::AccountEnabled),
        ("blockcredential", Self::BlockCredential),
        ("usertype", Self::UserType),
        ("proxyaddresses", Self::ProxyAddresses),
        ("proxyaddress", Self::ProxyAddresses),
    ];

    /// The property of a JSON key.
    fn of_key(key: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, property)| *property)
    }

    /// The property of a column, as `On-premises immutable ID` or `User principal name [userPrincipalName]`.
    fn of_column(column: &str) -> Option<Self> {
        let bracketed = column.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(name, _)| name);
        let name: String =
            bracketed.unwrap_or(column).chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '_')).collect();
        Self::of_key(&name)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Upn => "userPrincipalName",
            Self::Mail => "mail",
            Self::ImmutableId => "onPremisesImmutableId",
            Self::AccountEnabled => "accountEnabled",
            Self::BlockCredential => "blockCredential",
            Self::UserType => "userType",
            Self::ProxyAddresses => "proxyAddresses",
        }
    }
}

/// `True`, `False`, or nothing; `Err` for anything else.
fn truth(text: &str) -> Result<Option<bool>, ()> {
    match text.trim() {
        "" => Ok(None),
        yes if yes.eq_ignore_ascii_case("true") => Ok(Some(true)),
        no if no.eq_ignore_ascii_case("false") => Ok(Some(false)),
        _ => Err(()),
    }
}

fn user_type(text: &str) -> Option<UserType> {
    [("member", UserType::Member), ("guest", UserType::Guest)]
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text.trim()))
        .map(|(_, user_type)| user_type)
}

#[cfg(test)]
mod tests;
