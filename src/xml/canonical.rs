//! What is to be canonicalised, how, and where it goes.

use super::c14n::Writer;
use super::document::{Document, NodeId};

/// A canonicalisation algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm {
    /// Exclusive ([xml-exc-c14n]) or inclusive 1.0 ([xml-c14n]).
    pub exclusive: bool,
    /// Whether comments are part of it.
    pub comments: bool,
}

/// What is to be canonicalised, and how.
#[derive(Debug, Clone, Copy)]
pub struct Canonical<'a> {
    /// The document.
    pub document: &'a Document,
    /// The element (or the document itself) whose canonical form is wanted.
    pub apex: NodeId,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Prefixes of InclusiveNamespaces, `#default` among them; exclusive only.
    pub prefix_list: &'a [&'a str],
    /// A subtree that is left out: the enveloped signature.
    pub without: Option<NodeId>,
    /// Leaves out text that is white space alone. No algorithm does: it shows what a pretty-printer has done.
    pub without_blank_text: bool,
}

/// Where canonical bytes go.
pub trait Sink {
    /// Takes the next bytes, or says that there are too many.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Overflow>;
}

impl Sink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Overflow> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// The canonical form is longer than the sink takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the canonical form is longer than allowed")]
pub struct Overflow;

impl<'a> Canonical<'a> {
    /// Exclusive canonicalisation without comments, of one subtree.
    pub fn exclusive(document: &'a Document, apex: NodeId) -> Self {
        let algorithm = Algorithm { exclusive: true, comments: false };
        Self { document, apex, algorithm, prefix_list: &[], without: None, without_blank_text: false }
    }

    /// Writes the canonical form.
    pub fn write(&self, sink: &mut impl Sink) -> Result<(), Overflow> {
        Writer::new(self, sink).run()
    }
}
