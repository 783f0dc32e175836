//! The arguments of `lab` and `mint` as written.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

use super::args::instant;
use super::lab_graph::GraphArguments;
use crate::dsig::{Hash, SignatureAlgorithm};
use crate::lab::KeyForm;
use crate::mint::{Fault, Shape};

/// Run one of the fake ends alone, for tests by browser. Whoever can reach one can sign in to nothing but the other.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: samlgate lab idp --config samlgate.toml --key idp.pem")]
pub(super) enum LabCommand {
    /// A fake identity provider: the tester chooses who signs in, and with which fault
    #[command(
        after_help = "Example: samlgate lab idp --config samlgate.toml --key idp.pem --post-to https://login.microsoftonline.com/login.srf"
    )]
    Idp(IdpArguments),
    /// A fake Entra: asks the identity provider, and answers what it posts by logic of its own
    #[command(
        after_help = "Example: samlgate lab entra --config samlgate.toml --sign-in http://127.0.0.1:8081/sso --tls"
    )]
    Entra(EntraArguments),
    /// A fake Microsoft Graph: users by pages and by what changed, federation settings, and errors by name
    #[command(after_help = "Example: samlgate lab graph --users 20000 --fault throttled --at 7")]
    Graph(GraphArguments),
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

/// Make signed test responses, sound or with named faults. Each is of now, and valid for minutes.
#[derive(Debug, Args)]
#[command(after_help = "Example: samlgate mint --fault big_endian --certificate-out idp.cer > response.xml")]
pub(super) struct MintArguments {
    /// Print the names of all faults, and what each is
    #[arg(long)]
    pub(super) list_faults: bool,
    /// Fault to bring in, one a response; repeatable; `all` is all of them and a sound one, `sound` is none
    #[arg(long, value_name = "NAME", value_parser = faults)]
    pub(super) fault: Vec<Vec<Option<Fault>>>,
    /// How many of each
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(super) count: usize,
    /// The configuration, with the federation and its users [default: made up]
    #[arg(long, value_name = "FILE", help_heading = "Whose sign-ins")]
    pub(super) config: Option<PathBuf>,
    /// Domain of the federation
    #[arg(long, value_name = "NAME", help_heading = "Whose sign-ins")]
    pub(super) domain: Option<String>,
    /// Issuer, where there is no configuration
    #[arg(long, value_name = "URI", conflicts_with = "config", help_heading = "Whose sign-ins")]
    pub(super) issuer: Option<String>,
    /// Users, as CSV or JSON [default: those of the configuration, or made up]
    #[arg(long, value_name = "FILE", help_heading = "Whose sign-ins")]
    pub(super) users: Option<PathBuf>,
    /// Who signs in, by UPN or ImmutableId [default: one after the other]
    #[arg(long, value_name = "USER", help_heading = "Whose sign-ins")]
    pub(super) user: Option<String>,
    /// Request that is answered (InResponseTo)
    #[arg(long, value_name = "ID", help_heading = "Whose sign-ins")]
    pub(super) request: Option<String>,
    /// RelayState of the form
    #[arg(long, value_name = "TEXT", default_value = "", help_heading = "Whose sign-ins")]
    pub(super) relay_state: String,
    /// Sign as of this instant (RFC 3339) [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = instant, help_heading = "Whose sign-ins")]
    pub(super) at: Option<Timestamp>,
    /// Let IDs and made-up users follow from this number; with an RSA key and --at, so do all the bytes
    #[arg(long, value_name = "NUMBER", help_heading = "Whose sign-ins")]
    pub(super) seed: Option<u64>,
    /// Private key that signs, in PEM [default: one made on the spot]
    #[arg(long, value_name = "FILE", help_heading = "How they are signed")]
    pub(super) key: Option<PathBuf>,
    /// Certificate of that key [default: the registered one that it belongs to]
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "How they are signed")]
    pub(super) certificate: Option<PathBuf>,
    /// What is made where no key is given
    #[arg(long, value_enum, default_value_t = NewKey::Rsa2048, conflicts_with = "key", help_heading = "How they are signed")]
    pub(super) new_key: NewKey,
    /// File for the certificate of the key, in PEM; never overwritten
    #[arg(long, value_name = "FILE", help_heading = "How they are signed")]
    pub(super) certificate_out: Option<PathBuf>,
    /// Signature algorithm, as rsa-sha512 or rsa-pss-sha256 [default: that of the key, by SHA-256 for RSA]
    #[arg(long, value_name = "NAME", value_parser = algorithm, help_heading = "How they are signed")]
    pub(super) algorithm: Option<SignatureAlgorithm>,
    /// Digest: sha1, sha256, sha384 or sha512 [default: the hash of the algorithm]
    #[arg(long, value_name = "NAME", value_parser = digest, help_heading = "How they are signed")]
    pub(super) digest: Option<Hash>,
    /// Sign the Response too
    #[arg(long, help_heading = "How they are signed")]
    pub(super) sign_response: bool,
    /// Whose responses they look like: plain, authentik, keycloak, adfs, simplesamlphp or entra_docs
    #[arg(long, value_name = "NAME", default_value = "plain", value_parser = shape, help_heading = "What comes out")]
    pub(super) shape: Shape,
    /// What is written: the XML, its base64, the form body, or JSON with what is expected
    #[arg(long, value_enum, default_value_t = MintFormat::Xml, help_heading = "What comes out")]
    pub(super) format: MintFormat,
    /// Folder for one file each, and for expected.jsonl; without it, standard output
    #[arg(long, value_name = "FOLDER", help_heading = "What comes out")]
    pub(super) out: Option<PathBuf>,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum MintFormat {
    Xml,
    Base64,
    Form,
    Json,
}

/// A key to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum NewKey {
    Rsa2048,
    Rsa3072,
    Rsa4096,
    P256,
    P384,
}

impl From<NewKey> for KeyForm {
    fn from(key: NewKey) -> Self {
        match key {
            NewKey::Rsa2048 => Self::Rsa2048,
            NewKey::Rsa3072 => Self::Rsa3072,
            NewKey::Rsa4096 => Self::Rsa4096,
            NewKey::P256 => Self::P256,
            NewKey::P384 => Self::P384,
        }
    }
}

fn faults(word: &str) -> Result<Vec<Option<Fault>>, String> {
    match word {
        "all" => Ok([None].into_iter().chain(Fault::ALL.map(Some)).collect()),
        word => fault_or_sound(word).map(|fault| vec![fault.0]),
    }
}

pub(super) fn shape(word: &str) -> Result<Shape, String> {
    let names = || Shape::ALL.map(Shape::as_str).join(", ");
    Shape::parse(&word.replace('-', "_")).ok_or_else(|| format!("expected one of {}", names()))
}

fn algorithm(word: &str) -> Result<SignatureAlgorithm, String> {
    SignatureAlgorithm::parse(word).ok_or_else(|| {
        let names: Vec<_> = SignatureAlgorithm::all().map(SignatureAlgorithm::as_str).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn digest(word: &str) -> Result<Hash, String> {
    let all = [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512];
    all.into_iter()
        .find(|hash| hash.as_str() == word)
        .ok_or_else(|| "expected sha1, sha256, sha384 or sha512".to_owned())
}
