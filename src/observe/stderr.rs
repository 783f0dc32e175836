//! Standard error behind a queue: who reads it slowly, or not at all, holds up nobody.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Bytes that wait.
const WAITING: usize = 4 * 1024 * 1024;

/// How long a line waits for others: under load the thread wakes fifty times a second, and not between any two requests.
const LINGER: Duration = Duration::from_millis(20);

/// There is one standard error, so there is one queue.
static QUEUE: OnceLock<Queue> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Lines that are not written yet, one after the other: who logs copies a few hundred bytes, and is done.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    /// To be told when what waits now is written.
    told: Vec<Sender<()>>,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // whoever panicked while it held the lock left whole lines behind, or a part of one
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line, if there is room for it.
    fn take(&self, line: &[u8]) -> bool {
        let mut waiting = self.waiting();
        if waiting.lines.len().saturating_add(line.len()) > WAITING {
            return false;
        }
        let first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        if first {
            self.changed.notify_one();
        }
        true
    }
}

/// How many lines were lost.
pub(super) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// What makes a writer for each line.
pub(super) fn writer() -> impl Fn() -> Line + Send + Sync + 'static {
    let queue = QUEUE.get_or_init(|| {
        // without a thread every line is lost, once there is no room for more, and counted
        let _ = std::thread::Builder::new().name("log".to_owned()).spawn(write);
        Queue::default()
    });
    move || Line(queue)
}

/// Waits until what was logged is written, but no longer than this.
pub fn flush(within: Duration) {
    let Some(queue) = QUEUE.get() else { return };
    let (sender, receiver) = channel();
    queue.waiting().told.push(sender);
    queue.changed.notify_one();
    // nobody reads: then it is lost
    let _ = receiver.recv_timeout(within);
}

fn write() {
    let queue = QUEUE.wait();
    let (mut lines, mut counted) = (Vec::new(), 0);
    loop {
        let mut waiting = queue.waiting();
        while waiting.lines.is_empty() && waiting.told.is_empty() {
            waiting = queue.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.told.is_empty() {
            drop(waiting);
            std::thread::sleep(LINGER);
            waiting = queue.waiting();
        }
        std::mem::swap(&mut waiting.lines, &mut lines);
        let told = std::mem::take(&mut waiting.told);
        drop(waiting);
        // there is no other place to complain
        let _ = io::stderr().write_all(&lines);
        lines.clear();
        for told in told {
            // who asked may have given up
            let _ = told.send(());
        }
        let dropped = dropped();
        if dropped > counted {
            counted = dropped;
            tracing::warn!(dropped, "lines of this log were lost: nobody took those before");
        }
    }
}

/// One line of the log.
pub(super) struct Line(&'static Queue);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !self.0.take(line) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
