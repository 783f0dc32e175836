//! One question to Graph until it is answered: with a token that is good, and with patience that ends.

use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::AUTHORIZATION;
use jiff::Timestamp;
use serde::Deserialize;

use super::error::{GraphError, Subject};
use super::token::{self, Token};
use super::{Access, LONGEST_WAIT};
use crate::source::client::{Answer, Ask, Client, Failure, RetryAfter};
use crate::source::url::Url;

/// Bytes of one answer: a page of 999 users has about half a megabyte.
const ANSWER: usize = 32 * 1024 * 1024;

/// How often, and how long, a question is asked again.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How often one question is asked at most.
    pub tries: u32,
    /// The first wait where nobody says how long; each one after it is twice as long.
    pub first_wait: Duration,
    /// All waits for one answer together.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { tries: 6, first_wait: Duration::from_millis(500), longest_wait: LONGEST_WAIT }
    }
}

/// Who asks, with the token at hand.
#[derive(Debug)]
pub(super) struct Asking {
    client: Client,
    pub(super) access: Access,
    pub(super) patience: Patience,
    now: fn() -> Timestamp,
    token: Option<Token>,
}

impl Asking {
    pub(super) fn new(client: Client, access: Access, patience: Patience, now: fn() -> Timestamp) -> Self {
        Self { client, access, patience, now, token: None }
    }

    /// The URL of a resource of Graph.
    pub(super) fn resource(&self, path: &str) -> Result<Url, GraphError> {
        let endpoint = self.access.endpoint.to_string();
        Url::parse(&format!("{}/v1.0/{path}", endpoint.trim_end_matches('/')))
            .map_err(|error| GraphError::Link(error.to_string()))
    }

    /// The body of what Graph answers well. A token that is refused is renewed once.
    pub(super) async fn get(&mut self, url: &Url, subject: Subject) -> Result<Bytes, GraphError> {
        let mut renewed = false;
        loop {
            let header = self.token().await?;
            let answer =
                self.patiently(|| Ok(Ask::get(url.clone(), ANSWER).header(AUTHORIZATION, header.clone()))).await?;
            match answer.status {
                StatusCode::OK => return Ok(answer.body),
                StatusCode::UNAUTHORIZED if !renewed => {
                    tracing::debug!(%subject, "the token is refused: another one is asked for");
                    self.token = None;
                    renewed = true;
                }
                StatusCode::UNAUTHORIZED => return Err(GraphError::Unauthorized),
                StatusCode::FORBIDDEN => return Err(GraphError::Forbidden { subject }),
                StatusCode::NOT_FOUND => return Err(GraphError::NotFound(subject)),
                StatusCode::GONE => return Err(GraphError::Gone),
                status => return Err(GraphError::of_answer(subject, status, code(&answer.body))),
            }
        }
    }

    async fn token(&mut self) -> Result<hyper::header::HeaderValue, GraphError> {
        if let Some(token) = self.token.as_ref().filter(|token| (self.now)() < token.until) {
            return Ok(token.header.clone());
        }
        let now = (self.now)();
        let answer = self.patiently(|| token::ask(&self.access, (self.now)())).await?;
        if answer.status != StatusCode::OK {
            return Err(token::refused(answer.status.as_u16(), &answer.body));
        }
        let token = token::granted(&answer.body, now)?;
        Ok(self.token.insert(token).header.clone())
    }

    /// Asks until somebody answers who is neither too busy nor cut off.
    async fn patiently(&self, ask: impl Fn() -> Result<Ask, GraphError>) -> Result<Answer, GraphError> {
        let mut waited = Duration::ZERO;
        let mut next_wait = self.patience.first_wait;
        for left in (0..self.patience.tries).rev() {
            let (wait, why) = match self.client.ask(ask()?).await {
                Ok(answer) if !is_busy(answer.status) => return Ok(answer),
                Ok(answer) => {
                    let wait = answer.retry_after.map_or(next_wait, |after| self.until(after));
                    (wait, GraphError::Busy { status: answer.status.as_u16(), wait })
                }
                Err(failure @ (Failure::Connect(_) | Failure::Broken(_) | Failure::Late(_))) => {
                    (next_wait, GraphError::Failure(failure))
                }
                Err(failure) => return Err(failure.into()),
            };
            if left == 0 || waited + wait > self.patience.longest_wait {
                return Err(why);
            }
            tracing::debug!(error = %why, wait_seconds = wait.as_secs_f64(), "Graph is asked again");
            tokio::time::sleep(wait).await;
            waited += wait;
            next_wait *= 2;
        }
        Err(GraphError::Failure(Failure::Late(waited)))
    }

    fn until(&self, after: RetryAfter) -> Duration {
        match after {
            RetryAfter::Wait(wait) => wait,
            RetryAfter::At(instant) => Duration::try_from(instant.duration_since((self.now)())).unwrap_or_default(),
        }
    }
}

fn is_busy(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

#[derive(Deserialize)]
struct Told {
    error: Code,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

/// The code of an error of Graph: letters alone, whatever comes.
fn code(body: &[u8]) -> String {
    let told: Option<Told> = serde_json::from_slice(body).ok();
    let code = told.map_or_else(String::new, |told| told.error.code);
    code.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')).take(60).collect()
}
