//! Sign-ins made on the spot, sound or with one named fault: the mirror of `inspect`.

mod claims;
mod document;
mod fault;
mod form;
mod identifier;
mod people;
mod shape;
mod wrong;

pub use claims::{Cast, Claims, Person};
pub use fault::Fault;
pub use form::urlencoded;
pub use people::{PeopleError, people};
pub use shape::Shape;

use jiff::Timestamp;

use crate::dsig::{self, Hash, KeyKind, SignError, SignatureAlgorithm, SignatureScheme, SigningKey};
use crate::tenant::Federation;
use crate::verdict::CheckId;
use identifier::Identifiers;
use wrong::Covers;

/// The keys that sign.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The registered key.
    pub current: SigningKey,
    /// A registered key whose certificate has expired.
    pub expired: Option<SigningKey>,
    /// A key that nobody registered.
    pub stranger: Option<SigningKey>,
}

/// Makes sign-ins to one federation.
#[derive(Debug, Clone)]
pub struct Minter {
    federation: Federation,
    cast: Cast,
    keys: Keys,
    manner: Manner,
    identifiers: Identifiers,
}

/// What sign-ins look like, and how they are signed, where no fault says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Manner {
    /// Whose responses they look like.
    pub shape: Shape,
    /// The signature algorithm; none for the one that goes with the key.
    pub algorithm: Option<SignatureAlgorithm>,
    /// The digest; none for the hash of the algorithm.
    pub digest: Option<Hash>,
    /// Whether the Response is signed, around the signed assertion.
    pub response_too: bool,
}

/// What a browser is told besides the response.
#[derive(Debug, Clone, Copy, Default)]
pub struct Errand<'a> {
    /// `ID` of the AuthnRequest that is answered.
    pub request: Option<&'a str>,
    /// RelayState, which goes back as it came.
    pub relay_state: &'a str,
    /// The number of the sign-in, from which its IDs follow where there is a seed.
    pub number: u64,
}

/// A sign-in, ready to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minted {
    /// The fields of the form, in order: names and values, not escaped.
    pub fields: Vec<(&'static str, String)>,
    /// The XML of the response, whatever the form makes of it.
    pub xml: String,
    /// Who signs in.
    pub person: Person,
}

impl Minted {
    /// The body of the post, `application/x-www-form-urlencoded`.
    pub fn form(&self) -> Vec<u8> {
        let fields: Vec<_> = self.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        urlencoded(&fields).into_bytes()
    }
}

impl Minter {
    /// A minter of sign-ins to this federation, by users of its directory.
    pub fn new(federation: Federation, keys: Keys) -> Result<Self, MintError> {
        let cast = Cast::of(&federation)?;
        Ok(Self { federation, cast, keys, manner: Manner::default(), identifiers: Identifiers::Random })
    }

    /// The same minter with another manner.
    #[must_use]
    pub fn in_manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }

    /// The same minter whose IDs follow from a seed and the number of the errand.
    #[must_use]
    pub fn seeded(self, seed: u64) -> Self {
        Self { identifiers: Identifiers::Seeded(seed), ..self }
    }

    /// Who signs in.
    pub fn cast(&self) -> &Cast {
        &self.cast
    }

    /// The same minter, for somebody else: a user who is found by UPN or by ImmutableId.
    ///
    /// # Errors
    /// When nobody, or nobody who could sign in, is found.
    pub fn for_user(&self, name: &str) -> Result<Self, MintError> {
        Ok(self.for_person(Person::named(&self.federation, name)?))
    }

    /// Everybody whose sign-in would be sound, at most so many.
    pub fn people(&self, most: usize) -> Vec<Person> {
        Person::sound(&self.federation, most)
    }

    /// Those of them whose ImmutableId nobody else has, at most so many.
    pub fn people_found(&self, most: usize) -> Vec<Person> {
        Person::found(&self.federation, most)
    }

    /// The same minter, for this person.
    #[must_use]
    pub fn for_person(&self, user: Person) -> Self {
        Self { cast: Cast { user, ..self.cast.clone() }, ..self.clone() }
    }

    /// The checks that warn of a sign-in: those of its fault, and `algorithm` where it is signed by what Microsoft does not name.
    pub fn warns(&self, fault: Option<Fault>) -> Vec<CheckId> {
        let mut warns = fault.map(Fault::warns).unwrap_or_default().to_vec();
        let judged = match wrong::covers(fault) {
            Covers::Nothing => false,
            Covers::Assertion | Covers::Response => !wrong::is_unreadable(fault),
        };
        let fails = fault.is_some_and(|fault| fault.fails().contains(&CheckId::Algorithm));
        let unusual = wrong::key(fault, &self.keys).is_ok_and(|key| {
            let algorithm = self.manner.algorithm.unwrap_or_else(|| key.algorithm());
            let usual = SignatureAlgorithm { scheme: SignatureScheme::RsaPkcs1, hash: Hash::Sha256 };
            let short = matches!(key.public().kind(), KeyKind::Rsa { bits, .. } if bits < 2048);
            algorithm != usual || self.manner.digest.is_some_and(|digest| digest != Hash::Sha256) || short
        });
        if unusual && judged && !fails && !warns.contains(&CheckId::Algorithm) {
            warns.push(CheckId::Algorithm);
            warns.sort_unstable();
        }
        warns
    }

    /// A sign-in at an instant: sound, or with one fault.
    ///
    /// # Errors
    /// When a fault needs a user or a key that is not there.
    pub fn mint(&self, fault: Option<Fault>, now: Timestamp, errand: Errand<'_>) -> Result<Minted, MintError> {
        self.mint_by(wrong::person(fault, &self.cast)?, fault, now, errand)
    }

    /// [`Minter::mint`] for somebody else where the fault allows it: some need a user of a kind.
    ///
    /// # Errors
    /// As for [`Minter::mint`].
    pub fn mint_for(
        &self,
        person: &Person,
        fault: Option<Fault>,
        now: Timestamp,
        errand: Errand<'_>,
    ) -> Result<Minted, MintError> {
        if matches!(fault, Some(Fault::DisabledUser | Fault::OtherRootDomain)) {
            return self.mint(fault, now, errand);
        }
        match self.mint_by(person, fault, now, errand) {
            Err(MintError::NobodyFits(_)) => self.mint(fault, now, errand),
            minted => minted,
        }
    }

    fn mint_by(
        &self,
        person: &Person,
        fault: Option<Fault>,
        now: Timestamp,
        errand: Errand<'_>,
    ) -> Result<Minted, MintError> {
        let mut claims = Claims::sound(self, person, now, errand)?;
        wrong::claim(fault, &mut claims, person)?;
        let xml = wrong::before_signing(fault, document::write(&claims)?)?;
        let xml = self.manner.shape.dress(xml)?;
        let key = wrong::key(fault, &self.keys)?;
        let style = self.manner.shape.style();
        let manner = wrong::manner(fault, &self.manner, &style);
        let sign = |xml: &str, id: &str| dsig::sign(xml, id, key, &manner);
        let xml = match wrong::covers(fault) {
            Covers::Assertion if self.manner.response_too => {
                sign(&sign(&xml, &claims.assertion_id)?, &claims.response_id)?
            }
            Covers::Assertion => sign(&xml, &claims.assertion_id)?,
            Covers::Response => sign(&xml, &claims.response_id)?,
            Covers::Nothing => xml,
        };
        let xml = wrong::after_signing(fault, xml)?;
        let fields = form::fields(fault, &xml, errand.relay_state)?;
        Ok(Minted { fields, xml, person: person.clone() })
    }
}

/// Why a sign-in cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MintError {
    /// The directory lacks somebody.
    #[error("expected {0} among the users, got nobody")]
    NobodyFits(&'static str),
    /// Nobody of this name.
    #[error("expected a user with this name and an ImmutableId of at most 60 characters, got {0}")]
    NoSuchUser(&'static str),
    /// A key that the fault needs.
    #[error("expected {0}, got none")]
    NoKey(&'static str),
    /// The federation does not say who it trusts.
    #[error("expected a federation with an issuer, got one without")]
    NoIssuer,
    /// The clock.
    #[error("expected an instant that the calendar has, got one at its edge")]
    Clock,
    /// No random numbers.
    #[error("expected random numbers of the system, got none")]
    NoRandom,
    /// A fault that found nothing to spoil: the document is not what this room thinks that it writes.
    #[error("expected `{0}` in the document, to spoil it, got none")]
    NothingToSpoil(&'static str),
    /// The document cannot be written.
    #[error("the response cannot be written: {0}")]
    Document(String),
    /// The form cannot be made.
    #[error("the message cannot be compressed: {0}")]
    Deflate(String),
    /// The signature cannot be made.
    #[error(transparent)]
    Sign(#[from] SignError),
}
