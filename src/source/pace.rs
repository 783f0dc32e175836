//! When to ask again: steadily while all is well, ever more rarely while nothing comes.

use std::time::Duration;

/// How often.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// While all is well, and at most while it is not.
    pub every: Duration,
    /// After the first failure; twice that after the next, and so on.
    pub retry: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { every: Duration::from_secs(3600), retry: Duration::from_secs(15) }
    }
}

impl Pace {
    /// How long to wait after so many failures in a row. `chance`, from 0 to 1, moves it by a tenth at most, so that many who
    /// started together do not ask together. Who is asked may want more time than that, and gets it up to the usual one.
    pub fn after(&self, failures: u32, chance: f64, wanted: Option<Duration>) -> Duration {
        let wait = match failures.checked_sub(1) {
            None => self.every,
            Some(more) => self.retry.saturating_mul(1u32.checked_shl(more).unwrap_or(u32::MAX)).min(self.every),
        };
        let wait = wait.mul_f64(0.9 + 0.2 * chance.clamp(0.0, 1.0));
        wanted.map_or(wait, |wanted| wait.max(wanted.min(self.every)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_backs_off_up_to_the_usual_time() {
        let pace = Pace::default();
        let waits = [0, 1, 2, 3, 4, 9, 31, 32, 33, u32::MAX].map(|failures| pace.after(failures, 0.5, None).as_secs());
        assert_eq!(waits, [3600, 15, 30, 60, 120, 3600, 3600, 3600, 3600, 3600]);
        let wanted = [1, 60, 86_400].map(|seconds| pace.after(1, 0.5, Some(Duration::from_secs(seconds))).as_secs());
        assert_eq!(wanted, [15, 60, 3600]);
        assert_eq!([0.0, 1.0].map(|chance| pace.after(0, chance, None).as_secs()), [3240, 3960]);
    }
}
