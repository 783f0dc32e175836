//! The capture of `serve` read for one thing: which certificates sign-ins were signed with.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;

use super::terminal::Trouble;
use crate::doctor::Seen;
use crate::dsig::{Certificate, DS};
use crate::inspect::{self, Posted};
use crate::limits::Limits;
use crate::verdict::CheckId;
use crate::xml::{self, NodeId};

/// Bytes of one line; a body of the largest size that is judged fits in.
const LINE: u64 = 16 * 1024 * 1024;
/// Digits of a SHA-1 thumbprint.
const DIGITS: usize = 40;
/// Certificates of one federation, beside those that verified, that are told apart: whoever posts may name any number.
const TOLD_APART: usize = 20;

/// What is needed of a line.
#[derive(Deserialize)]
struct Line {
    r#type: String,
    time: Option<String>,
    #[serde(default)]
    federation: String,
    signature: Option<Signature>,
    #[serde(default)]
    checks: Vec<Judged>,
    body: Option<String>,
}

#[derive(Deserialize)]
struct Signature {
    thumbprint: String,
}

#[derive(Deserialize)]
struct Judged {
    id: String,
    outcome: String,
    got: Option<String>,
}

/// The certificates by federation.
#[derive(Debug, Default)]
pub(super) struct SeenLines(BTreeMap<String, Vec<Seen>>);

impl SeenLines {
    /// Adds what a file tells.
    pub(super) fn read(&mut self, file: &Path) -> Result<(), Trouble> {
        let cannot =
            |error: &dyn std::fmt::Display| Trouble::new(format!("{} cannot be read: {error}", file.display()));
        let mut reader = BufReader::new(File::open(file).map_err(|error| cannot(&error))?);
        let mut bytes = Vec::new();
        for number in 1_u64.. {
            bytes.clear();
            if (&mut reader).take(LINE).read_until(b'\n', &mut bytes).map_err(|error| cannot(&error))? == 0 {
                break;
            }
            match serde_json::from_slice::<Line>(&bytes) {
                Ok(line) if matches!(line.r#type.as_str(), "verdict" | "answer") => self.add(&line),
                _ if bytes.trim_ascii().is_empty() => {}
                // half a line at the end: the service was cut off while it wrote it
                Err(_) if number > 1 && !bytes.ends_with(b"\n") => break,
                Ok(_) => return Err(no_capture(file, number, "another `type`")),
                Err(error) => return Err(no_capture(file, number, &error.to_string())),
            }
        }
        Ok(())
    }

    /// The certificates of one federation, in the order in which they came.
    pub(super) fn of(&self, federation: &str) -> &[Seen] {
        self.0.get(federation).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, line: &Line) {
        let Some(thumbprint) = signer(line) else { return };
        let last = line.time.as_ref().and_then(|time| time.parse::<Timestamp>().ok());
        let all = self.0.entry(line.federation.clone()).or_default();
        if let Some(seen) = all.iter_mut().find(|seen| seen.thumbprint == thumbprint) {
            seen.sign_ins += 1;
            seen.last = seen.last.max(last);
            if seen.certificate.is_none() {
                seen.certificate = named(line, thumbprint);
            }
        } else if all.len() < TOLD_APART || line.signature.is_some() {
            let certificate = named(line, thumbprint);
            all.push(Seen { thumbprint: thumbprint.to_owned(), sign_ins: 1, last, certificate });
        }
    }
}

fn no_capture(file: &Path, number: u64, why: &str) -> Trouble {
    Trouble::new(format!("{}: line {number} is none of a capture: {why}", file.display()))
        .hint("give a file that `serve` wrote by `[capture] file`")
}

/// The certificate whose key verified the sign-in, else the one that it names and that was not registered.
fn signer(line: &Line) -> Option<&str> {
    let refused = || {
        let key = line.checks.iter().find(|check| check.id == CheckId::SigningKey.as_str())?;
        let got = key.got.as_deref().filter(|_| key.outcome == "fail")?;
        // who only names a certificate has not signed with it
        let is_its_own = !got.ends_with("(but the signature is not even its own)");
        got.split(' ')
            .next()
            .filter(|_| is_its_own)
            .filter(|word| word.len() == DIGITS && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    line.signature.as_ref().map(|signature| signature.thumbprint.as_str()).or_else(refused)
}

/// The certificate of that thumbprint, where the body was kept and holds it.
fn named(line: &Line, thumbprint: &str) -> Option<Certificate> {
    let body = STANDARD.decode(line.body.as_ref()?).ok()?;
    let limits = Limits::default();
    let document = xml::parse(inspect::decode(Posted::Form(&body), &limits).xml?, &limits).ok()?;
    let written = document.descendants(NodeId::DOCUMENT).filter(|node| document.is(*node, DS, "X509Certificate"));
    let mut certificates = written.filter_map(|node| {
        let text: String = document.text_in(node).chars().filter(|c| !c.is_ascii_whitespace()).collect();
        Certificate::from_der(&STANDARD.decode(text).ok()?).ok()
    });
    certificates.find(|certificate| certificate.thumbprint() == thumbprint)
}
