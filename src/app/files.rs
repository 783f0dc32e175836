//! Files that are looked at from time to time: which of them changed since they were read, and has settled.

use crate::config::{FileRead, Looks};

/// The files of a configuration.
pub(super) struct Watch {
    read: Vec<FileRead>,
    /// How they looked the last time, when that was not how they were read.
    changed: Option<Vec<Option<Looks>>>,
}

impl Watch {
    /// Looks at these files from now on.
    pub(super) fn new(read: Vec<FileRead>) -> Self {
        Self { read, changed: None }
    }

    /// Whether a file changed since it was read and looks as it did the last time: what is half written changes once more.
    pub(super) fn look(&mut self) -> bool {
        let looks: Vec<_> = self.read.iter().map(|file| Looks::of(&file.path)).collect();
        if looks.iter().eq(self.read.iter().map(|file| &file.looked)) {
            self.changed = None;
            return false;
        }
        let settled = self.changed.as_ref() == Some(&looks);
        self.changed = Some(looks);
        settled
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_change_counts_when_it_has_settled() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        fs::write(&one, "1").unwrap();
        let mut watch = Watch::new(vec![FileRead::about_to(&one), FileRead::about_to(&other)]);
        assert_eq!([watch.look(), watch.look()], [false, false]);

        fs::write(&one, "12").unwrap();
        assert!(!watch.look());
        // still being written
        fs::write(&one, "123").unwrap();
        assert_eq!([watch.look(), watch.look()], [false, true]);

        // one that was missing, and one that was replaced by another of the same length and age
        watch = Watch::new(vec![FileRead::about_to(&one), FileRead::about_to(&other)]);
        fs::write(&other, "").unwrap();
        assert_eq!([watch.look(), watch.look()], [false, true]);
        watch = Watch::new(vec![FileRead::about_to(&one)]);
        let age = fs::metadata(&one).unwrap().modified().unwrap();
        fs::write(&other, "abc").unwrap();
        fs::File::options().write(true).open(&other).unwrap().set_modified(age).unwrap();
        fs::rename(&other, &one).unwrap();
        assert_eq!([watch.look(), watch.look()], [false, cfg!(unix)]);

        // what was changed back has not changed
        watch = Watch::new(vec![FileRead::about_to(&other)]);
        fs::write(&other, "").unwrap();
        assert!(!watch.look());
        fs::remove_file(&other).unwrap();
        assert_eq!([watch.look(), watch.look()], [false, false]);
    }
}
