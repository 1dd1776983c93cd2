//! Secrets in commands that nobody can read but who has the private key: `"sealed"` in their schema.
//!
//! Such a field holds a sealed box as libsodium makes it (`crypto_box_seal`: X25519, XSalsa20-Poly1305), and the field that it
//! names holds the *fingerprint* of the secret, by which equal secrets can be told. What seals and opens is no part of this
//! crate: a decision sees bytes that say nothing.

use std::fmt;
use std::ops::Deref;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::avro::{BadDatum, Datum, Input};

/// How many bytes a sealed box has more than what is in it: the public key that it was made with, and a tag.
pub const OVERHEAD_BYTES: usize = 48;
/// The shortest secret. A shorter one could be guessed, and tried out by its fingerprint, which everybody can make.
pub const LEAST_SECRET_BYTES: usize = 16;
/// The longest secret.
pub const MOST_SECRET_BYTES: usize = 4_096 - OVERHEAD_BYTES;
/// How many characters a fingerprint has: 32 bytes in base64url without padding.
pub const FINGERPRINT_LENGTH: usize = 43;

/// What the schema of a command says of a secret in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedRule {
    /// The command.
    pub command: &'static str,
    /// The field that holds the box; with dots between the names of a record in a record.
    pub field: &'static str,
    /// The field of the same record that holds the fingerprint.
    pub fingerprint: &'static str,
}

/// The bytes of a sealed box, or what somebody has sent for one: whether it can be one is decided with the command.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sealed(Box<[u8]>);

/// Reads base64 with and without its padding.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const OF_URLS: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

impl Sealed {
    /// These bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// What is written in base64 (RFC 4648), in either of its alphabets, with or without padding.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let read = PLAIN.decode(text).or_else(|_| OF_URLS.decode(text));
        read.ok().map(Self::new)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is as long as the box of a secret is. More nobody can tell without the private key.
    #[must_use]
    pub fn may_be_a_box(&self) -> bool {
        let secret = self.0.len().checked_sub(OVERHEAD_BYTES);
        secret.is_some_and(|secret| (LEAST_SECRET_BYTES..=MOST_SECRET_BYTES).contains(&secret))
    }
}

/// Whether `text` can be a fingerprint: 32 bytes in base64url without padding.
#[must_use]
pub fn is_fingerprint(text: &str) -> bool {
    text.len() == FINGERPRINT_LENGTH
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

impl Deref for Sealed {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Sealed {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

/// In base64, as in JSON.
impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&PLAIN.encode(&self.0))
    }
}

/// Never the bytes: somebody may have sent what was to be sealed.
impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a sealed box is written in base64"))
    }
}

/// `bytes` of Avro.
impl Datum for Sealed {
    fn write(&self, out: &mut Vec<u8>) {
        (self.0.len() as i64).write(out);
        out.extend_from_slice(&self.0);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        input.bytes().map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_base64_in_json_and_bytes_in_avro_and_shows_nothing() {
        let sealed = Sealed::new([0xfb, 0xff, b'a', b'b']);
        assert_eq!(serde_json::to_string(&sealed).unwrap(), "\"+/9hYg==\"");
        for text in ["+/9hYg==", "+/9hYg", "-_9hYg", "-_9hYg=="] {
            assert_eq!(Sealed::parse(text), Some(sealed.clone()), "{text}");
        }
        for bad in ["+/9hY", "a secret", "é", "+/9h\n"] {
            assert_eq!(Sealed::parse(bad), None, "{bad}");
            let error = serde_json::from_value::<Sealed>(bad.into()).unwrap_err().to_string();
            assert!(!error.contains(bad), "{error}");
        }
        assert_eq!(format!("{sealed:?}"), "Sealed(4 bytes)");
        let mut bytes = Vec::new();
        sealed.write(&mut bytes);
        assert_eq!(bytes, [8, 0xfb, 0xff, b'a', b'b']);
        assert_eq!(Sealed::read(&mut Input::new(&bytes)), Ok(sealed));
    }

    #[test]
    fn what_can_be_no_box_and_no_fingerprint_is_told() {
        let of = |length: usize| Sealed::new(vec![0; length]).may_be_a_box();
        for (length, is_one) in
            [(0, false), (47, false), (63, false), (64, true), (4_096, true), (4_097, false)]
        {
            assert_eq!(of(length), is_one, "{length}");
        }
        assert!(is_fingerprint("B0zc-Ae-NCEyIaOK_eXWOBItVmcqm5JtGhmahEYydC0"));
        for bad in [
            "",
            "B0zc",
            "B0zc+Ae-NCEyIaOK_eXWOBItVmcqm5JtGhmahEYydC0",
            "B0zc-Ae-NCEyIaOK_eXWOBItVmcqm5JtGhmahEYydC0=",
        ] {
            assert!(!is_fingerprint(bad), "{bad}");
        }
    }
}
