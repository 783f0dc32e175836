//! The clock of an open load: says when each request is due, and waits for nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::signer::Numbers;
use crate::load::{Plan, Shard};

/// Requests that are due and wait for a connection, at most.
const WAITING: usize = 100_000;
/// Between two looks whether it is all over.
const LOOK: Duration = Duration::from_millis(100);

/// Starts the clock of one worker: the intended starts of its requests, as they come.
pub(super) fn start(
    plan: Plan,
    (shard, numbers): (Shard, Numbers),
    start: Instant,
    stop: Arc<AtomicBool>,
    not_sent: Arc<AtomicU64>,
) -> std::io::Result<mpsc::Receiver<Instant>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let pace = move || {
        let mut place = 0;
        while let Some(at) = numbers.at(place).and_then(|number| plan.at(shard.whole(number))) {
            place += 1;
            let due = start + at;
            loop {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let left = due.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                // timers of the runtime are a millisecond coarse; a thread's sleep is not
                std::thread::sleep(left.min(LOOK));
            }
            match sender.try_send(due) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(_)) => {
                    not_sent.fetch_add(1, Ordering::Relaxed);
                }
                Err(mpsc::error::TrySendError::Closed(_)) => return,
            }
        }
    };
    std::thread::Builder::new().name("pacer".to_owned()).spawn(pace)?;
    Ok(receiver)
}
