//! What is asked for over the network: documents at URLs of the operator's configuration.

mod client;
mod connector;
mod document;
pub mod graph;
mod pace;
mod url;

pub use client::{Answer, Ask, Bounds, Client, Failure, RetryAfter};
pub use connector::Peer;
pub use document::{Document, Had, Held, Looked, NotHad};
pub use pace::Pace;
pub use url::{Url, UrlError};
