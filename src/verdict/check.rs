//! One check of a verdict, and the findings it is made of.

use super::{CheckId, Code, Text};

/// What came of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing was given to judge it by, or nothing was there to judge.
    Skip,
    /// As Entra wants it.
    Pass,
    /// Documented as wrong, but seen to be tolerated.
    Warn,
    /// Entra refuses this, or the operator does.
    Fail,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Pass, Self::Warn, Self::Fail, Self::Skip];

    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// A place in the decoded XML, both counted from 1; columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Column, in characters.
    pub column: u32,
}

/// What the MFA behaviour of the federation makes of the context class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Entra takes the claim for MFA.
    Satisfied,
    /// Entra asks for its own MFA when a policy wants any.
    SecondPromptIfRequired,
    /// Entra sends the user back to the identity provider for ever when a policy wants MFA.
    LoopIfRequired,
    /// Entra ignores the claim and always asks itself.
    Ignored,
}

impl Label {
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Satisfied => "satisfied",
            Self::SecondPromptIfRequired => "second_prompt_if_required",
            Self::LoopIfRequired => "loop_if_required",
            Self::Ignored => "ignored",
        }
    }
}

/// One criterion that was not met (or is worth a word), before its check is made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// `Fail` or `Warn`; `Pass` and `Skip` for a note that changes nothing.
    pub outcome: Outcome,
    /// What of it is reported.
    pub detail: Detail,
}

/// What a report says of a check.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Detail {
    /// What Entra answers for this criterion, where it is of class H or P.
    pub code: Option<Code>,
    /// What is wrong, in one sentence.
    pub finding: Option<Text>,
    /// How to mend it.
    pub hint: Option<Text>,
    /// What would have been right.
    pub expected: Option<Text>,
    /// What came.
    pub got: Option<Text>,
    /// Where, in the decoded XML.
    pub at: Option<Position>,
    /// What Entra makes of the context class.
    pub label: Option<Label>,
}

impl Finding {
    /// A criterion of class H or P that was not met: Entra answers this code.
    pub fn fail(code: Code, finding: impl Into<Text>) -> Self {
        let detail = Detail { code: Some(code), finding: Some(finding.into()), ..Detail::default() };
        Self { outcome: Outcome::Fail, detail }
    }

    /// A failure for which no code is predicted.
    pub fn refuse(finding: impl Into<Text>) -> Self {
        Self::of(Outcome::Fail, finding)
    }

    /// A criterion of class W that was not met.
    pub fn warn(finding: impl Into<Text>) -> Self {
        Self::of(Outcome::Warn, finding)
    }

    /// Not judged, with the reason.
    pub fn skip(finding: impl Into<Text>) -> Self {
        Self::of(Outcome::Skip, finding)
    }

    /// Well, but worth a word.
    pub fn note(finding: impl Into<Text>) -> Self {
        Self::of(Outcome::Pass, finding)
    }

    fn of(outcome: Outcome, finding: impl Into<Text>) -> Self {
        Self { outcome, detail: Detail { finding: Some(finding.into()), ..Detail::default() } }
    }

    /// How to mend it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Text>) -> Self {
        self.detail.hint = Some(hint.into());
        self
    }

    /// What would have been right.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<Text>) -> Self {
        self.detail.expected = Some(expected.into());
        self
    }

    /// What came.
    #[must_use]
    pub fn got(mut self, got: impl Into<Text>) -> Self {
        self.detail.got = Some(got.into());
        self
    }

    /// Where.
    #[must_use]
    pub fn at(mut self, at: impl Into<Option<Position>>) -> Self {
        self.detail.at = at.into();
        self
    }

    /// What Entra makes of the context class.
    #[must_use]
    pub fn label(mut self, label: Label) -> Self {
        self.detail.label = Some(label);
        self
    }
}

/// One check of a verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Which.
    pub id: CheckId,
    /// What came of it.
    pub outcome: Outcome,
    /// What is to be said of it; most passing checks need no word.
    pub detail: Option<Box<Detail>>,
}

impl Check {
    /// Findings that are told beside the first.
    const MORE_FINDINGS: usize = 3;

    /// A check without a word.
    pub fn silent(id: CheckId, outcome: Outcome) -> Self {
        Self { id, outcome, detail: None }
    }

    /// The check that these findings make: the worst leads, and the first of those; the sentences of the others follow it.
    /// No finding is a pass.
    pub fn from_findings(id: CheckId, mut findings: Vec<Finding>) -> Self {
        let Some(outcome) = findings.iter().map(|finding| finding.outcome).max() else {
            return Self::silent(id, Outcome::Pass);
        };
        // stable: among equals the first stays first
        findings.sort_by_key(|finding| finding.outcome != outcome);
        let mut all = findings.into_iter();
        let mut detail = all.next().map(|finding| finding.detail).unwrap_or_default();
        for (number, further) in all.enumerate() {
            // a flood of findings makes a long sentence and no better one
            if let Some(more) = further.detail.finding.filter(|_| number < Self::MORE_FINDINGS) {
                detail.finding = detail.finding.take().map(|text| text.then("; also: ").then_text(more));
            }
            if further.outcome == Outcome::Fail {
                detail.code = detail.code.or(further.detail.code);
            }
            detail.hint = detail.hint.or(further.detail.hint);
            detail.label = detail.label.or(further.detail.label);
        }
        Self { id, outcome, detail: Some(Box::new(detail)) }
    }
}
