//! The file of a capture: whole lines alone, for its owner alone, changed for a new one in time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};

use super::{Settings, rotated};

/// A file takes lines for this share of the time that a line is kept: it is removed as a whole, and its first line is the oldest.
const SHARE: u32 = 7;
/// Before a new file is tried again.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);
/// Bytes that are read at once to find the end of the last line.
const BLOCK: u64 = 64 * 1024;

/// The file, and the way to the next one.
pub(super) struct Journal {
    path: PathBuf,
    max_size: u64,
    max_age: Duration,
    open: Option<Open>,
    /// A new file could not be begun: not before then.
    not_before: Option<Timestamp>,
}

/// A file that is being written to.
struct Open {
    file: File,
    /// Bytes of whole lines.
    size: u64,
    /// When its first line was written.
    began: Option<Timestamp>,
    /// Half a line stands at the end.
    torn: bool,
}

impl Journal {
    /// Opens the file, and cuts off half a line that a sudden end has left.
    pub(super) fn open(settings: &Settings) -> Result<Self, CaptureError> {
        let path = settings.file.clone();
        let open = match Open::new(&path) {
            Ok(open) => Some(open),
            // these pass
            Err(CaptureError::Io { source, .. }) if is_of_the_disk(&source) => {
                tracing::error!(file = %path.display(), error = %source, "the capture cannot be written yet");
                None
            }
            Err(error) => return Err(error),
        };
        Ok(Self { path, max_size: settings.max_size, max_age: settings.max_age, open, not_before: None })
    }

    /// Writes one line, whole or not at all. An `Err` beside a line that was written says why there is no new file.
    pub(super) fn write(&mut self, line: &[u8], now: Timestamp) -> Result<Written, CaptureError> {
        let beside = self.change(line.len(), now).err();
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(Open::new(&self.path)?),
        };
        open.write(line, now).map_err(|source| self.failed(source))?;
        Ok(Written { beside })
    }

    /// Waits until everything is on disk.
    pub(super) fn sync(&mut self) -> Result<(), CaptureError> {
        let Some(open) = &self.open else { return Ok(()) };
        open.file.sync_data().map_err(|source| {
            // what the system still holds of it is not known any more: the next line begins anew
            self.open = None;
            self.failed(source)
        })
    }

    /// Does what time asks for: changes the file, removes old ones, and notices when somebody took the file away.
    pub(super) fn tidy(&mut self, now: Timestamp) -> Result<(), CaptureError> {
        if self.open.as_ref().is_some_and(|open| !open.is_at(&self.path)) {
            self.open = None;
        }
        self.change(0, now)?;
        let kept = self.max_age.saturating_sub(self.max_age / SHARE);
        rotated::remove(&self.path, kept, SystemTime::from(now)).map_err(|source| self.failed(source))
    }

    /// Begins a new file where the old one is full or old.
    fn change(&mut self, more: usize, now: Timestamp) -> Result<(), CaptureError> {
        let Some(open) = self.open.as_ref().filter(|open| open.size > 0) else { return Ok(()) };
        let full = open.size.saturating_add(u64::try_from(more).unwrap_or(u64::MAX)) > self.max_size;
        let share = SignedDuration::try_from(self.max_age / SHARE).unwrap_or(SignedDuration::MAX);
        let old = open.began.is_some_and(|began| now.duration_since(began) >= share);
        if !(full || old) || self.not_before.is_some_and(|not_before| now < not_before) {
            return Ok(());
        }
        self.not_before = None;
        // what could not be synchronised is on its way all the same
        let _ = open.file.sync_data();
        if let Err(source) = std::fs::rename(&self.path, rotated::name(&self.path, now)) {
            self.not_before = now.checked_add(PATIENCE).ok();
            return Err(self.failed(source));
        }
        self.open = None;
        Ok(())
    }

    fn failed(&self, source: io::Error) -> CaptureError {
        CaptureError::Io { file: self.path.clone(), source }
    }
}

/// A line was written.
pub(super) struct Written {
    /// Why it stands in the old file, where there should be a new one.
    pub(super) beside: Option<CaptureError>,
}

impl Open {
    fn new(path: &Path) -> Result<Self, CaptureError> {
        let failed = |source: io::Error| {
            if is_link(&source) {
                CaptureError::Link(path.to_owned())
            } else {
                CaptureError::Io { file: path.to_owned(), source }
            }
        };
        let mut file = options().open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(CaptureError::NoFile(path.to_owned()));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(CaptureError::Taken(path.to_owned())),
            // a file system without locks
            Err(TryLockError::Error(_)) => {}
        }
        for_its_owner(&file).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let size = whole_lines(&mut file, length).map_err(failed)?;
        let began = began(&mut file).filter(|_| size > 0);
        let torn = size < length && file.set_len(size).is_err();
        Ok(Self { file, size, began, torn })
    }

    fn write(&mut self, line: &[u8], now: Timestamp) -> io::Result<()> {
        if self.torn && self.file.set_len(self.size).is_ok() {
            self.torn = false;
        }
        if self.torn {
            // what cannot be cut off ends here
            self.file.write_all(b"\n")?;
            self.size = self.file.metadata()?.len();
            self.torn = false;
        }
        if let Err(error) = self.file.write_all(line) {
            self.torn = self.file.set_len(self.size).is_err();
            return Err(error);
        }
        self.size = self.size.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        self.began.get_or_insert(now);
        Ok(())
    }

    /// Whether this is still the file of that name.
    fn is_at(&self, path: &Path) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            match (self.file.metadata(), path.symlink_metadata()) {
                (Ok(own), Ok(there)) => (own.dev(), own.ino()) == (there.dev(), there.ino()),
                _ => false,
            }
        }
        #[cfg(not(unix))]
        path.exists()
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    options
}

/// A file that was there before may have been readable for others.
fn for_its_owner(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}

/// The bytes up to the end of the last whole line.
fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    let (mut end, mut block) = (length, Vec::new());
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        Read::take(&*file, end - start).read_to_end(&mut block)?;
        if let Some(at) = memchr::memrchr(b'\n', &block) {
            return Ok(start + u64::try_from(at).unwrap_or(u64::MAX) + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The time of the first line.
fn began(file: &mut File) -> Option<Timestamp> {
    file.seek(SeekFrom::Start(0)).ok()?;
    let mut bytes = Vec::new();
    // both kinds of lines have it near their beginning
    Read::take(&*file, 128).read_to_end(&mut bytes).ok()?;
    let beginning = String::from_utf8_lossy(&bytes);
    let time = beginning.split_once("\"time\":\"")?.1.split('"').next()?;
    time.parse().ok()
}

fn is_link(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

fn is_of_the_disk(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | ReadOnlyFilesystem | QuotaExceeded)
}

/// Why the capture is not written.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Whoever can set a link chooses what is written to.
    #[error("{} is a symbolic link, which is not followed: name the file itself", .0.display())]
    Link(PathBuf),
    /// A folder, a pipe, a device.
    #[error("{} is no regular file", .0.display())]
    NoFile(PathBuf),
    /// Two writers would cut each other's lines.
    #[error("{} is being written by another process: give each its own file", .0.display())]
    Taken(PathBuf),
    /// What the system says.
    #[error("{} cannot be written: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use super::*;

    const LINE: &[u8] = b"{\"type\":\"verdict\",\"time\":\"2026-11-23T12:00:00Z\"}\n";

    fn journal(file: &Path) -> Journal {
        let max_age = Duration::from_secs(7 * 3600);
        let settings = Settings { file: file.to_owned(), raw: false, max_size: 1_000, max_age, durable: false };
        Journal::open(&settings).unwrap()
    }

    fn files(folder: &tempfile::TempDir) -> usize {
        fs::read_dir(folder.path()).unwrap().count()
    }

    #[test]
    fn a_file_is_changed_when_it_is_old_and_removed_when_its_lines_are() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = journal(&folder.path().join("verdicts.jsonl"));
        let now = Timestamp::now();
        let later = |minutes| now + SignedDuration::from_mins(minutes);
        assert!(journal.write(LINE, now).unwrap().beside.is_none());
        journal.write(LINE, later(59)).unwrap();
        assert_eq!(files(&folder), 1);
        journal.tidy(later(60)).unwrap();
        journal.write(LINE, later(61)).unwrap();
        journal.tidy(later(61)).unwrap();
        assert_eq!(files(&folder), 2);
        // six hours after its last line, which had it for an hour
        journal.tidy(later(7 * 60)).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        journal.write(LINE, later(7 * 60)).unwrap();
        assert_eq!(fs::read(folder.path().join("verdicts.jsonl")).unwrap(), LINE);
    }

    #[test]
    fn a_file_of_before_goes_on_behind_its_last_whole_line_with_its_age() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("verdicts.jsonl");
        let long = [LINE, &[b'x'; 200_000]].concat();
        fs::write(&file, long).unwrap();
        let mut journal = journal(&file);
        assert_eq!(fs::read(&file).unwrap(), LINE);
        let began: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        journal.write(LINE, began + SignedDuration::from_mins(59)).unwrap();
        assert_eq!((files(&folder), fs::read(&file).unwrap()), (1, [LINE, LINE].concat()));
        journal.write(LINE, began + SignedDuration::from_mins(60)).unwrap();
        assert_eq!((files(&folder), fs::read(&file).unwrap()), (2, LINE.to_vec()));
    }

    #[test]
    fn a_line_longer_than_a_file_has_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = journal(&folder.path().join("verdicts"));
        for _ in 0..3 {
            journal.write(&[b'x'; 2_000], Timestamp::now()).unwrap();
        }
        assert_eq!(files(&folder), 3);
    }

    #[test]
    fn two_journals_do_not_share_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("verdicts.jsonl");
        let first = journal(&file);
        assert!(matches!(Open::new(&file), Err(CaptureError::Taken(_))));
        drop(first);
        assert!(Open::new(&file).is_ok());
    }
}
