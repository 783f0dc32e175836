//! Verdicts kept in a file: `[capture]` resolved.

use std::path::PathBuf;
use std::time::Duration;

use super::file::{CaptureTable, Located};
use super::problem::Problems;
use super::resolve::Folder;
use crate::capture::Settings;
use crate::proxy::Mode;

/// Of one file.
const MAX_SIZE: u64 = 100 * 1024 * 1024;
/// Of one line.
const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What is kept, and where.
pub(super) fn resolve(
    table: &Located<CaptureTable>,
    mode: Mode,
    folder: &Folder,
    problems: &mut Problems<'_>,
    notes: &mut Vec<String>,
) -> Option<Settings> {
    let (table, at) = (&table.value, &table.at);
    let file: Option<&PathBuf> = table.file.as_ref().map(|file| &file.value).filter(|file| file.file_name().is_some());
    if file.is_none() {
        let hint = "as in file = \"verdicts.jsonl\"".to_owned();
        problems.push(Some(at.clone()), "`capture.file`: expected the file that verdicts are kept in", Some(hint));
    }
    let max_size = table.max_size.as_ref().map_or(MAX_SIZE, |written| written.value.0);
    let max_age = table.max_age.as_ref().map_or(Ok(MAX_AGE), |written| Duration::try_from(written.value.0));
    let above_zero = [
        ("max_size", table.max_size.as_ref().map(|written| &written.at), max_size > 0),
        (
            "max_age",
            table.max_age.as_ref().map(|written| &written.at),
            max_age.as_ref().is_ok_and(|age| !age.is_zero()),
        ),
    ];
    for (key, at, good) in above_zero {
        if !good {
            problems.push(at.cloned(), format!("`capture.{key}`: expected more than 0"), None);
        }
    }
    let (raw, durable) = (table.raw.unwrap_or(false), table.durable.unwrap_or(false));
    if raw {
        notes.push("`capture.raw` keeps whole sign-ins: whoever may read that file can see who signed in".to_owned());
    }
    if durable && mode != Mode::Enforce {
        notes.push("`capture.durable` does nothing in `observe`: nothing waits for a verdict there".to_owned());
    }
    let durable = durable && mode == Mode::Enforce;
    Some(Settings { file: folder.at(file?), raw, max_size, max_age: max_age.unwrap_or(MAX_AGE), durable })
}
