//! Links to the next page: followed on Graph itself, and nowhere else. Whoever is asked gets the token.

use super::Access;
use super::error::GraphError;
use crate::source::url::Url;

/// The link that a page names.
pub(super) fn follow(link: &str, access: &Access) -> Result<Url, GraphError> {
    let url = Url::parse(link).map_err(|error| GraphError::Link(error.to_string()))?;
    if url.is_tls() != access.endpoint.is_tls() || authority(&url) != authority(&access.endpoint) {
        return Err(GraphError::ForeignLink { expected: authority(&access.endpoint), got: authority(&url) });
    }
    Ok(url)
}

/// Host and port in lower case, without the port that goes without saying.
fn authority(url: &Url) -> String {
    let text = url.authority().to_ascii_lowercase();
    let usual = if url.is_tls() { ":443" } else { ":80" };
    text.strip_suffix(usual).unwrap_or(&text).to_owned()
}
