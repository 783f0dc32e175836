//! The errors of the fake Graph by name: where each strikes, how often, and what it makes of the answer.

use hyper::StatusCode;
use serde_json::Value;

use super::super::page::Page;
use super::{Graph, answer, token};

macro_rules! faults {
    ($($name:ident $word:literal $story:literal)+) => {
        /// Something that goes wrong with Graph.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum GraphFault {
            $(#[doc = $story] $name,)+
        }

        impl GraphFault {
            /// Every one.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$name),+];

            /// The one spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// What happens, in a few words.
            pub fn story(self) -> &'static str {
                match self { $(Self::$name => $story,)+ }
            }
        }
    };
}

faults! {
    WrongSecret "wrong_secret" "the token endpoint does not know the secret (AADSTS7000215)"
    UnknownApplication "unknown_application" "the token endpoint does not know the client id (AADSTS700016)"
    ExpiredToken "expired_token" "401: the token is not good any more"
    Forbidden "forbidden" "403: a permission was not granted, or was taken away"
    Throttled "throttled" "429 with Retry-After"
    Unavailable "unavailable" "503 with Retry-After"
    Cut "cut" "the connection breaks in the middle of the answer"
    Garbage "garbage" "200 with a web page for JSON"
    Gone "gone" "410 syncStateNotFound: the delta link is too old"
    ForeignLink "foreign_link" "the next page is said to be on another host"
    Circle "circle" "a page names the first one as the next one"
}

impl GraphFault {
    /// The fault of this name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.as_str() == word)
    }

    /// Whether it stays until somebody mends it, where nobody says how often it strikes.
    fn lasts(self) -> bool {
        !matches!(self, Self::ExpiredToken | Self::Throttled | Self::Unavailable | Self::Cut | Self::Gone)
    }

    /// What it makes of the answer.
    pub(super) fn answer(self, graph: &Graph, page: Page) -> Page {
        let later = |status, code: &str| {
            let mut page = answer::error(status, code, "Too many requests, or too little of us. Ask again later.");
            page.headers.push(("retry-after", graph.retry_after.to_string()));
            page
        };
        match self {
            Self::WrongSecret => answer::token_refused(&token::wrong_secret()),
            Self::UnknownApplication => answer::token_refused(&token::unknown_application("of this application")),
            Self::ExpiredToken => answer::expired(),
            Self::Forbidden => answer::forbidden(),
            Self::Throttled => later(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
            Self::Unavailable => later(StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable"),
            Self::Cut => Page { cut: true, ..page },
            Self::Garbage => {
                Page::new(StatusCode::OK, "<!DOCTYPE html><title>Sign in to the network</title>".to_owned())
            }
            Self::Gone => answer::gone(),
            Self::ForeignLink => relinked(page, |link| {
                let path = link.splitn(4, '/').nth(3).unwrap_or_default();
                format!("https://graph.microsoft.company/{path}")
            }),
            Self::Circle => relinked(page, |link| {
                let token = link.find("$skiptoken=").unwrap_or(link.len());
                link.get(..token).unwrap_or_default().to_owned()
            }),
        }
    }
}

/// The page with another link to the next one.
fn relinked(page: Page, other: impl Fn(&str) -> String) -> Page {
    let Ok(Value::Object(mut object)) = serde_json::from_str(&page.html) else { return page };
    for name in ["@odata.nextLink", "@odata.deltaLink"] {
        if let Some(Value::String(link)) = object.get_mut(name) {
            *link = other(link);
        }
    }
    Page { html: Value::Object(object).to_string(), ..page }
}

impl std::fmt::Display for GraphFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A fault, where it strikes and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mishap {
    /// What goes wrong.
    pub fault: GraphFault,
    /// The page of users at which it does, from 1; none for the first request that it fits.
    pub page: Option<usize>,
    /// How often; none for the way of the fault: outages pass after one, mistakes stay.
    pub times: Option<usize>,
}

impl Mishap {
    /// This fault, where it fits first.
    pub fn new(fault: GraphFault) -> Self {
        Self { fault, page: None, times: None }
    }

    fn fits(&self, place: Place) -> bool {
        match (self.fault, place) {
            (GraphFault::WrongSecret | GraphFault::UnknownApplication, place) => place == Place::Token,
            (_, Place::Token) => false,
            (GraphFault::Gone, place) => place == Place::Changes,
            (GraphFault::ForeignLink | GraphFault::Circle, Place::Other) => false,
            (_, Place::Users(number)) => self.page.is_none_or(|page| page == number),
            _ => self.page.is_none(),
        }
    }
}

/// Which request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Token,
    /// This page of users, from 1.
    Users(usize),
    /// By a delta link that was handed out before.
    Changes,
    Other,
}

/// What goes wrong, and what went.
#[derive(Debug, Default)]
pub(super) struct Mishaps {
    ahead: Vec<(Mishap, usize)>,
    happened: Vec<GraphFault>,
}

impl Mishaps {
    pub(super) fn add(&mut self, mishap: Mishap) {
        let times = mishap.times.unwrap_or(if mishap.fault.lasts() { usize::MAX } else { 1 });
        self.ahead.push((mishap, times));
    }

    pub(super) fn strikes(&mut self, place: Place) -> Option<GraphFault> {
        let (mishap, times) = self.ahead.iter_mut().find(|(mishap, times)| *times > 0 && mishap.fits(place))?;
        *times -= 1;
        self.happened.push(mishap.fault);
        Some(mishap.fault)
    }

    pub(super) fn happened(&self, fault: GraphFault) -> usize {
        self.happened.iter().filter(|happened| **happened == fault).count()
    }
}
