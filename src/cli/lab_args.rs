//! The arguments of `lab` and `mint` as written.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::mint::Fault;

/// Run one of the fake ends alone, for tests by browser. Whoever can reach one can sign in to nothing but the other.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: samlgate lab idp --config samlgate.toml --key idp.pem")]
pub(super) enum LabCommand {
    /// A fake identity provider: the tester chooses who signs in, and with which fault
    #[command(
        after_help = "Example: samlgate lab idp --config samlgate.toml --key idp.pem --post-to https://localhost:8443/login.srf"
    )]
    Idp(IdpArguments),
    /// A fake Entra: asks the identity provider, and answers what it posts by logic of its own
    #[command(
        after_help = "Example: samlgate lab entra --config samlgate.toml --sign-in http://127.0.0.1:8081/sso --tls"
    )]
    Entra(EntraArguments),
}

/// A fake identity provider.
#[derive(Debug, Args)]
pub(super) struct IdpArguments {
    #[command(flatten)]
    pub(super) signer: SignerArguments,
    /// Where to listen; port 0 is a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub(super) listen: SocketAddr,
    /// Where browsers post the sign-ins [default: the ACS of the federation]
    #[arg(long, value_name = "URL")]
    pub(super) post_to: Option<String>,
    /// Sign in at once with this fault, or `sound`; left out, the tester is asked
    #[arg(long, value_name = "NAME", value_parser = fault_or_sound)]
    pub(super) fault: Option<FaultOrSound>,
}

/// Whose sign-ins are signed, and by what.
#[derive(Debug, Args)]
pub(super) struct SignerArguments {
    /// The configuration, with the federation and its users
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Domain of the federation, where the configuration has several
    #[arg(long, value_name = "NAME")]
    pub(super) domain: Option<String>,
    /// Private key that signs, in PEM
    #[arg(long, value_name = "FILE")]
    pub(super) key: PathBuf,
    /// Certificate of that key [default: the registered one that it belongs to]
    #[arg(long, value_name = "FILE")]
    pub(super) certificate: Option<PathBuf>,
}

/// A fake Entra.
#[derive(Debug, Args)]
pub(super) struct EntraArguments {
    /// The configuration, with the federations and their users
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Where to listen; port 0 is a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8082")]
    pub(super) listen: SocketAddr,
    /// Where its requests go: the sign-in address of the identity provider
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8081/sso")]
    pub(super) sign_in: String,
    /// Speak TLS, with the certificate of [tls] in the configuration
    #[arg(long)]
    pub(super) tls: bool,
}

/// A fault, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FaultOrSound(pub(super) Option<Fault>);

pub(super) fn fault_or_sound(word: &str) -> Result<FaultOrSound, String> {
    if word == "sound" {
        return Ok(FaultOrSound(None));
    }
    let fault = Fault::parse(word).ok_or("there is no such fault: `samlgate mint --list-faults` lists them");
    Ok(FaultOrSound(Some(fault?)))
}
