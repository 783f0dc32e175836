//! Durations and sizes as people write them: `5m`, `20ms`, `7d`, `100MiB`.

use std::borrow::Cow;
use std::fmt;

use jiff::SignedDuration;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Duration(pub(super) SignedDuration);

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

const DURATION: &str = "a duration such as \"5m\", \"20ms\" or \"7d\"";
const SIZE: &str = "a size such as \"100MiB\", \"256kB\" or 65536";

impl Duration {
    fn parse(text: &str) -> Option<Self> {
        let mut total: Option<u64> = None;
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (number, after) = leading_number(rest)?;
            let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (unit, after) = after.split_at_checked(letters)?;
            let millis: u64 = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return None,
            };
            total = Some(total.unwrap_or(0).checked_add(number.checked_mul(millis)?)?);
            rest = after.trim_start();
        }
        Some(Self(SignedDuration::from_millis(i64::try_from(total?).ok()?)))
    }
}

impl Size {
    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = leading_number(text.trim())?;
        let factor: u64 = match unit.trim() {
            "" | "B" => 1,
            "kB" | "KB" => 1_000,
            "KiB" => 1 << 10,
            "MB" => 1_000_000,
            "MiB" => 1 << 20,
            "GB" => 1_000_000_000,
            "GiB" => 1 << 30,
            _ => return None,
        };
        Some(Self(number.checked_mul(factor)?))
    }
}

/// The digits that a text begins with, and what follows them.
fn leading_number(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, rest))
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(DURATION)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
                Duration::parse(text).ok_or_else(|| E::custom(format!("expected {DURATION}, got \"{text}\"")))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(SIZE)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Size, E> {
                u64::try_from(number).map(Size).map_err(|_| E::custom(format!("expected {SIZE}, got {number}")))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Size, E> {
                Ok(Size(number))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
                Size::parse(text).ok_or_else(|| E::custom(format!("expected {SIZE}, got \"{text}\"")))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl schemars::JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^\\s*([0-9]+(ms|s|m|h|d)\\s*)+$",
            "examples": ["5m", "20ms", "7d", "1h30m"],
        })
    }
}

impl schemars::JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "integer"],
            "minimum": 0,
            "pattern": "^\\s*[0-9]+\\s*(B|kB|KB|KiB|MB|MiB|GB|GiB)?\\s*$",
            "examples": ["100MiB", 65536],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        let millis = |text| Duration::parse(text).map(|duration| duration.0.as_millis());
        assert_eq!(millis("5m"), Some(300_000));
        assert_eq!(millis("20ms"), Some(20));
        assert_eq!(millis("7d"), Some(604_800_000));
        assert_eq!(millis("1h30m"), Some(5_400_000));
        assert_eq!(millis("0s"), Some(0));
        for bad in ["", "5", "m", "-5m", "5 minutes", "1.5h", "5M", "99999999999999999999d", "9999999999999999d"] {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        let bytes = |text| Size::parse(text).map(|size| size.0);
        assert_eq!(bytes("100MiB"), Some(104_857_600));
        assert_eq!(bytes("256 kB"), Some(256_000));
        assert_eq!(bytes("17"), Some(17));
        for bad in ["", "MiB", "-1", "1.5MiB", "1mib", "99999999999GiB"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }
}
