//! What an export of users gives away about sign-ins to come: counted while it is read.

use super::super::builder::{Duplicates, NewUser};
use super::super::{ID_LONG, ID_MAX};
use crate::personal::Personal;
use crate::verdict::Text;

/// Something to know about an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What.
    pub kind: NoteKind,
    /// How many users it holds of.
    pub count: usize,
    /// One of them: the ImmutableId, or the UPN where the id is empty.
    pub example: Option<Personal>,
}

/// What there is to know about an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoteKind {
    /// ImmutableIds that an earlier user has too.
    Duplicate,
    /// No user has any ImmutableId.
    AllEmpty,
    /// Users without ImmutableId.
    Empty,
    /// ImmutableIds of 61 to 64 characters.
    Long,
    /// ImmutableIds beyond 64 characters.
    TooLong,
    /// ImmutableIds with `$` or `_`, which Graph refuses to set.
    RefusedCharacter,
    /// `proxyAddresses` that PowerShell wrote as the name of their type.
    ProxyType,
    /// The export breaks off: its last page names a next one.
    Incomplete,
}

impl Note {
    /// What it is, in one sentence.
    pub fn text(&self) -> Text {
        let count = self.count;
        let have = if count == 1 { "1 user has".to_owned() } else { format!("{count} users have") };
        let text = Text::plain(match self.kind {
            NoteKind::Duplicate => format!("{have} an ImmutableId that an earlier user has too"),
            NoteKind::AllEmpty => format!("none of the {count} users has an ImmutableId"),
            NoteKind::Empty => format!("{have} no ImmutableId"),
            NoteKind::Long => format!("{have} an ImmutableId of {} to {ID_MAX} characters", ID_LONG + 1),
            NoteKind::TooLong => format!("{have} an ImmutableId of more than {ID_MAX} characters"),
            NoteKind::RefusedCharacter => format!("{have} an ImmutableId with $ or _"),
            NoteKind::ProxyType => format!("{have} System.String[] for proxyAddresses"),
            NoteKind::Incomplete => "the export breaks off: its last page names a next one".to_owned(),
        });
        match &self.example {
            Some(example) => text.then(", as ").then_personal(example.expose()),
            None => text,
        }
    }

    /// How to mend it.
    pub fn hint(&self) -> &'static str {
        match self.kind {
            NoteKind::Duplicate => "nobody who shares an ImmutableId can sign in: give each user one of their own",
            NoteKind::AllEmpty => {
                "either the export did not ask for it (Get-MgUser -Property …,OnPremisesImmutableId), or it was never set: \
                 a Get-MgUser -Filter \"endsWith(mail,…)\" needs -ConsistencyLevel eventual -CountVariable count, else Update-MgUser never runs"
            }
            NoteKind::Empty => "they cannot sign in by federation until Update-MgUser -OnPremisesImmutableId sets one",
            NoteKind::Long => "keep ImmutableIds at 60 characters or less",
            NoteKind::TooLong => "Entra takes no NameID of more than 64 characters: choose a shorter anchor",
            NoteKind::RefusedCharacter => "Graph refuses to set such a value: choose an anchor without $ and _",
            NoteKind::ProxyType => {
                "harmless, but near misses by proxy address go unseen: select @{n='ProxyAddresses';e={$_.ProxyAddresses -join ';'}}"
            }
            NoteKind::Incomplete => "follow @odata.nextLink to the end, or use Get-MgUser -All",
        }
    }
}

/// Counts while users are read.
#[derive(Default)]
pub(super) struct Tally {
    empty: Count,
    long: Count,
    too_long: Count,
    refused: Count,
    proxy_type: Count,
    /// Whether the page that was read last names a next one.
    pub(super) next_page: bool,
}

#[derive(Default)]
struct Count(usize, Option<Personal>);

impl Count {
    fn add(&mut self, example: &str) {
        self.0 += 1;
        self.1.get_or_insert_with(|| Personal::new(example));
    }
}

impl Tally {
    pub(super) fn count(&mut self, user: &NewUser<'_>) {
        let id = user.immutable_id.unwrap_or_default();
        if id.is_empty() {
            self.empty.add(user.upn);
        }
        if id.len() > ID_LONG {
            let characters = id.chars().count();
            if characters > ID_MAX {
                self.too_long.add(id);
            } else if characters > ID_LONG {
                self.long.add(id);
            }
        }
        if id.contains(['$', '_']) {
            self.refused.add(id);
        }
        if user.proxy_addresses.starts_with("System.") {
            self.proxy_type.add(user.upn);
        }
    }

    pub(super) fn into_notes(self, users: usize, duplicates: Duplicates) -> Vec<Note> {
        let empty = if self.empty.0 == users { NoteKind::AllEmpty } else { NoteKind::Empty };
        let counts = [
            (NoteKind::Incomplete, Count(usize::from(self.next_page), None)),
            (NoteKind::Duplicate, Count(duplicates.count, duplicates.example)),
            (empty, self.empty),
            (NoteKind::Long, self.long),
            (NoteKind::TooLong, self.too_long),
            (NoteKind::RefusedCharacter, self.refused),
            (NoteKind::ProxyType, self.proxy_type),
        ];
        let notes = counts.into_iter().filter(|(_, count)| count.0 > 0);
        notes.map(|(kind, Count(count, example))| Note { kind, count, example }).collect()
    }
}
