//! What is said of a NameID that matches nobody, and the exact step that mends it.

use super::directory::AddressKind;
use super::near_miss::{ByteOrder, Mistake, NearMiss};
use crate::personal::Personal;
use crate::verdict::Text;

/// What authentik needs to send the id that is registered.
const MAPPING: &str = "in authentik create a SAML Property Mapping (Customization > Property Mappings) with the expression \
     `return request.user.attributes.get(\"entra_immutable_id\", \"\")` (the user attribute that holds the ImmutableId), and \
     set it as NameID Property Mapping of the provider (Advanced protocol settings)";
/// The expression that turns the text of a GUID into what Entra Connect registers.
const GUID_MAPPING: &str = "in the NameID Property Mapping of the provider use `import base64, uuid; objectGUID = request.user.attributes[\"objectGUID\"]; \
     return base64.b64encode(uuid.UUID(objectGUID).bytes_le).decode()`";
/// Why ids stay empty although the guide's loop ran.
const QUERY: &str = "Get-MgUser -Filter \"endsWith(mail,'@domain.company')\" -All needs -ConsistencyLevel eventual -CountVariable count: \
     without them the query is refused and every ImmutableId stays empty";

/// What to do about a NameID to which nothing comes near.
pub fn general_hint() -> Text {
    Text::plain("compare with the ImmutableIds of the tenant: Get-MgUser -All -Property UserPrincipalName,OnPremisesImmutableId. Then ")
        .then(MAPPING)
        .then(". An old export of users does not know new ones: export them again")
}

impl NearMiss {
    /// What is wrong, in one sentence.
    pub fn finding(&self) -> Text {
        let of_user = |before: &'static str, behind: &'static str| self.user(Text::plain(before)).then(behind);
        match self.mistake {
            Mistake::Empty => Text::plain("the NameID is empty, so no ImmutableId can equal it"),
            Mistake::LetterCase => {
                of_user("the NameID is the ImmutableId of ", " in other letter case; Entra compares byte by byte")
            }
            Mistake::WhiteSpace => of_user("the NameID is the ImmutableId of ", " with white space around it"),
            Mistake::NotEncoded => of_user("the NameID is the plain text whose base64 is the ImmutableId of ", ""),
            Mistake::Address(kind) => {
                let text = Text::plain(format!("the NameID is the {kind} of "));
                self.user(text).then(", not the ImmutableId, which is another")
            }
            Mistake::AddressWithoutId(kind) => {
                self.user(Text::plain(format!("the NameID is the {kind} of "))).then(", who has no ImmutableId at all")
            }
            Mistake::Guid(ByteOrder::LittleEndian) => {
                of_user("the NameID is a GUID as text; its little-endian base64 is the ImmutableId of ", "")
            }
            Mistake::Guid(ByteOrder::BigEndian) => {
                of_user("the NameID is a GUID as text; its big-endian base64 is the ImmutableId of ", "")
            }
            Mistake::Hexadecimal(_) => {
                of_user("the NameID is 16 bytes in hexadecimal digits; their base64 is the ImmutableId of ", "")
            }
            Mistake::SwappedBytes(ByteOrder::BigEndian) => of_user(
                "the NameID is the GUID in big-endian byte order; in little-endian order it is the ImmutableId of ",
                "",
            ),
            Mistake::SwappedBytes(ByteOrder::LittleEndian) => of_user(
                "the NameID is the GUID in little-endian byte order; what is registered in big-endian order is the ImmutableId of ",
                "",
            ),
            Mistake::Escaped(kind) => self
                .user(Text::plain(format!("the NameID holds {kind} escapes; without them it is the ImmutableId of "))),
            Mistake::UrlAlphabet => {
                of_user("the NameID is base64url; in standard base64 it is the ImmutableId of ", "")
            }
            Mistake::Padding => {
                of_user("the NameID is the ImmutableId of ", " without its padding, the = signs at the end")
            }
            Mistake::PlusAsBlank => {
                of_user("the NameID is the ImmutableId of ", " with its plus signs turned to spaces")
            }
            Mistake::EncodedTwice => of_user("the NameID is the ImmutableId of ", " encoded twice as base64"),
            Mistake::InvisibleCharacters => of_user(
                "the NameID holds invisible characters or look-alikes; without them it is the ImmutableId of ",
                "",
            ),
            Mistake::Surrounded => of_user("the NameID has more text around the ImmutableId of ", ""),
            Mistake::PythonBytes => of_user("the NameID is Python's b'…' around the ImmutableId of ", ""),
        }
    }

    /// What the NameID should have been, where the user has an ImmutableId.
    pub fn expected(&self) -> Option<Text> {
        self.immutable_id.as_ref().map(|id| Text::personal(id.expose()))
    }

    /// How to mend it.
    pub fn hint(&self) -> Text {
        match self.mistake {
            Mistake::Empty => Text::plain("the user has no such attribute at the identity provider: fill it, and ").then(MAPPING),
            Mistake::LetterCase => {
                self.send("", ": something on the way folds letter case, as a directory that stores the value case-insensitively")
            }
            Mistake::WhiteSpace => self.send("", ": trim the value in the mapping, `.strip()`"),
            Mistake::NotEncoded => self.send(
                "",
                ": the registered ids are base64, so encode in the NameID Property Mapping too: \
                 `import base64; return base64.b64encode(request.user.email.encode()).decode()`; \
                 or register the plain text by Update-MgUser -OnPremisesImmutableId",
            ),
            Mistake::Address(_) => self.send(": ", "").then(MAPPING),
            Mistake::AddressWithoutId(kind) => self.register(kind),
            Mistake::Guid(ByteOrder::LittleEndian) | Mistake::Hexadecimal(ByteOrder::BigEndian) => {
                self.send(": ", "").then(GUID_MAPPING)
            }
            Mistake::SwappedBytes(ByteOrder::BigEndian) => {
                self.send(": ", "").then(GUID_MAPPING).then("; `.bytes` is the wrong order, `.bytes_le` the right one")
            }
            Mistake::Guid(ByteOrder::BigEndian) | Mistake::SwappedBytes(ByteOrder::LittleEndian) => self.send(
                ": ",
                "the registered id was itself made in the wrong byte order: send \
                 `base64.b64encode(uuid.UUID(objectGUID).bytes).decode()`, or better register the id anew from `bytes_le`",
            ),
            Mistake::Hexadecimal(ByteOrder::LittleEndian) => {
                self.send("", ": `base64.b64encode(bytes.fromhex(value)).decode()` in the NameID Property Mapping")
            }
            Mistake::Escaped(_) => self.send(
                "",
                ": send plain base64 with + / and =, as every implementation does; Microsoft's page prints .2B for +, which Entra does not read",
            ),
            Mistake::UrlAlphabet => self.send("", ": use `base64.b64encode`, not `base64.urlsafe_b64encode`"),
            Mistake::Padding => self.send("", ": keep the = signs; 16 bytes are 24 characters that end in =="),
            Mistake::PlusAsBlank => {
                self.send("", ": the value was decoded as a form once too often; look for an unquoted query or a proxy that re-encodes")
            }
            Mistake::EncodedTwice => self.send("", ": the attribute is base64 already, so return it as it is"),
            Mistake::InvisibleCharacters => {
                self.send("", ": type the value anew, or read it from the directory; it was copied from a formatted page")
            }
            Mistake::Surrounded => self.send("", ": return the id alone, without scope, domain or quotes"),
            Mistake::PythonBytes => self.send("", ": the mapping returns bytes, end its expression in `.decode()`"),
        }
    }

    /// `… the UPN`.
    fn user(&self, text: Text) -> Text {
        match &self.upn {
            Some(upn) => text.then_personal(upn.expose()),
            None => text,
        }
    }

    /// `send <the right id>`, and more.
    fn send(&self, before: &'static str, behind: &'static str) -> Text {
        let text = Text::plain("send ");
        let text = match &self.immutable_id {
            Some(id) => text.then_personal(id.expose()),
            None => text.then("the ImmutableId"),
        };
        text.then(before).then(behind)
    }

    /// The command that gives a user an ImmutableId.
    fn register(&self, kind: AddressKind) -> Text {
        let sent = self.sent.expose().trim();
        let settable = sent.chars().count() <= super::ID_MAX && !sent.contains(['$', '_']);
        let upn = self.upn.as_ref().map_or("", Personal::expose);
        let text = Text::plain("give the user an ImmutableId: Update-MgUser -UserId '")
            .then_personal_as(upn, in_single_quotes(upn))
            .then("' -OnPremisesImmutableId '");
        let text = if settable {
            text.then_personal_as(sent, in_single_quotes(sent)).then("'")
        } else {
            text.then(format!(
                "…' with a value of your own (Graph refuses $ and _ as in this {kind}, and more than {} characters), and let the NameID \
                 Property Mapping of the provider return the same",
                super::ID_MAX
            ))
        };
        text.then(". If a loop over all users was to do that: ").then(QUERY)
    }
}

/// Text for between single quotes in PowerShell, which takes typographic quotes for quotes too.
fn in_single_quotes(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        out.extend(matches!(c, '\'' | '\u{2018}'..='\u{201b}').then_some(c));
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::in_single_quotes;

    #[test]
    fn no_name_breaks_out_of_its_quotes() {
        assert_eq!(in_single_quotes("o'user'; x ‘y’"), "o''user''; x ‘‘y’’");
    }
}
