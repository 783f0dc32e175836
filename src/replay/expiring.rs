//! A set whose members end: at most so many, each gone when its time has come.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;

/// Half of a SHA-256: names of any length in little room, and no two that anybody could find to be alike.
pub(super) type Key = [u8; 16];

/// The key of a name that is made of parts; no two rows of parts have one key.
pub(super) fn key(parts: &[&str]) -> Key {
    let mut named = Vec::new();
    for part in parts {
        named.extend_from_slice(&part.len().to_be_bytes());
        named.extend_from_slice(part.as_bytes());
    }
    let mut key = Key::default();
    for (to, from) in key.iter_mut().zip(digest(&SHA256, &named).as_ref()) {
        *to = *from;
    }
    key
}

/// Members with what is known of each.
#[derive(Debug)]
pub(super) struct Expiring<V> {
    members: HashMap<Key, V>,
    /// The same members, the first to end on top.
    ends: BinaryHeap<Reverse<(Timestamp, Key)>>,
}

impl<V> Default for Expiring<V> {
    fn default() -> Self {
        Self { members: HashMap::new(), ends: BinaryHeap::new() }
    }
}

impl<V> Expiring<V> {
    /// Forgets what has ended.
    pub(super) fn expire(&mut self, now: Timestamp) {
        while self.ends.peek().is_some_and(|Reverse((until, _))| *until <= now) {
            self.forget_first();
        }
    }

    /// Forgets the member that ends first.
    pub(super) fn forget_first(&mut self) {
        if let Some(Reverse((_, key))) = self.ends.pop() {
            self.members.remove(&key);
        }
    }

    pub(super) fn member(&mut self, key: &Key) -> Option<&mut V> {
        self.members.get_mut(key)
    }

    /// Adds what is no member yet; a member stays as it is.
    pub(super) fn add(&mut self, key: Key, value: V, until: Timestamp) {
        if let Entry::Vacant(vacant) = self.members.entry(key) {
            vacant.insert(value);
            self.ends.push(Reverse((until, key)));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }
}
