//! The demonstration: a whole federation on this machine, with the proxy in the middle, and sign-ins sent through it.
//!
//! Nothing is agreed between the ends. What is predicted comes from the judge of `serve`. What is answered is decided by the fake
//! Entra's own logic, travels as a page, is read by the proxy from its copy, and is taken here from the proxy's metrics.

mod cases;
mod stage;
mod tenant;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::AppError;
use super::signals::Signals;
use crate::lab;
use crate::mint::Fault;
use crate::proxy::{AuthorityError, TlsError};
use crate::verdict::Verdict;
use cases::CASES;
use stage::Stage;

/// For one sign-in to be counted. It takes some milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where to listen; a port of 0 is a free one.
#[derive(Debug, Clone, Copy)]
pub struct Demo {
    /// The proxy.
    pub reverse: SocketAddr,
    /// Its metrics.
    pub admin: SocketAddr,
    /// Whether a browser goes through the explicit proxy for all of it, the identity provider included.
    pub browser: bool,
    /// Whether it ends after the sign-ins.
    pub once: bool,
}

impl Default for Demo {
    fn default() -> Self {
        let free = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        Self { reverse: free, admin: free, browser: false, once: false }
    }
}

/// What the demonstration tells, as it comes.
#[derive(Debug)]
pub enum Told {
    /// A sign-in, in its turn.
    SignIn(Box<SignedIn>),
    /// All of them are through; it is the visitor's turn.
    Open(Addresses),
    /// Somebody else posted a message.
    Visit(Box<Verdict>),
}

/// A sign-in that came out.
#[derive(Debug)]
pub struct SignedIn {
    /// What it is, in a few words.
    pub name: &'static str,
    /// The fault that was minted, if one was.
    pub fault: Option<Fault>,
    /// What the judge said.
    pub verdict: Verdict,
    /// The code that Entra answered, in digits, as the metrics label it: `none` when it signed in.
    pub actual: String,
    /// Whether the verdict was the expected one.
    pub as_expected: bool,
    /// Whether the prediction was what Entra answered.
    pub came_true: bool,
}

/// Where everything is.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// The proxy, by TLS.
    pub reverse: SocketAddr,
    /// Metrics and health.
    pub admin: SocketAddr,
    /// The explicit proxy.
    pub connect: SocketAddr,
    /// The identity provider.
    pub idp: SocketAddr,
    /// What a browser is to be told to sign in through the explicit proxy.
    pub browser: Option<Visit>,
}

/// What a browser needs to know for one sign-in.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The page to begin with.
    pub url: String,
    /// The certificates that it believes for this run: SHA-256 of their public keys, in base64.
    pub pins: Vec<String>,
}

/// Runs the demonstration; blocks, on a runtime of its own. It ends with the sign-ins, with SIGTERM or SIGINT, or when `tell`
/// says that nobody listens. Says whether every sign-in came out as it should.
///
/// # Errors
/// What keeps it from starting, or a sign-in from being counted.
pub fn demo(demo: Demo, mut tell: impl FnMut(Told) -> bool) -> Result<bool, DemoError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(AppError::Runtime)?;
    let well = runtime.block_on(async {
        let mut signals = Signals::new().map_err(AppError::Runtime)?;
        tokio::select! {
            shown = show(demo, &mut tell) => shown,
            () = signals.stop() => Ok(true),
        }
    });
    runtime.shutdown_background();
    well
}

async fn show(demo: Demo, tell: &mut impl FnMut(Told) -> bool) -> Result<bool, DemoError> {
    let mut stage = Stage::set(demo).await?;
    let mut well = true;
    for case in &CASES {
        let signed_in = stage.play(case).await?;
        well &= signed_in.as_expected && signed_in.came_true;
        if !tell(Told::SignIn(Box::new(signed_in))) {
            return Ok(well);
        }
    }
    if demo.once {
        stage.end().await;
        return Ok(well);
    }
    let mut listens = tell(Told::Open(stage.addresses()?));
    while let Some(verdict) = stage.verdicts.recv().await.filter(|_| listens) {
        listens = tell(Told::Visit(Box::new(verdict)));
    }
    Ok(well)
}

/// Why the demonstration cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The proxy does not start.
    #[error(transparent)]
    App(#[from] AppError),
    /// The keys cannot be made.
    #[error(transparent)]
    Keys(#[from] lab::KeysError),
    /// The users.
    #[error(transparent)]
    Users(#[from] crate::tenant::DirectoryError),
    /// The sign-ins cannot be minted.
    #[error(transparent)]
    Mint(#[from] crate::mint::MintError),
    /// The browser cannot reach somebody.
    #[error(transparent)]
    Browser(#[from] lab::BrowserError),
    /// The test CAs.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A thread failed.
    #[error("the keys were not made: a fault of this program, please report it")]
    Thread,
    /// A page without its form.
    #[error("expected a form on {0}, got none")]
    NoForm(&'static str),
    /// A listener that is not there.
    #[error("the proxy listens nowhere: a fault of this program, please report it")]
    NoListener,
    /// No verdict.
    #[error("expected a verdict within {} s, got none", PATIENCE.as_secs())]
    NotJudged,
    /// No prediction that was compared.
    #[error("expected the answer to be counted within {} s, got nothing", PATIENCE.as_secs())]
    NotAnswered,
}
