//! Answers as Entra gives them, and answers that try to be taken for others.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;

use base64::Engine as _;

use super::{Actual, Answer, Told, read, request_id};
use crate::limits::Limits;
use crate::verdict::Code;

const ERROR: &str = r#"<!DOCTYPE html><html><head><script>//<![CDATA[
$Config={"fShowPersistentCookiesWarning":false,"arr":[1,{"a":null}],"strServiceExceptionMessage":"AADSTS51004: The user account {AADSTS50107} does not exist in the directory.","iErrorCode":51004,"sErrorCode":"51004","correlationId":"0b6e1f2a-0000-4000-8000-000000000001","pgid":"ConvergedError"};
//]]></script></head><body>Sorry, but we're having trouble signing you in. AADSTS50008</body></html>"#;

fn told(codings: &str, cookies: &[&str], body: &[u8]) -> Told {
    read(&Answer { codings, cookies, body }, &Limits::default())
}

fn actual(cookies: &[&str], body: &str) -> Actual {
    told("", cookies, body.as_bytes()).actual
}

#[test]
fn an_error_page_says_its_code_its_name_and_its_correlation_id() {
    let told = told("", &[], ERROR.as_bytes());
    assert_eq!(told.actual, Actual::Code(Code::UserUnknown));
    assert_eq!(told.page.as_deref(), Some("ConvergedError"));
    assert_eq!(told.correlation_id.as_deref(), Some("0b6e1f2a-0000-4000-8000-000000000001"));
    assert_eq!(told.request, None);
}

#[test]
fn the_code_is_found_however_the_answer_is_packed_and_wherever_it_is_cut() {
    let body = ERROR.as_bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(body).unwrap();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    zlib.write_all(body).unwrap();
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    deflate.write_all(body).unwrap();
    let mut brotli = Vec::new();
    brotli::BrotliCompress(&mut &*body, &mut brotli, &brotli::enc::BrotliEncoderParams::default()).unwrap();
    let zstd = ruzstd::encoding::compress_to_vec(body, ruzstd::encoding::CompressionLevel::Fastest);
    let packed = [
        ("identity", body.to_vec()),
        ("GZIP", gzip.finish().unwrap()),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", deflate.finish().unwrap()),
        ("br", brotli),
        (" zstd ", zstd),
    ];
    for (coding, bytes) in packed {
        assert_eq!(told(coding, &[], &bytes).actual, Actual::Code(Code::UserUnknown), "{coding}");
        for length in (0..bytes.len()).step_by(3) {
            let cut = told(coding, &[], bytes.get(..length).unwrap()).actual;
            assert!(matches!(cut, Actual::Code(Code::UserUnknown) | Actual::Unknown), "{coding} {length}: {cut}");
        }
    }
    for unknown in ["compress", "gzip, br"] {
        assert_eq!(told(unknown, &["ESTSAUTH=1"], body).actual, Actual::Accepted);
    }
}

#[test]
fn a_bomb_is_not_unpacked_whole() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![b'x'; 8 << 20]).unwrap();
    gzip.write_all(ERROR.as_bytes()).unwrap();
    assert_eq!(told("gzip", &[], &gzip.finish().unwrap()).actual, Actual::Unknown);
}

#[test]
fn a_session_or_a_page_that_comes_after_it_is_an_accepted_response() {
    for cookie in ["ESTSAUTH=0.AX; path=/; secure; HttpOnly", "ESTSAUTHPERSISTENT=\"x\"; expires=Sun"] {
        assert_eq!(actual(&["other=1", cookie], "<html>"), Actual::Accepted);
    }
    for none in ["ESTSAUTH=; path=/", "ESTSAUTHLIGHT=+1", "XESTSAUTH=1", "ESTSAUTH"] {
        assert_eq!(actual(&[none], "<html>"), Actual::Unknown, "{none}");
    }
    assert_eq!(actual(&[], r#"$Config={"pgid":"ConvergedTFA","sErrorCode":"0"};"#), Actual::Accepted);
    assert_eq!(actual(&[], r#"$Config={"pgid":"ConvergedSignIn"};"#), Actual::Unknown);
}

#[test]
fn an_error_outweighs_a_cookie_and_a_code_that_nobody_predicts_is_another() {
    assert_eq!(actual(&["ESTSAUTH=1"], ERROR), Actual::Code(Code::UserUnknown));
    assert_eq!(actual(&[], r#"$Config = {"pgid":"ConvergedSignIn","sErrorCode":"50126"};"#), Actual::Other(50_126));
    assert_eq!(actual(&[], r#"$Config={"iErrorCode":50107}"#), Actual::Code(Code::RealmUnknown));
    assert_eq!(actual(&[], "{\"error\":\"AADSTS7000218: The request\"}"), Actual::Other(7_000_218));
    assert_eq!(actual(&[], "AADSTS1 AADSTS123456789 AADSTSx"), Actual::Unknown);
    // text inside a string is no key
    let quoted = r#"$Config={"x":"\"iErrorCode\":50107,AADSTS50006","iErrorCode":51004};"#;
    assert_eq!(actual(&[], quoted), Actual::Code(Code::UserUnknown));
}

#[test]
fn a_prediction_comes_true_or_not_and_nobody_can_tell_from_silence() {
    let unknown_user = Some(Code::UserUnknown);
    assert_eq!(Actual::Code(Code::UserUnknown).agrees(unknown_user), Some(true));
    assert_eq!(Actual::Code(Code::RealmUnknown).agrees(unknown_user), Some(false));
    assert_eq!(Actual::Accepted.agrees(None), Some(true));
    assert_eq!(Actual::Accepted.agrees(unknown_user), Some(false));
    assert_eq!(
        (Actual::Other(50_074).agrees(None), Actual::Other(50_074).agrees(unknown_user)),
        (Some(true), Some(false))
    );
    assert_eq!(Actual::Other(50_011).agrees(None), Some(false));
    assert_eq!(Actual::Unknown.agrees(None), None);
}

#[test]
fn the_request_on_its_way_to_the_identity_provider_is_known_by_its_id() {
    let xml = r#"<samlp:AuthnRequest ID="_f7cc07d7" Version="2.0" IssueInstant="2026-11-23T12:00:00Z" xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"><Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">urn:federation:MicrosoftOnline</Issuer></samlp:AuthnRequest>"#;
    let value = base64::engine::general_purpose::STANDARD.encode(xml);
    let id = |page: &str| request_id(&Answer { codings: "", cookies: &[], body: page.as_bytes() }, &Limits::default());
    let escaped = value.replace('=', "&#61;").replace('+', "&#x2B;");
    for page in [
        format!("<form method=\"POST\"><input type='hidden' name='SAMLRequest' value='{value}'/></form>"),
        format!("<p>SAMLRequest</p><INPUT VALUE = \"{escaped}\" NAME = \"SAMLRequest\">"),
    ] {
        assert_eq!(id(&page).as_deref(), Some("_f7cc07d7"), "{page}");
    }
    let other = base64::engine::general_purpose::STANDARD.encode("<a ID=\"_1\"/>");
    for page in [
        format!("<input name=\"SAMLRequest\" value=\"{other}\">"),
        format!("<input name=\"XSAMLRequest\" value=\"{value}\">"),
        format!("<input name=\"SAMLRequest\" value={value}>"),
        "SAMLRequest".to_owned(),
        "<input name=\"SAMLRequest\" value=\"".to_owned(),
    ] {
        assert_eq!(id(&page), None, "{page}");
    }
}
