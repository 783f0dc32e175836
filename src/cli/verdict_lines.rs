//! The capture of `serve` as an input: every verdict whose body was kept can be judged again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::capture_file::Recorded;
use super::input::Body;

/// What is needed of a line.
#[derive(Deserialize)]
struct Line {
    r#type: String,
    time: Option<String>,
    body: Option<String>,
}

/// Whether a file holds one JSON object a line, each with a `type`, as `serve` writes them.
pub(super) fn are_here(text: &[u8]) -> bool {
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice::<Line>(first).is_ok_and(|line| matches!(line.r#type.as_str(), "verdict" | "answer"))
}

/// The messages that were judged, each with its number among the verdicts of the file.
pub(super) fn messages(text: &[u8]) -> Result<Vec<(u64, Recorded)>, String> {
    let (mut found, mut verdicts) = (Vec::new(), 0_u64);
    let mut lines = text.split(|byte| *byte == b'\n').zip(1_u64..).peekable();
    while let Some((bytes, number)) = lines.next() {
        let line = match serde_json::from_slice::<Line>(bytes) {
            Ok(line) => line,
            _ if bytes.trim_ascii().is_empty() => continue,
            // half a line at the end: the service was cut off while it wrote it
            Err(_) if lines.peek().is_none() => break,
            Err(error) => return Err(format!("line {number}: {error}")),
        };
        if line.r#type != "verdict" {
            continue;
        }
        verdicts += 1;
        let Some(body) = line.body else { continue };
        let body = STANDARD.decode(body).map_err(|error| format!("line {number}: `body`: {error}"))?;
        found.push((verdicts, Recorded { body: Body::Form(body), at: line.time.and_then(|time| time.parse().ok()) }));
    }
    if found.is_empty() && verdicts > 0 {
        return Err(format!("its {verdicts} verdicts were captured without the bodies that were posted"));
    }
    Ok(found)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const ANSWER: &str = "{\"type\":\"answer\",\"time\":\"2026-11-23T12:00:00Z\"}\n";
    const RAW: &str =
        "{\"type\":\"verdict\",\"time\":\"2026-11-23T12:00:00.5Z\",\"checks\":[],\"body\":\"U0FNTD1h\"}\n";
    const BARE: &str = "{\"type\":\"verdict\",\"time\":\"2026-11-23T12:00:00Z\",\"checks\":[]}\n";

    #[test]
    fn verdicts_with_bodies_are_messages_of_their_time() {
        let file = format!("{ANSWER}{BARE}{RAW}\n{{\"type\":\"verd");
        assert!(are_here(file.as_bytes()));
        let found = messages(file.as_bytes()).unwrap();
        let at = "2026-11-23T12:00:00.5Z".parse().unwrap();
        assert_eq!(found, [(2, Recorded { body: Body::Form(b"SAML=a".to_vec()), at: Some(at) })]);
    }

    #[test]
    fn verdicts_without_bodies_and_broken_lines_are_refused() {
        assert!(messages(BARE.as_bytes()).unwrap_err().contains("without the bodies"));
        assert!(messages(format!("{RAW}half\n{RAW}").as_bytes()).unwrap_err().starts_with("line 2: "));
        assert!(messages(RAW.replace("U0FN", "U0F").as_bytes()).unwrap_err().starts_with("line 1: `body`"));
        assert!(!are_here(b"{\"log\":{}}") && !are_here(b"{\n\"log\":{}}") && !are_here(b""));
    }
}
