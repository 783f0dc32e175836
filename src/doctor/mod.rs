//! Pre-flight: everything that is known about a federation compared with everything else, before anybody signs in.

mod certificates;
mod command;
mod days;
mod endpoints;
mod issuer;
mod mfa;
mod people;
mod published;
mod seen;
mod table;

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::tenant::{Federation, Sources};
use crate::verdict::{Code, Show, Text};

pub use published::{Met, Visit};
pub use seen::Seen;
pub use table::{Row, Standing, certificates};

/// One federation: what it is judged by, and every source that was given for it.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What it is judged by.
    pub federation: &'a Federation,
    /// Every source by itself.
    pub sources: &'a Sources,
    /// All root domains that are federated here: their users are no strangers.
    pub root_domains: &'a [&'a str],
    /// Today.
    pub now: Timestamp,
    /// What a visit at the URL of the metadata told; none where nobody went.
    pub visit: Option<&'a Visit>,
    /// What captured sign-ins were signed with, each certificate once; empty where nobody looked.
    pub seen: &'a [Seen],
    /// How far clocks may be apart.
    pub skew: SignedDuration,
}

impl Case<'_> {
    /// The domain, for commands that name it.
    fn domain(&self) -> &str {
        self.federation.domain.as_deref().unwrap_or("domain.company")
    }
}

/// How much harm something does; the worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// Nobody of the domain can sign in.
    Everybody,
    /// Some cannot sign in.
    Some,
    /// Nobody may be able to sign in from any day on.
    Imminent,
    /// Nobody will be able to sign in, on a day that is known.
    Soon,
    /// Sign-ins work, and something around them does not, or is weaker than it looks.
    Around,
}

impl Harm {
    /// Every degree, the worst first.
    pub const ALL: [Self; 5] = [Self::Everybody, Self::Some, Self::Imminent, Self::Soon, Self::Around];

    /// The word of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Everybody => "everybody",
            Self::Some => "some",
            Self::Imminent => "imminent",
            Self::Soon => "soon",
            Self::Around => "around",
        }
    }

    /// What it means, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Everybody => "nobody can sign in",
            Self::Some => "some cannot sign in",
            Self::Imminent => "sign-ins may stop any day",
            Self::Soon => "sign-ins will stop",
            Self::Around => "sign-ins work, with this beside them",
        }
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A disagreement, with what both sides say.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// A fixed name, such as `issuer_differs`.
    pub id: &'static str,
    /// How bad it is.
    pub harm: Harm,
    /// What is wrong, in one sentence.
    pub finding: Text,
    /// What Entra answers because of it.
    pub code: Option<Code>,
    /// What Entra is set to.
    pub entra: Option<Text>,
    /// What the identity provider says, or does.
    pub provider: Option<Text>,
    /// How to mend it: a command, or the field to change.
    pub mend: Text,
}

impl Diagnosis {
    fn new(id: &'static str, harm: Harm, finding: impl Into<Text>) -> Self {
        let finding = finding.into();
        Self { id, harm, finding, code: None, entra: None, provider: None, mend: Text::default() }
    }

    /// Whether it speaks of a user.
    pub fn is_personal(&self) -> bool {
        let texts = [Some(&self.finding), self.entra.as_ref(), self.provider.as_ref(), Some(&self.mend)];
        texts.into_iter().flatten().any(|text| text.to_string_for(Show::Personal) != text.to_string_for(Show::Hashed))
    }

    fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }

    fn entra(mut self, entra: impl Into<Text>) -> Self {
        self.entra = Some(entra.into());
        self
    }

    fn provider(mut self, provider: impl Into<Text>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    fn mend(mut self, mend: impl Into<Text>) -> Self {
        self.mend = mend.into().whole();
        self
    }
}

/// Everything that is wrong with a federation, the worst first. Empty when all is well as far as it was given.
pub fn examine(case: &Case<'_>) -> Vec<Diagnosis> {
    let mut found = compare(case);
    people::examine(case, &mut found);
    found.sort_by_key(|diagnosis| diagnosis.harm);
    found
}

/// The same without a look at the users.
pub fn compare(case: &Case<'_>) -> Vec<Diagnosis> {
    let mut found = Vec::new();
    issuer::examine(case, &mut found);
    certificates::examine(case, &mut found);
    seen::examine(case, &mut found);
    endpoints::examine(case, &mut found);
    mfa::examine(case, &mut found);
    published::examine(case, &mut found);
    found.sort_by_key(|diagnosis| diagnosis.harm);
    found
}

/// What could not be compared for want of a source, in sentences.
pub fn gaps(case: &Case<'_>) -> Vec<&'static str> {
    let Case { federation, sources, .. } = case;
    let missing = [
        (
            sources.settings.is_none(),
            "no `settings`: what Entra really holds was not seen, only what the configuration says of it",
        ),
        (
            sources.metadata.is_none(),
            "no `metadata`: what the identity provider signs with and answers at was not seen",
        ),
        (federation.users.is_none(), "no `users`: ImmutableIds were not looked at"),
    ];
    missing.into_iter().filter_map(|(is_missing, sentence)| is_missing.then_some(sentence)).collect()
}
