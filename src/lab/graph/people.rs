//! The users of the fake Graph: those of a directory, those made up by number, and what was changed of them since.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::super::page::Page;
use super::answer;
use crate::tenant::{Directory, User, UserType};

pub(super) type Object = Map<String, Value>;

/// The users of the tenant. Only what was changed is kept as JSON.
#[derive(Default)]
pub struct People {
    directories: Vec<Arc<Directory>>,
    /// How many more are made up.
    made: usize,
    /// Their domain.
    domain: String,
    /// Those who were added by hand.
    added: usize,
    /// Those who were changed, by number; none where one was removed.
    changed: BTreeMap<usize, Option<Object>>,
    log: Vec<Change>,
}

struct Change {
    user: usize,
    /// The properties; none where the user is new.
    names: Option<Vec<String>>,
}

impl std::fmt::Debug for People {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "People({} users)", self.len())
    }
}

impl People {
    /// The users of these directories; one that comes twice is taken once.
    pub fn of(directories: impl IntoIterator<Item = Arc<Directory>>) -> Self {
        let mut known: Vec<Arc<Directory>> = Vec::new();
        for directory in directories {
            if !known.iter().any(|other| Arc::ptr_eq(other, &directory)) {
                known.push(directory);
            }
        }
        Self { directories: known, ..Self::default() }
    }

    /// So many made-up users of this domain besides.
    #[must_use]
    pub fn and_made_up(self, made: usize, domain: &str) -> Self {
        Self { made, domain: domain.to_owned(), ..self }
    }

    /// How many there are, those who were removed included.
    pub fn len(&self) -> usize {
        self.given() + self.made + self.added
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn given(&self) -> usize {
        self.directories.iter().map(|directory| directory.len()).sum()
    }

    /// Sets properties of the user with this number, as a PATCH does.
    pub fn change(&mut self, number: usize, properties: &Value) {
        let (Some(mut user), Some(properties)) = (self.user(number), properties.as_object()) else { return };
        user.extend(properties.clone());
        self.changed.insert(number, Some(user));
        self.log.push(Change { user: number, names: Some(properties.keys().cloned().collect()) });
    }

    /// Removes the user with this number.
    pub fn remove(&mut self, number: usize) {
        self.changed.insert(number, None);
        self.log.push(Change { user: number, names: None });
    }

    /// Adds a user, who gets an id.
    pub fn add(&mut self, properties: &Value) {
        let number = self.len();
        let mut user = properties.as_object().cloned().unwrap_or_default();
        user.insert("id".to_owned(), id(number).into());
        self.added += 1;
        self.changed.insert(number, Some(user));
        self.log.push(Change { user: number, names: None });
    }

    /// How many changes there were.
    pub(super) fn changes(&self) -> usize {
        self.log.len()
    }

    /// The user with this number, whole; none where nobody has it.
    pub(super) fn user(&self, number: usize) -> Option<Object> {
        if let Some(changed) = self.changed.get(&number) {
            return changed.clone();
        }
        let mut left = number;
        for directory in &self.directories {
            match directory.user_at(left) {
                Some(user) => return Some(object(number, &user)),
                None => left -= directory.len(),
            }
        }
        (left < self.made).then(|| self.made_up(number, left))
    }

    /// What changed between two moments: the number of each user, and the properties, none for all of them.
    pub(super) fn changed_between(&self, from: usize, to: usize) -> Vec<(usize, Option<Vec<String>>)> {
        let mut users: BTreeMap<usize, Option<Vec<String>>> = BTreeMap::new();
        for change in self.log.iter().take(to).skip(from) {
            let names = users.entry(change.user).or_insert_with(|| Some(Vec::new()));
            match (names.as_mut(), &change.names) {
                (Some(names), Some(more)) => names.extend(more.iter().cloned()),
                _ => *names = None,
            }
        }
        users.into_iter().collect()
    }

    fn made_up(&self, number: usize, nth: usize) -> Object {
        let upn = format!("user{nth}@{}", self.domain);
        // 16 bytes that look like those of a GUID, and are another for each number
        let scrambled = (nth as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        let anchor = crate::tenant::anchor_text(&scrambled.to_le_bytes());
        let user = json!({
            "id": id(number), "userPrincipalName": upn, "mail": upn, "proxyAddresses": [format!("SMTP:{upn}")],
            "onPremisesImmutableId": anchor, "onPremisesSyncEnabled": true, "accountEnabled": true, "userType": "Member",
            "displayName": format!("User {nth}"),
        });
        user.as_object().cloned().unwrap_or_default()
    }
}

/// The object id of the user with this number.
pub(super) fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

fn number(id: &str) -> Option<usize> {
    usize::from_str_radix(id.rsplit_once('-')?.1, 16).ok()
}

fn object(number: usize, user: &User<'_>) -> Object {
    let primary = user.mail.unwrap_or(user.upn);
    let more = user.proxy_addresses().map(|address| format!("smtp:{address}"));
    let addresses: Vec<String> = std::iter::once(format!("SMTP:{primary}")).chain(more).collect();
    let user_type = user.user_type.map(|user_type| match user_type {
        UserType::Member => "Member",
        UserType::Guest => "Guest",
    });
    let user = json!({
        "id": id(number), "userPrincipalName": user.upn, "mail": user.mail, "proxyAddresses": addresses,
        "onPremisesImmutableId": user.immutable_id, "onPremisesSyncEnabled": user.immutable_id.map(|_| true),
        "accountEnabled": user.account_enabled, "userType": user_type, "displayName": null,
    });
    user.as_object().cloned().unwrap_or_default()
}

/// `POST /users`, `PATCH /users/{id}`, `DELETE /users/{id}`: for a tester with curl.
pub(super) fn by_hand(people: &mut People, method: &Method, id: Option<&str>, body: &[u8]) -> Page {
    let properties = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);
    let number = id.map(|id| number(id).filter(|number| people.user(*number).is_some()));
    let done = || Page::new(StatusCode::NO_CONTENT, String::new());
    match (method, number, properties) {
        (&Method::POST, None, Some(properties)) => {
            people.add(&properties);
            let added = people.user(people.len() - 1).unwrap_or_default();
            answer::json(StatusCode::CREATED, &Value::Object(added))
        }
        (&Method::PATCH, Some(Some(number)), Some(properties)) => {
            people.change(number, &properties);
            done()
        }
        (&Method::DELETE, Some(Some(number)), _) => {
            people.remove(number);
            done()
        }
        (_, Some(None), _) => answer::not_found(id.unwrap_or_default()),
        _ => answer::bad("Expected POST /users, PATCH or DELETE /users/{id}, and a JSON object."),
    }
}
