//! Numbers of versions, and which of them may break what.

use std::fmt;

/// A version, by Semantic Versioning, without labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// Reads `0.3.1`.
    ///
    /// # Errors
    /// Says what a version looks like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = |part: &str| -> Option<u32> {
            let is_plain =
                part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
            is_plain.then(|| part.parse().ok()).flatten()
        };
        let parts: Option<Vec<u32>> = text.split('.').map(number).collect();
        match parts.as_deref() {
            Some([major, minor, patch]) => Ok(Self { major: *major, minor: *minor, patch: *patch }),
            _ => Err(format!("{text:?} is no version: it has three numbers, such as VERSION=0.2.0")),
        }
    }

    /// Whether this version, after `last`, says that programs may have to be changed: another first number, or while that is
    /// 0 another second one.
    pub fn says_break(self, last: Self) -> bool {
        self.major > last.major || (last.major == 0 && self.minor > last.minor)
    }

    /// The least version after this one that says so.
    pub fn next_break(self) -> Self {
        match self.major {
            0 => Self { major: 0, minor: self.minor + 1, patch: 0 },
            major => Self { major: major + 1, minor: 0, patch: 0 },
        }
    }

    /// The least version after this one.
    pub fn next(self) -> Self {
        Self { patch: self.patch + 1, ..self }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_and_say_what_breaks() {
        let version = |text| Version::parse(text).unwrap();
        for text in ["", "1", "0.1", "0.1.0.0", "0.01.0", "v0.1.0", "0.1.-1", "0.1.0-rc1", "0. 1.0"] {
            assert!(Version::parse(text).is_err(), "{text}");
        }
        assert!(version("0.10.0") > version("0.9.9"));
        for (next, last, says) in [
            ("0.1.1", "0.1.0", false),
            ("0.2.0", "0.1.9", true),
            ("1.0.0", "0.2.0", true),
            ("1.1.0", "1.0.0", false),
            ("2.0.0", "1.9.0", true),
        ] {
            assert_eq!(version(next).says_break(version(last)), says, "{next} after {last}");
        }
        assert_eq!(version("0.4.2").next_break(), version("0.5.0"));
        assert_eq!(version("2.4.2").next_break(), version("3.0.0"));
    }
}
