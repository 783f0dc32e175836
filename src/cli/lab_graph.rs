//! `samlgate lab graph`: the fake Microsoft Graph, until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::Ending;
use super::lab::{load, serve};
use super::terminal::{self, Terminal, Trouble};
use crate::config::Config;
use crate::lab::{FakeDomain, Graph, GraphFault, Mishap, PERMISSIONS, People};
use crate::source::graph::Credential;

/// The domain of users who are made up, where no configuration names one.
const DOMAIN: &str = "domain.company";

/// A fake Microsoft Graph.
#[derive(Debug, Args)]
pub(super) struct GraphArguments {
    /// The configuration, with the federations, their users, and the application of [graph]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// So many made-up users besides
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    users: usize,
    /// Where to listen; port 0 is a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8083")]
    listen: SocketAddr,
    /// Speak TLS, with the certificate of [tls] in the configuration
    #[arg(long, requires = "config")]
    tls: bool,
    /// What goes wrong; repeatable
    #[arg(long, value_name = "NAME", value_parser = fault)]
    fault: Vec<GraphFault>,
    /// The page of users at which it goes wrong [default: the first request that it fits]
    #[arg(long, value_name = "NUMBER", requires = "fault")]
    at: Option<usize>,
    /// How often [default: outages pass after one, mistakes stay]
    #[arg(long, value_name = "NUMBER", requires = "fault")]
    times: Option<usize>,
    /// Print the names of all faults, and what each is
    #[arg(long)]
    list_faults: bool,
    /// Users of one page at most
    #[arg(long, value_name = "NUMBER", default_value_t = 999, value_parser = clap::value_parser!(u16).range(1..=999))]
    page_size: u16,
    /// Seconds that are asked for in Retry-After
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    retry_after: u32,
    /// A permission that was not granted; repeatable
    #[arg(long, value_name = "PERMISSION", value_parser = PERMISSIONS)]
    without: Vec<String>,
}

fn fault(word: &str) -> Result<GraphFault, &'static str> {
    GraphFault::parse(word).ok_or("there is no such fault: `samlgate lab graph --list-faults` lists them")
}

/// Serves it.
pub(super) fn run(arguments: &GraphArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    if arguments.list_faults {
        let lines: String =
            GraphFault::ALL.iter().map(|fault| format!("{:20} {}\n", fault.as_str(), fault.story())).collect();
        terminal::print_all(&lines)?;
        return Ok(Ending::Well);
    }
    let config = arguments.config.as_deref().map(load).transpose()?;
    let certificate = config.as_ref().and_then(|config| config.certificate.clone()).filter(|_| arguments.tls);
    if arguments.tls && certificate.is_none() {
        return Err(Trouble::new("--tls needs `tls.certificate` and `tls.key`, or a CA, in the configuration")
            .hint("`samlgate ca` makes a CA for the hosts that are intercepted"));
    }
    let graph = graph(arguments, config.as_ref());
    let scheme = if arguments.tls { "https" } else { "http" };
    let people = graph.people(|people| people.len());
    serve(arguments.listen, certificate, graph, |address| {
        terminal.talk(&format!(
            "fake Microsoft Graph of {people} users\n\
             tokens    {scheme}://{address}/{{tenant}}/oauth2/v2.0/token\n\
             users     {scheme}://{address}/v1.0/users\n\
             in [graph]  login = endpoint = \"{scheme}://{address}\"\n",
        ));
    })
}

fn graph(arguments: &GraphArguments, config: Option<&Config>) -> Graph {
    let federations = config.map_or(&[][..], |config| &config.judge.federations);
    let evidence = config.map_or(&[][..], |config| &config.evidence);
    let domains: Vec<FakeDomain> =
        federations.iter().zip(evidence).map(|(federation, sources)| FakeDomain::of(federation, sources)).collect();
    let domain = domains.first().map_or(DOMAIN, |domain| &domain.name).to_owned();
    let people = People::of(federations.iter().filter_map(|federation| federation.users.clone()));
    let mut graph = Graph::new(domains, people.and_made_up(arguments.users, &domain), Timestamp::now);
    graph.page_size = arguments.page_size.into();
    graph.retry_after = arguments.retry_after;
    graph.tls = arguments.tls;
    graph.permissions.retain(|permission| !arguments.without.contains(permission));
    if let Some(access) = config.and_then(|config| config.graph.as_ref()).map(|graph| &graph.access) {
        graph.application.tenant = Some(access.tenant.clone());
        graph.application.client_id = Some(access.client_id.clone());
        match &access.credential {
            Credential::Secret(secret) => graph.application.secret = secret.to_string(),
            Credential::Certificate(key) => {
                graph.application.certificate = Some(key.public().certificate().der.clone());
            }
        }
    }
    for fault in &arguments.fault {
        graph.let_happen(Mishap { fault: *fault, page: arguments.at, times: arguments.times });
    }
    graph
}
