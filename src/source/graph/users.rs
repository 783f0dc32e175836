//! Users page by page: all of them, then what changed since.

use std::collections::HashSet;

use super::ask::Asking;
use super::error::{GraphError, Subject};
use super::link::follow;
use super::page::Page;
use crate::source::url::Url;
use crate::tenant::{Changes, Roster, RosterBuilder, RosterError};

/// What is asked of each user.
const SELECT: &str = "id,userPrincipalName,mail,proxyAddresses,onPremisesImmutableId,accountEnabled,userType";
/// Users of one page: as many as Graph gives.
const TOP: u32 = 999;
/// How often all users are read anew because what they lead to is forgotten.
const STARTS: usize = 2;

/// All users, and the link to what changes from the moment before they were read: whatever changes meanwhile comes again.
pub(super) async fn all(asking: &mut Asking) -> Result<(Roster, Url), GraphError> {
    for _ in 1..STARTS {
        match read_all(asking).await {
            Err(GraphError::Gone) => {
                tracing::info!("Graph forgot a page of users: they are read from the first one again");
            }
            other => return other,
        }
    }
    read_all(asking).await
}

async fn read_all(asking: &mut Asking) -> Result<(Roster, Url), GraphError> {
    let from_now_on = asking.resource(&format!("users/delta?$select={SELECT}&$deltatoken=latest"))?;
    let mut links = Links::default();
    let mut next = Some(from_now_on);
    let mut later = None;
    while let Some(url) = next.take() {
        let body = asking.get(&url, Subject::Users).await?;
        let page = Page::parse(&body)?;
        (next, later) = links.of(&page, asking)?;
    }
    let delta = later.ok_or(GraphError::NoLink)?;

    let mut builder = RosterBuilder::default();
    let mut next = Some(asking.resource(&format!("users?$select={SELECT}&$top={TOP}"))?);
    while let Some(url) = next.take() {
        let body = asking.get(&url, Subject::Users).await?;
        let page = Page::parse(&body)?;
        next = links.of(&page, asking)?.0;
        for user in page.users() {
            if let (id, Some(said)) = user? {
                builder.push(id, &said)?;
            }
        }
    }
    tracing::debug!(users = builder.len(), "all users are read");
    Ok((builder.finish()?, delta))
}

/// The roster after what changed, and the link to what changes later; none where Graph has forgotten, or speaks of users that
/// it never told of: then all must be read anew.
pub(super) async fn changed(
    asking: &mut Asking,
    roster: &Roster,
    since: &Url,
) -> Result<Option<(Roster, Url)>, GraphError> {
    match read_changed(asking, roster, since).await {
        Ok(changed) => Ok(Some(changed)),
        Err(why @ (GraphError::Gone | GraphError::Users(RosterError::Unknown))) => {
            tracing::info!(%why, "what changed cannot be told: all users are read anew");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn read_changed(asking: &mut Asking, roster: &Roster, since: &Url) -> Result<(Roster, Url), GraphError> {
    let mut changes = Changes::default();
    let mut links = Links::default();
    let (mut next, mut later) = (Some(since.clone()), None);
    while let Some(url) = next.take() {
        let body = asking.get(&url, Subject::Users).await?;
        let page = Page::parse(&body)?;
        (next, later) = links.of(&page, asking)?;
        for user in page.users() {
            match user? {
                (id, Some(said)) => changes.say(id, said),
                (id, None) => changes.remove(id),
            }
        }
    }
    let later = later.ok_or(GraphError::NoLink)?;
    tracing::debug!(users = changes.len(), "changes are read");
    let roster = if changes.is_empty() { roster.clone() } else { roster.merged(changes)? };
    Ok((roster, later))
}

/// The links that were followed.
#[derive(Default)]
struct Links(HashSet<String>);

impl Links {
    /// The next page, and what changes later.
    fn of(&mut self, page: &Page<'_>, asking: &Asking) -> Result<(Option<Url>, Option<Url>), GraphError> {
        let url = |link: &Option<std::borrow::Cow<'_, str>>| {
            link.as_ref().map(|link| follow(link, &asking.access)).transpose()
        };
        let (next, later) = (url(&page.next)?, url(&page.delta)?);
        if next.as_ref().is_some_and(|next| !self.0.insert(next.to_string())) {
            return Err(GraphError::Circle);
        }
        Ok((next, later))
    }
}
