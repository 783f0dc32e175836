//! Instants as SAML writes them: xs:dateTime in UTC ([SAMLCore 1.3.3]).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Text that is no instant in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a time in UTC as 2026-01-31T12:00:00Z")]
pub struct InstantError;

/// Parses `YYYY-MM-DDThh:mm:ss[.fraction]Z` and nothing else. Digits beyond nanoseconds are cut off.
pub fn parse_instant(text: &str) -> Result<Timestamp, InstantError> {
    parse(text).ok_or(InstantError)
}

fn parse(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = match text.strip_suffix('Z')?.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text.strip_suffix('Z')?, None),
    };
    let mut bytes = whole.bytes();
    let mut number = |digits: usize, separator: Option<u8>| {
        let mut value: i16 = 0;
        for _ in 0..digits {
            let digit = bytes.next().filter(u8::is_ascii_digit)? - b'0';
            value = value.checked_mul(10)?.checked_add(i16::from(digit))?;
        }
        (bytes.next() == separator).then_some(value)
    };
    let year = number(4, Some(b'-'))?;
    let mut small = |separator| i8::try_from(number(2, separator)?).ok();
    let (month, day) = (small(Some(b'-'))?, small(Some(b'T'))?);
    let (hour, minute, second) = (small(Some(b':'))?, small(Some(b':'))?, small(None)?);
    let mut nanosecond: i32 = 0;
    if let Some(fraction) = fraction {
        if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
        nanosecond = digits.fold(0, |value, digit| value * 10 + i32::from(digit - b'0'));
    }
    let civil = DateTime::new(year, month, day, hour, minute, second, nanosecond).ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

#[cfg(test)]
mod tests {
    use super::parse_instant;

    #[test]
    fn instants_are_utc_with_any_fraction() {
        for (text, expected) in [
            ("2026-11-23T12:00:00Z", "2026-11-23T12:00:00Z"),
            ("2026-11-23T12:00:00.1Z", "2026-11-23T12:00:00.1Z"),
            ("2026-11-23T12:00:00.1234567Z", "2026-11-23T12:00:00.1234567Z"),
            ("2024-02-29T23:59:59.123456789123Z", "2024-02-29T23:59:59.123456789Z"),
        ] {
            assert_eq!(parse_instant(text).map(|instant| instant.to_string()).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "Z",
            "2026-11-23",
            "2026-11-23T12:00:00",
            "2026-11-23T12:00:00+00:00",
            "2026-11-23 12:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T12:00:60Z",
            "2026-02-29T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-11-23T12:00:00.Z",
            "2026-11-23T12:00:00,5Z",
            " 2026-11-23T12:00:00Z",
            "2026-11-23T12:00:00z",
            "+026-11-23T12:00:00Z",
            "12026-11-23T12:00:00Z",
            "2026-1-23T12:00:00Z",
            "2026-11-23T12:00Z",
        ] {
            assert!(parse_instant(text).is_err(), "{text}");
        }
    }
}
