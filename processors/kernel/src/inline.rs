//! Texts of messages without an allocation for each.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::aggregate::AggregateId;
use crate::avro::{BadDatum, Datum, Input, write_str};

/// How many bytes lie in the text itself.
const ROOM: usize = 38;

/// A text that does not change: what a generated type holds for an Avro string.
///
/// Up to 38 bytes lie in the value itself, so that ids, UUIDs of 36 characters among them, need no allocation, and a copy is
/// a copy of 40 bytes. A longer text is shared by its copies. Nothing of a record's buffer stays alive with it, so it may
/// be kept in states. For all else it is a `&str`.
#[derive(Clone)]
pub struct Text(Kept);

#[derive(Clone)]
enum Kept {
    /// So many of the bytes, which are UTF-8.
    Inside(u8, [u8; ROOM]),
    Shared(Arc<str>),
}

impl Text {
    /// The text.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // SAFETY: `of` alone makes this variant, from the first bytes of a `str` and their number, and nothing changes it.
            Kept::Inside(length, bytes) => unsafe {
                std::str::from_utf8_unchecked(&bytes[..usize::from(*length)])
            },
            Kept::Shared(text) => text,
        }
    }

    /// The text, if it is short enough to lie inside.
    #[inline]
    fn inside(text: &str) -> Option<Self> {
        let mut bytes = [0; ROOM];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self(Kept::Inside(text.len() as u8, bytes)))
    }
}

impl Default for Text {
    fn default() -> Self {
        Self(Kept::Inside(0, [0; ROOM]))
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// Alike in equality, order and hash.
impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&str> for Text {
    #[inline]
    fn from(text: &str) -> Self {
        Self::inside(text).unwrap_or_else(|| Self(Kept::Shared(text.into())))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Arc<str>> for Text {
    #[inline]
    fn from(text: &Arc<str>) -> Self {
        Self::inside(text).unwrap_or_else(|| Self(Kept::Shared(Arc::clone(text))))
    }
}

impl From<&AggregateId> for Text {
    #[inline]
    fn from(id: &AggregateId) -> Self {
        Self::from(id.shared())
    }
}

impl From<&Text> for Text {
    fn from(text: &Text) -> Self {
        text.clone()
    }
}

impl From<Text> for Arc<str> {
    fn from(text: Text) -> Self {
        match text.0 {
            Kept::Inside(..) => text.as_str().into(),
            Kept::Shared(text) => text,
        }
    }
}

impl From<&Text> for Arc<str> {
    fn from(text: &Text) -> Self {
        text.clone().into()
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.as_str().to_owned()
    }
}

impl From<&Text> for String {
    fn from(text: &Text) -> Self {
        text.as_str().to_owned()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for Text {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other)
    }
}

macro_rules! equal_to {
    ($($other:ty),*) => {
        $(
            impl PartialEq<$other> for Text {
                fn eq(&self, other: &$other) -> bool {
                    self.as_str() == AsRef::<str>::as_ref(other)
                }
            }

            impl PartialEq<Text> for $other {
                fn eq(&self, other: &Text) -> bool {
                    AsRef::<str>::as_ref(self) == other.as_str()
                }
            }
        )*
    };
}

equal_to!(str, &str, String);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;

        impl Visitor<'_> for Reading {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(text.into())
            }
        }

        deserializer.deserialize_str(Reading)
    }
}

impl Datum for Text {
    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        write_str(self, out);
    }

    #[inline]
    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        input.text().map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    fn texts() -> Vec<String> {
        let long = (0..=80).map(|length| "x".repeat(length));
        // of three and four bytes each, so that they end on either side of the room
        let wide = (0..=20).flat_map(|length| ["あ".repeat(length), "🐦".repeat(length)]);
        long.chain(wide).collect()
    }

    #[test]
    fn it_is_the_text_it_was_made_of_whatever_its_length() {
        for text in texts() {
            let made = Text::from(text.as_str());
            assert_eq!(made, text);
            assert_eq!(made.clone().to_string(), text);
            assert_eq!(format!("{made:?}{made:>50}"), format!("{text:?}{text:>50}"));
            assert_eq!(Arc::<str>::from(&made), Arc::from(text.as_str()));
            let is_inside = matches!(made.0, Kept::Inside(..));
            assert_eq!(is_inside, text.len() <= ROOM, "{} bytes", text.len());
        }
        assert_eq!(Text::default(), "");
        assert_eq!(size_of::<Text>(), 40);
        assert_eq!(size_of::<Option<Text>>(), 40, "a missing one takes no more");
    }

    #[test]
    fn it_stands_for_its_str_in_sets_and_orders() {
        let all: HashSet<Text> = texts().into_iter().map(Text::from).collect();
        let ordered: BTreeSet<Text> = texts().into_iter().map(Text::from).collect();
        let expected: BTreeSet<String> = texts().into_iter().collect();
        for text in texts() {
            assert!(all.contains(text.as_str()) && ordered.contains(text.as_str()));
        }
        assert!(ordered.iter().zip(&expected).all(|(found, expected)| found == expected));
    }

    #[test]
    fn it_is_a_string_in_json_and_avro() {
        for text in texts() {
            let made = Text::from(&text);
            let json = serde_json::to_string(&made).unwrap();
            assert_eq!(json, serde_json::to_string(&text).unwrap());
            assert_eq!(serde_json::from_str::<Text>(&json).unwrap(), text);
            let (mut one, mut other) = (Vec::new(), Vec::new());
            made.write(&mut one);
            text.write(&mut other);
            assert_eq!(one, other);
            assert_eq!(Text::read(&mut Input::new(&one)), Ok(made));
        }
        assert_eq!(serde_json::from_str::<Text>(r#""\u00e4\n""#).unwrap(), "ä\n", "escapes are read");
        assert!(serde_json::from_str::<Text>("7").is_err());
    }

    #[test]
    fn long_texts_are_shared_with_the_id_they_come_from() {
        let id = AggregateId::new("Account", &["0123456789012345678901234567890123456789"]);
        let text = Text::from(&id);
        let Kept::Shared(shared) = text.0 else { panic!("it does not fit inside") };
        assert!(Arc::ptr_eq(&shared, id.shared()));
    }
}
