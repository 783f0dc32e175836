//! `samlgate lab`: one fake end, until it is told to stop.

use std::sync::Arc;

use jiff::Timestamp;

use super::Ending;
use super::lab_args::{EntraArguments, IdpArguments, LabCommand};
use super::terminal::{Terminal, Trouble};
use super::{lab_graph, signing};
use crate::app;
use crate::config::Config;
use crate::lab::{End, Entra, Idp, Unasked};
use crate::mint::Person;
use crate::proxy::ServerCertificate;

/// Users among whom the tester can choose; others can be named.
const USERS: usize = 50;

/// Serves the end.
pub(super) fn run(command: &LabCommand, terminal: &Terminal) -> Result<Ending, Trouble> {
    match command {
        LabCommand::Idp(arguments) => idp(arguments, terminal),
        LabCommand::Entra(arguments) => entra(arguments, terminal),
        LabCommand::Graph(arguments) => lab_graph::run(arguments, terminal),
    }
}

fn idp(arguments: &IdpArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    let signer = &arguments.signer;
    let config = load(&signer.config)?;
    let federation = signing::federation(&config.judge.federations, signer.domain.as_deref())?;
    let key = signing::of_file(&federation, &signer.key, signer.certificate.as_ref())?;
    let minter = signing::minter(&federation, key)?;
    let post_to = arguments.post_to.clone().unwrap_or_else(|| federation.acs.clone());
    let end = Idp {
        minter,
        post_to: post_to.clone(),
        users: Person::all(&federation, USERS).into_iter().map(|person| person.upn).collect(),
        unasked: arguments.fault.map_or(Unasked::Ask, |fault| Unasked::Sign(fault.0)),
        now: Timestamp::now,
    };
    serve(arguments.listen, None, end, |address| {
        terminal.talk(&format!(
            "identity provider of {}\n\
             choose    http://{address}/\n\
             requests  http://{address}/sso  (passiveSignInUri)\n\
             programs  http://{address}/form?fault=NAME\n\
             posts to  {post_to}\n",
            federation.name()
        ));
    })
}

fn entra(arguments: &EntraArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    let config = load(&arguments.config)?;
    let certificate = config.certificate.filter(|_| arguments.tls);
    if arguments.tls && certificate.is_none() {
        return Err(Trouble::new("--tls needs `tls.certificate` and `tls.key`, or a CA, in the configuration")
            .hint("`samlgate ca` makes a CA for the hosts that are intercepted"));
    }
    let scheme = if arguments.tls { "https" } else { "http" };
    let end = Entra { federations: config.judge.federations, sign_in: arguments.sign_in.clone(), now: Timestamp::now };
    serve(arguments.listen, certificate, end, |address| {
        terminal.talk(&format!(
            "fake Entra\n\
             sign in   {scheme}://{address}/common/oauth2/v2.0/authorize\n\
             post      {scheme}://{address}/login.srf\n\
             asks      {}\n",
            arguments.sign_in
        ));
    })
}

pub(super) fn load(file: &std::path::Path) -> Result<Config, Trouble> {
    Config::load(file).map_err(|error| Trouble::new(error.to_string()))
}

pub(super) fn serve(
    address: std::net::SocketAddr,
    certificate: Option<ServerCertificate>,
    end: impl End,
    ready: impl FnOnce(std::net::SocketAddr),
) -> Result<Ending, Trouble> {
    app::lab(address, certificate, Arc::new(end), ready).map_err(|error| Trouble::new(error.to_string()))?;
    Ok(Ending::Well)
}
