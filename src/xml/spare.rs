//! Memory of the last document of a thread, for the next one: what was just used is still in the caches.

use std::cell::Cell;

use super::document::{Attribute, Node};

/// Bytes of the longest memory that is kept.
const LONGEST: usize = 64 * 1024;

thread_local! {
    static NODES: Cell<(Vec<Node>, Vec<Attribute>)> = const { Cell::new((Vec::new(), Vec::new())) };
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Room for the nodes and attributes of about so many tags.
pub(super) fn nodes(tags: usize) -> (Vec<Node>, Vec<Attribute>) {
    // a thread that is ending keeps nothing
    let (mut nodes, mut attributes) = NODES.try_with(Cell::take).unwrap_or_default();
    nodes.reserve(tags * 2);
    attributes.reserve(tags);
    (nodes, attributes)
}

/// Keeps the memory of nodes and attributes that nobody needs.
pub(super) fn keep_nodes(mut nodes: Vec<Node>, mut attributes: Vec<Attribute>) {
    if nodes.capacity() * size_of::<Node>() > LONGEST || attributes.capacity() * size_of::<Attribute>() > LONGEST {
        return;
    }
    nodes.clear();
    attributes.clear();
    let _ = NODES.try_with(|last| last.set((nodes, attributes)));
}

/// An empty buffer for a message of so many bytes, that becomes a document when it is decoded.
pub(crate) fn buffer(bytes: usize) -> Vec<u8> {
    let last = BUFFER.try_with(Cell::take).unwrap_or_default();
    if last.capacity() >= bytes { last } else { Vec::with_capacity(bytes) }
}

/// Keeps the memory of a document that nobody needs.
pub(super) fn keep_buffer(mut buffer: Vec<u8>) {
    if buffer.capacity() > LONGEST {
        return;
    }
    buffer.clear();
    let _ = BUFFER.try_with(|last| last.set(buffer));
}
