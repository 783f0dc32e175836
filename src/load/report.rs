//! The report of a load, as it is written down, read again and joined with others.

use serde::{Deserialize, Serialize};

use super::{Held, Tally, Timeline, Totals};

/// The form of the report; another number would be another form.
pub const FORMAT: u32 = 1;

/// What a load was, and what came of it. Times are in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// The version of the program.
    pub samlgate: String,
    /// What was posted to.
    pub target: String,
    /// When the first request was meant to start.
    pub begun: String,
    /// Seconds until the last answer.
    pub seconds: f64,
    /// How it was made.
    pub settings: Settings,
    /// Requests a second that were asked for; null in a closed load.
    pub asked_rate: Option<f64>,
    /// Requests a second that were started.
    pub reached_rate: f64,
    /// The sums over all cases.
    pub totals: Totals,
    /// Everything that was counted.
    #[serde(flatten)]
    pub tally: Tally,
    /// Where the generator itself was the limit, so that figures say more of it than of the target.
    pub limits: Vec<String>,
    /// What happened when.
    pub timeline: Timeline,
    /// The reasons to fail.
    pub thresholds: Vec<Held>,
}

/// How a load was made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Settings {
    /// `open` or `closed`.
    pub model: String,
    /// What was asked for, in words.
    pub plan: String,
    /// Connections at most.
    pub connections: u64,
    /// `1.1` or `2`.
    pub http: String,
    /// How TLS was spoken, in words; `none` without it.
    pub tls: String,
    /// Whether connections were kept.
    pub keep_alive: bool,
    /// The shares of the cases.
    pub mix: String,
    /// How sign-ins were spread over users, and how many of them there were.
    pub users: String,
    /// The keys that signed.
    pub keys: Vec<String>,
    /// Responses that were signed ahead; 0 where each was signed as it was needed.
    pub pool: u64,
    /// Microseconds that it took to make a response.
    pub signing_micros: f64,
    /// Threads that sent.
    pub threads: u64,
    /// The seed of everything that was left to chance.
    pub seed: u64,
    /// The generators, as `2/8`.
    pub shards: Vec<String>,
}

impl Report {
    /// Where the generator was the limit, in sentences. `late` says how late at 99 % is still in time.
    pub fn find_limits(&mut self, late: u64) {
        let held = self.tally.held_up;
        let part = |count: u64| count as f64 / self.totals.sent.max(1) as f64;
        if self.settings.model == "closed" && part(held.by_signing) > 0.05 {
            self.limits.push(format!(
                "no response was signed yet when a connection was free for {} of {} sign-ins: the rate says more of this machine's signing than \
                 of the target; sign ahead by --pool, or with a P-256 key",
                held.by_signing, self.totals.sent
            ));
        }
        let Some(asked) = self.asked_rate else { return };
        if held.not_sent > 0 {
            self.limits.push(format!("{} requests were never sent: too many were waiting", held.not_sent));
        }
        let slow = self.reached_rate < asked * 0.98;
        let p99 = self.tally.late.percentile(99.0);
        if !slow && p99 <= late {
            return;
        }
        let why = if part(held.by_connections) > 0.005 {
            format!(
                "all {} connections were busy when {} requests were due: the target is slower than is asked of it, or --connections is too low",
                self.settings.connections, held.by_connections
            )
        } else if part(held.by_signing) > 0.005 {
            format!(
                "no response was signed yet when {} requests were due: sign ahead by --pool, or with a P-256 key",
                held.by_signing
            )
        } else {
            "this machine is too slow or too busy for the rate: use more generators by --shard".to_owned()
        };
        self.limits.push(format!(
            "1 % of all requests started {:.1} ms or more after they were meant to ({:.0} of {asked:.0} a second): {why}",
            p99 as f64 / 1000.0,
            self.reached_rate
        ));
    }

    /// Whether the load fails.
    pub fn failed(&self) -> bool {
        self.thresholds.iter().any(|held| held.failed)
    }

    /// Whether every verdict was as it had to be, and nothing else fails.
    pub fn is_well(&self) -> bool {
        self.was_answered()
            && self.totals.as_expected == self.totals.sent
            && self.tally.relay_state.mixed == 0
            && !self.failed()
    }

    /// Whether anybody answered anything that a sign-in is answered with.
    pub fn was_answered(&self) -> bool {
        let totals = &self.totals;
        totals.as_expected + totals.false_accepts + totals.false_rejects + totals.wrong_codes > 0
    }

    /// The JSON schema of a report.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_closed_load_says_that_it_waited_for_its_own_signatures() {
        let mut report = Report::default();
        report.settings.model = "closed".to_owned();
        report.totals.sent = 100;
        report.tally.held_up.by_signing = 5;
        report.find_limits(0);
        assert!(report.limits.is_empty());
        report.tally.held_up.by_signing = 60;
        report.find_limits(0);
        assert!(report.limits.len() == 1 && report.limits[0].contains("for 60 of 100"), "{:?}", report.limits);
    }
}
