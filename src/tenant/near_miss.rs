//! Whom a NameID meant that matches nobody: the known mistakes, cheapest first, each a look-up of what it should have been.

use super::anchor;
use super::directory::{AddressKind, Directory, Lookup, User};
use crate::personal::Personal;

/// Bytes of a NameID beyond which nothing is looked for.
const NAME_ID_MAX: usize = 1024;
/// Pieces of a NameID that are looked up each for itself.
const PIECES_MAX: usize = 16;

/// A NameID that matches nobody, and whom it meant. Its texts (`finding`, `hint`, `expected`) lie in `mending`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// What went wrong.
    pub mistake: Mistake,
    /// UPN of the user who was meant; none for [`Mistake::Empty`].
    pub upn: Option<Personal>,
    /// The ImmutableId of that user, which would have been right; none where the user has none.
    pub immutable_id: Option<Personal>,
    /// The NameID as it came.
    pub sent: Personal,
}

/// The order of the bytes of a GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    /// As `Guid.ToByteArray()` and Active Directory have it, and Entra Connect.
    LittleEndian,
    /// As the text of a GUID has it.
    BigEndian,
}

/// What made a NameID match nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Nothing, or white space alone.
    Empty,
    /// The ImmutableId but for letter case.
    LetterCase,
    /// The ImmutableId with white space around it.
    WhiteSpace,
    /// The text whose base64 is the ImmutableId.
    NotEncoded,
    /// An address of a user who has an ImmutableId.
    Address(AddressKind),
    /// An address of a user who has no ImmutableId.
    AddressWithoutId(AddressKind),
    /// The GUID as text, where its base64 is registered with its bytes in this order.
    Guid(ByteOrder),
    /// 16 bytes in hexadecimal digits, which are the text of the GUID (big-endian) or its bytes (little-endian).
    Hexadecimal(ByteOrder),
    /// The base64 of the GUID with its bytes in this order, where the other is registered.
    SwappedBytes(ByteOrder),
    /// With escapes: `percent`, `dot` or `XML`.
    Escaped(&'static str),
    /// In the alphabet of URLs.
    UrlAlphabet,
    /// Without its padding, or with too much of it.
    Padding,
    /// With blanks for plus signs.
    PlusAsBlank,
    /// In base64 once more.
    EncodedTwice,
    /// With invisible characters, or with characters that only look right.
    InvisibleCharacters,
    /// With other text before or behind.
    Surrounded,
    /// As Python shows bytes: `b'…'`.
    PythonBytes,
}

/// Whom a NameID meant that matches nobody. A few look-ups, whatever the size of the directory; none where nothing is near.
///
/// Source of the list: the mistakes that guides and mappings are known to make. All of them are AADSTS51004.
pub fn diagnose(directory: &Directory, name_id: &str) -> Option<NearMiss> {
    let sent = Personal::new(name_id);
    if name_id.trim().is_empty() {
        return Some(NearMiss { mistake: Mistake::Empty, upn: None, immutable_id: None, sent });
    }
    if name_id.len() > NAME_ID_MAX || directory.lookup(name_id) != Lookup::None {
        return None;
    }
    let (mistake, user) = near(directory, name_id)?;
    let immutable_id = user.immutable_id.map(Personal::new);
    Some(NearMiss { mistake, upn: Some(Personal::new(user.upn)), immutable_id, sent })
}

fn near<'d>(directory: &'d Directory, name_id: &str) -> Option<(Mistake, User<'d>)> {
    let holder = |id: &str| match directory.lookup(id) {
        Lookup::None => None,
        Lookup::One(user) => Some(user),
        Lookup::Several(users) => users.into_iter().next(),
    };
    let trimmed = name_id.trim_matches(|c: char| c.is_ascii_whitespace());
    let letter_case = || Some((Mistake::LetterCase, directory.lookup_ignoring_case(name_id)?));
    let white_space = || Some((Mistake::WhiteSpace, holder(trimmed)?));
    let not_encoded = || Some((Mistake::NotEncoded, holder(&anchor::encode(trimmed.as_bytes()))?));
    let address = || {
        let (user, kind) = directory.find_by_address(trimmed)?;
        let has_id = user.immutable_id.is_some();
        Some((if has_id { Mistake::Address(kind) } else { Mistake::AddressWithoutId(kind) }, user))
    };
    let hexadecimal = || {
        let (written, grouped) = anchor::hexadecimal(trimmed)?;
        let little = holder(&anchor::encode(&anchor::swapped(written))).map(|user| (ByteOrder::LittleEndian, user));
        let (registered, user) = little.or_else(|| Some((ByteOrder::BigEndian, holder(&anchor::encode(&written))?)))?;
        let mistake = match (grouped, registered) {
            (true, _) => Mistake::Guid(registered),
            // swapping gave what is registered in little-endian order: the digits were the text
            (false, ByteOrder::LittleEndian) => Mistake::Hexadecimal(ByteOrder::BigEndian),
            (false, ByteOrder::BigEndian) => Mistake::Hexadecimal(ByteOrder::LittleEndian),
        };
        Some((mistake, user))
    };
    let swapped = || {
        let guid: [u8; 16] = anchor::decode(trimmed)?.try_into().ok()?;
        let user = holder(&anchor::encode(&anchor::swapped(guid)))?;
        Some((Mistake::SwappedBytes(sent_order(guid)), user))
    };
    let escaped = || {
        let (text, kind) = anchor::unescaped(trimmed)?;
        Some((Mistake::Escaped(kind), holder(&text)?))
    };
    let url_alphabet = || Some((Mistake::UrlAlphabet, holder(&anchor::from_url_alphabet(trimmed)?)?));
    let padding = || Some((Mistake::Padding, holder(&anchor::padded(trimmed))?));
    let plus = || Some((Mistake::PlusAsBlank, holder(&name_id.replace(' ', "+"))?));
    let twice = || Some((Mistake::EncodedTwice, holder(&anchor::text_within(trimmed)?)?));
    let disguised = || Some((Mistake::InvisibleCharacters, holder(&anchor::without_disguise(name_id)?)?));
    let surrounded = || {
        let pieces = trimmed.split(|c: char| c.is_whitespace() || "'\"`{}[]()<>\\|!;,:@#%".contains(c));
        let user = pieces.filter(|piece| !piece.is_empty()).take(PIECES_MAX).find_map(holder)?;
        let python = trimmed.starts_with("b'") || trimmed.starts_with("b\"");
        Some((if python { Mistake::PythonBytes } else { Mistake::Surrounded }, user))
    };
    let tests: [&dyn Fn() -> Option<(Mistake, User<'d>)>; 13] = [
        &letter_case,
        &white_space,
        &not_encoded,
        &address,
        &hexadecimal,
        &swapped,
        &escaped,
        &url_alphabet,
        &padding,
        &plus,
        &twice,
        &disguised,
        &surrounded,
    ];
    tests.into_iter().find_map(|test| test())
}

/// In which order the bytes of a GUID were sent: a random GUID, as all of Active Directory's, has version 4 in its third field.
fn sent_order(guid: [u8; 16]) -> ByteOrder {
    let [_, _, _, _, _, _, g, h, ..] = guid;
    let is_random = |byte: u8| byte >> 4 == 4;
    if is_random(h) && !is_random(g) { ByteOrder::LittleEndian } else { ByteOrder::BigEndian }
}

#[cfg(test)]
mod tests;
