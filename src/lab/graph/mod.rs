//! A fake Microsoft Graph: tokens, federation settings, and users by pages and by what changed, with errors by name.

mod answer;
mod domains;
mod fault;
mod pages;
mod people;
mod token;

use std::sync::{Mutex, PoisonError};

use hyper::Method;
use hyper::header::{AUTHORIZATION, HOST};
use jiff::Timestamp;

pub use domains::FakeDomain;
pub use fault::{GraphFault, Mishap};
pub use people::People;
pub use token::Application;

use self::fault::{Mishaps, Place};
use self::token::Tokens;
use super::page::{Asked, Page};
use super::server::End;

/// A fake Microsoft Graph, and the place where it hands out tokens.
#[derive(Debug)]
pub struct Graph {
    /// Who may ask.
    pub application: Application,
    /// The application permissions that were granted, as `User.Read.All`.
    pub permissions: Vec<String>,
    /// The domains of the tenant.
    pub domains: Vec<FakeDomain>,
    /// `validatingDomains.rootDomains` of the federated token validation policy; none where the tenant has no policy.
    pub validating: Option<String>,
    /// Users of one page at most, whatever is asked for.
    pub page_size: usize,
    /// Seconds that a token is good for.
    pub token_seconds: u32,
    /// Seconds in `Retry-After`.
    pub retry_after: u32,
    /// Whether its links say `https`.
    pub tls: bool,
    /// The clock.
    pub now: fn() -> Timestamp,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    people: People,
    tokens: Tokens,
    mishaps: Mishaps,
}

/// The permissions that reading takes.
pub const PERMISSIONS: [&str; 3] = ["Domain.Read.All", "User.Read.All", "Policy.Read.All"];

impl Graph {
    /// A tenant of these domains and people, in which all goes well. Any tenant name and client id may ask.
    pub fn new(domains: Vec<FakeDomain>, people: People, now: fn() -> Timestamp) -> Self {
        Self {
            application: Application::default(),
            permissions: PERMISSIONS.map(str::to_owned).to_vec(),
            domains,
            validating: Some("all".to_owned()),
            page_size: pages::TOP,
            token_seconds: 3599,
            retry_after: 1,
            tls: false,
            now,
            state: Mutex::new(State { people, tokens: Tokens::default(), mishaps: Mishaps::default() }),
        }
    }

    /// Lets something go wrong from now on.
    pub fn let_happen(&self, mishap: Mishap) {
        self.state().mishaps.add(mishap);
    }

    /// How often this has gone wrong.
    pub fn happened(&self, fault: GraphFault) -> usize {
        self.state().mishaps.happened(fault)
    }

    /// How many tokens were handed out.
    pub fn tokens_issued(&self) -> usize {
        self.state().tokens.issued()
    }

    /// Changes the people of the tenant, as somebody would in the portal.
    pub fn people<T>(&self, change: impl FnOnce(&mut People) -> T) -> T {
        change(&mut self.state().people)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Scheme and authority by which the asker reached this end.
    fn base(&self, asked: &Asked) -> String {
        let host = asked.head.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host =
            host.or_else(|| asked.head.uri.authority().map(|authority| authority.as_str())).unwrap_or("localhost");
        format!("{}://{host}", if self.tls { "https" } else { "http" })
    }

    fn token(&self, asked: &Asked, tenant: &str) -> Page {
        let mut state = self.state();
        if let Some(fault) = state.mishaps.strikes(Place::Token) {
            return fault.answer(self, Page::not_found());
        }
        match self.application.check(tenant, &asked.form(), (self.now)()) {
            Ok(()) => answer::token(&state.tokens.issue((self.now)(), self.token_seconds), self.token_seconds),
            Err(refusal) => answer::token_refused(&refusal),
        }
    }

    /// What Graph itself answers to whoever has a token.
    fn data(&self, asked: &Asked, path: &str) -> Page {
        let mut state = self.state();
        let bearer = asked.head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        if !state.tokens.is_good(bearer, (self.now)()) {
            return answer::expired();
        }
        let parts: Vec<&str> = path.split('/').collect();
        let (needs, place) = match parts.as_slice() {
            ["domains"] => ("Domain.Read.All", Place::Other),
            ["domains", _, "federationConfiguration"] => ("Domain-InternalFederation.Read.All", Place::Other),
            ["users", "delta"] => ("User.Read.All", pages::place_of_delta(asked)),
            ["users"] if asked.head.method == Method::GET => ("User.Read.All", pages::place_of_users(self, asked)),
            ["users"] | ["users", _] => ("User.ReadWrite.All", Place::Other),
            ["policies", "federatedTokenValidationPolicy"] => ("Policy.Read.All", Place::Other),
            _ => return answer::no_such_resource(path),
        };
        // a tester changes people by hand, whatever the application may do
        if needs != "User.ReadWrite.All" && !self.is_granted(needs) {
            return answer::forbidden();
        }
        let State { people, mishaps, .. } = &mut *state;
        let struck = mishaps.strikes(place);
        let page = match (&asked.head.method, parts.as_slice()) {
            (&Method::GET, ["domains"]) => domains::list(&self.domains),
            (&Method::GET, ["domains", domain, _]) => domains::federation(&self.domains, domain),
            (&Method::GET, ["policies", _]) => domains::policy(self.validating.as_deref()),
            (&Method::GET, ["users", "delta"]) => pages::delta(self, people, asked),
            (&Method::GET, ["users"]) => pages::users(self, people, asked),
            (method, ["users", rest @ ..]) => people::by_hand(people, method, rest.first().copied(), &asked.body),
            _ => answer::no_such_resource(path),
        };
        match struck {
            Some(fault) => fault.answer(self, page),
            None => page,
        }
    }

    fn is_granted(&self, permission: &str) -> bool {
        let granted = |name: &str| self.permissions.iter().any(|granted| granted == name);
        granted(permission) || (permission == "Domain-InternalFederation.Read.All" && granted("Domain.Read.All"))
    }
}

impl End for Graph {
    fn answer(&self, asked: &Asked) -> Page {
        let path = asked.head.uri.path().trim_start_matches('/');
        match path.split_once('/') {
            Some(("v1.0", rest)) => self.data(asked, rest),
            Some((tenant, "oauth2/v2.0/token")) if asked.head.method == Method::POST => self.token(asked, tenant),
            _ => answer::no_such_resource(path),
        }
    }
}
