//! `samlgate load capture`: what was captured, minted anew. No response that was recorded is posted again.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use super::Ending;
use super::load::{self, Asked};
use super::load_args::CaptureArguments;
use super::terminal::{Terminal, Trouble};
use crate::drive::Model;
use crate::load::{Plan, Recording, Script};

/// Plays what was recorded.
pub(super) fn run(arguments: &CaptureArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    let mut recording = Recording::default();
    for file in &arguments.captures {
        read(file, &mut recording)?;
    }
    let Recording { nearly, left_out, .. } = recording;
    if nearly > 0 {
        terminal.note(&format!("{nearly} sign-ins were broken in several ways: the nearest fault is taken"), "");
    }
    if left_out > 0 {
        terminal.note(&format!("{left_out} sign-ins are left out: there is no fault like theirs"), "");
    }
    let (times, cases) = recording.played(arguments.speed);
    if cases.is_empty() {
        return Err(Trouble::new("expected verdicts on sign-ins in the capture, got none")
            .hint("`serve` writes them where [capture] has a `file`"));
    }
    let asked = Asked {
        url: &arguments.to,
        words: format!("{} sign-ins as recorded, {} times as fast", cases.len(), arguments.speed),
        model: Model::Open(Plan::Recorded(times.into())),
        requests: None,
        script: Script::Recorded(cases.into()),
    };
    load::load(asked, &arguments.run, terminal)
}

/// Line by line: a capture may hold whole responses, none of which is kept.
fn read(file: &Path, recording: &mut Recording) -> Result<(), Trouble> {
    let cannot = |error: std::io::Error| Trouble::new(format!("{} cannot be read: {error}", file.display()));
    for line in BufReader::new(File::open(file).map_err(cannot)?).lines() {
        recording.add(&line.map_err(cannot)?);
    }
    Ok(())
}
