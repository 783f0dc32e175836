//! A histogram of times in microseconds: three digits of each, whatever their number; exact when several are joined.

use base64_simd::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer, V2Serializer};
use serde::{Deserialize, Serialize};

/// Digits of a time that are kept.
const DIGITS: u8 = 3;
/// Bytes of a histogram that is read.
const LONGEST: usize = 4 * 1024 * 1024;

/// Times in microseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

impl Latencies {
    /// No times yet.
    #[expect(clippy::expect_used, reason = "three digits are always possible")]
    pub fn new() -> Self {
        Self(Histogram::new(DIGITS).expect("three digits"))
    }

    /// Adds a time.
    pub fn record(&mut self, time: std::time::Duration) {
        // it grows as it must; more than an hour is as good as forever
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min(3_600_000_000);
        let _ = self.0.record(micros);
    }

    /// Adds all times of another one.
    pub fn add(&mut self, other: &Self) {
        // both have three digits, and this one grows
        let _ = self.0.add(&other.0);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time that this part of all, in percent, does not exceed, in microseconds.
    pub fn percentile(&self, percent: f64) -> u64 {
        self.0.value_at_percentile(percent)
    }

    /// The longest, in microseconds.
    pub fn max(&self) -> u64 {
        self.0.max()
    }

    /// The mean, in microseconds.
    pub fn mean(&self) -> f64 {
        self.0.mean()
    }

    /// How many took longer than this, in microseconds.
    pub fn above(&self, micros: u64) -> u64 {
        self.count().saturating_sub(self.0.count_between(0, micros))
    }

    /// HdrHistogram V2, compressed, in base64: what its log format holds.
    pub fn encoded(&self) -> String {
        let mut bytes = Vec::new();
        // a Vec takes whatever is written
        if V2DeflateSerializer::new().serialize(&self.0, &mut bytes).is_err() {
            bytes.clear();
            let _ = V2Serializer::new().serialize(&self.0, &mut bytes);
        }
        STANDARD.encode_to_string(bytes)
    }

    /// Reads [`Latencies::encoded`], of whichever program.
    pub fn decoded(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode_to_vec(text).ok().filter(|bytes| bytes.len() <= LONGEST)?;
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).ok()?;
        let mut own = Self::new();
        own.0.add(&read).ok()?;
        Some(own)
    }

    /// What is said of it.
    pub fn figures(&self) -> Figures {
        let at = |percent| self.percentile(percent);
        Figures {
            count: self.count(),
            min: self.0.min(),
            mean: (self.mean() * 10.0).round() / 10.0,
            p50: at(50.0),
            p75: at(75.0),
            p90: at(90.0),
            p95: at(95.0),
            p99: at(99.0),
            p99_9: at(99.9),
            p99_99: at(99.99),
            max: self.max(),
            histogram: self.encoded(),
        }
    }
}

/// Times that are kept and seldom looked at: some hundred bytes, where [`Latencies`] take up to a hundred kilobytes.
#[derive(Debug, Clone, Default)]
pub struct Packed(Vec<u8>);

impl Packed {
    /// The times.
    pub fn unpacked(&self) -> Latencies {
        let mut all = Latencies::new();
        // what was packed here is read here; nothing is packed as nothing
        let read: Option<Histogram<u64>> = Deserializer::new().deserialize(&mut self.0.as_slice()).ok();
        if let Some(read) = read {
            let _ = all.0.add(&read);
        }
        all
    }

    /// Adds times.
    pub fn add(&mut self, more: &Latencies) {
        if more.count() > 0 {
            let mut all = self.unpacked();
            all.add(more);
            *self = Self::from(&all);
        }
    }

    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

impl From<&Latencies> for Packed {
    fn from(latencies: &Latencies) -> Self {
        let mut bytes = Vec::new();
        if latencies.count() > 0 {
            // a Vec takes whatever is written
            let _ = V2Serializer::new().serialize(&latencies.0, &mut bytes);
        }
        bytes.shrink_to_fit();
        Self(bytes)
    }
}

impl PartialEq for Packed {
    fn eq(&self, other: &Self) -> bool {
        self.unpacked() == other.unpacked()
    }
}

impl Serialize for Packed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.unpacked().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Latencies::deserialize(deserializer).map(|latencies| Self::from(&latencies))
    }
}

/// Times in microseconds, as they are written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Figures {
    /// How many.
    pub count: u64,
    /// The shortest.
    pub min: u64,
    /// The mean.
    pub mean: f64,
    /// Half of all took no longer.
    pub p50: u64,
    /// 75 % of all took no longer.
    pub p75: u64,
    /// 90 % of all took no longer.
    pub p90: u64,
    /// 95 % of all took no longer.
    pub p95: u64,
    /// 99 % of all took no longer.
    pub p99: u64,
    /// 99.9 % of all took no longer.
    pub p99_9: u64,
    /// 99.99 % of all took no longer.
    pub p99_99: u64,
    /// The longest.
    pub max: u64,
    /// All of them: HdrHistogram V2, compressed, in base64, in microseconds.
    pub histogram: String,
}

impl Serialize for Latencies {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.figures().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let figures = Figures::deserialize(deserializer)?;
        Self::decoded(&figures.histogram)
            .ok_or_else(|| serde::de::Error::custom("expected a histogram of HdrHistogram"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_joining_is_exact() {
        let (mut one, mut other, mut both) = (Latencies::new(), Latencies::new(), Latencies::new());
        for micros in 1..20_000 {
            let time = Duration::from_micros(micros * micros);
            if micros % 3 == 0 {
                one.record(time);
            } else {
                other.record(time);
            }
            both.record(time);
        }
        one.add(&Latencies::decoded(&other.encoded()).unwrap());
        assert_eq!(one, both);
        let text = serde_json::to_string(&both).unwrap();
        assert_eq!(serde_json::from_str::<Latencies>(&text).unwrap(), both);
        let mut packed = Packed::from(&one);
        assert_eq!((packed.unpacked(), Packed::default().unpacked().count()), (both.clone(), 0));
        packed.add(&both);
        assert_eq!(packed.unpacked().count(), 2 * both.count());
        assert_eq!(serde_json::from_str::<Packed>(&text).unwrap(), Packed::from(&both));
        assert!(both.percentile(50.0).abs_diff(100_000_000) < 200_000);
        assert_eq!(both.above(0), 19_999);
        assert_eq!(Latencies::decoded(&Latencies::new().encoded()).unwrap().count(), 0);
        assert!(Latencies::decoded("AAAA").is_none() && Latencies::decoded("?").is_none());
    }
}
