//! What Microsoft Graph told of a tenant: it takes the place of `settings` and `users`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::graph::{self, Graph};
use super::problem::Problems;
use super::read::FileRead;
use super::resolve::Folder;
use super::written;
use crate::source::graph::Domains;
use crate::tenant::{Directory, DomainPolicy};

/// What Graph told of the domains of a configuration.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Federation settings by domain, as Graph's JSON; a domain that is not federated has none.
    pub settings: BTreeMap<String, Vec<u8>>,
    /// The domains of the tenant; none where they may not be read.
    pub domains: Option<Domains>,
    /// The federated token validation policy; none where there is none, or it may not be read.
    pub policy: Option<DomainPolicy>,
    /// The users of the tenant; none where they are not known yet, or may not be read.
    pub users: Option<Arc<Directory>>,
    /// What could not be had beside the rest, and why.
    pub lacking: Vec<String>,
}

impl Told {
    /// Whether the same was told before: users are the same where they are the very ones.
    pub fn is_same(&self, other: &Self) -> bool {
        self.settings == other.settings
            && self.domains == other.domains
            && self.policy == other.policy
            && self.users.as_ref().map(Arc::as_ptr) == other.users.as_ref().map(Arc::as_ptr)
    }

    /// The root domain that a domain belongs to.
    pub(super) fn root_of(&self, domain: Option<&str>) -> Option<String> {
        self.domains.as_ref()?.root_of(domain?).map(str::to_owned)
    }
}

/// Whom a configuration wants Graph to be asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Who asks, where, and how often.
    pub graph: Graph,
    /// The domains of its federations.
    pub domains: Vec<String>,
}

impl Asked {
    /// Whether both are about one tenant.
    pub fn is_of_tenant(&self, other: &Self) -> bool {
        let (one, other) = (&self.graph.access, &other.graph.access);
        one.tenant == other.tenant && one.endpoint == other.endpoint
    }

    /// What the configuration at `path` wants; none where it has no `[graph]`, or cannot be read: loading it tells why.
    pub fn of(path: &Path) -> Option<Self> {
        let read = FileRead::about_to(path);
        let text = std::fs::read_to_string(path).ok()?;
        let mut problems = Problems::new(path, &text);
        let folder = Folder::of(read);
        let file = written::read(&text, &mut problems)?;
        let graph = graph::resolve(file.graph.as_ref()?, &folder, &mut problems)?;
        let domains = file.federation.iter().filter_map(|table| table.value.domain.as_ref());
        let domains = domains.map(|domain| domain.value.to_ascii_lowercase());
        // what is no name of a domain is told when the configuration is loaded, and asked of nobody
        let is_name =
            |domain: &String| domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
        Some(Self { graph, domains: domains.filter(is_name).collect() })
    }
}
