//! One page of users as Graph's JSON.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use super::error::{GraphError, Subject};
use crate::tenant::{ObjectId, Said, UserType};

/// A page, and where it leads.
#[derive(Deserialize)]
pub(super) struct Page<'a> {
    #[serde(rename = "@odata.nextLink", borrow, default)]
    pub(super) next: Option<Cow<'a, str>>,
    #[serde(rename = "@odata.deltaLink", borrow, default)]
    pub(super) delta: Option<Cow<'a, str>>,
    #[serde(borrow)]
    value: Vec<Row<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(rename = "@removed", default)]
    removed: Option<serde::de::IgnoredAny>,
    #[serde(borrow, default)]
    user_principal_name: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "said")]
    mail: Option<Option<Cow<'a, str>>>,
    #[serde(borrow, default, deserialize_with = "said")]
    on_premises_immutable_id: Option<Option<Cow<'a, str>>>,
    #[serde(default, deserialize_with = "said")]
    account_enabled: Option<Option<bool>>,
    #[serde(borrow, default, deserialize_with = "said")]
    user_type: Option<Option<Cow<'a, str>>>,
    #[serde(borrow, default, deserialize_with = "said")]
    proxy_addresses: Option<Option<Vec<Cow<'a, str>>>>,
}

/// `null` is said, too.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl<'a> Page<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, GraphError> {
        serde_json::from_slice(body).map_err(|error| GraphError::garbage(Subject::Users, &error))
    }

    /// Its users: what is said of each, none where one was removed.
    pub(super) fn users(self) -> impl Iterator<Item = Result<(ObjectId, Option<Said<'a>>), GraphError>> {
        self.value.into_iter().map(|row| {
            let id = ObjectId::parse(&row.id).ok_or_else(|| GraphError::Garbage {
                subject: Subject::Users,
                problem: "an id is no GUID".to_owned(),
            })?;
            Ok((id, if row.removed.is_some() { None } else { Some(row.said()) }))
        })
    }
}

impl<'a> Row<'a> {
    fn said(self) -> Said<'a> {
        let user_type = |text: Cow<'_, str>| match text {
            text if text.eq_ignore_ascii_case("member") => Some(UserType::Member),
            text if text.eq_ignore_ascii_case("guest") => Some(UserType::Guest),
            _ => None,
        };
        Said {
            upn: self.user_principal_name,
            mail: self.mail,
            immutable_id: self.on_premises_immutable_id,
            account_enabled: self.account_enabled,
            user_type: self.user_type.map(|said| said.and_then(user_type)),
            proxy_addresses: self.proxy_addresses.map(|list| list.unwrap_or_default().join(";")),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_null_is_said_and_what_is_absent_is_not() {
        let body = br#"{"value":[{"id":"00000000-0000-4000-8000-000000000001","mail":null,"proxyAddresses":["SMTP:a@b"]},
            {"id":"00000000-0000-4000-8000-000000000002","@removed":{"reason":"changed"}}],"@odata.deltaLink":"https:\/\/g"}"#;
        let page = Page::parse(body).unwrap();
        assert_eq!((page.next.as_deref(), page.delta.as_deref()), (None, Some("https://g")));
        let users: Vec<_> = page.users().map(Result::unwrap).collect();
        let [(_, Some(said)), (_, None)] = users.as_slice() else { unreachable!() };
        assert_eq!((said.mail.as_ref(), said.immutable_id.as_ref()), (Some(&None), None));
        assert_eq!(said.proxy_addresses.as_deref(), Some("SMTP:a@b"));
    }

    #[test]
    fn garbage_is_not_quoted() {
        let error = Page::parse(br#"{"value":[{"id":"first.user@domain.company","mail":7}]}"#).err().unwrap();
        assert!(!error.to_string().contains("first"), "{error}");
    }
}
