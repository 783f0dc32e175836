//! What is asked for over the network: documents at URLs of the operator's configuration.

mod client;
mod connector;
pub mod graph;
mod url;

pub use client::{Answer, Ask, Bounds, Client, Failure, RetryAfter};
pub use connector::Peer;
pub use url::{Url, UrlError};
