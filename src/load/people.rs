//! Who signs in how often.

use super::chance::{below, unit};

/// How sign-ins are spread over the users.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spread {
    /// Everybody alike.
    Uniform,
    /// Few sign in often, most hardly ever: the user of rank `r` by weight `1 / r^exponent`.
    Zipf(f64),
}

impl Spread {
    /// Reads `uniform`, `zipf` or `zipf:1.2`.
    ///
    /// # Errors
    /// What is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected uniform, zipf, or zipf:EXPONENT with an exponent from 0.1 to 5";
        match text.split_once(':') {
            None if text == "uniform" => Ok(Self::Uniform),
            None if text == "zipf" => Ok(Self::Zipf(1.0)),
            Some(("zipf", exponent)) => {
                let exponent = exponent.parse().ok().filter(|exponent| (0.1..=5.0).contains(exponent));
                exponent.map(Self::Zipf).ok_or(EXPECTED)
            }
            _ => Err(EXPECTED),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Zipf(exponent) => write!(f, "zipf:{exponent}"),
        }
    }
}

/// Picks one of so many.
#[derive(Debug, Clone, PartialEq)]
pub struct Picker {
    count: u64,
    /// For each rank the share of all ranks up to it; empty where all are alike.
    shares: Vec<f64>,
}

impl Picker {
    /// A picker among so many.
    pub fn new(spread: Spread, count: usize) -> Self {
        let mut shares = Vec::new();
        if let Spread::Zipf(exponent) = spread {
            let mut sum = 0.0;
            for rank in 1..=count {
                sum += (rank as f64).powf(-exponent);
                shares.push(sum);
            }
            shares.iter_mut().for_each(|share| *share /= sum);
        }
        Self { count: count as u64, shares }
    }

    /// The user of a request.
    pub fn pick(&self, seed: u64, number: u64) -> usize {
        let seed = seed ^ 0x5A5A_5A5A;
        if self.shares.is_empty() {
            return usize::try_from(below(seed, number, self.count)).unwrap_or_default();
        }
        let chance = unit(seed, number);
        self.shares.partition_point(|share| *share <= chance).min(self.shares.len().saturating_sub(1))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    fn counts(spread: &str) -> Vec<usize> {
        let picker = Picker::new(Spread::parse(spread).unwrap(), 10);
        let mut counts = vec![0; 10];
        (0..10_000).for_each(|number| counts[picker.pick(7, number)] += 1);
        counts
    }

    #[test]
    fn all_alike_or_few_often() {
        assert!(counts("uniform").iter().all(|count| (800..1200).contains(count)));
        let zipf = counts("zipf:1.2");
        assert!(zipf[0] > 2 * zipf[1] - zipf[1] / 4 && zipf[0] > 8 * zipf[9] && zipf[9] > 0, "{zipf:?}");
        for wrong in ["", "zipf:", "zipf:x", "zipf:9", "normal"] {
            assert!(Spread::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Picker::new(Spread::Uniform, 0).pick(1, 2), 0);
    }
}
