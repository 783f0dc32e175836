//! What stands in the place of traces where they are not compiled in: nothing.

use std::fmt::Display;
use std::time::Duration;

use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use rustls::ClientConfig;

use crate::verdict::Verdict;

/// Nobody traces.
pub fn begin<E: Display>(_tls: impl FnOnce() -> Result<ClientConfig, E>) -> Option<Traces> {
    None
}

/// There are none.
#[derive(Debug)]
pub enum Traces {}

impl Traces {
    /// Sends what is left.
    pub async fn flush(self, _within: Duration) {
        match self {}
    }
}

/// A request that is answered.
#[derive(Debug, Clone)]
pub struct RequestSpan;

impl RequestSpan {
    /// Begins with the head of a request.
    pub fn begin(_request: &Parts, _request_id: &HeaderValue, _listener: &'static str) -> Self {
        Self
    }

    /// What was done with the request, and the status of the answer.
    pub fn answered(&self, _route: &'static str, _status: u16) {}

    /// What else is done for this request.
    pub fn within(&self) -> Within {
        Within
    }

    /// Begins with a request to the upstream.
    pub fn ask(&self, _request: &mut Parts, _host: &str, _port: u16) -> UpstreamSpan {
        UpstreamSpan
    }
}

/// The request that something is done for.
#[derive(Debug, Clone)]
pub struct Within;

impl Within {
    /// Begins to judge.
    pub fn judge(&self) -> JudgeSpan {
        JudgeSpan
    }
}

/// A message that is judged.
#[derive(Debug)]
pub struct JudgeSpan;

impl JudgeSpan {
    /// What came of it.
    pub fn judged<D: AsRef<str>>(self, _kind: &'static str, _domain: impl FnOnce() -> D, _verdict: Option<&Verdict>) {}
}

/// The upstream is asked.
#[derive(Debug)]
pub struct UpstreamSpan;

impl UpstreamSpan {
    /// The head of its answer.
    pub fn answered(self, _status: u16) {}

    /// There is no answer, for this reason.
    pub fn failed(self, _reason: &'static str) {}
}
