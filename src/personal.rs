//! Text about a person, which shows itself only as a keyed short hash unless it is asked by name.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// One random key for the life of the process: hashes of one log can be compared, those of two runs cannot.
static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Text about a person (a NameID, a user principal name).
///
/// `Debug` and `Display` give `#` and eight hexadecimal digits of a keyed hash, so that a value that slips into a log says
/// nothing but "the same as over there". [`Personal::expose`] is the only way to the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Personal(Box<str>);

impl Personal {
    /// Takes text into custody.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself. Every call is a place where personal data leaves: keep them few.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // the low 32 bits are plenty to tell the people of one log apart
        write!(f, "#{:08x}", KEY.hash_one(&self.0) & 0xffff_ffff)
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
