//! What the operator makes of checks, beyond what Entra does.

use jiff::SignedDuration;

use crate::verdict::CheckId;

/// What the operator asks of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// Warnings of this check become failures.
    Reject,
    /// Failures of this check become warnings.
    Warn,
    /// The check is skipped.
    Off,
}

/// What the operator asks of the checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// How far clocks may differ.
    pub skew: SignedDuration,
    /// Whether any warning rejects.
    pub strict: bool,
    settings: [Option<Setting>; CheckId::ALL.len()],
}

impl Default for Policy {
    fn default() -> Self {
        Self { skew: SignedDuration::from_mins(5), strict: false, settings: [None; CheckId::ALL.len()] }
    }
}

impl Policy {
    /// Sets a check. Refuses (`Err` with the check) to relax one that decides who speaks.
    pub fn set(&mut self, id: CheckId, setting: Setting) -> Result<(), CheckId> {
        if setting != Setting::Reject && !id.may_be_relaxed() {
            return Err(id);
        }
        if let Some(slot) = self.settings.get_mut(id.index()) {
            *slot = Some(setting);
        }
        Ok(())
    }

    /// What was set for a check.
    pub fn setting(&self, id: CheckId) -> Option<Setting> {
        self.settings.get(id.index()).copied().flatten()
    }
}
