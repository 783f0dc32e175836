//! What is awaited beside a busy connection: looked at when it was woken itself, and not whenever bytes move.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// A future that hardly ever gets on.
pub(super) struct Seldom<F> {
    future: Pin<Box<F>>,
    called: Arc<Called>,
}

/// Whether the future was woken, and who is to be woken with it.
struct Called {
    called: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl<F: Future> Seldom<F> {
    pub(super) fn new(future: F) -> Self {
        let called = Called { called: AtomicBool::new(true), task: Mutex::default() };
        Self { future: Box::pin(future), called: Arc::new(called) }
    }
}

impl<F: Future> Future for Seldom<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // first who is to be woken, then whether somebody called: whoever calls in between finds the task
        self.called.is_awaited_by(cx.waker());
        if !self.called.called.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&self.called));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

impl Called {
    fn is_awaited_by(&self, waker: &Waker) {
        // nothing panics while it is locked
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *task {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }
}

impl Wake for Called {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.called.store(true, Ordering::Release);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_is_looked_at_when_it_was_woken_and_its_end_is_not_missed() {
        let looked = AtomicUsize::new(0);
        let (sender, mut receiver) = oneshot::channel();
        let mut seldom = Seldom::new(poll_fn(|cx| {
            looked.fetch_add(1, Ordering::AcqRel);
            Pin::new(&mut receiver).poll(cx)
        }));
        for _ in 0..5 {
            assert!(poll_fn(|cx| Poll::Ready(Pin::new(&mut seldom).poll(cx).is_pending())).await);
        }
        assert_eq!(looked.load(Ordering::Acquire), 1);
        tokio::spawn(async move {
            tokio::task::yield_now().await;
            sender.send("through").unwrap();
        });
        assert_eq!(seldom.await, Ok("through"));
        assert_eq!(looked.load(Ordering::Acquire), 2);
    }
}
