//! Every export of users that is known, and what is said of broken ones.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::super::directory::{Lookup, User};
use super::*;
use crate::verdict::Show;

const ID: &str = "1wfM9xV8fUSHbcAbDlqeOA==";

fn load(text: &str) -> Loaded {
    Directory::load(text.as_bytes()).unwrap()
}

fn kinds(text: &str) -> Vec<(NoteKind, usize)> {
    load(text).notes.iter().map(|note| (note.kind, note.count)).collect()
}

fn fault(text: &str) -> UsersError {
    let fault = Directory::load(text.as_bytes()).unwrap_err();
    assert!(!fault.hint().is_empty());
    fault
}

fn one(directory: &Directory) -> User<'_> {
    let Lookup::One(user) = directory.lookup(ID) else { unreachable!("{directory:?}") };
    user
}

#[test]
fn every_format_gives_the_same_user() {
    let object = format!(
        r#"{{"AccountEnabled":true,"Mail":"first@domain.company","OnPremisesImmutableId":"{ID}","ProxyAddresses":["SMTP:first@domain.company","smtp:f\u0075@domain.company"],"UserPrincipalName":"first.user@domain.company","UserType":"Member","Manager":{{"AdditionalProperties":{{}}}}}}"#
    );
    let graph = format!(
        r#"{{"@odata.context":"x","value":[{{"userPrincipalName":"first.user@domain.company","mail":"first@domain.company","proxyAddresses":["smtp:fu@domain.company"],"onPremisesImmutableId":"{ID}","accountEnabled":true,"userType":"Member"}}]}}"#
    );
    let csv = format!(
        "\"AccountEnabled\",\"ProxyAddresses\",\"UserPrincipalName\",\"Mail\",\"OnPremisesImmutableId\",\"UserType\"\r\n\
         \"True\",\"SMTP:first@domain.company;smtp:fu@domain.company\",\"first.user@domain.company\",\"first@domain.company\",\"{ID}\",\"Member\"\r\n"
    );
    let semicolons = format!(
        "sep=;\nImmutable ID;User principal name;E-mail;accountenabled;usertype;Proxy addresses\n{ID};first.user@domain.company;first@domain.company;TRUE;member;\"smtp:fu@domain.company;\"\n"
    );
    let tabs = format!(
        "Display [displayName]\tUser name [userPrincipalName] Required\tMail\timmutableId\taccountEnabled\tuserType\tproxyAddresses\n\
         x\tfirst.user@domain.company\tfirst@domain.company\t{ID}\tTrue\tMember\tsmtp:fu@domain.company\n"
    );
    let windows = object
        .replace(r#"["SMTP"#, r#"{"value":["SMTP"#)
        .replace(r#"company"],"User"#, r#"company"],"Count":2},"User"#);
    let files = [
        object.clone(),
        format!("[{object}]"),
        format!("{{\"value\":[{object}],\"Count\":1}}"),
        windows,
        graph.clone(),
        format!("[{graph}]"),
        format!("{object}\n"),
        csv.clone(),
        format!("#TYPE Microsoft.Graph.PowerShell.Models.MicrosoftGraphUser\r\n{csv}"),
        semicolons,
        tabs,
    ];
    for file in files {
        let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(file.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let marked = [b"\xef\xbb\xbf".as_slice(), file.as_bytes()].concat();
        for bytes in [file.clone().into_bytes(), utf16, marked] {
            let loaded = Directory::load(&bytes).unwrap_or_else(|error| unreachable!("{error}: {file}"));
            let user = one(&loaded.directory);
            assert_eq!(user.upn, "first.user@domain.company");
            assert_eq!(user.mail, Some("first@domain.company"), "{file}");
            assert_eq!((user.account_enabled, user.user_type), (Some(true), Some(UserType::Member)), "{file}");
            assert_eq!(user.proxy_addresses().collect::<Vec<_>>(), ["fu@domain.company"], "{file}");
            assert_eq!(loaded.notes, []);
        }
    }
}

#[test]
fn pages_follow_one_another_and_removed_users_are_gone() {
    let page = |upn: &str, id: &str, next: &str| {
        format!(
            r#"{{{next}"value":[{{"userPrincipalName":"{upn}","onPremisesImmutableId":"{id}"}},{{"id":"1","@removed":{{"reason":"deleted"}}}}]}}"#
        )
    };
    let next = r#""@odata.nextLink":"https://graph.company/next","#;
    let (first, second) = (page("first.user@domain.company", ID, next), page("second.user@domain.company", "b", ""));
    for file in [format!("{first}{second}"), format!("{first}\n{second}\n"), format!("[{first},{second}]")] {
        let loaded = load(&file);
        assert_eq!((loaded.directory.len(), loaded.notes.len()), (2, 0));
    }
    assert_eq!(kinds(&first), [(NoteKind::Incomplete, 1)]);
}

#[test]
fn what_will_keep_users_from_signing_in_is_noted() {
    let long = "x".repeat(61);
    let too_long = "x".repeat(65);
    let file = format!(
        "UserPrincipalName,OnPremisesImmutableId,ProxyAddresses\na,{ID},System.String[]\nb,{ID},\nc,,\nd,{long},\ne,{too_long},\nf,a_b,\n"
    );
    let expected = [
        (NoteKind::Duplicate, 1),
        (NoteKind::Empty, 1),
        (NoteKind::Long, 1),
        (NoteKind::TooLong, 1),
        (NoteKind::RefusedCharacter, 1),
        (NoteKind::ProxyType, 1),
    ];
    assert_eq!(kinds(&file), expected);
    let loaded = load(&file);
    let first = loaded.notes.first().unwrap();
    assert!(first.text().to_string_for(Show::Personal).ends_with(ID));
    assert!(!first.text().to_string().contains(ID));
    assert!(loaded.notes.iter().all(|note| !note.hint().is_empty()));
    assert_eq!(kinds("UserPrincipalName,OnPremisesImmutableId\na,\nb,\n"), [(NoteKind::AllEmpty, 2)]);
}

#[test]
fn blanks_around_an_id_are_kept_and_a_blocked_user_is_not_enabled() {
    let loaded = load("UserPrincipalName,ImmutableId,BlockCredential\nfirst.user@domain.company,x ,True\n");
    let Lookup::One(user) = loaded.directory.lookup("x ") else { unreachable!() };
    assert_eq!(user.account_enabled, Some(false));
}

#[test]
fn a_file_without_immutable_ids_is_refused_with_the_select_to_use() {
    let csv = fault("DisplayName,UserPrincipalName,Mail\nx,first.user@domain.company,\n");
    let json = fault(r#"{"value":[{"userPrincipalName":"first.user@domain.company"}]}"#);
    for error in [csv, json] {
        assert!(matches!(error, UsersError::NoProperty { property: "onPremisesImmutableId", .. }), "{error}");
        assert!(error.hint().contains("$select=") && error.hint().contains("Select-Object"));
    }
}

#[test]
fn faults_name_their_place_and_show_no_value() {
    let cases = [
        ("", "empty file"),
        ("  \n", "empty file"),
        ("<html>", "got markup"),
        ("[]", "got none"),
        ("UserPrincipalName,OnPremisesImmutableId\n", "got none"),
        ("UserPrincipalName,OnPremisesImmutableId\na,b\nc\n", "line 3: expected 2 columns as in the header, got 1"),
        ("UserPrincipalName,ImmutableId,AccountEnabled\na,b,secret\n", "line 2: expected True, False or nothing"),
        ("[{\"userPrincipalName\":\"a\",\n\"onPremisesImmutableId\":12}]", "line 2, column 27: expected text or null"),
        ("[{\"userPrincipalName\":\"a\",\"accountEnabled\":\"secret\"}]", "got some other text"),
        ("[{\"userPrincipalName\":\"a\"", "EOF"),
        ("[\"secret\"]", "expected a user, or a list of users, got string"),
        ("{\"issuerUri\":\"x\"}", "userPrincipalName, got object 1 without it"),
        ("{\"error\":{\"code\":\"Authorization_RequestDenied\"}}", "Authorization_RequestDenied"),
    ];
    for (file, words) in cases {
        let message = fault(file).to_string();
        assert!(message.contains(words), "{message} of {file}");
        assert!(!message.contains("secret"), "{message}");
    }
    assert!(matches!(Directory::load(b"UserPrincipalName\n\xe4"), Err(UsersError::Text(_))));
}
