//! The files that a configuration was read from, and how each of them looked then.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file that was read, or that could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRead {
    /// Where it is.
    pub path: PathBuf,
    /// How it looked just before it was read; none where there was no file.
    pub looked: Option<Looks>,
}

impl FileRead {
    /// Looks at a file that is about to be read: what changes while it is read then looks different afterwards.
    pub fn about_to(path: &Path) -> Self {
        Self { path: path.to_owned(), looked: Looks::of(path) }
    }
}

/// What tells that a file was written or replaced, without reading it. Links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    modified: Option<SystemTime>,
    length: u64,
    /// Device, inode and time of the last change of either: a file that is moved over another may be as old and as long.
    identity: [i64; 4],
}

impl Looks {
    /// How a file looks now; none where there is none.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self { modified: metadata.modified().ok(), length: metadata.len(), identity: identity(&metadata) })
    }
}

#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> [i64; 4] {
    use std::os::unix::fs::MetadataExt as _;
    [metadata.dev().cast_signed(), metadata.ino().cast_signed(), metadata.ctime(), metadata.ctime_nsec()]
}

#[cfg(not(unix))]
fn identity(_: &std::fs::Metadata) -> [i64; 4] {
    [0; 4]
}
