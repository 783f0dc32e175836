//! The door of a small listener: so many connections at a time, each ended when the listener stops.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Serves each connection until `stop` turns true, at most so many at one time.
pub(crate) async fn serve<F>(
    listener: TcpListener,
    connections: usize,
    mut stop: watch::Receiver<bool>,
    connection: impl Fn(TcpStream) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(connections));
    loop {
        let accepted = async {
            let room = Arc::clone(&room).acquire_owned().await;
            (room, listener.accept().await)
        };
        let (room, stream) = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = accepted => accepted,
        };
        let Ok((stream, _)) = stream else {
            // out of descriptors, most likely: asking again at once would burn a core
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (served, mut stop) = (connection(stream), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = served => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
            drop(room);
        });
    }
}
