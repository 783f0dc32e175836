//! The files that are full: their names, and their end.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use jiff::{SignedDuration, Timestamp};

/// Digits and letters of `20261123T120000.000Z`.
const STAMP: usize = 20;

/// The name for a file that is full, beside the one that is written to: `verdicts-20261123T120000.000Z.jsonl`. No file that is
/// there has it.
pub(super) fn name(path: &Path, now: Timestamp) -> PathBuf {
    let mut at = now;
    loop {
        let mut name = stem(path).to_owned();
        name.push(format!("-{}", at.strftime("%Y%m%dT%H%M%S.%3fZ")));
        if let Some(extension) = path.extension() {
            name.push(".");
            name.push(extension);
        }
        let name = path.with_file_name(name);
        if name.symlink_metadata().is_err() {
            return name;
        }
        at = at.saturating_add(SignedDuration::from_millis(1)).unwrap_or(at);
    }
}

/// Removes full files to which nothing was written for so long.
pub(super) fn remove(path: &Path, older_than: Duration, now: SystemTime) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut failed = Ok(());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // of a link, the link: nothing else is looked at
        let metadata = entry.metadata();
        let Some(written) = metadata.ok().filter(fs::Metadata::is_file).and_then(|of| of.modified().ok()) else {
            continue;
        };
        let is_old = now.duration_since(written).is_ok_and(|age| age >= older_than);
        if is_old && is_ours(path, &entry.file_name()) {
            failed = failed.and(fs::remove_file(entry.path()));
        }
    }
    failed
}

/// Whether a name is one that [`name`] gives.
fn is_ours(path: &Path, name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
    let stamp = name
        .strip_prefix(stem(path).to_string_lossy().as_ref())
        .and_then(|rest| rest.strip_prefix('-'))
        .and_then(|rest| rest.strip_suffix(extension.as_str()));
    stamp.is_some_and(|stamp| {
        stamp.len() == STAMP
            && stamp.bytes().enumerate().all(|(at, byte)| match at {
                8 => byte == b'T',
                15 => byte == b'.',
                19 => byte == b'Z',
                _ => byte.is_ascii_digit(),
            })
    })
}

fn stem(path: &Path) -> &OsStr {
    path.file_stem().unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_given_twice_and_is_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("verdicts.jsonl");
        let now: Timestamp = "2026-11-23T12:00:00.999Z".parse().unwrap();
        let first = name(&path, now);
        assert_eq!(first.file_name().unwrap(), "verdicts-20261123T120000.999Z.jsonl");
        fs::write(&first, "").unwrap();
        let second = name(&path, now);
        assert_eq!(second.file_name().unwrap(), "verdicts-20261123T120001.000Z.jsonl");
        assert!([&first, &second].iter().all(|name| is_ours(&path, name.file_name().unwrap())));
        for other in ["verdicts.jsonl", "verdicts-2026.jsonl", "verdicts-20261123T120000.999Z.json", "other"] {
            assert!(!is_ours(&path, OsStr::new(other)), "{other}");
        }
    }

    #[test]
    fn only_old_files_of_this_capture_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("verdicts.jsonl");
        let full = name(&path, Timestamp::UNIX_EPOCH);
        for file in [&path, &full, &folder.path().join("notes-19700101T000000.000Z.jsonl")] {
            fs::write(file, "").unwrap();
        }
        let hour = Duration::from_secs(3600);
        remove(&path, hour, SystemTime::now()).unwrap();
        assert!(full.exists());
        remove(&path, hour, SystemTime::now() + hour * 2).unwrap();
        assert!(!full.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
