//! The capture: every verdict as a line of a file, written beside the traffic.

mod journal;
mod line;
mod queue;
mod rotated;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use queue::{Entry, Queue};
use writer::Writer;

pub use journal::CaptureError;
pub use line::{Answered, Judged};

/// For the disk to take a verdict that somebody waits for: a disk that hangs must not hang the sign-ins.
const RECORDED: Duration = Duration::from_secs(5);

/// What is kept, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The file that is written to. Full ones stand beside it, with the time in their names.
    pub file: PathBuf,
    /// Whether the posted bodies are kept, too.
    pub raw: bool,
    /// Bytes of one file.
    pub max_size: u64,
    /// How long a line is kept at most.
    pub max_age: Duration,
    /// Whether a verdict is on disk before anybody hears of it.
    pub durable: bool,
}

/// What is told of lines that are lost: how many.
pub type Lost = Box<dyn Fn(u64) + Send + Sync>;

/// The capture of a running service.
pub struct Capture {
    queue: Arc<Queue>,
    raw: bool,
    durable: bool,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture").field("raw", &self.raw).field("durable", &self.durable).finish_non_exhaustive()
    }
}

impl Capture {
    /// Opens the file and starts to write, on a thread of its own.
    ///
    /// # Errors
    /// What is wrong with the file. A disk that is full or cannot be written to just now is no error: the file is tried again
    /// with every line.
    pub fn open(settings: &Settings, lost: impl Fn(u64) + Send + Sync + 'static) -> Result<Self, CaptureError> {
        let queue = Arc::new(Queue::new(Box::new(lost)));
        let (sender, ended) = oneshot::channel();
        let writer = Writer::open(settings, Arc::clone(&queue))?;
        let run = move || {
            writer.run();
            // nobody waits where the service just ends
            let _ = sender.send(());
        };
        std::thread::Builder::new()
            .name("capture".to_owned())
            .spawn(run)
            .map_err(|source| CaptureError::Io { file: settings.file.clone(), source })?;
        Ok(Self { queue, raw: settings.raw, durable: settings.durable, ended: Mutex::new(Some(ended)) })
    }

    /// Writes down a verdict. Never waits: what there is no room for is lost and counted.
    pub fn judged(&self, judged: &Judged<'_>) -> Receipt {
        let Some(line) = line::of_verdict(judged, self.raw) else { return Receipt(None) };
        let (written, receipt) = self.durable.then(oneshot::channel).unzip();
        self.queue.put(Entry { line, written });
        Receipt(receipt)
    }

    /// Writes down what the upstream answered.
    pub fn answered(&self, answered: &Answered<'_>) {
        if let Some(line) = line::of_answer(answered) {
            self.queue.put(Entry { line, written: None });
        }
    }

    /// Takes no more lines, and waits until those that there are have been written.
    pub async fn close(&self, within: Duration) {
        self.queue.close();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ended) = ended
            && tokio::time::timeout(within, ended).await.is_err()
        {
            tracing::error!("the capture was not written to its end in time");
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Whether a verdict was written down.
#[derive(Debug)]
#[must_use]
pub struct Receipt(Option<oneshot::Receiver<bool>>);

impl Receipt {
    /// Waits until the verdict is on disk, where that was asked for; false when it is not and will not be.
    pub async fn recorded(self) -> bool {
        match self.0 {
            None => true,
            Some(written) => matches!(tokio::time::timeout(RECORDED, written).await, Ok(Ok(true))),
        }
    }
}

/// The instant as lines and names of files have it.
fn now() -> Timestamp {
    Timestamp::now()
}
