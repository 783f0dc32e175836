//! Which part of the whole load a generator sends.

/// One of several generators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which one, from 1.
    pub number: u64,
    /// Of how many.
    pub of: u64,
}

impl Default for Shard {
    fn default() -> Self {
        Self { number: 1, of: 1 }
    }
}

impl Shard {
    /// Reads `2/8`, or `1+1/8` by a number that counts from 0, as the completion index of a Kubernetes Job does.
    ///
    /// # Errors
    /// What is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let number = |text: &str| match text.strip_suffix("+1") {
            Some(index) => index.parse::<u64>().ok()?.checked_add(1),
            None => text.parse().ok(),
        };
        let parts = text.split_once('/').and_then(|(text, of)| Some((number(text)?, of.parse().ok()?)));
        let shard = parts.map(|(number, of)| Self { number, of });
        let sound = |shard: &Self| (1..=shard.of).contains(&shard.number) && shard.of <= 10_000;
        shard.filter(sound).ok_or("expected the number of this generator and how many there are, as 2/8")
    }

    /// The number in the whole load of the request that has this number here: no other shard has it.
    pub fn whole(self, number: u64) -> u64 {
        number.saturating_mul(self.of).saturating_add(self.number.saturating_sub(1))
    }

    /// This shard's part of so many.
    pub fn part(self, count: u64) -> u64 {
        count / self.of + u64::from(self.number <= count % self.of)
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn shards_share_everything_and_nothing_twice() {
        let mut numbers = Vec::new();
        for number in 1..=3 {
            let shard = Shard::parse(&format!("{number}/3")).unwrap();
            numbers.extend((0..shard.part(10)).map(|number| shard.whole(number)));
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (0..10).collect::<Vec<_>>());
        let indexed: Vec<_> = (0..3).map(|index| Shard::parse(&format!("{index}+1/3")).unwrap().to_string()).collect();
        assert_eq!(indexed, ["1/3", "2/3", "3/3"]);
        for wrong in
            ["", "1", "0/2", "3/2", "1/0", "a/b", "+1/2", "2+1/2", "1+2/3", "1/2+1", "18446744073709551615+1/2"]
        {
            assert!(Shard::parse(wrong).is_err(), "{wrong}");
        }
    }
}
