//! The reverse listener: stands in for the intercepted hosts.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::accepting::accept;
use super::requests::{Http, requests, secured};
use super::service::Proxy;
use crate::observe::Listener;

/// A listener that stands in for the intercepted hosts.
#[derive(Debug)]
pub struct Reverse {
    /// Where connections come in.
    pub listener: TcpListener,
    /// Whether TLS is spoken, or ended by somebody else.
    pub tls: bool,
    /// What answers.
    pub proxy: Arc<Proxy>,
}

impl Reverse {
    /// Serves until `stop` turns true, then gives what is being answered `grace` to end.
    pub async fn serve(self, stop: watch::Receiver<bool>, grace: watch::Receiver<Duration>) {
        let tls = self.tls;
        accept(self.listener, self.proxy, stop, grace, move |stream, proxy, present, stop| async move {
            if tls {
                secured(stream, Listener::Reverse, proxy, present, stop).await;
            } else {
                // without TLS nothing says which HTTP it is: HTTP/1.1 is what balancers speak
                requests(stream, Http::One, Listener::Reverse, proxy, present, stop).await;
            }
        })
        .await;
    }
}
