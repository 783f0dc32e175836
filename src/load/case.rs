//! What can be posted, and what must come back: known before it is sent.

use crate::check::{Policy, Setting};
use crate::mint::Fault;
use crate::verdict::{CheckId, Code};

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Case {
    /// Nothing is wrong.
    Sound,
    /// One mistake.
    Fault(Fault),
    /// A sound response that was answered before, posted once more.
    Replayed,
}

impl Case {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Sound].into_iter().chain(Fault::ALL.map(Self::Fault)).chain([Self::Replayed])
    }

    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Fault(fault) => fault.as_str(),
            Self::Replayed => "replayed",
        }
    }

    /// The kind of this spelling; `wrong_key` is what many call `unregistered_key`.
    pub fn parse(word: &str) -> Option<Self> {
        let word = if word == "wrong_key" { Fault::UnregisteredKey.as_str() } else { word };
        Self::all().find(|case| case.as_str() == word)
    }

    /// The fault that is minted.
    pub fn fault(self) -> Option<Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Sound | Self::Replayed => None,
        }
    }
}

/// What must come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Whether the sign-in must be refused, by whomever.
    pub rejected: bool,
    /// The code of the refusal.
    pub code: Option<Code>,
}

impl Expected {
    /// What must come back for a case that gives these warnings. `enforced` is the policy of a proxy that holds back what it
    /// does not accept; none where Entra alone decides.
    pub fn of(case: Case, warns: &[CheckId], enforced: Option<&Policy>) -> Self {
        let code = case.fault().and_then(Fault::code);
        let replay = [CheckId::Replay];
        let warns = warns.iter().chain(if case == Case::Replayed { &replay[..] } else { &[] });
        let refuses = |policy: &Policy, id: CheckId| match policy.setting(id) {
            Some(Setting::Off) => false,
            Some(Setting::Reject) => true,
            Some(Setting::Warn) | None => policy.strict,
        };
        let held_back = enforced.is_some_and(|policy| warns.into_iter().any(|id| refuses(policy, *id)));
        Self { rejected: code.is_some() || held_back, code }
    }

    /// For people and programs.
    pub fn word(self) -> &'static str {
        if self.rejected { "rejected" } else { "accepted" }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_found_by_its_name() {
        assert!(Case::all().all(|case| Case::parse(case.as_str()) == Some(case)));
        assert_eq!(Case::parse("wrong_key"), Some(Case::Fault(Fault::UnregisteredKey)));
        assert_eq!(Case::parse("none"), None);
    }

    #[test]
    fn a_policy_that_is_enforced_refuses_what_entra_lets_in() {
        let replayed = |policy: Option<&Policy>| Expected::of(Case::Replayed, &[], policy).rejected;
        assert!(!replayed(None) && !replayed(Some(&Policy::default())));
        let mut policy = Policy::default();
        policy.set(CheckId::Replay, Setting::Reject).unwrap();
        assert!(replayed(Some(&policy)));
        let mut strict = Policy::default();
        strict.strict |= true;
        let sha1 = Case::Fault(Fault::Sha1);
        assert!(Expected::of(sha1, &[CheckId::Algorithm], Some(&strict)).rejected);
        assert!(!Expected::of(Case::Sound, &[], Some(&strict)).rejected);
        let expired = Expected::of(Case::Fault(Fault::Expired), &[], None);
        assert_eq!(expired, Expected { rejected: true, code: Some(Code::AssertionInvalid) });
    }
}
