//! Verdicts that were captured, as the load that they were: which case came when, and nothing of what was in it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::Case;
use crate::mint::Fault;
use crate::verdict::CheckId;

/// What was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recording {
    cases: Vec<(Timestamp, Case)>,
    /// Sign-ins that were broken in a way of which the nearest fault is taken.
    pub nearly: usize,
    /// Sign-ins that nothing like it can be made of.
    pub left_out: usize,
    /// Lines that are no verdicts.
    pub others: usize,
}

/// As much of a line as is looked at: never a body.
#[derive(Deserialize)]
struct Line {
    r#type: String,
    time: String,
    kind: String,
    predicted: Option<String>,
    checks: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    id: String,
    outcome: String,
}

impl Recording {
    /// Adds a line of a capture.
    pub fn add(&mut self, line: &str) {
        let Some((time, line)) = read(line) else {
            self.others += 1;
            return;
        };
        match line.case() {
            Some((case, exactly)) => {
                self.cases.push((time, case));
                self.nearly += usize::from(!exactly);
            }
            None => self.left_out += 1,
        }
    }

    /// The cases in the order of their times, and when each came, faster by a factor.
    pub fn played(mut self, speed: f64) -> (Vec<Duration>, Vec<Case>) {
        self.cases.sort_by_key(|(time, _)| *time);
        let first = self.cases.first().map(|(time, _)| *time).unwrap_or_default();
        let since = |time: &Timestamp| {
            let since = time.duration_since(first).as_secs_f64() / speed;
            Duration::try_from_secs_f64(since).unwrap_or_default()
        };
        self.cases.iter().map(|(time, case)| (since(time), *case)).unzip()
    }
}

fn read(line: &str) -> Option<(Timestamp, Line)> {
    let line: Line = serde_json::from_str(line).ok()?;
    let judged = line.r#type == "verdict" && ["saml_response", "unreadable"].contains(&line.kind.as_str());
    let time = line.time.parse().ok()?;
    judged.then_some((time, line))
}

impl Line {
    /// The case that trips the same checks, or the nearest; and whether it is the very same.
    fn case(&self) -> Option<(Case, bool)> {
        let of = |outcome: &str| -> Vec<CheckId> {
            let named = self.checks.iter().filter(|check| check.outcome == outcome);
            named.filter_map(|check| CheckId::ALL.into_iter().find(|id| id.as_str() == check.id)).collect()
        };
        let (fails, mut warns) = (of("fail"), of("warn"));
        if fails.is_empty() && warns.contains(&CheckId::Replay) || fails == [CheckId::Replay] {
            return Some((Case::Replayed, true));
        }
        let code = |fault: &Fault| fault.code().map(|code| code.to_string()) == self.predicted;
        let faults = Fault::ALL.into_iter().filter(code);
        if fails.is_empty() {
            // what a policy turned into a warning is still answered with a code
            if self.predicted.is_some() {
                return faults.clone().next().map(|fault| (Case::Fault(fault), false));
            }
            warns.retain(|id| *id != CheckId::Replay);
            let Some(first) = warns.first() else { return Some((Case::Sound, true)) };
            let same = faults.clone().find(|fault| fault.fails().is_empty() && fault.warns() == warns);
            let near = || faults.clone().find(|fault| fault.fails().is_empty() && fault.warns().first() == Some(first));
            return match same {
                Some(fault) => Some((Case::Fault(fault), true)),
                None => Some((near().map_or(Case::Sound, Case::Fault), false)),
            };
        }
        let same = faults.clone().find(|fault| fault.fails() == fails);
        let near = || faults.clone().find(|fault| fault.fails().first() == fails.first());
        match same {
            Some(fault) => Some((Case::Fault(fault), true)),
            None => near().map(|fault| (Case::Fault(fault), false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: u32, predicted: &str, checks: &[(&str, &str)]) -> String {
        let checks: Vec<_> =
            checks.iter().map(|(id, outcome)| format!("{{\"id\":\"{id}\",\"outcome\":\"{outcome}\"}}")).collect();
        format!(
            "{{\"type\":\"verdict\",\"time\":\"2026-11-23T12:00:{second:02}Z\",\"kind\":\"saml_response\",\"predicted\":{predicted},\"checks\":[{}],\"claims\":{{\"name_id\":\"x\"}}}}",
            checks.join(",")
        )
    }

    #[test]
    fn the_recorded_mix_is_played_again() {
        let mut recording = Recording::default();
        for line in [
            line(4, "\"AADSTS51004\"", &[("immutable_id", "fail"), ("idp_email", "warn")]),
            line(0, "null", &[("issuer", "pass")]),
            line(2, "null", &[("replay", "warn")]),
            line(6, "null", &[("authn_context", "warn")]),
            line(8, "\"AADSTS500089\"", &[("time", "fail"), ("audience", "fail")]),
            line(9, "\"AADSTS1\"", &[("time", "fail")]),
            "{\"type\":\"answer\"}".to_owned(),
            "nonsense".to_owned(),
        ] {
            recording.add(&line);
        }
        assert_eq!((recording.nearly, recording.left_out, recording.others), (1, 1, 2));
        let (times, cases) = recording.played(2.0);
        assert_eq!(times, [0, 1, 2, 3, 4].map(Duration::from_secs));
        let fault = Case::Fault;
        let expected =
            [Case::Sound, Case::Replayed, fault(Fault::UnknownUser), fault(Fault::NoMfa), fault(Fault::Expired)];
        assert_eq!(cases, expected);
    }
}
