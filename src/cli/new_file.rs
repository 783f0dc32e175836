//! Files that are written where nothing is yet, readable from their first moment by whom they are for.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use super::terminal::Trouble;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// Its owner alone.
    Owner,
    /// Everybody.
    Everybody,
}

/// Writes a file that is not there yet.
pub(super) fn write(file: &Path, bytes: &[u8], readers: Readers) -> Result<(), Trouble> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if readers == Readers::Owner { 0o600 } else { 0o644 });
    #[cfg(not(unix))]
    let _ = readers;
    let written = options.open(file).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error: io::Error| Trouble::new(format!("{} cannot be written: {error}", file.display())))
}
