//! Digests of canonical forms, taken as they are written.

use aws_lc_rs::digest::{Context, Digest};

use super::algorithm::Hash;
use crate::xml::{Canonical, Overflow, Sink};

/// Collects small writes, since a call into the library costs more than the few bytes of most of them.
const BUFFER: usize = 1024;

struct HashSink {
    context: Context,
    buffer: [u8; BUFFER],
    filled: usize,
    left: usize,
}

impl Sink for HashSink {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Overflow> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(Overflow)?;
        if self.filled + bytes.len() > BUFFER {
            self.flush();
        }
        match self.buffer.get_mut(self.filled..self.filled + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.filled += bytes.len();
            }
            None => self.context.update(bytes),
        }
        Ok(())
    }
}

impl HashSink {
    fn flush(&mut self) {
        self.context.update(self.buffer.get(..self.filled).unwrap_or_default());
        self.filled = 0;
    }
}

/// The digest of a canonical form of at most `longest` bytes.
pub(super) fn digest(hash: Hash, form: &Canonical<'_>, longest: usize) -> Result<Digest, CanonicalError> {
    let context = Context::new(hash.backend());
    let mut sink = HashSink { context, buffer: [0; BUFFER], filled: 0, left: longest };
    form.write(&mut sink).map_err(|Overflow| CanonicalError::TooLong(longest))?;
    if sink.left == longest {
        return Err(CanonicalError::Empty);
    }
    sink.flush();
    Ok(sink.context.finish())
}

/// The digest of bytes.
pub(super) fn digest_bytes(hash: Hash, bytes: &[u8]) -> Digest {
    aws_lc_rs::digest::digest(hash.backend(), bytes)
}

/// A canonical form that no signature is verified over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// Nothing at all: a digest of nothing covers nothing.
    #[error("the canonical form is empty")]
    Empty,
    /// Far longer than the document, which only a document made for it can be.
    #[error("the canonical form is longer than {0} bytes")]
    TooLong(usize),
}
