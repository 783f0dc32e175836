//! Recordings of browsers: the sign-in messages of a HAR file or a SAML-tracer export.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp, Unit};
use serde::Deserialize;

use super::form;
use super::input::Body;

/// A message that a browser posted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    /// What was posted.
    pub(super) body: Body,
    /// When, where the recording says so.
    pub(super) at: Option<Timestamp>,
}

/// Which kind of recording JSON is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whichever it is.
    Any,
    /// A HAR file.
    Har,
    /// A SAML-tracer export.
    SamlTracer,
}

/// A HAR file has `log`, a SAML-tracer export has `requests`; everything that is not needed is passed over unread.
#[derive(Deserialize)]
struct File {
    log: Option<Log>,
    requests: Option<Vec<Traced>>,
    /// When a SAML-tracer export was written.
    timestamp: Option<Moment>,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    started_date_time: Option<String>,
    request: Request,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    post_data: Option<PostData>,
}

#[derive(Deserialize)]
struct PostData {
    text: Option<String>,
    /// Of HAR 1.3.
    encoding: Option<String>,
    #[serde(default)]
    params: Vec<Parameter>,
}

#[derive(Deserialize)]
struct Parameter {
    name: String,
    #[serde(default)]
    value: String,
}

/// One request of a SAML-tracer export.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Traced {
    method: Option<String>,
    #[serde(default)]
    url: String,
    /// Pairs of name and value, decoded.
    #[serde(default)]
    post: Option<Vec<Vec<Option<String>>>>,
    /// The decoded message, which stays readable when the export hides the posted values.
    saml: Option<String>,
    timestamp: Option<Moment>,
    date: Option<Moment>,
    /// Pairs in old exports, objects since 1.0.
    #[serde(default)]
    response_headers: Option<Vec<Header>>,
}

/// A time as versions of the extension write it: text, or milliseconds since 1970.
#[derive(Deserialize)]
#[serde(untagged)]
enum Moment {
    Text(String),
    Milliseconds(f64),
    Other(serde::de::IgnoredAny),
}

impl Moment {
    fn instant(&self) -> Option<Timestamp> {
        match self {
            Self::Text(text) => text.parse().ok().or_else(|| http_date(text)),
            Self::Milliseconds(count) => SignedDuration::try_from_secs_f64(count / 1000.0)
                .and_then(|since| Timestamp::UNIX_EPOCH.checked_add(since)?.round(Unit::Millisecond))
                .ok(),
            Self::Other(_) => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Header {
    Named { name: String, value: Option<String> },
    Pair(Vec<Option<String>>),
    Other(serde::de::IgnoredAny),
}

/// The sign-in messages of a recording, in its order.
pub(super) fn messages(json: &[u8], kind: Kind) -> Result<Vec<Recorded>, String> {
    let file: File = serde_json::from_slice(json).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => format!("not a HAR file or SAML-tracer export: {error}"),
        _ => format!("broken JSON: {error}"),
    })?;
    match (file.log, file.requests, kind) {
        (Some(log), _, Kind::Any | Kind::Har) => Ok(log.entries.into_iter().filter_map(har).collect()),
        (_, Some(requests), Kind::Any | Kind::SamlTracer) => {
            let written = file.timestamp.as_ref().and_then(Moment::instant);
            Ok(requests.into_iter().filter_map(|request| traced(request, written)).collect())
        }
        (_, _, Kind::Any) => Err("JSON, but neither a HAR file nor a SAML-tracer export".to_owned()),
        (_, _, Kind::Har) => Err("not a HAR file: it has no \"log\"".to_owned()),
        (_, _, Kind::SamlTracer) => Err("not a SAML-tracer export: it has no \"requests\"".to_owned()),
    }
}

fn is_post(method: &str, url: &str) -> bool {
    let scheme = url.split(':').next().unwrap_or_default();
    method.eq_ignore_ascii_case("POST") && ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

fn har(entry: Entry) -> Option<Recorded> {
    if !is_post(&entry.request.method, &entry.request.url) {
        return None;
    }
    let data = entry.request.post_data?;
    let body = match data.text.filter(|text| !text.is_empty()) {
        Some(text) if data.encoding.as_deref() == Some("base64") => STANDARD.decode(text).ok()?,
        Some(text) => text.into_bytes(),
        None => {
            let fields = data.params.iter().map(|field| (field.name.as_str(), field.value.as_str()));
            // some browsers record parameters as sent, some decoded; base64 has no percent sign of its own
            let message = data.params.iter().find(|field| form::names_an_answer(field.name.as_bytes()))?;
            if message.value.contains('%') { form::joined(fields) } else { form::encoded(fields) }
        }
    };
    let at = entry.started_date_time.and_then(|time| time.parse().ok());
    form::holds_an_answer(&body).then_some(Recorded { body: Body::Form(body), at })
}

fn traced(request: Traced, written: Option<Timestamp>) -> Option<Recorded> {
    if !is_post(request.method.as_deref().unwrap_or_default(), &request.url) {
        return None;
    }
    let post = request.post.unwrap_or_default();
    let field = |pair: &'_ [Option<String>], index: usize| pair.get(index).cloned().flatten().unwrap_or_default();
    let fields: Vec<(String, String)> = post.iter().map(|pair| (field(pair, 0), field(pair, 1))).collect();
    let message = fields.iter().find(|(name, _)| form::names_an_answer(name.as_bytes()));
    let body = match message {
        // an export that protects its values posts {hash:…} or {obf:…}
        Some((_, value)) if !(value.starts_with('{') && value.ends_with('}')) => {
            Body::Form(form::encoded(fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
        }
        Some(_) => Body::Xml(request.saml.filter(|xml| !xml.is_empty())?.into_bytes()),
        None if fields.is_empty() => Body::Xml(request.saml.filter(|xml| !xml.is_empty())?.into_bytes()),
        None => return None,
    };
    // the extension records no time of its own: what the server said comes nearest, then the time of the export
    let answered = request.response_headers.iter().flatten().find_map(|header| match header {
        Header::Named { name, value: Some(value) } if name.eq_ignore_ascii_case("date") => Some(value.as_str()),
        Header::Pair(pair) => match pair.as_slice() {
            [Some(name), Some(value)] if name.eq_ignore_ascii_case("date") => Some(value.as_str()),
            _ => None,
        },
        Header::Named { .. } | Header::Other(_) => None,
    });
    let recorded = [request.timestamp, request.date].iter().flatten().find_map(Moment::instant);
    let at = recorded.or_else(|| answered.and_then(http_date)).or(written);
    Some(Recorded { body, at })
}

/// `Mon, 23 Nov 2026 12:00:00 GMT`
fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn form_of(recorded: &Recorded) -> &str {
        match &recorded.body {
            Body::Form(body) => std::str::from_utf8(body).unwrap(),
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn the_sign_ins_of_a_har_file_are_found_with_their_time() {
        let json = br#"{"log":{"version":"1.2","entries":[
          {"startedDateTime":"2026-11-23T12:00:00.123+01:00","request":{"method":"GET","url":"https://a/?SAMLResponse=x"}},
          {"startedDateTime":"2026-11-23T13:00:00.123+01:00","response":{"status":200},"request":{"method":"POST",
            "url":"https://login.microsoftonline.com/login.srf","postData":{"mimeType":"application/x-www-form-urlencoded",
            "text":"SAMLResponse=PHNh%2B&RelayState=","params":[{"name":"SAMLResponse","value":"other"}]}}},
          {"request":{"method":"POST","url":"https://a/","postData":{"text":"user=a&password=b"}}},
          {"request":{"method":"post","url":"https://a/","postData":{"params":[{"name":"SAMLResponse","value":"a+b="},{"name":"RelayState"}]}}},
          {"request":{"method":"POST","url":"https://a/","postData":{"text":"","params":[{"name":"SAMLResponse","value":"a%2Bb%3D"}]}}},
          {"request":{"method":"POST","url":"chrome-extension://a/","postData":{"text":"SAMLResponse=a"}}}]}}"#;
        let found = messages(json, Kind::Any).unwrap();
        let bodies: Vec<_> = found.iter().map(form_of).collect();
        assert_eq!(
            bodies,
            ["SAMLResponse=PHNh%2B&RelayState=", "SAMLResponse=a%2Bb%3D&RelayState=", "SAMLResponse=a%2Bb%3D"]
        );
        assert_eq!(found.first().unwrap().at.unwrap().to_string(), "2026-11-23T12:00:00.123Z");
        assert_eq!(found.get(1).unwrap().at, None);
        assert!(messages(json, Kind::SamlTracer).is_err());
    }

    #[test]
    fn the_sign_ins_of_a_saml_tracer_export_are_found_with_the_nearest_time() {
        let json = br#"{"requests":[
          {"method":"GET","url":"https://idp/?SAMLRequest=x","get":[["SAMLRequest","x"]],"saml":"<a/>"},
          {"method":"POST","url":"https://login.microsoftonline.com/login.srf","requestId":"7","protocol":"SAML-P",
           "postData":{"SAMLResponse":["a+b="],"RelayState":[""]},"post":[["SAMLResponse","a+b="],["RelayState",""]],
           "saml":"<samlp:Response/>","responseHeaders":[{"name":"Date","value":"Mon, 23 Nov 2026 12:00:00 GMT"}]},
          {"method":"POST","url":"https://login.microsoftonline.com/login.srf","post":[["SAMLResponse","{hash:abc}"]],
           "postData":"{overwritten}","saml":"<samlp:Response/>","responseHeaders":[["Server","x"]]},
          {"method":"POST","url":"https://a/","post":null},
          {"method":"POST","url":"https://a/","timestamp":1795435200123,"post":[["SAMLResponse","a"]]}],
          "timestamp":"2026-11-23T12:30:00.000Z"}"#;
        let found = messages(json, Kind::Any).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(found.get(2).unwrap().at.unwrap().to_string(), "2026-11-23T12:00:00.123Z");
        assert_eq!(form_of(found.first().unwrap()), "SAMLResponse=a%2Bb%3D&RelayState=");
        assert_eq!(found.first().unwrap().at.unwrap().to_string(), "2026-11-23T12:00:00Z");
        assert_eq!(found.get(1).unwrap().body, Body::Xml(b"<samlp:Response/>".to_vec()));
        assert_eq!(found.get(1).unwrap().at.unwrap().to_string(), "2026-11-23T12:30:00Z");
        assert!(messages(json, Kind::Har).is_err());
    }

    #[test]
    fn other_json_is_named() {
        assert!(messages(b"{}", Kind::Any).unwrap_err().contains("neither"));
        assert!(messages(b"{\"log\":3}", Kind::Any).unwrap_err().contains("not a HAR"));
        assert!(messages(b"{", Kind::Any).unwrap_err().contains("broken JSON"));
    }
}
