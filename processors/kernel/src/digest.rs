//! What a command asks for, in 32 bytes: by it a repeated id with other content can be told.

use std::cell::RefCell;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::avro::{BadDatum, Datum, Input};
use crate::message::Named;

thread_local! {
    /// Where messages are written to be hashed: one for each command that is decided.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// SHA-256 of the name of a message, a zero byte, and its fields as Avro data; or the first bytes of that. The envelope
/// is not in it: who sends a command again gives it another time.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest {
    /// Zeros behind what is known.
    bytes: [u8; Self::LENGTH],
    is_short: bool,
}

impl Digest {
    /// How many bytes it has.
    pub const LENGTH: usize = 32;
    /// How many bytes are kept of it where there are millions: enough to tell other content, not to prove the same.
    pub const SHORT_LENGTH: usize = 8;

    /// The digest of a message of a union.
    #[must_use]
    pub fn of<M: Named + Datum>(message: &M) -> Self {
        SCRATCH.with_borrow_mut(|bytes| {
            bytes.clear();
            message.write(bytes);
            // without the number of the branch, so that what is sent counts and not where the schema has it
            let mut input = Input::new(bytes);
            let begin = input.index().map_or(0, |_| bytes.len() - input.left());
            let hash =
                Sha256::new_with_prefix(message.name()).chain_update([0_u8]).chain_update(&bytes[begin..]);
            Self { bytes: hash.finalize().into(), is_short: false }
        })
    }

    /// The bytes that are known: [`Digest::LENGTH`] or [`Digest::SHORT_LENGTH`].
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        if self.is_short { &self.bytes[..Self::SHORT_LENGTH] } else { &self.bytes }
    }

    /// The first bytes alone.
    #[must_use]
    pub fn short(self) -> Self {
        let mut bytes = [0; Self::LENGTH];
        bytes[..Self::SHORT_LENGTH].copy_from_slice(&self.bytes[..Self::SHORT_LENGTH]);
        Self { bytes, is_short: true }
    }

    /// Whether both are of the same content, as far as both are known.
    #[must_use]
    pub fn agrees_with(self, other: Self) -> bool {
        self.short() == other.short() && (self.is_short || other.is_short || self == other)
    }

    pub(crate) fn from_bytes(known: &[u8]) -> Option<Self> {
        if known.len() != Self::LENGTH && known.len() != Self::SHORT_LENGTH {
            return None;
        }
        let mut bytes = [0; Self::LENGTH];
        bytes[..known.len()].copy_from_slice(known);
        Some(Self { bytes, is_short: known.len() == Self::SHORT_LENGTH })
    }

    fn parse(text: &str) -> Option<Self> {
        if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(digits).collect();
        Self::from_bytes(&bytes?)
    }
}

/// In hexadecimal digits, as in JSON.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom("a digest is 64 hexadecimal digits, or the first 16 of them")
        })
    }
}

/// `bytes` of Avro: 32 of them, or the first 8.
impl Datum for Digest {
    fn write(&self, out: &mut Vec<u8>) {
        let bytes = self.as_bytes();
        (bytes.len() as i64).write(out);
        out.extend_from_slice(bytes);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        let bytes = input.bytes()?;
        Self::from_bytes(bytes).ok_or_else(|| input.bad("a digest that has neither 32 bytes nor 8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Message(&'static str, String, u8);

    impl Named for Message {
        fn name(&self) -> &'static str {
            self.0
        }
    }

    impl Datum for Message {
        fn write(&self, out: &mut Vec<u8>) {
            out.push(self.2);
            self.1.write(out);
        }

        fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
            input.index()?;
            Ok(Self("", String::read(input)?, 0))
        }
    }

    #[test]
    fn name_and_fields_count_and_the_branch_does_not() {
        let of = |name, text: &str, branch| Digest::of(&Message(name, text.to_owned(), branch));
        assert_eq!(of("Post", "hi", 0), of("Post", "hi", 2));
        assert_ne!(of("Post", "hi", 0), of("Post", "ho", 0));
        assert_ne!(of("Post", "hi", 0), of("Edit", "hi", 0));
        // printf 'Post\0\x04hi' | sha256sum
        let known = "bef98aa620a8df077a9adf7cd3620d52b523f6b1e72cecb1ec8d33bcda80a268";
        assert_eq!(of("Post", "hi", 0).to_string(), known);
    }

    #[test]
    fn what_is_known_of_both_is_compared() {
        let one = Digest { bytes: [7; 32], is_short: false };
        let other = Digest::of(&Message("Post", "hi".to_owned(), 0));
        let mut late = one;
        late.bytes[31] = 8;
        for (a, b, is_same) in [
            (one, one, true),
            (one, late, false),
            (one, other, false),
            (one.short(), one, true),
            (one, late.short(), true),
            (one.short(), late.short(), true),
            (one.short(), other, false),
        ] {
            assert_eq!((a.agrees_with(b), b.agrees_with(a)), (is_same, is_same), "{a} and {b}");
        }
        assert_ne!(one, one.short(), "they are not written alike");
    }

    #[test]
    fn it_is_text_in_json_and_bytes_in_avro() {
        let digest = Digest::of(&Message("Post", "hi".to_owned(), 0));
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        let short = digest.short();
        let json = serde_json::to_string(&short).unwrap();
        assert_eq!(json.len(), 2 + 16);
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), short);
        for bad in ["\"\"", "\"zz\"", "\"0\"", "\"+1+1+1+1+1+1+1+1\"", "\"éééééééé\"", "7"] {
            assert!(serde_json::from_str::<Digest>(bad).is_err(), "{bad}");
        }
        let mut bytes = Vec::new();
        digest.write(&mut bytes);
        assert_eq!((bytes.len(), bytes[0]), (33, 64));
        assert_eq!(Digest::read(&mut Input::new(&bytes)), Ok(digest));
        let mut bytes = Vec::new();
        short.write(&mut bytes);
        assert_eq!((bytes.len(), bytes[0]), (9, 16));
        assert_eq!(Digest::read(&mut Input::new(&bytes)), Ok(short));
        assert!(Digest::read(&mut Input::new(&[2, 7])).is_err(), "too short");
    }
}
