//! Turns of the tasks of one worker.

use std::task::Poll;

/// Requests in flight, for each core, of which a few are likely to be at hand together.
const MANY: usize = 4;

/// From how many requests in flight on they let each other by. Where there are fewer, a worker may be idle, and would be woken for
/// nothing.
pub(super) fn many() -> i64 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    i64::try_from(MANY.saturating_mul(cores)).unwrap_or(i64::MAX)
}

/// Lets others by, once: those who are ready, and the connection that this task is part of, if it is. The runtime's own way would wake
/// this task once more than the connection does, when it has long gone on.
///
/// Whoever has read something lets the others read, too, before it is sent on. What many have to send then goes out in one row, and the
/// other side is woken once for several of them.
pub(super) async fn let_by() {
    let mut woken = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut woken, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::let_by;

    #[tokio::test]
    async fn all_read_before_anybody_sends() {
        let done = Arc::new(Mutex::new(String::new()));
        let told = |done: &Mutex<String>, step| done.lock().unwrap_or_else(PoisonError::into_inner).push(step);
        let tasks = (0..3).map(|_| {
            let done = Arc::clone(&done);
            tokio::spawn(async move {
                told(&done, 'r');
                let_by().await;
                told(&done, 's');
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            assert!(task.await.is_ok());
        }
        assert_eq!(*done.lock().unwrap_or_else(PoisonError::into_inner), "rrrsss");
    }
}
