//! A panic while a request is answered: it costs that request its answer, and nobody else anything.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

/// What comes of a future, or none if it panics. What it held is dropped then; what it shared with others is behind locks that
/// survive a panic.
pub(super) fn caught<F: Future>(future: F) -> impl Future<Output = Option<F::Output>> {
    // on the heap, or whoever waits for it would hold it twice
    let mut future = Box::pin(future);
    std::future::poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Some),
        // the hook has told where
        Err(_) => Poll::Ready(None),
    })
}

#[cfg(test)]
#[expect(clippy::panic, reason = "that is what is tested")]
mod tests {
    use super::caught;

    #[tokio::test]
    async fn a_panic_ends_its_future_and_nothing_else() {
        let fails = async {
            tokio::task::yield_now().await;
            panic!("the future of this test panics")
        };
        assert_eq!(caught(fails).await, None::<()>);
        assert_eq!(caught(async { 1 }).await, Some(1));
    }
}
