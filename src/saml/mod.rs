//! SAML 2.0 as a browser posts it: the POST binding, the response around an assertion, and the claims in it.

mod binding;
mod claims;
mod encoding;
mod instant;
pub mod metadata;
mod response;

pub use binding::{Form, FormProblem};
pub use claims::{AuthnStatement, Claims, Conditions, Confirmation, NameId, Restriction, Value};
pub use encoding::{EncodingProblem, decode};
pub use instant::{InstantError, parse_instant};
pub use response::{IdProblem, MessageForm, Response};

/// Namespace of the SAML 2.0 protocol.
pub const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
/// Namespace of SAML 2.0 assertions.
pub const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";

/// Something that should stand there once: the first, and how often it does.
#[derive(Debug, Clone)]
pub struct Once<T> {
    /// The first, in document order.
    pub first: Option<T>,
    /// How many there are.
    pub count: usize,
}

impl<T> FromIterator<T> for Once<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter();
        let first = items.next();
        let count = usize::from(first.is_some()) + items.count();
        Self { first, count }
    }
}

impl<T> Once<T> {
    /// The one, where there is exactly one.
    pub fn single(&self) -> Option<&T> {
        self.first.as_ref().filter(|_| self.count == 1)
    }
}
