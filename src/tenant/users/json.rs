//! Users as JSON: pages of Graph, what ConvertTo-Json makes of one user or of many, one object a line. Read as a stream.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::builder::NewUser;
use super::{Property, Sink, UsersError, truth, user_type};

pub(super) fn read(text: &str, sink: &mut Sink) -> Result<(), UsersError> {
    let mut reader = Reader { sink, objects: 0, saw_immutable_id: false, proxies: String::new(), fault: None };
    let mut json = serde_json::Deserializer::from_str(text);
    // one value, or several one after the other
    loop {
        if let Err(error) = Node(&mut reader).deserialize(&mut json) {
            return Err(reader.fault.take().unwrap_or_else(|| json_error(&error)));
        }
        if json.end().is_ok() {
            break;
        }
    }
    if reader.objects > 0 && !reader.saw_immutable_id {
        let got = format!("{} users without it", reader.objects);
        return Err(UsersError::NoProperty { property: Property::ImmutableId.as_str(), got });
    }
    Ok(())
}

struct Reader<'s> {
    sink: &'s mut Sink,
    objects: usize,
    saw_immutable_id: bool,
    /// Proxy addresses of the user at hand, one a line; kept for its room.
    proxies: String,
    /// A fault that is ours and not the grammar's.
    fault: Option<UsersError>,
}

impl Reader<'_> {
    fn refuse<E: Error>(&mut self, fault: UsersError) -> E {
        self.fault = Some(fault);
        E::custom("refused")
    }
}

/// A user, a page of users, or an array of either.
struct Node<'r, 's>(&'r mut Reader<'s>);

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a user, or a list of users")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Node(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reader = self.0;
        let mut user = Row::default();
        let (mut is_page, mut removed, mut next_page) = (false, false, false);
        reader.proxies.clear();
        while let Some(Word(key)) = map.next_key()? {
            match Property::of_key(&key) {
                Some(Property::Upn) => user.upn = Some(text(&mut map, Property::Upn)?.unwrap_or_default()),
                Some(Property::Mail) => user.mail = text(&mut map, Property::Mail)?,
                Some(Property::ImmutableId) => {
                    reader.saw_immutable_id = true;
                    user.immutable_id = text(&mut map, Property::ImmutableId)?;
                }
                Some(Property::UserType) => {
                    user.user_type = text(&mut map, Property::UserType)?.and_then(|text| user_type(&text));
                }
                Some(Property::AccountEnabled) => user.enabled = flag(&mut map, Property::AccountEnabled)?,
                Some(Property::BlockCredential) => user.blocked = flag(&mut map, Property::BlockCredential)?,
                Some(Property::ProxyAddresses) => map.next_value_seed(Addresses(&mut reader.proxies))?,
                None if key.eq_ignore_ascii_case("value") => {
                    is_page = true;
                    map.next_value_seed(Node(reader))?;
                }
                None if key == "@removed" => {
                    removed = true;
                    map.next_value::<IgnoredAny>()?;
                }
                None if key == "@odata.nextLink" => {
                    next_page = true;
                    map.next_value::<IgnoredAny>()?;
                }
                None if key == "error" => {
                    let answer: serde_json::Value = map.next_value()?;
                    let code = answer.get("code").and_then(|code| code.as_str()).unwrap_or("without a code");
                    return Err(reader.refuse(UsersError::Graph { code: code.to_owned() }));
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if is_page {
            reader.sink.tally.next_page = next_page;
            return Ok(());
        }
        if removed {
            return Ok(());
        }
        reader.objects += 1;
        let Some(upn) = user.upn else {
            return Err(reader.refuse(UsersError::NoProperty {
                property: Property::Upn.as_str(),
                got: format!("object {} without it", reader.objects),
            }));
        };
        let user = NewUser {
            upn: &upn,
            mail: user.mail.as_deref(),
            immutable_id: user.immutable_id.as_deref(),
            account_enabled: user.enabled.or(user.blocked.map(|blocked| !blocked)),
            user_type: user.user_type,
            proxy_addresses: &reader.proxies,
        };
        reader.sink.push(user).map_err(|fault| {
            reader.fault = Some(fault);
            A::Error::custom("refused")
        })
    }
}

#[derive(Default)]
struct Row<'de> {
    upn: Option<Cow<'de, str>>,
    mail: Option<Cow<'de, str>>,
    immutable_id: Option<Cow<'de, str>>,
    enabled: Option<bool>,
    blocked: Option<bool>,
    user_type: Option<super::UserType>,
}

/// A text that is borrowed where it has no escapes.
#[derive(Deserialize)]
struct Word<'a>(#[serde(borrow)] Cow<'a, str>);

/// A value that may be of several kinds; what it is not is named without showing it.
enum Scalar<'a> {
    Flag(bool),
    Text(Cow<'a, str>),
    Null,
    Number,
    Nested,
}

impl Scalar<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Flag(_) => "true or false",
            Self::Text(_) => "some other text",
            Self::Null => "null",
            Self::Number => "a number",
            Self::Nested => "an array or an object",
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Flag(flag))
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nested)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nested)
    }
}

fn text<'de, A: MapAccess<'de>>(map: &mut A, property: Property) -> Result<Option<Cow<'de, str>>, A::Error> {
    match map.next_value()? {
        Scalar::Text(text) => Ok(Some(text)),
        Scalar::Null => Ok(None),
        other => {
            Err(A::Error::custom(format_args!("expected text or null as {}, got {}", property.as_str(), other.kind())))
        }
    }
}

fn flag<'de, A: MapAccess<'de>>(map: &mut A, property: Property) -> Result<Option<bool>, A::Error> {
    let value: Scalar<'de> = map.next_value()?;
    let flag = match &value {
        Scalar::Flag(flag) => Ok(Some(*flag)),
        Scalar::Null => Ok(None),
        Scalar::Text(text) => truth(text),
        Scalar::Number | Scalar::Nested => Err(()),
    };
    flag.map_err(|()| {
        A::Error::custom(format_args!("expected true, false or null as {}, got {}", property.as_str(), value.kind()))
    })
}

/// `proxyAddresses`: an array, a text, or the object `{"value": […], "Count": …}` that Windows PowerShell makes of an array.
struct Addresses<'r>(&'r mut String);

impl<'de> DeserializeSeed<'de> for Addresses<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Addresses<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of proxy addresses")
    }

    fn visit_str<E: Error>(self, address: &str) -> Result<(), E> {
        self.0.push_str(address);
        self.0.push('\n');
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Addresses(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Word(key)) = map.next_key()? {
            if key.eq_ignore_ascii_case("value") {
                map.next_value_seed(Addresses(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// The place and the problem, without the values that serde_json quotes of its own accord.
fn json_error(error: &serde_json::Error) -> UsersError {
    let problem = error.to_string();
    let problem = problem.rsplit_once(" at line ").map_or(problem.as_str(), |(problem, _)| problem);
    let problem = match problem.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((got, expected)) => {
            let kind = got.split([' ', '`', '"']).next().unwrap_or_default();
            format!("expected {expected}, got {kind}")
        }
        None => problem.to_owned(),
    };
    UsersError::Json { line: error.line(), column: error.column(), problem }
}
