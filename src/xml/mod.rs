//! XML as an identity provider may write it: one strict parse into a tree, and canonical forms of its parts.

mod c14n;
mod canonical;
mod chars;
mod document;
mod element;
mod error;
mod escape;
mod interner;
mod parse;
mod position;
mod references;
mod spare;
mod tag;
mod token;

pub use canonical::{Algorithm, Canonical, Overflow, Sink};
pub(crate) use chars::is_ncname;
pub use document::{Attribute, Document, Name, NodeId, NodeKind};
pub use error::{XmlError, XmlProblem};
pub use parse::parse;
pub(crate) use spare::buffer;
