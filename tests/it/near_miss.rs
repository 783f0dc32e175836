//! Whom a NameID meant: nobody is named whose id is not related to it by one of the known mistakes.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use samlgate::tenant::{Directory, DirectoryBuilder, Mistake, NewUser, diagnose};

/// A user, of whom some have no id, and some one that is no GUID.
#[derive(Debug, Clone)]
struct Known {
    upn: String,
    mail: String,
    proxy: String,
    id: String,
}

impl Known {
    fn has(&self, address: &str) -> bool {
        [&self.upn, &self.mail, &self.proxy].iter().any(|known| known.eq_ignore_ascii_case(address))
    }
}

fn directory(users: &[Known]) -> Directory {
    let mut builder = DirectoryBuilder::default();
    for Known { upn, mail, proxy, id } in users {
        let proxies = format!("smtp:{proxy}");
        let user =
            NewUser { upn, mail: Some(mail), immutable_id: Some(id), proxy_addresses: &proxies, ..NewUser::default() };
        builder.push(user).unwrap();
    }
    builder.finish().0
}

fn users() -> impl Strategy<Value = Vec<Known>> {
    let id = prop_oneof![
        6 => any::<[u8; 16]>().prop_map(|bytes| STANDARD.encode(bytes)),
        1 => "[A-Za-z0-9+/=@._-]{0,30}",
    ];
    proptest::collection::vec(id, 1..12).prop_map(|ids| {
        let known = |(number, id): (usize, String)| Known {
            upn: format!("user{number}@domain.company"),
            mail: format!("mail{number}@domain.company"),
            proxy: format!("proxy{number}@domain.company"),
            id,
        };
        ids.into_iter().enumerate().map(known).collect()
    })
}

/// The other byte order of a GUID, said in other words than the product's.
fn swapped(bytes: &[u8]) -> Vec<u8> {
    [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].iter().map(|place| bytes[*place]).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn guid(bytes: &[u8]) -> String {
    [&bytes[..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]].map(hex).join("-")
}

/// The id of 16 bytes as each known mistake sends it.
const MISTAKES: [fn(&str, &[u8]) -> String; 20] = [
    |id, _| id.to_uppercase(),
    |id, _| format!(" {id}\n"),
    |_, bytes| guid(&swapped(bytes)),
    |_, bytes| format!("{{{}}}", guid(bytes).to_uppercase()),
    |_, bytes| hex(bytes),
    |_, bytes| format!("0x{}", hex(&swapped(bytes)).to_uppercase()),
    |_, bytes| STANDARD.encode(swapped(bytes)),
    |id, _| id.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"),
    |id, _| id.replace('+', "%252B").replace('/', "%252F").replace('=', "%253D"),
    |id, _| id.replace('+', ".2B").replace('/', ".2F").replace('=', ".3D"),
    |id, _| id.replace('+', "&#43;").replace('/', "&#x2F;").replace('=', "&equals;"),
    |_, bytes| URL_SAFE_NO_PAD.encode(bytes),
    |id, _| id.trim_end_matches('=').to_owned(),
    |id, _| format!("{id}="),
    |id, _| id.replace('+', " "),
    |id, _| STANDARD.encode(id),
    |id, _| STANDARD.encode(id.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()),
    |id, _| format!("{id}\u{200b}"),
    |id, _| format!("DOMAIN\\{id}"),
    |id, _| format!("b'{id}'"),
];

/// Whether the mistake leads from the user to what was sent, looked at from the user's side.
fn is_related(mistake: Mistake, sent: &str, user: &Known) -> bool {
    let (id, trimmed) = (user.id.as_str(), sent.trim());
    let bytes = STANDARD.decode(id).ok().filter(|bytes| bytes.len() == 16);
    let bare = |text: &str| text.trim_end_matches('=').to_owned();
    match mistake {
        Mistake::Empty => false,
        Mistake::LetterCase => sent.eq_ignore_ascii_case(id),
        Mistake::WhiteSpace => trimmed == id,
        Mistake::NotEncoded => STANDARD.encode(trimmed) == id,
        Mistake::Address(_) => user.has(trimmed) && !id.is_empty(),
        Mistake::AddressWithoutId(_) => user.has(trimmed) && id.is_empty(),
        Mistake::Guid(_) | Mistake::Hexadecimal(_) => bytes.is_some_and(|bytes| {
            let digits = trimmed.replace("urn:uuid:", "").replace("0x", "").to_lowercase();
            let digits: String = digits.chars().filter(char::is_ascii_hexdigit).collect();
            digits == hex(&bytes) || digits == hex(&swapped(&bytes))
        }),
        Mistake::SwappedBytes(_) => bytes.is_some_and(|bytes| {
            // whatever stands in the four bits that base64 of 16 bytes has too many
            let kept = |text: &str| bare(text).chars().take(21).collect::<String>();
            kept(trimmed) == kept(&STANDARD.encode(swapped(&bytes)))
        }),
        Mistake::Escaped(_) => {
            let once = unescaped(trimmed);
            once == id || unescaped(&once) == id
        }
        Mistake::UrlAlphabet => bare(&trimmed.replace('-', "+").replace('_', "/")) == bare(id),
        Mistake::Padding => bare(trimmed) == bare(id),
        Mistake::PlusAsBlank => sent.replace(' ', "+") == id,
        Mistake::EncodedTwice => {
            let wide: Vec<u8> = id.encode_utf16().flat_map(u16::to_le_bytes).collect();
            bare(trimmed) == bare(&STANDARD.encode(id)) || bare(trimmed) == bare(&STANDARD.encode(wide))
        }
        // each character of the id is there, but for as many as there are strange ones
        Mistake::InvisibleCharacters => {
            let plain: Vec<char> = sent.chars().filter(char::is_ascii_graphic).collect();
            let mut rest = id.chars();
            plain.iter().all(|c| rest.any(|of_id| of_id == *c))
                && id.chars().count() - plain.len() <= sent.chars().filter(|c| !c.is_ascii()).count()
        }
        Mistake::Surrounded | Mistake::PythonBytes => trimmed.contains(id) && trimmed.len() > id.len(),
    }
}

/// Every escape that anybody writes, resolved.
fn unescaped(text: &str) -> String {
    let mut out = text.to_owned();
    for byte in 0x20..0x7f_u8 {
        let c = char::from(byte).to_string();
        let upper = [format!("%{byte:02X}"), format!("%{byte:02x}"), format!("&#{byte};")];
        let more = [format!("&#x{byte:X};"), format!("&#x{byte:x};"), format!("&#X{byte:X};")];
        for written in upper.iter().chain(&more) {
            // `%25` and `&#38;` begin the next escape, which is for the next round
            out = out.replace(written, if matches!(byte, b'%' | b'&') { "\u{0}" } else { &c });
        }
    }
    for (written, c) in [
        (".2B", "+"),
        (".2b", "+"),
        (".2F", "/"),
        (".2f", "/"),
        (".3D", "="),
        (".3d", "="),
        ("&plus;", "+"),
        ("&sol;", "/"),
        ("&equals;", "="),
    ] {
        out = out.replace(written, c);
    }
    let rest = if text.contains("%25") { "%" } else { "&" };
    out.replace("&amp;", "&").replace('\u{0}', rest)
}

/// One character of a text replaced by another one.
fn edited(text: &str, place: Index, by: char) -> String {
    let at = place.index(text.chars().count());
    text.chars().enumerate().map(|(index, c)| if index == at { by } else { c }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_named_who_is_not_related(
        users in users(),
        whom in any::<Index>(),
        stranger in any::<[u8; 16]>(),
        mistake in select(&MISTAKES[..]),
        place in any::<Index>(),
        by in prop_oneof![prop::char::range('!', '~'), any::<char>()],
        anything in ".{0,40}",
    ) {
        let directory = directory(&users);
        let user = whom.get(&users);
        let bytes = STANDARD.decode(&user.id).ok().filter(|bytes| bytes.len() == 16);
        let sent = bytes.as_ref().map_or_else(|| user.id.clone(), |bytes| mistake(&user.id, bytes));
        let of_stranger = mistake(&STANDARD.encode(stranger), &stranger);
        let mut all = vec![anything, of_stranger, user.upn.to_uppercase(), edited(&user.mail, place, by)];
        if !sent.is_empty() {
            all.push(edited(&sent, place, by));
        }
        all.push(sent);
        for sent in all {
            let Some(found) = diagnose(&directory, &sent) else { continue };
            let Some(upn) = found.upn else {
                prop_assert!(sent.trim().is_empty(), "{sent:?}");
                continue;
            };
            let named = users.iter().find(|user| user.upn == upn.expose());
            let is_related = named.is_some_and(|user| is_related(found.mistake, &sent, user));
            prop_assert!(is_related, "{sent:?} names {named:?} for {:?}", found.mistake);
            prop_assert_eq!(found.immutable_id.map(|id| id.expose().to_owned()).unwrap_or_default(), named.map(|user| user.id.clone()).unwrap_or_default());
        }
    }

    #[test]
    fn whoever_was_meant_is_named(
        ids in proptest::collection::vec(any::<[u8; 16]>(), 1..12),
        whom in any::<Index>(),
        mistake in select(&MISTAKES[..]),
    ) {
        let known = |(number, bytes): (usize, &[u8; 16])| Known {
            upn: format!("user{number}@domain.company"),
            mail: String::new(),
            proxy: String::new(),
            id: STANDARD.encode(bytes),
        };
        let users: Vec<Known> = ids.iter().enumerate().map(known).collect();
        let number = whom.index(users.len());
        let sent = mistake(&users[number].id, &ids[number]);
        // this one has nothing to be mistaken
        prop_assume!(sent != users[number].id);
        let found = diagnose(&directory(&users), &sent);
        let upn = found.and_then(|found| found.upn);
        prop_assert_eq!(upn.map(|upn| upn.expose().to_owned()), Some(users[number].upn.clone()), "{}", sent);
    }
}

#[test]
fn the_pairs_of_the_guides_are_told_apart() {
    for (guid_text, id, big_endian) in [
        ("f7cc07d7-7c15-447d-876d-c01b0e5a9e38", "1wfM9xV8fUSHbcAbDlqeOA==", "98wH13wVRH2HbcAbDlqeOA=="),
        ("bcd2e574-8d58-4136-a9df-8a19b145db79", "dOXSvFiNNkGp34oZsUXbeQ==", "vNLldI1YQTap34oZsUXbeQ=="),
    ] {
        let bytes = STANDARD.decode(id).unwrap();
        assert_eq!(
            (guid(&swapped(&bytes)).as_str(), STANDARD.encode(swapped(&bytes)).as_str()),
            (guid_text, big_endian)
        );
        let upn = "first.user@domain.company".to_owned();
        let directory = directory(&[Known { upn, mail: String::new(), proxy: String::new(), id: id.to_owned() }]);
        for sent in [guid_text, big_endian] {
            let found = diagnose(&directory, sent).unwrap();
            let is_it = match found.mistake {
                Mistake::Guid(_) => sent == guid_text,
                Mistake::SwappedBytes(_) => sent == big_endian,
                _ => false,
            };
            assert!(is_it && found.upn.unwrap().expose() == "first.user@domain.company", "{sent}");
        }
    }
}
