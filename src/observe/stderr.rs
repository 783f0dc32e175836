//! Standard error behind a queue: who reads it slowly, or not at all, holds up nobody.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

/// Lines that wait: at some 500 bytes each, a few megabytes.
const LINES: usize = 8 * 1024;

/// How long a line waits for others.
const LINGER: Duration = Duration::from_millis(1);
/// Bytes that are written at once.
const BATCH: usize = 64 * 1024;

/// There is one standard error, so there is one queue.
static QUEUE: std::sync::OnceLock<SyncSender<Piece>> = std::sync::OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

enum Piece {
    Line(Vec<u8>),
    /// Everything before this was written.
    Mark(Sender<()>),
}

/// How many lines were lost.
pub(super) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// What makes a writer for each line.
pub(super) fn writer() -> impl Fn() -> Line + Send + Sync + 'static {
    let queue = QUEUE.get_or_init(|| {
        let (sender, receiver) = sync_channel(LINES);
        // without a thread every line is lost, and counted
        let _ = std::thread::Builder::new().name("log".to_owned()).spawn(move || write(&receiver));
        sender
    });
    || Line(queue.clone())
}

/// Waits until what was logged is written, but no longer than this.
pub fn flush(within: Duration) {
    let Some(queue) = QUEUE.get() else { return };
    let deadline = Instant::now() + within;
    let (sender, receiver) = channel();
    while queue.try_send(Piece::Mark(sender.clone())).is_err() {
        if Instant::now() >= deadline {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // nobody reads: then it is lost
    let _ = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()));
}

fn write(pieces: &Receiver<Piece>) {
    let mut told = 0;
    let mut batch = Vec::new();
    while let Ok(first) = pieces.recv() {
        // a thread that wakes for every line costs more than the lines
        if matches!(first, Piece::Line(_)) {
            std::thread::sleep(LINGER);
        }
        let mut next = Some(first);
        while let Some(piece) = next.take() {
            match piece {
                Piece::Line(line) => batch.extend_from_slice(&line),
                Piece::Mark(sender) => {
                    print(&mut batch);
                    // who asked may have given up
                    let _ = sender.send(());
                }
            }
            next = (batch.len() < BATCH).then(|| pieces.try_recv().ok()).flatten();
        }
        print(&mut batch);
        let dropped = dropped();
        if dropped > told {
            told = dropped;
            tracing::warn!(dropped, "lines of this log were lost: nobody took those before");
        }
    }
}

fn print(batch: &mut Vec<u8>) {
    if !batch.is_empty() {
        // there is no other place to complain
        let _ = io::stderr().write_all(batch);
        batch.clear();
    }
}

/// One line of the log.
pub(super) struct Line(SyncSender<Piece>);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.try_send(Piece::Line(line.to_vec())).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
