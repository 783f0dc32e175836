//! Digests of canonical forms, taken as they are written.

use aws_lc_rs::digest::{Context, Digest};

use super::algorithm::Hash;
use crate::xml::{Canonical, Overflow, Sink};

/// Collects small writes, since a call into the library costs more than the few bytes of most of them.
const BUFFER: usize = 4096;

struct HashSink {
    context: Context,
    buffer: Vec<u8>,
    left: usize,
}

impl Sink for HashSink {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Overflow> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(Overflow)?;
        if self.buffer.len() + bytes.len() > BUFFER {
            self.context.update(&self.buffer);
            self.buffer.clear();
        }
        if bytes.len() > BUFFER {
            self.context.update(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(())
    }
}

/// The digest of a canonical form of at most `longest` bytes.
pub(super) fn digest(hash: Hash, form: &Canonical<'_>, longest: usize) -> Result<Digest, CanonicalError> {
    let mut sink =
        HashSink { context: Context::new(hash.backend()), buffer: Vec::with_capacity(BUFFER), left: longest };
    form.write(&mut sink).map_err(|Overflow| CanonicalError::TooLong(longest))?;
    if sink.left == longest {
        return Err(CanonicalError::Empty);
    }
    sink.context.update(&sink.buffer);
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
