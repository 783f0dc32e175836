//! The door of a listener: accepts connections, bounds them, and lets them end in peace.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::crowd::Present;
use super::service::Proxy;

/// Serves each connection until `stop` turns true, then gives what is being answered `grace` to end.
pub(super) async fn accept<F>(
    listener: TcpListener,
    proxy: Arc<Proxy>,
    mut stop: watch::Receiver<bool>,
    grace: watch::Receiver<Duration>,
    connection: impl Fn(TcpStream, Arc<Proxy>, Present, watch::Receiver<bool>) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let room = proxy.crowd().room().await;
            (room, listener.accept().await)
        };
        let (room, stream) = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(ended) = connections.join_next() => {
                if ended.is_err_and(|error| error.is_panic()) {
                    proxy.panicked();
                }
                continue;
            }
            accepted = accepted => accepted,
        };
        let stream = match stream {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // out of descriptors, most likely: asking again at once would burn a core
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        // a refusal only costs latency
        let _ = stream.set_nodelay(true);
        let present = proxy.crowd().enter(room);
        connections.spawn(connection(stream, Arc::clone(&proxy), present, stop.clone()));
    }
    drop(listener);
    let grace = *grace.borrow();
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, all).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections were cut off: they did not end in time");
    }
}
