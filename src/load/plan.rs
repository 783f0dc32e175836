//! When each request of an open load is meant to start: arithmetic alone, fixed before the first is sent.

use std::sync::Arc;
use std::time::Duration;

/// When requests start, whatever becomes of the ones before them.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// Rates that change in straight lines.
    Rates(Vec<Stretch>),
    /// Instants that were recorded.
    Recorded(Arc<[Duration]>),
}

/// A time in which the rate goes from one value to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    seconds: f64,
    from: f64,
    to: f64,
}

impl Stretch {
    /// Requests within it.
    fn requests(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.seconds
    }

    /// Seconds after its beginning at which so many requests were started.
    fn after(&self, requests: f64) -> f64 {
        let slope = (self.to - self.from) / self.seconds;
        if slope.abs() < 1e-9 {
            return requests / self.from;
        }
        let root = (self.from * self.from + 2.0 * slope * requests).max(0.0).sqrt();
        ((root - self.from) / slope).clamp(0.0, self.seconds)
    }
}

impl Plan {
    /// The same rate all the time.
    pub fn constant(rate: f64, duration: Duration) -> Self {
        Self::Rates(vec![Stretch { seconds: duration.as_secs_f64(), from: rate, to: rate }])
    }

    /// Reads `30s:100,2m:2000,30s:0`: in each time the rate goes in a straight line to the one that is named, from 0 at first.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn stages(text: &str) -> Result<Self, PlanError> {
        let mut from = 0.0;
        let mut stretches = Vec::new();
        for stage in text.split(',').map(str::trim) {
            let wrong = || PlanError::Stage(stage.to_owned());
            let (duration, rate) = stage.split_once(':').ok_or_else(wrong)?;
            let seconds = duration_of(duration).ok_or_else(wrong)?.as_secs_f64();
            let to = rate.trim().parse().ok().filter(|rate| (0.0..=MOST).contains(rate)).ok_or_else(wrong)?;
            if seconds > 0.0 {
                stretches.push(Stretch { seconds, from, to });
            }
            from = to;
        }
        let plan = Self::Rates(stretches);
        if plan.total() == 0 { Err(PlanError::Nothing) } else { Ok(plan) }
    }

    /// When the request of this number is meant to start; none when there are not so many.
    pub fn at(&self, number: u64) -> Option<Duration> {
        match self {
            Self::Recorded(times) => times.get(usize::try_from(number).ok()?).copied(),
            Self::Rates(stretches) => {
                let (mut left, mut begun) = (number as f64, 0.0);
                for stretch in stretches {
                    let requests = stretch.requests();
                    if left < requests {
                        return Duration::try_from_secs_f64(begun + stretch.after(left)).ok();
                    }
                    left -= requests;
                    begun += stretch.seconds;
                }
                None
            }
        }
    }

    /// How many requests there are.
    pub fn total(&self) -> u64 {
        match self {
            Self::Recorded(times) => times.len() as u64,
            Self::Rates(stretches) => {
                let requests = stretches.iter().map(Stretch::requests).sum::<f64>().ceil();
                // what floats beyond this cannot be sent in a lifetime
                Duration::try_from_secs_f64(requests).map_or(u64::MAX, |all| all.as_secs())
            }
        }
    }

    /// How long it takes.
    pub fn duration(&self) -> Duration {
        match self {
            Self::Recorded(times) => times.last().copied().unwrap_or_default(),
            Self::Rates(stretches) => {
                let seconds = stretches.iter().map(|stretch| stretch.seconds).sum();
                Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
            }
        }
    }
}

/// Requests in a second, at most.
pub const MOST: f64 = 10_000_000.0;

/// A time such as `30s`, `2m` or `1h30m`.
pub fn duration_of(text: &str) -> Option<Duration> {
    let duration: jiff::SignedDuration = text.trim().parse().ok()?;
    Duration::try_from(duration).ok()
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No stage.
    #[error("expected a time and the rate at its end, as 30s:100, got `{0}`")]
    Stage(String),
    /// A plan without requests.
    #[error("expected stages with a request in them, got none")]
    Nothing,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn seconds(plan: &Plan, number: u64) -> f64 {
        plan.at(number).unwrap().as_secs_f64()
    }

    #[test]
    fn a_constant_rate_has_equal_gaps() {
        let plan = Plan::constant(100.0, Duration::from_secs(2));
        assert_eq!((plan.total(), plan.duration()), (200, Duration::from_secs(2)));
        for number in 0..200 {
            assert!((seconds(&plan, number) - number as f64 / 100.0).abs() < 1e-6);
        }
        assert_eq!(plan.at(200), None);
    }

    #[test]
    fn stages_go_up_stay_and_go_down() {
        let plan = Plan::stages("10s:100, 10s:100,10s:0").unwrap();
        assert_eq!((plan.total(), plan.duration()), (2000, Duration::from_secs(30)));
        // half of the time brings a quarter of the requests of a ramp
        assert!((seconds(&plan, 125) - 5.0).abs() < 1e-6);
        assert!((seconds(&plan, 1000) - 15.0).abs() < 1e-6);
        assert!((seconds(&plan, 1875) - 25.0).abs() < 1e-6);
        let times: Vec<_> = (0..2000).map(|number| plan.at(number).unwrap()).collect();
        assert!(times.is_sorted());
        for wrong in ["", "10s", "10s:x", "x:10", "10s:0", "10s:-1", "-1s:10", "10s:1e99"] {
            assert!(Plan::stages(wrong).is_err(), "{wrong}");
        }
    }
}
