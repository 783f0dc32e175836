//! Every known mistake finds the user who was meant, and its texts say how to mend it.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::super::builder::{DirectoryBuilder, NewUser};
use super::*;
use crate::verdict::Show;

/// The same 16 bytes as `f7cc07d7-7c15-447d-876d-c01b0e5a9e38`.
const FIRST: &str = "1wfM9xV8fUSHbcAbDlqeOA==";
/// Of `bcd2e574-8d58-4136-a9df-8a19b145db79`.
const SECOND: &str = "dOXSvFiNNkGp34oZsUXbeQ==";
/// With every special character of base64.
const THIRD: &str = "+/7M9xV8+USHbcAb/lqeOA==";
/// The base64 of the text `fourth.user@domain.company`.
const FOURTH: &str = "Zm91cnRoLnVzZXJAZG9tYWluLmNvbXBhbnk=";

fn directory() -> Directory {
    let users = [
        ("first.user@domain.company", "first@domain.company", FIRST, "smtp:f.user@domain.company"),
        ("second.user@domain.company", "", SECOND, ""),
        ("third.user@domain.company", "", THIRD, ""),
        ("fourth.user@domain.company", "", FOURTH, ""),
        ("o'fifth@domain.company", "fifth@domain.company", "", ""),
        // registered in the wrong order: of 00112233-4455-4677-8899-aabbccddeeff
        ("sixth.user@domain.company", "", "ABEiM0RVRneImaq7zN3u/w==", ""),
        ("under_score@domain.company", "", "", ""),
    ];
    let mut builder = DirectoryBuilder::default();
    for (upn, mail, id, proxy_addresses) in users {
        builder
            .push(NewUser { upn, mail: Some(mail), immutable_id: Some(id), proxy_addresses, ..NewUser::default() })
            .unwrap();
    }
    builder.finish().0
}

#[test]
fn every_known_mistake_is_told_apart() {
    use Mistake::*;
    let directory = directory();
    let cases = [
        ("", Empty, ""),
        (" \n", Empty, ""),
        ("1WFM9XV8FUSHBCABDLQEOA==", LetterCase, "first.user"),
        ("\n  1wfM9xV8fUSHbcAbDlqeOA==\n", WhiteSpace, "first.user"),
        ("fourth.user@domain.company", NotEncoded, "fourth.user"),
        ("First.User@domain.company", Address(AddressKind::Upn), "first.user"),
        ("first@domain.company", Address(AddressKind::Mail), "first.user"),
        ("f.user@domain.company", Address(AddressKind::Proxy), "first.user"),
        ("fifth@domain.company", AddressWithoutId(AddressKind::Mail), "o'fifth"),
        ("f7cc07d7-7c15-447d-876d-c01b0e5a9e38", Guid(ByteOrder::LittleEndian), "first.user"),
        ("{BCD2E574-8D58-4136-A9DF-8A19B145DB79}", Guid(ByteOrder::LittleEndian), "second.user"),
        ("00112233-4455-4677-8899-aabbccddeeff", Guid(ByteOrder::BigEndian), "sixth.user"),
        ("f7cc07d77c15447d876dc01b0e5a9e38", Hexadecimal(ByteOrder::BigEndian), "first.user"),
        ("D707CCF7157C7D44876DC01B0E5A9E38", Hexadecimal(ByteOrder::LittleEndian), "first.user"),
        ("98wH13wVRH2HbcAbDlqeOA==", SwappedBytes(ByteOrder::BigEndian), "first.user"),
        ("vNLldI1YQTap34oZsUXbeQ==", SwappedBytes(ByteOrder::BigEndian), "second.user"),
        ("MyIRAFVEd0aImaq7zN3u/w==", SwappedBytes(ByteOrder::LittleEndian), "sixth.user"),
        ("%2B%2F7M9xV8%2BUSHbcAb%2FlqeOA%3D%3D", Escaped("percent"), "third.user"),
        (".2B.2F7M9xV8.2BUSHbcAb.2FlqeOA.3D.3D", Escaped("dot"), "third.user"),
        ("&#43;/7M9xV8&#x2B;USHbcAb/lqeOA==", Escaped("XML"), "third.user"),
        ("-_7M9xV8-USHbcAb_lqeOA==", UrlAlphabet, "third.user"),
        ("-_7M9xV8-USHbcAb_lqeOA", UrlAlphabet, "third.user"),
        ("1wfM9xV8fUSHbcAbDlqeOA", Padding, "first.user"),
        (" /7M9xV8 USHbcAb/lqeOA==", PlusAsBlank, "third.user"),
        ("MXdmTTl4VjhmVVNIYmNBYkRscWVPQT09", EncodedTwice, "first.user"),
        ("1wfM9xV8fUSHbcAbDlqeOA==\u{200b}", InvisibleCharacters, "first.user"),
        ("\u{a0}1wfM9xV8fUSHbcAbDlqeOA==", InvisibleCharacters, "first.user"),
        ("1wfM9xV8fUSНbcАbDlqeOA==", InvisibleCharacters, "first.user"),
        ("DOMAIN\\1wfM9xV8fUSHbcAbDlqeOA==", Surrounded, "first.user"),
        ("1wfM9xV8fUSHbcAbDlqeOA==@domain.company", Surrounded, "first.user"),
        ("b'1wfM9xV8fUSHbcAbDlqeOA=='", PythonBytes, "first.user"),
    ];
    for (name_id, mistake, user) in cases {
        let found = diagnose(&directory, name_id).unwrap_or_else(|| unreachable!("{name_id}"));
        assert_eq!(found.mistake, mistake, "{name_id}");
        let upn = found.upn.as_ref().map_or("", Personal::expose);
        assert!(upn.starts_with(user), "{upn} for {name_id}");
        let (finding, hint) = (found.finding(), found.hint());
        for text in [&finding, &hint] {
            assert!(
                !text.to_string().contains("user@domain.company") && !text.to_string().contains("DlqeOA"),
                "{text}"
            );
            assert!(!text.to_string_for(Show::Personal).is_empty());
        }
    }
}

#[test]
fn what_matches_or_is_far_off_is_no_near_miss() {
    let directory = directory();
    for name_id in [FIRST, "nobody@domain.company", "bm9ib2R5", &"x".repeat(2000), "ä", "%", "&#;", "''"] {
        assert_eq!(diagnose(&directory, name_id), None);
    }
}

fn hint(name_id: &str) -> String {
    diagnose(&directory(), name_id).unwrap().hint().to_string_for(Show::Personal)
}

#[test]
fn the_mending_step_is_exact() {
    let says = [
        ("first.user@domain.company", "set it as NameID Property Mapping of the provider"),
        ("first.user@domain.company", "return request.user.attributes.get("),
        (
            "fifth@domain.company",
            "Update-MgUser -UserId 'o''fifth@domain.company' -OnPremisesImmutableId 'fifth@domain.company'",
        ),
        ("fifth@domain.company", "-ConsistencyLevel eventual -CountVariable"),
        ("under_score@domain.company", "refuses $ and _"),
        ("f7cc07d7-7c15-447d-876d-c01b0e5a9e38", "base64.b64encode(uuid.UUID(objectGUID).bytes_le)"),
        ("98wH13wVRH2HbcAbDlqeOA==", "base64.b64encode(uuid.UUID(objectGUID).bytes_le)"),
        ("fourth.user@domain.company", "base64.b64encode("),
        ("b'1wfM9xV8fUSHbcAbDlqeOA=='", ".decode()"),
    ];
    for (name_id, words) in says {
        assert!(hint(name_id).contains(words), "{} for {name_id}", hint(name_id));
    }
    let missing = diagnose(&directory(), "98wH13wVRH2HbcAbDlqeOA==").unwrap();
    assert!(missing.finding().to_string_for(Show::Personal).contains("big-endian"));
    assert_eq!(missing.expected().unwrap().to_string_for(Show::Personal), FIRST);
}
