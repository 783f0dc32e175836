//! Who may CONNECT: names and digests of a file, compared in the same time whoever asks.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use hyper::header::{HeaderMap, PROXY_AUTHORIZATION};

/// Those who may use the explicit proxy. A line of their file is `name:digest`: SHA-256, in hex, of `name:password`.
#[derive(Clone)]
pub struct Users(Vec<[u8; SHA256_OUTPUT_LEN]>);

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Users({})", self.0.len())
    }
}

impl Users {
    /// Reads the text of a file; empty lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    /// The first line that is none, or that there is none at all.
    pub fn parse(text: &str) -> Result<Self, UsersError> {
        let lines = text.lines().map(str::trim).enumerate();
        let users = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(index, line)| {
            let digest = line.split_once(':').filter(|(name, _)| !name.is_empty()).and_then(|(_, hex)| bytes(hex));
            digest.ok_or(UsersError::Line(index + 1))
        });
        let users: Vec<_> = users.collect::<Result<_, _>>()?;
        if users.is_empty() { Err(UsersError::None) } else { Ok(Self(users)) }
    }

    /// Whether a request names one of them, with the password.
    pub(super) fn know(&self, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(PROXY_AUTHORIZATION).iter();
        let (Some(value), None) = (named.next(), named.next()) else { return false };
        let Some((scheme, credentials)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
            return false;
        };
        let Ok(credentials) = base64_simd::STANDARD.decode_to_vec(credentials.trim()) else { return false };
        if !scheme.eq_ignore_ascii_case("basic") {
            return false;
        }
        let theirs = digest(&SHA256, &credentials);
        let is_theirs = |ours: &[u8; SHA256_OUTPUT_LEN]| verify_slices_are_equal(ours, theirs.as_ref()).is_ok();
        // all of them: how long it takes says nothing of who is in the file
        self.0.iter().fold(false, |known, ours| is_theirs(ours) | known)
    }
}

/// The bytes of a digest in hex.
fn bytes(hex: &str) -> Option<[u8; SHA256_OUTPUT_LEN]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut digits = hex.trim().bytes().map(digit);
    let mut bytes = [0; SHA256_OUTPUT_LEN];
    for byte in &mut bytes {
        *byte = digits.next()?? << 4 | digits.next()??;
    }
    digits.next().is_none().then_some(bytes)
}

/// Why a file of users cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsersError {
    /// A line that says nothing of anybody.
    #[error("expected a name, `:` and the SHA-256 of `name:password` in hex, got something else in line {0}")]
    Line(usize),
    /// Nobody at all.
    #[error("expected a line `name:digest`, got none")]
    None,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn asking(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (PROXY_AUTHORIZATION, value.parse().unwrap())).collect()
    }

    fn basic(credentials: &str) -> String {
        format!("Basic {}", base64_simd::STANDARD.encode_to_string(credentials))
    }

    #[test]
    fn whoever_is_in_the_file_is_known_by_the_password_alone() {
        let digest = digest(&SHA256, b"tester:a password: with colons");
        let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let file = format!("# who tests\n\ntester:{}\nsecond:{}\n", hex.to_uppercase(), "0".repeat(64));
        let users = Users::parse(&file).unwrap();
        let right = basic("tester:a password: with colons");
        assert!(users.know(&asking(&[&right])));
        assert!(users.know(&asking(&[&right.replace("Basic", "bASIC")])));
        for wrong in [
            basic("tester:another"),
            basic("Tester:a password: with colons"),
            basic("second:"),
            basic(""),
            right.replace("Basic", "Bearer"),
            right.replace("Basic ", ""),
            format!("{right}="),
            "Basic".to_owned(),
        ] {
            assert!(!users.know(&asking(&[&wrong])), "{wrong}");
        }
        assert!(!users.know(&asking(&[])));
        assert!(!users.know(&asking(&[&right, &right])));
    }

    #[test]
    fn a_line_that_says_nothing_is_named() {
        let zeros = "0".repeat(64);
        for (text, line) in [
            ("tester".to_owned(), 1),
            ("# x\ntester:password".to_owned(), 2),
            (format!(":{zeros}"), 1),
            (format!("a:{zeros}\nb:{zeros}0"), 2),
            (format!("a:{}", "é".repeat(64)), 1),
        ] {
            assert_eq!(Users::parse(&text).unwrap_err(), UsersError::Line(line), "{text}");
        }
        assert_eq!(Users::parse("\n# nobody\n").unwrap_err(), UsersError::None);
    }
}
