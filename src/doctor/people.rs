//! The users: ImmutableIds that no NameID will ever equal, or that more than one user holds, and domains that do not fit.

use super::command::anchor;
use super::{Case, Diagnosis, Harm};
use crate::tenant::{DomainPolicy, ID_LONG, ID_MAX, Lookup, User, UserType};
use crate::verdict::{Code, Text};

pub(super) fn examine(case: &Case<'_>, found: &mut Vec<Diagnosis>) {
    let Some(users) = &case.federation.users else { return };
    let mut tally = Tally::default();
    let mut of_domain = 0_usize;
    for user in users.users() {
        if !is_below(domain_of(user.upn), case.federation.domain.as_deref()) {
            strangers(case, user, &mut tally.stranger);
            continue;
        }
        of_domain += 1;
        if user.user_type == Some(UserType::Guest) {
            continue;
        }
        let Some(id) = user.immutable_id else {
            tally.none.count(user.upn);
            continue;
        };
        let length = id.chars().count();
        if length > ID_MAX {
            tally.too_long.count(user.upn);
        } else if length > ID_LONG {
            tally.long.count(user.upn);
        }
        if id.contains(['$', '_']) {
            tally.refused.count(user.upn);
        }
        if id.contains('@') {
            tally.mail.count(user.upn);
        }
        if id.trim() != id {
            tally.spaced.count(user.upn);
        }
        if matches!(users.lookup(id), Lookup::Several(_)) {
            tally.twice.count(user.upn);
        }
    }
    if of_domain == 0 && !users.is_empty() {
        found.push(nobody(case, users.len()));
        return;
    }
    found.extend(tally.told(case, of_domain));
}

/// How many, and one of them.
#[derive(Default)]
struct Count {
    count: usize,
    example: Option<Box<str>>,
}

impl Count {
    fn count(&mut self, upn: &str) {
        self.count += 1;
        self.example.get_or_insert_with(|| upn.into());
    }

    fn such(&self) -> Text {
        let example = self.example.as_deref().unwrap_or_default();
        let word = if self.count == 1 { "1 user: " } else { "" };
        let text = Text::plain(word).then_personal(example);
        if self.count == 1 { text } else { Text::plain(format!("{} users, as ", self.count)).then_personal(example) }
    }
}

#[derive(Default)]
struct Tally {
    none: Count,
    twice: Count,
    too_long: Count,
    long: Count,
    refused: Count,
    mail: Count,
    spaced: Count,
    stranger: Count,
}

impl Tally {
    fn told(&self, case: &Case<'_>, of_domain: usize) -> Vec<Diagnosis> {
        let everybody = |count: &Count| if count.count == of_domain { Harm::Everybody } else { Harm::Some };
        let of = |count: &Count, id, harm, finding: &'static str, mend: Text| {
            (count.count > 0)
                .then(|| Diagnosis::new(id, harm, finding).code(Code::UserUnknown).entra(count.such()).mend(mend))
        };
        let anchored = |count: &Count| anchor(count.example.as_deref().unwrap_or_default());
        let domain = case.domain();
        let found = [
            of(
                &self.none,
                "users_without_immutable_id",
                everybody(&self.none),
                "users of the domain have no ImmutableId, so no NameID can be theirs",
                anchored(&self.none).then(
                    "; a loop over Get-MgUser -Filter \"endsWith(…)\" finds nobody without -ConsistencyLevel eventual -CountVariable n",
                ),
            ),
            of(
                &self.twice,
                "users_share_immutable_id",
                everybody(&self.twice),
                "users hold an ImmutableId that another user holds too: neither can sign in",
                anchored(&self.twice),
            ),
            of(
                &self.too_long,
                "immutable_id_too_long",
                everybody(&self.too_long),
                "ImmutableIds are longer than the 64 characters that Entra takes as NameID",
                anchored(&self.too_long),
            ),
            of(
                &self.long,
                "immutable_id_long",
                Harm::Around,
                "ImmutableIds are longer than 60 characters, near the end of what Entra takes",
                anchored(&self.long),
            )
            .map(without_code),
            of(
                &self.spaced,
                "immutable_id_spaced",
                everybody(&self.spaced),
                "ImmutableIds have white space around them, which hardly any identity provider sends",
                anchored(&self.spaced),
            ),
            of(
                &self.refused,
                "immutable_id_characters",
                Harm::Around,
                "ImmutableIds hold `$` or `_`, which Graph refuses when they are to be set again",
                anchored(&self.refused),
            )
            .map(without_code),
            of(
                &self.mail,
                "immutable_id_is_an_address",
                Harm::Around,
                "ImmutableIds are addresses: they must equal the NameID byte for byte, and break when somebody is renamed",
                Text::plain(
                    "let the provider send what Entra holds; for users of Active Directory send base64 of objectGUID (authentik: NameID \
                     Property Mapping) and give them that ImmutableId",
                ),
            )
            .map(without_code),
        ];
        let stranger = (self.stranger.count > 0).then(|| {
            let finding = "users of other domains have an ImmutableId: if the identity provider signs one of them in, the federated token \
                           validation policy blocks it";
            Diagnosis::new("users_of_another_domain", Harm::Some, finding)
                .code(Code::DomainPolicy)
                .entra(self.stranger.such())
                .provider(format!("root domain {}", case.federation.root_domain.as_deref().unwrap_or(domain)))
                .mend(
                    "federate their domain, give them a user principal name of this one, or exempt the root domain in \
                     /policies/federatedTokenValidationPolicy (and say so by `domain_policy`)",
                )
        });
        found.into_iter().flatten().chain(stranger).collect()
    }
}

fn without_code(diagnosis: Diagnosis) -> Diagnosis {
    Diagnosis { code: None, ..diagnosis }
}

fn nobody(case: &Case<'_>, users: usize) -> Diagnosis {
    let domain = case.domain();
    Diagnosis::new(
        "users_none_of_domain",
        Harm::Everybody,
        format!("none of the {users} users has a user principal name of {domain}"),
    )
    .code(Code::DomainPolicy)
    .mend(format!("export the users of this tenant, or Update-MgUser -UserPrincipalName with a name of {domain}"))
}

/// Who is federated nowhere here, and would be blocked.
fn strangers(case: &Case<'_>, user: User<'_>, count: &mut Count) {
    let domain = domain_of(user.upn);
    let own = case.root_domains.iter().any(|root| is_below(domain, Some(root)));
    if !own && user.immutable_id.is_some() && is_validated(case) {
        count.count(user.upn);
    }
}

/// Whether the policy compares the domains of this federation's sign-ins.
fn is_validated(case: &Case<'_>) -> bool {
    let root = case.federation.root_domain.as_deref();
    match &case.federation.domain_policy {
        DomainPolicy::All | DomainPolicy::AllFederated => true,
        DomainPolicy::None | DomainPolicy::AllManaged => false,
        DomainPolicy::Enumerated(domains) => {
            domains.iter().any(|domain| root.is_some_and(|root| domain.eq_ignore_ascii_case(root)))
        }
    }
}

fn domain_of(upn: &str) -> &str {
    upn.rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// Whether a domain is this one, or one below it.
fn is_below(domain: &str, root: Option<&str>) -> bool {
    let Some(root) = root else { return true };
    let tail = domain.len().checked_sub(root.len()).and_then(|at| domain.split_at_checked(at));
    tail.is_some_and(|(head, tail)| tail.eq_ignore_ascii_case(root) && (head.is_empty() || head.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::is_below;

    #[test]
    fn a_domain_is_below_itself_and_what_ends_in_a_dot_and_it() {
        for (domain, below) in [
            ("domain.company", true),
            ("a.Domain.Company", true),
            ("otherdomain.company", false),
            ("company", false),
            ("", false),
        ] {
            assert_eq!(is_below(domain, Some("domain.company")), below, "{domain}");
        }
    }
}
