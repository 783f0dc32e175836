//! Why Graph does not tell, and how to mend it.

use std::fmt;
use std::time::Duration;

use hyper::StatusCode;

use crate::source::client::Failure;
use crate::tenant::RosterError;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// `/users`, `/users/delta`.
    Users,
    /// `/domains`.
    Domains,
    /// `/domains/{domain}/federationConfiguration`.
    Federation,
    /// `/policies/federatedTokenValidationPolicy`.
    Policy,
}

impl Subject {
    /// The application permission that it takes, the least one.
    pub fn permission(self) -> &'static str {
        match self {
            Self::Users => "User.Read.All",
            Self::Domains => "Domain.Read.All",
            Self::Federation => "Domain-InternalFederation.Read.All or Domain.Read.All",
            Self::Policy => "Policy.Read.All",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Users => "users",
            Self::Domains => "domains",
            Self::Federation => "federation settings",
            Self::Policy => "federated token validation policy",
        })
    }
}

/// Why Graph does not tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// No answer.
    #[error("Graph does not answer: {0}")]
    Failure(#[from] Failure),
    /// Too busy for longer than is waited.
    #[error("Graph is busy: {status}, to be asked again in {} s", .wait.as_secs())]
    Busy {
        /// The status.
        status: u16,
        /// How long to wait.
        wait: Duration,
    },
    /// No token.
    #[error("expected a token, got {status}{}{code}", if .code.is_empty() { "" } else { " " })]
    Refused {
        /// The status.
        status: u16,
        /// `AADSTS…`, or the error's name.
        code: String,
    },
    /// An answer without a token in it.
    #[error("expected a token as JSON, got something else")]
    NoToken,
    /// A token that is refused as soon as it was granted.
    #[error("Graph refuses a token that was granted a moment ago (401)")]
    Unauthorized,
    /// A permission is missing.
    #[error("Graph does not show the {subject} (403): the application lacks the permission {}", .subject.permission())]
    Forbidden {
        /// What was asked for.
        subject: Subject,
    },
    /// Not there.
    #[error("Graph has no such {0} (404)")]
    NotFound(Subject),
    /// The delta link is too old.
    #[error("Graph does not remember what this link was for (410)")]
    Gone,
    /// Another answer.
    #[error("expected the {subject}, got {status} {code}")]
    Answered {
        /// What was asked for.
        subject: Subject,
        /// The status.
        status: u16,
        /// The error's code.
        code: String,
    },
    /// Not what Graph answers.
    #[error("expected the {subject} as JSON of Graph, got something else: {problem}")]
    Garbage {
        /// What was asked for.
        subject: Subject,
        /// Where it goes wrong.
        problem: String,
    },
    /// A page that leads elsewhere.
    #[error("a page names a next one on another host: expected {expected}, got {got}; the token is not sent there")]
    ForeignLink {
        /// Graph's.
        expected: String,
        /// The other one.
        got: String,
    },
    /// A link that may not be followed.
    #[error("a link cannot be followed: {0}")]
    Link(String),
    /// Pages without an end.
    #[error("expected pages that come to an end, got one a second time")]
    Circle,
    /// Neither a next page nor a delta link.
    #[error("expected a link to the next page or to what changes later, got neither")]
    NoLink,
    /// Users that cannot be kept.
    #[error("users of Graph: {0}")]
    Users(#[from] RosterError),
    /// The key does not sign.
    #[error("no assertion can be signed: {0}")]
    Sign(String),
}

impl GraphError {
    pub(super) fn of_answer(subject: Subject, status: StatusCode, code: String) -> Self {
        // what Graph says of state that it does not remember, and is no 410
        const FORGOTTEN: [&str; 4] =
            ["syncStateNotFound", "syncStateInvalid", "resyncRequired", "Directory_ExpiredPageToken"];
        if FORGOTTEN.iter().any(|known| known.eq_ignore_ascii_case(&code)) {
            return Self::Gone;
        }
        Self::Answered { subject, status: status.as_u16(), code }
    }

    pub(super) fn garbage(subject: Subject, error: &serde_json::Error) -> Self {
        // the message of the library may quote values
        let problem = format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column());
        Self::Garbage { subject, problem }
    }

    /// How to mend it; none where the message says it all.
    pub fn hint(&self) -> Option<String> {
        let portal = "in the Entra admin centre, under App registrations";
        Some(match self {
            Self::Refused { code, .. } => match code.as_str() {
                "AADSTS7000215" => "put the secret's value into `secret_file`, and not its id".to_owned(),
                "AADSTS7000222" => format!("the secret has expired: make another one {portal}"),
                "AADSTS700016" => "check `client_id`, and whether the application is one of this `tenant`".to_owned(),
                "AADSTS90002" => "check `tenant`, and `cloud`".to_owned(),
                "AADSTS700027" => {
                    format!("register the certificate of `certificate` {portal}, and check this machine's clock")
                }
                _ => "check `tenant`, `client_id` and the credential".to_owned(),
            },
            Self::Forbidden { subject } => {
                format!("grant the application permission {} {portal}, with admin consent", subject.permission())
            }
            Self::Unauthorized => "check `endpoint` and `cloud`, and this machine's clock".to_owned(),
            Self::ForeignLink { .. } | Self::Garbage { .. } => {
                "check `endpoint`: something that is not Graph answers there, or on the way".to_owned()
            }
            _ => return None,
        })
    }
}
