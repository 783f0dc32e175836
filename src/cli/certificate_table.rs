//! The certificates of a federation in one table, for people and for programs.

use std::fmt::Write as _;

use serde_json::json;

use super::escape::line;
use super::terminal::{Terminal, Tone};
use crate::doctor::{Row, Standing};
use crate::dsig::Certificate;

/// Days that are few.
const FEW: i64 = 30;
/// Columns of a thumbprint.
const THUMBPRINT: usize = 40;

/// A line a certificate, and a second one with what is long.
pub(super) fn page(rows: &[Row], terminal: &Terminal) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let standings: Vec<String> = rows.iter().map(standing).collect();
    let wide = standings.iter().map(String::len).chain(["certificate".len()]).max().unwrap_or_default();
    let head = format!("{:wide$}  {:THUMBPRINT$}  {:10}  days left", "certificate", "SHA-1 thumbprint", "ends");
    let mut out = format!("{}\n", terminal.paint.paint(Tone::Faint, &head));
    for (row, standing) in rows.iter().zip(&standings) {
        let ends = row.certificate.as_ref().map(|known| known.not_after.strftime("%Y-%m-%d").to_string());
        let (tone, left) = match row.days_left {
            Some(..0) => (Tone::Bad, "expired".to_owned()),
            Some(left) => (if left < FEW { Tone::Doubtful } else { Tone::Good }, left.to_string()),
            None => (Tone::Doubtful, "not known".to_owned()),
        };
        let (thumbprint, ends) = (line(&row.thumbprint), ends.unwrap_or_else(|| "not known".to_owned()));
        let left = terminal.paint.paint(tone, &left);
        // writing to a string does not fail
        let _ = writeln!(out, "{standing:wide$}  {thumbprint:THUMBPRINT$}  {ends:10}  {left}");
        let mut faint = |text: String| {
            let _ = writeln!(out, "{:wide$}  {}", "", terminal.paint.paint(Tone::Faint, &text));
        };
        if let Some(certificate) = &row.certificate {
            faint(line(&certificate.subject));
            faint(format!("SHA-256 {}", certificate.thumbprint_sha256()));
        }
        if let Some(times) = row.seen() {
            faint(format!("seen {times}"));
        }
    }
    out.push('\n');
    out
}

/// One object a line.
pub(super) fn objects(federation: &str, rows: &[Row]) -> String {
    let object = |row: &Row| {
        let known = row.certificate.as_ref();
        let object = json!({
            "kind": "certificate",
            "federation": federation,
            "thumbprint": row.thumbprint,
            "thumbprint_sha256": known.map(Certificate::thumbprint_sha256),
            "subject": known.map(|known| &known.subject),
            "not_after": known.map(|known| known.not_after.to_string()),
            "days_left": row.days_left,
            "standing": row.standing.iter().map(|standing| standing.as_str()).collect::<Vec<_>>(),
            "sign_ins": row.sign_ins,
            "last_seen": row.last_seen.map(|last| last.to_string()),
        });
        format!("{object}\n")
    };
    rows.iter().map(object).collect()
}

fn standing(row: &Row) -> String {
    row.standing.iter().copied().map(Standing::as_str).collect::<Vec<_>>().join(", ")
}
