//! Live Microsoft Graph, read only: what a tenant holds of its federations, domains and users.

mod ask;
mod assertion;
mod credential;
mod domains;
mod error;
mod link;
mod page;
mod token;
mod users;

use std::time::Duration;

use jiff::Timestamp;

pub use ask::Patience;
pub use credential::{Credential, CredentialError};
pub use domains::Domains;
pub use error::{GraphError, Subject};

use self::ask::Asking;
use super::client::Client;
use super::url::{Url, UrlError};
use crate::tenant::{Directory, DomainPolicy, Roster};
use std::sync::Arc;

/// Who asks, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// The tenant: its id, or a domain of it.
    pub tenant: String,
    /// The application id.
    pub client_id: String,
    /// What the application proves itself by.
    pub credential: Credential,
    /// Where tokens are had.
    pub login: Url,
    /// Where Graph is.
    pub endpoint: Url,
}

/// A national cloud: where tokens are had, and where Graph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cloud {
    /// The one for everybody.
    #[default]
    Worldwide,
    /// 21Vianet.
    China,
    /// US Government L4.
    UsGovernment,
    /// US Government L5 (DoD).
    UsGovernmentDod,
}

impl Cloud {
    /// Where tokens are had, and where Graph is.
    ///
    /// # Errors
    /// Never: what is written here are URLs.
    pub fn endpoints(self) -> Result<(Url, Url), UrlError> {
        let (login, graph) = match self {
            Self::Worldwide => ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
            Self::China => ("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
            Self::UsGovernment => ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
            Self::UsGovernmentDod => ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
        };
        Ok((Url::parse(login)?, Url::parse(graph)?))
    }
}

/// A tenant that is asked, and what it told of its users so far.
#[derive(Debug)]
pub struct Graph {
    asking: Asking,
    known: Option<Known>,
}

/// The users, and where to ask for what changed since.
#[derive(Debug)]
struct Known {
    roster: Roster,
    delta: Url,
}

impl Graph {
    /// A tenant, of which nothing is known yet.
    pub fn new(client: Client, access: Access, patience: Patience, now: fn() -> Timestamp) -> Self {
        Self { asking: Asking::new(client, access, patience, now), known: None }
    }

    /// With another patience from now on.
    pub fn set_patience(&mut self, patience: Patience) {
        self.asking.patience = patience;
    }

    /// The federation settings of a domain, as Graph's JSON, for [`Settings::parse`](crate::tenant::Settings::parse); none
    /// where the domain is not federated, or not there.
    ///
    /// # Errors
    /// Graph does not tell.
    pub async fn federation(&mut self, domain: &str) -> Result<Option<Vec<u8>>, GraphError> {
        domains::federation(&mut self.asking, domain).await
    }

    /// The domains of the tenant.
    ///
    /// # Errors
    /// Graph does not tell.
    pub async fn domains(&mut self) -> Result<Domains, GraphError> {
        domains::all(&mut self.asking).await
    }

    /// The federated token validation policy; none where the tenant has none, or one that is not known here.
    ///
    /// # Errors
    /// Graph does not tell.
    pub async fn policy(&mut self) -> Result<Option<DomainPolicy>, GraphError> {
        domains::policy(&mut self.asking).await
    }

    /// The users as they are now: all of them the first time, then what changed since. What was known stays known when this
    /// fails, and the next time goes on from there.
    ///
    /// # Errors
    /// Graph does not tell.
    pub async fn users(&mut self) -> Result<Arc<Directory>, GraphError> {
        let changed = match &self.known {
            Some(known) => users::changed(&mut self.asking, &known.roster, &known.delta).await?,
            None => None,
        };
        let (roster, delta) = match changed {
            Some(changed) => changed,
            None => users::all(&mut self.asking).await?,
        };
        let directory = Arc::clone(roster.directory());
        self.known = Some(Known { roster, delta });
        Ok(directory)
    }
}

/// At most so long is waited in all, for one answer.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
