//! The users of the fake Graph by pages: all of them, and what changed since a delta link was handed out.

use std::borrow::Cow;

use hyper::Uri;
use serde_json::{Value, json};

use super::super::page::{Asked, Page};
use super::fault::Place;
use super::people::{Object, People, id};
use super::{Graph, answer};

/// What Graph gives on one page at most.
pub(super) const TOP: usize = 999;
/// What Graph gives on one page where nobody asks.
const USUAL: usize = 100;
/// What comes where nobody selects; the ImmutableId is not among it.
const USUALLY: [&str; 4] = ["id", "displayName", "mail", "userPrincipalName"];

/// Which page of users is asked for.
pub(super) fn place_of_users(graph: &Graph, asked: &Asked) -> Place {
    let first: usize = asked.query("$skiptoken").and_then(|token| token.parse().ok()).unwrap_or_default();
    Place::Users(first / size(graph, asked).unwrap_or(USUAL).max(1) + 1)
}

/// Whether a delta link is followed that was handed out before.
pub(super) fn place_of_delta(asked: &Asked) -> Place {
    match asked.query("$deltatoken") {
        Some(token) if token != "latest" => Place::Changes,
        _ => Place::Other,
    }
}

/// Users of one page; none where more is asked for than there may be.
fn size(graph: &Graph, asked: &Asked) -> Option<usize> {
    let asked = asked.query("$top").map_or(Some(USUAL), |top| top.parse().ok());
    asked.filter(|top| (1..=TOP).contains(top)).map(|top| top.min(graph.page_size))
}

/// `GET /users`.
pub(super) fn users(graph: &Graph, people: &People, asked: &Asked) -> Page {
    let Some(size) = size(graph, asked) else {
        return answer::bad("Invalid page size specified. Must be between 1 and 999 inclusive.");
    };
    let first: usize = match asked.query("$skiptoken").map(|token| token.parse()) {
        None => 0,
        Some(Ok(first)) => first,
        Some(Err(_)) => return answer::bad("Skip token is invalid."),
    };
    let names = selected(asked);
    let mut value = Vec::new();
    let mut next = first;
    while value.len() < size && next < people.len() {
        value.extend(people.user(next).map(|user| some_of(&user, &names)));
        next += 1;
    }
    let mut page = json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users", "value": value});
    if next < people.len() {
        link(&mut page, "@odata.nextLink", graph, asked, "users", &format!("$skiptoken={next}"));
    }
    answer::ok(&page)
}

/// `GET /users/delta`.
pub(super) fn delta(graph: &Graph, people: &People, asked: &Asked) -> Page {
    let size = graph.page_size;
    let now = people.changes();
    let names = selected(asked);
    let mut page = json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users(delta)"});
    // a token: since when, until when, and how many of them were given already
    let token = match (asked.query("$skiptoken"), asked.query("$deltatoken")) {
        (None, Some(token)) if token == "latest" => Some([now, now, 0]),
        (None, Some(since)) => since.parse().ok().map(|since: usize| [since, now, 0]),
        (Some(token), _) => {
            let mut parts = token.split('.').map(|part| part.parse().ok());
            let mut part = || parts.next().flatten();
            part().zip(part()).zip(part()).map(|((since, until), given)| [since, until, given])
        }
        (None, None) => Some([usize::MAX, now, 0]),
    };
    let Some([since, until, given]) = token.filter(|[_, until, _]| *until <= now) else {
        return answer::bad("Badly formed token.");
    };
    let whole = since == usize::MAX;
    let (value, ahead) = if whole {
        let users = (given..people.len()).take(size).filter_map(|number| people.user(number));
        let value: Vec<Value> = users.map(|user| without_nulls(some_of(&user, &names))).collect();
        (value, people.len().saturating_sub(given + size))
    } else {
        let changes = people.changed_between(since, until);
        let value = changes.iter().skip(given).take(size).map(|(number, changed)| match people.user(*number) {
            None => json!({"id": id(*number), "@removed": {"reason": "changed"}}),
            Some(user) => match changed {
                None => without_nulls(some_of(&user, &names)),
                Some(changed) => {
                    let mut some: Vec<Cow<'_, str>> = vec!["id".into()];
                    some.extend(names.iter().filter(|name| changed.iter().any(|changed| changed == *name)).cloned());
                    some_of(&user, &some)
                }
            },
        });
        (value.collect(), changes.len().saturating_sub(given + size))
    };
    put(&mut page, "value", value.into());
    if ahead > 0 {
        let token = format!("$skiptoken={since}.{until}.{}", given + size);
        link(&mut page, "@odata.nextLink", graph, asked, "users/delta", &token);
    } else {
        link(&mut page, "@odata.deltaLink", graph, asked, "users/delta", &format!("$deltatoken={until}"));
    }
    answer::ok(&page)
}

fn selected(asked: &Asked) -> Vec<Cow<'static, str>> {
    match asked.query("$select") {
        Some(names) => names.split(',').map(|name| Cow::Owned(name.to_owned())).collect(),
        None => USUALLY.map(Cow::Borrowed).to_vec(),
    }
}

fn some_of(user: &Object, names: &[Cow<'_, str>]) -> Value {
    let some = names.iter().map(|name| (name.to_string(), user.get(name.as_ref()).cloned().unwrap_or_default()));
    Value::Object(some.collect())
}

/// Delta leaves out what was never set.
fn without_nulls(mut user: Value) -> Value {
    if let Value::Object(user) = &mut user {
        user.retain(|_, value| !value.is_null());
    }
    user
}

/// Adds a link that asks the same, but for the token.
fn link(page: &mut Value, name: &str, graph: &Graph, asked: &Asked, path: &str, token: &str) {
    let uri: &Uri = &asked.head.uri;
    let kept =
        uri.query().unwrap_or_default().split('&').filter(|field| !field.is_empty() && !field.contains("token="));
    let query: Vec<&str> = kept.chain([token]).collect();
    put(page, name, format!("{}/v1.0/{path}?{}", graph.base(asked), query.join("&")).into());
}

fn put(page: &mut Value, name: &str, value: Value) {
    if let Value::Object(page) = page {
        page.insert(name.to_owned(), value);
    }
}
