//! What a minted response says, and who it says it of.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{Errand, MintError, Minter};
use crate::personal::Personal;
use crate::tenant::{Federation, User};

/// `NameID` Format of an ImmutableId.
pub(super) const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
/// The context class that Entra takes for MFA.
pub(super) const MULTIPLE: &str = "http://schemas.microsoft.com/claims/multipleauthn";
/// The usual context class of a password over TLS.
pub(super) const PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";

/// Somebody who signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// `userPrincipalName`.
    pub upn: Personal,
    /// `mail`, or the UPN where there is none.
    pub mail: Personal,
    /// `onPremisesImmutableId`.
    pub immutable_id: Personal,
}

impl Person {
    /// The user with this UPN (in any case) or this ImmutableId.
    pub(super) fn named(federation: &Federation, name: &str) -> Result<Self, MintError> {
        let mut users = federation.users.iter().flat_map(|users| users.users());
        let user = users.find(|user| user.upn.eq_ignore_ascii_case(name) || user.immutable_id == Some(name));
        let user = user.ok_or(MintError::NoSuchUser("nobody"))?;
        Self::of(&user).ok_or(MintError::NoSuchUser("a user without one"))
    }

    /// The users who could sign in, at most so many.
    pub fn all(federation: &Federation, most: usize) -> Vec<Self> {
        let users = federation.users.iter().flat_map(|users| users.users());
        users.filter_map(|user| Self::of(&user)).take(most).collect()
    }

    /// Those whose sign-ins are sound, at most so many.
    pub(super) fn sound(federation: &Federation, most: usize) -> Vec<Self> {
        let users = federation.users.iter().flat_map(|users| users.users());
        let sound = users.filter(|user| is_enabled(user) && is_at_home(federation, user));
        sound.filter_map(|user| Self::of(&user)).take(most).collect()
    }

    /// Those of them whose ImmutableId nobody else has, so that Entra finds them.
    pub(super) fn found(federation: &Federation, most: usize) -> Vec<Self> {
        let mut holders: HashMap<&str, u32> = HashMap::new();
        let users = federation.users.iter().flat_map(|users| users.users());
        for id in users.filter_map(|user| user.immutable_id) {
            *holders.entry(id).or_default() += 1;
        }
        let mut sound = Self::sound(federation, usize::MAX);
        sound.retain(|person| holders.get(person.immutable_id.expose()) == Some(&1));
        sound.truncate(most);
        sound
    }

    fn of(user: &User<'_>) -> Option<Self> {
        Some(Self {
            upn: Personal::new(user.upn),
            mail: Personal::new(user.mail.unwrap_or(user.upn)),
            immutable_id: Personal::new(user.immutable_id.filter(|id| id.chars().count() <= 60)?),
        })
    }
}

/// Who plays which part in the sign-ins of a tenant: found among its users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cast {
    /// Somebody whose sign-in is sound; the ImmutableId is a GUID's where there is such a user.
    pub user: Person,
    /// Somebody whose account is disabled.
    pub disabled: Option<Person>,
    /// Somebody of another root domain.
    pub outsider: Option<Person>,
}

impl Cast {
    /// The first users of the federation's directory who fit.
    pub fn of(federation: &Federation) -> Result<Self, MintError> {
        let at_home = |user: &User<'_>| is_at_home(federation, user);
        let enabled = is_enabled;
        let guid_like = |user: &User<'_>| user.immutable_id.is_some_and(|id| id.len() == 24 && id.ends_with("=="));
        let users = || federation.users.iter().flat_map(|users| users.users());
        let first =
            |fits: &dyn Fn(&User<'_>) -> bool| users().filter(|user| fits(user)).find_map(|user| Person::of(&user));
        let user = first(&|user| enabled(user) && at_home(user) && guid_like(user))
            .or_else(|| first(&|user| enabled(user) && at_home(user)));
        Ok(Self {
            user: user.ok_or(MintError::NobodyFits("an enabled user of the domain with an ImmutableId"))?,
            disabled: first(&|user| !enabled(user) && at_home(user)),
            outsider: first(&|user| enabled(user) && !at_home(user)),
        })
    }
}

fn is_enabled(user: &User<'_>) -> bool {
    user.account_enabled != Some(false)
}

fn is_at_home(federation: &Federation, user: &User<'_>) -> bool {
    let root = federation.root_domain.as_deref().or(federation.domain.as_deref());
    root.is_none_or(|root| {
        let domain = user.upn.rsplit_once('@').map_or("", |(_, domain)| domain);
        domain.eq_ignore_ascii_case(root)
    })
}

/// What a response says. Instants are whole seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// `ID` of the Response.
    pub response_id: String,
    /// `ID` of the Assertion.
    pub assertion_id: String,
    /// `SessionIndex`.
    pub session: String,
    /// `Issuer` of both.
    pub issuer: String,
    /// `Destination` of the Response.
    pub destination: Option<String>,
    /// `Recipient` of SubjectConfirmationData.
    pub recipient: Option<String>,
    /// The one `Audience`; none leaves AudienceRestriction out.
    pub audience: Option<String>,
    /// The top-level `StatusCode`.
    pub status: String,
    /// The text of the NameID.
    pub name_id: Personal,
    /// `Format` of the NameID.
    pub name_id_format: String,
    /// The attributes, by name.
    pub attributes: Vec<(String, Personal)>,
    /// `AuthnContextClassRef`.
    pub authn_context: String,
    /// `InResponseTo` of the Response.
    pub in_response_to: Option<String>,
    /// `InResponseTo` of SubjectConfirmationData.
    pub confirmation_in_response_to: Option<String>,
    /// `IssueInstant` of both, and `AuthnInstant`.
    pub issued: Timestamp,
    /// `NotBefore` of Conditions.
    pub not_before: Timestamp,
    /// `NotOnOrAfter` of Conditions.
    pub not_on_or_after: Timestamp,
    /// `NotOnOrAfter` of SubjectConfirmationData.
    pub confirmed_until: Timestamp,
}

impl Claims {
    /// The sound claims of a person at an instant.
    pub(super) fn sound(
        minter: &Minter,
        person: &Person,
        now: Timestamp,
        errand: Errand<'_>,
    ) -> Result<Self, MintError> {
        let (federation, style) = (&minter.federation, minter.manner.shape.style());
        let identifier = |place| minter.identifiers.make(style.id, errand.number, place);
        let request = errand.request;
        let issued = Timestamp::from_second(now.as_second()).map_err(|_| MintError::Clock)?;
        let after = |minutes| issued.checked_add(SignedDuration::from_mins(minutes)).map_err(|_| MintError::Clock);
        let acs = Some(federation.acs.clone());
        Ok(Self {
            response_id: identifier(0)?,
            assertion_id: identifier(1)?,
            session: identifier(2)?,
            issuer: federation.issuer.clone().ok_or(MintError::NoIssuer)?,
            destination: acs.clone(),
            recipient: acs,
            audience: Some(federation.audience.clone()),
            status: "urn:oasis:names:tc:SAML:2.0:status:Success".to_owned(),
            name_id: person.immutable_id.clone(),
            name_id_format: PERSISTENT.to_owned(),
            attributes: vec![("IDPEmail".to_owned(), person.upn.clone())],
            authn_context: MULTIPLE.to_owned(),
            in_response_to: request.map(str::to_owned),
            confirmation_in_response_to: request.map(str::to_owned),
            issued,
            not_before: after(-5)?,
            not_on_or_after: after(style.minutes)?,
            confirmed_until: after(5)?,
        })
    }

    /// Moves every instant.
    pub(super) fn shift(&mut self, by: SignedDuration) -> Result<(), MintError> {
        let Self { issued, not_before, not_on_or_after, confirmed_until, .. } = self;
        for instant in [issued, not_before, not_on_or_after, confirmed_until] {
            *instant = instant.checked_add(by).map_err(|_| MintError::Clock)?;
        }
        Ok(())
    }
}
