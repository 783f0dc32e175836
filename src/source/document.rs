//! One document at a URL: asked for only if it changed, looked at before it is taken.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::HeaderValue;
use jiff::Timestamp;

use super::client::{Ask, Bounds, Client, Failure};
use super::connector::Peer;
use super::url::Url;
use crate::saml::metadata::{IdpMetadata, METADATA_MAX};
use crate::trust::TrustError;

/// Metadata of an identity provider, at its URL.
#[derive(Debug)]
pub struct Document {
    url: Url,
    client: Client,
    held: Option<Held>,
}

/// What came, and by what to ask whether there is another one.
#[derive(Debug, Clone)]
pub struct Held {
    /// The document.
    pub bytes: Arc<[u8]>,
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

/// A look at the URL.
#[derive(Debug)]
pub struct Looked {
    /// The clock of the server.
    pub date: Option<Timestamp>,
    /// Whom the connection led to.
    pub peer: Option<Peer>,
    /// How long not to ask again.
    pub retry_after: Option<Duration>,
    /// What was had.
    pub had: Result<Had, NotHad>,
}

/// What was had.
#[derive(Debug)]
pub enum Had {
    /// What is held already.
    Same,
    /// Another document, which reads as metadata.
    New(Held),
}

/// Why nothing was had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotHad {
    /// No answer.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// An answer that is none.
    #[error("expected the metadata, got status {0}")]
    Status(u16),
    /// Something else than metadata.
    #[error("{0}")]
    Unreadable(String),
}

impl Document {
    /// A document that nobody has asked for yet.
    ///
    /// # Errors
    /// There is nobody to vouch for servers.
    pub fn new(url: Url, roots: &[Vec<u8>], bounds: Bounds) -> Result<Self, TrustError> {
        Ok(Self { url, client: Client::new(roots, bounds)?, held: None })
    }

    /// Asks for it. What comes is held once it is [kept](Self::keep).
    pub async fn look(&self) -> Looked {
        let (etag, last_modified) = match &self.held {
            Some(held) => (held.etag.as_ref(), held.last_modified.as_ref()),
            None => (None, None),
        };
        let ask = Ask::get(self.url.clone(), METADATA_MAX).unless(etag, last_modified);
        let answer = match self.client.ask(ask).await {
            Ok(answer) => answer,
            Err(failure) => return Looked { date: None, peer: None, retry_after: None, had: Err(failure.into()) },
        };
        let had = match (answer.status, &self.held) {
            (StatusCode::NOT_MODIFIED, Some(_)) => Ok(Had::Same),
            (StatusCode::OK, Some(held)) if *held.bytes == *answer.body => Ok(Had::Same),
            (StatusCode::OK, _) => match IdpMetadata::parse(&answer.body) {
                Ok(_) => Ok(Had::New(Held {
                    bytes: Arc::from(&*answer.body),
                    etag: answer.etag,
                    last_modified: answer.last_modified,
                })),
                Err(error) => Err(NotHad::Unreadable(error.to_string())),
            },
            (status, _) => Err(NotHad::Status(status.as_u16())),
        };
        let retry_after = answer.retry_after.map(|after| after.from_now(Timestamp::now()));
        Looked { date: answer.date, peer: answer.peer, retry_after, had }
    }

    /// Holds it from now on.
    pub fn keep(&mut self, held: Held) {
        self.held = Some(held);
    }
}
