//! The thread that writes: all lines that wait, then one wait for the disk, then what time asks for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::journal::{CaptureError, Journal};
use super::queue::Queue;
use super::{Settings, now};

/// Between two looks at what time asks for.
const TIDY: Duration = Duration::from_secs(1);
/// Between two words about the same trouble.
const AGAIN: Duration = Duration::from_secs(60);
/// Between a word about trouble and one about its end.
const CALM: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    journal: Journal,
    queue: Arc<Queue>,
    tidied: Instant,
    trouble: Trouble,
}

impl Writer {
    pub(super) fn open(settings: &Settings, queue: Arc<Queue>) -> Result<Self, CaptureError> {
        let journal = Journal::open(settings)?;
        Ok(Self { journal, queue, tidied: Instant::now(), trouble: Trouble::default() })
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        loop {
            let taken = self.queue.take(TIDY);
            if taken.overflowed > 0 {
                self.trouble.lost(taken.overflowed, &"there was no room for more lines to wait");
            }
            let (mut written, mut waiting) = (false, Vec::new());
            for entry in taken.entries {
                match self.journal.write(&entry.line, now()) {
                    Ok(line) => {
                        written = true;
                        waiting.extend(entry.written);
                        if let Some(error) = line.beside {
                            self.trouble.lost(0, &error);
                        }
                    }
                    // the end of the sender tells who waits
                    Err(error) => self.lose(1, &error),
                }
            }
            // one wait for all of them
            if !waiting.is_empty() {
                let synchronised = self.journal.sync();
                if let Err(error) = &synchronised {
                    self.lose(u64::try_from(waiting.len()).unwrap_or(u64::MAX), error);
                    written = false;
                }
                for told in waiting {
                    // who waited may have gone
                    let _ = told.send(synchronised.is_ok());
                }
            }
            if written && taken.overflowed == 0 {
                self.trouble.over();
            }
            if self.tidied.elapsed() >= TIDY {
                self.tidied = Instant::now();
                if let Err(error) = self.journal.tidy(now()) {
                    self.trouble.lost(0, &error);
                }
            }
            if taken.closed {
                if let Err(error) = self.journal.sync() {
                    self.trouble.lost(0, &error);
                }
                return;
            }
        }
    }

    fn lose(&mut self, lines: u64, why: &dyn std::fmt::Display) {
        self.queue.lose(lines);
        self.trouble.lost(lines, why);
    }
}

/// What is wrong: told once, then at intervals, then that it is over.
#[derive(Default)]
struct Trouble {
    told: Option<Instant>,
    lost: u64,
}

impl Trouble {
    fn lost(&mut self, lines: u64, why: &dyn std::fmt::Display) {
        self.lost = self.lost.saturating_add(lines);
        if self.told.is_none_or(|told| told.elapsed() >= AGAIN) {
            self.told = Some(Instant::now());
            tracing::error!(error = %why, lost = self.lost, "the capture is not written as it should be");
        }
    }

    fn over(&mut self) {
        // on the brink long lines fail and short ones do not: not a word for each
        if self.lost > 0 && self.told.is_some_and(|told| told.elapsed() >= CALM) {
            tracing::warn!(lost = self.lost, "the capture is written again");
            *self = Self::default();
        }
    }
}
