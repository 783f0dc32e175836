//! The fake ends of a federation, for tests and demonstrations: an identity provider, Entra as far as
//! sign-ins go, and Microsoft Graph as far as it is read.
//!
//! Nothing here is safe to be used by anybody but a tester: the identity provider signs in whoever asks, and Entra's fake hands
//! out sessions that are worth nothing. What the fake decides, it decides by logic of its own, and not by the checks whose
//! predictions it is compared with.

mod browser;
mod cut;
mod entra;
mod graph;
mod idp;
mod keys;
mod page;
mod server;

pub use browser::{Browser, BrowserError, Fetched, Form};
pub use entra::{Entra, Refusal};
pub use graph::{Application, FakeDomain, Graph, GraphFault, Mishap, PERMISSIONS, People};
pub use idp::{Idp, Unasked};
pub use keys::{KeyForm, KeysError, signing_key};
pub use page::{Asked, Page};
pub use server::{End, serve};
