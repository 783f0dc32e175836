//! `immutable_id` `account` `domain_policy` `idp_email`: the user that the NameID means.

use super::{Facts, Findings};
use crate::personal::Personal;
use crate::saml::Claims;
use crate::tenant::{Directory, DomainPolicy, ID_LONG, ID_MAX, Lookup, User, diagnose, general_hint};
use crate::verdict::{Code, Finding, Text};

/// What the NameID comes to.
pub(super) enum Matched<'a> {
    /// No users were given, or there is no NameID to look for.
    NotJudged,
    /// Exactly one user.
    One(User<'a>),
    /// Nobody.
    Nobody(&'a Directory),
    /// More than one.
    Several(Vec<User<'a>>),
}

/// Looks the NameID up, byte for byte.
pub(super) fn matched<'a>(facts: &Facts<'a>) -> Matched<'a> {
    let directory = facts.federation.and_then(|federation| federation.users.as_deref());
    let (Some(directory), Some(name_id)) = (directory, name_id(facts)) else { return Matched::NotJudged };
    if name_id.is_empty() {
        return Matched::Nobody(directory);
    }
    match directory.lookup(name_id) {
        Lookup::One(user) => Matched::One(user),
        Lookup::Several(users) => Matched::Several(users),
        Lookup::None => Matched::Nobody(directory),
    }
}

fn name_id<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    let name_id = facts.claims?.name_id.first.as_ref()?;
    Some(name_id.value.text.as_ref())
}

/// `immutable_id`.
pub(super) fn immutable_id(facts: &Facts<'_>, matched: &Matched<'_>) -> Option<Findings> {
    let name_id = facts.claims?.name_id.first.as_ref()?;
    let text = name_id.value.text.as_ref();
    let length = text.chars().count();
    let at = || facts.at(name_id.value.node);
    let got = || if text.is_empty() { Text::plain("an empty NameID") } else { Text::personal(text) };
    let mut findings = Findings::new();
    match matched {
        Matched::NotJudged => return None,
        Matched::One(_) => {}
        Matched::Several(users) => {
            let names = users.iter().fold(Text::default(), |names, user| names.then_personal(user.upn).then(" "));
            findings.push(
                Finding::fail(Code::UserUnknown, Text::plain("several users have this ImmutableId: ").then_text(names))
                    .expected("exactly one user")
                    .got(got())
                    .hint("Entra keeps ImmutableIds unique: the export is old or joins several tenants")
                    .at(at()),
            );
        }
        Matched::Nobody(directory) => {
            let near_miss = diagnose(directory, text);
            let finding = match &near_miss {
                Some(near_miss) => {
                    let finding = Finding::fail(Code::UserUnknown, near_miss.finding()).hint(near_miss.hint());
                    near_miss.expected().into_iter().fold(finding, Finding::expected)
                }
                None => Finding::fail(Code::UserUnknown, "the NameID is the ImmutableId of no user")
                    .expected("the onPremisesImmutableId of exactly one user")
                    .hint(general_hint()),
            };
            let finding = finding.got(got()).at(at());
            // the id may be there, only in another place: then nothing has to be written, only set
            let meant = near_miss.as_ref().and_then(|near_miss| near_miss.immutable_id.as_ref()).map(Personal::expose);
            findings.push(match facts.claims.and_then(|claims| misplaced(claims, directory, meant)) {
                Some(attribute) => finding.hint(format!(
                    "the attribute `{attribute}` holds the ImmutableId: set its mapping as NameID Property Mapping of the provider \
                     (authentik: SAML provider, Advanced protocol settings)"
                )),
                None => finding,
            });
        }
    }
    if length > ID_MAX {
        findings.push(
            Finding::fail(Code::UserUnknown, format!("the NameID has {length} characters"))
                .expected(format!("at most {ID_MAX}"))
                .got(got())
                .at(at()),
        );
    } else if length > ID_LONG {
        findings.push(
            Finding::warn(format!("the NameID has {length} characters, close to the limit of {ID_MAX}"))
                .got(got())
                .at(at()),
        );
    }
    Some(findings)
}

/// Name of an attribute that holds the ImmutableId where the NameID should: of the user who is meant, where that is known,
/// else of anybody. The public guide for authentik leads to this.
fn misplaced(claims: &Claims<'_>, directory: &Directory, meant: Option<&str>) -> Option<String> {
    const LOOKED_AT: usize = 1_000;
    let is_id = |text: &str| match meant {
        Some(meant) => text == meant,
        None => !text.is_empty() && matches!(directory.lookup(text), Lookup::One(_)),
    };
    // each value once: under one name there may be thousands of attributes
    let values = claims.attributes().flat_map(|(name, node)| claims.values_of(node).map(move |value| (name, value)));
    let (found, _) = values.take(LOOKED_AT).find(|(_, value)| is_id(&value.text))?;
    Some(found.chars().take(120).collect())
}

/// `account`.
pub(super) fn account(matched: &Matched<'_>) -> Option<Findings> {
    let Matched::One(user) = matched else { return None };
    Some(match user.account_enabled {
        Some(false) => vec![
            Finding::fail(
                Code::UserDisabled,
                Text::plain("the account of ").then_personal(user.upn).then(" is disabled"),
            )
            .expected("accountEnabled true")
            .got("false")
            .hint(
                Text::plain("enable it at its source (Active Directory), or: Update-MgUser -UserId '")
                    .then_personal_as(user.upn, user.upn.replace('\'', "''"))
                    .then("' -AccountEnabled:$true"),
            ),
        ],
        Some(true) => Findings::new(),
        None => return None,
    })
}

/// `domain_policy`: the root domain of the realm against that of the user.
pub(super) fn domain_policy(facts: &Facts<'_>, matched: &Matched<'_>) -> Option<Findings> {
    let (Matched::One(user), Some(federation)) = (matched, facts.federation) else { return None };
    let root = federation.root_domain.as_deref().or(federation.domain.as_deref())?;
    let judged = match &federation.domain_policy {
        DomainPolicy::All | DomainPolicy::AllFederated => true,
        DomainPolicy::None | DomainPolicy::AllManaged => false,
        DomainPolicy::Enumerated(domains) => domains.iter().any(|domain| domain.eq_ignore_ascii_case(root)),
    };
    let (_, suffix) = user.upn.rsplit_once('@')?;
    if !judged || is_within(suffix, root) {
        return Some(Findings::new());
    }
    Some(vec![
        Finding::fail(
            Code::DomainPolicy,
            Text::plain("the user ").then_personal(user.upn).then(" belongs to another root domain than the federation"),
        )
        .expected(format!("a user of {root}"))
        .got(suffix.to_owned())
        .hint("federate the user's own domain with this identity provider, change the UPN, or exempt the domain in the tenant's federatedTokenValidationPolicy"),
    ])
}

/// Whether a domain is another one or lies below it.
fn is_within(domain: &str, root: &str) -> bool {
    let (rest, end) = domain.split_at_checked(domain.len().saturating_sub(root.len())).unwrap_or((domain, ""));
    end.eq_ignore_ascii_case(root) && (rest.is_empty() || rest.ends_with('.'))
}

/// `idp_email`: documented as required, seen not to be checked.
pub(super) fn idp_email(facts: &Facts<'_>, matched: &Matched<'_>) -> Option<Findings> {
    const NAME: &str = "IDPEmail";
    let claims = facts.claims?;
    facts.federation?.users.as_ref()?;
    claims.name_id.first.as_ref()?;
    let mut values = claims.attribute_values(NAME);
    let (first, second) = (values.next(), values.next());
    let Some(first) = first else {
        let near = claims.attributes().map(|(name, _)| name).find(|name| name.eq_ignore_ascii_case(NAME));
        let finding = Finding::warn("the assertion has no attribute named IDPEmail")
            .expected("an attribute IDPEmail with the user's UPN")
            .hint("add a SAML property mapping with the SAML attribute name IDPEmail that returns the UPN; Microsoft documents it as required")
            .at(facts.at(claims.node));
        return Some(vec![match near {
            Some(near) => finding.got(format!("`{near}`, in other letter case")),
            None => finding.got("none"),
        }]);
    };
    let at = || facts.at(first.node);
    if second.is_some() {
        return Some(vec![Finding::warn("the attribute IDPEmail has several values").expected("one value").at(at())]);
    }
    let Matched::One(user) = matched else { return None };
    if first.text.eq_ignore_ascii_case(user.upn) && !first.has_elements {
        return Some(Findings::new());
    }
    Some(vec![
        Finding::warn("IDPEmail is not the UPN of the user whom the NameID means")
            .expected(Text::personal(user.upn))
            .got(Text::personal(first.text.as_ref()))
            .hint("the mapping of IDPEmail must return the user principal name, not the mail address")
            .at(at()),
    ])
}
