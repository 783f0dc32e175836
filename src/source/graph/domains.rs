//! Domains of a tenant: which of them are roots, their federation settings, and the policy over them.

use serde::Deserialize;

use super::ask::Asking;
use super::error::{GraphError, Subject};
use super::link::follow;
use crate::tenant::DomainPolicy;

/// The domains of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Domains {
    roots: Vec<String>,
    /// Those that are federated, in lower case.
    pub federated: Vec<String>,
}

impl Domains {
    /// The root domain that a domain belongs to: the longest one that it ends with.
    pub fn root_of(&self, domain: &str) -> Option<&str> {
        let domain = domain.to_ascii_lowercase();
        let belongs = |root: &&String| {
            domain.strip_suffix(root.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.roots.iter().filter(belongs).max_by_key(|root| root.len()).map(String::as_str)
    }
}

#[derive(Deserialize)]
struct List {
    #[serde(rename = "@odata.nextLink", default)]
    next: Option<String>,
    value: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    #[serde(default)]
    is_root: Option<bool>,
    #[serde(default)]
    authentication_type: Option<String>,
}

/// Domains of a tenant at most: Entra allows fewer.
const PAGES: usize = 100;

pub(super) async fn all(asking: &mut Asking) -> Result<Domains, GraphError> {
    let mut domains = Domains::default();
    let mut url = asking.resource("domains?$select=id,isRoot,authenticationType")?;
    for _ in 0..PAGES {
        let body = asking.get(&url, Subject::Domains).await?;
        let list: List = parsed(&body, Subject::Domains)?;
        for Row { id, is_root, authentication_type } in list.value {
            let id = id.to_ascii_lowercase();
            if authentication_type.is_some_and(|kind| kind.eq_ignore_ascii_case("Federated")) {
                domains.federated.push(id.clone());
            }
            if is_root == Some(true) {
                domains.roots.push(id);
            }
        }
        let Some(next) = list.next else { return Ok(domains) };
        url = follow(&next, &asking.access)?;
    }
    Err(GraphError::Circle)
}

pub(super) async fn federation(asking: &mut Asking, domain: &str) -> Result<Option<Vec<u8>>, GraphError> {
    let url = asking.resource(&format!("domains/{domain}/federationConfiguration"))?;
    let body = match asking.get(&url, Subject::Federation).await {
        Ok(body) => body,
        Err(GraphError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    // what is no JSON at all is no word of Graph's, and nothing to be put in force
    let _: serde::de::IgnoredAny = parsed(&body, Subject::Federation)?;
    Ok(Some(body.to_vec()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    validating_domains: Validating,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validating {
    root_domains: String,
    #[serde(default)]
    domain_names: Vec<String>,
}

pub(super) async fn policy(asking: &mut Asking) -> Result<Option<DomainPolicy>, GraphError> {
    let url = asking.resource("policies/federatedTokenValidationPolicy")?;
    let body = match asking.get(&url, Subject::Policy).await {
        Ok(body) => body,
        Err(GraphError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Policy { validating_domains: Validating { root_domains, domain_names } } = parsed(&body, Subject::Policy)?;
    Ok(match root_domains.as_str() {
        "none" => Some(DomainPolicy::None),
        "all" => Some(DomainPolicy::All),
        "allFederated" => Some(DomainPolicy::AllFederated),
        "allManaged" => Some(DomainPolicy::AllManaged),
        // managed domains do not matter here: the federated ones that are compared are those of the list
        "enumerated" | "allManagedAndEnumeratedFederated" => Some(DomainPolicy::Enumerated(domain_names)),
        _ => None,
    })
}

fn parsed<'a, T: Deserialize<'a>>(body: &'a [u8], subject: Subject) -> Result<T, GraphError> {
    serde_json::from_slice(body).map_err(|error| GraphError::garbage(subject, &error))
}

#[cfg(test)]
mod tests {
    use super::Domains;

    #[test]
    fn a_domain_belongs_to_the_longest_root_that_it_ends_with() {
        let roots = ["company", "domain.company", "main.company"].map(str::to_owned).to_vec();
        let domains = Domains { roots, ..Domains::default() };
        assert_eq!(domains.root_of("Sub.domain.company"), Some("domain.company"));
        assert_eq!(domains.root_of("domain.company"), Some("domain.company"));
        assert_eq!(domains.root_of("other.company"), Some("company"));
        assert_eq!(domains.root_of("elsewhere"), None);
    }
}
