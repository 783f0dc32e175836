//! The lines of a capture: one JSON object each, `type` first. No person is named in them, but in bodies that were asked for.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;

use crate::answer::Told;
use crate::verdict::{Code, Report, Show, Verdict};

/// A message was judged.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The clock that it was judged by.
    pub time: Timestamp,
    /// The request that brought it.
    pub request_id: &'a str,
    /// What kind of message it was.
    pub kind: &'static str,
    /// The domain of the federation.
    pub federation: &'a str,
    /// What came of it.
    pub verdict: &'a Verdict,
    /// How long the verdict took.
    pub elapsed: Duration,
    /// The body as it was posted.
    pub body: &'a [u8],
}

/// The upstream answered a message that was judged.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// When.
    pub time: Timestamp,
    /// The request that brought the message.
    pub request_id: &'a str,
    /// The code that was predicted.
    pub predicted: Option<Code>,
    /// What the answer tells.
    pub told: &'a Told,
}

#[derive(Serialize)]
struct VerdictLine<'a> {
    r#type: &'static str,
    time: String,
    request_id: &'a str,
    kind: &'static str,
    federation: &'a str,
    #[serde(flatten)]
    report: Report<'a>,
    micros: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Serialize)]
struct AnswerLine<'a> {
    r#type: &'static str,
    time: String,
    request_id: &'a str,
    predicted: Option<String>,
    actual: String,
    agree: Option<bool>,
    page: Option<&'a str>,
    correlation_id: Option<&'a str>,
}

/// The line of a verdict, with the body where it is to be kept.
pub(super) fn of_verdict(judged: &Judged<'_>, raw: bool) -> Option<Vec<u8>> {
    line(&VerdictLine {
        r#type: "verdict",
        time: judged.time.to_string(),
        request_id: judged.request_id,
        kind: judged.kind,
        federation: judged.federation,
        report: Report { input: None, verdict: judged.verdict, show: Show::Hashed },
        micros: u64::try_from(judged.elapsed.as_micros()).unwrap_or(u64::MAX),
        body: raw.then(|| STANDARD.encode(judged.body)),
    })
}

/// The line of an answer.
pub(super) fn of_answer(answered: &Answered<'_>) -> Option<Vec<u8>> {
    let Told { actual, page, correlation_id, .. } = answered.told;
    line(&AnswerLine {
        r#type: "answer",
        time: answered.time.to_string(),
        request_id: answered.request_id,
        predicted: answered.predicted.map(|code| code.to_string()),
        actual: actual.to_string(),
        agree: actual.agrees(answered.predicted),
        page: page.as_deref(),
        correlation_id: correlation_id.as_deref(),
    })
}

/// None never happens: there is nothing in these that JSON could refuse.
fn line(line: &impl Serialize) -> Option<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line).ok()?;
    bytes.push(b'\n');
    Some(bytes)
}
