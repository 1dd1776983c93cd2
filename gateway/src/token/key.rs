//! The header `Idempotency-Key`: the same key is the same command, wherever it is sent again.

use std::borrow::Cow;

use uuid::{Uuid, Version};

/// The header's name; an Internet-Draft (draft-ietf-httpapi-idempotency-key-header), no standard yet.
pub(crate) const HEADER: &str = "idempotency-key";
/// The longest key, in characters.
pub(crate) const LONGEST: usize = 255;

/// What a client calls its command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The key.
    pub(crate) text: String,
    /// Whether the gateway made it, as the client had none.
    pub(crate) is_made: bool,
}

impl Key {
    /// A key of our own for a command that has none.
    pub(crate) fn made() -> Self {
        Self { text: Uuid::now_v7().to_string(), is_made: true }
    }

    /// Reads the header's value: the key as it stands, or as the draft writes it, in quotation marks.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn read(value: &[u8]) -> Result<Self, &'static str> {
        let value = std::str::from_utf8(value).map_err(|_| "it is not written in ASCII")?.trim();
        let text = match value.strip_prefix('"') {
            None => Cow::Borrowed(value),
            Some(rest) => unquoted(rest).ok_or("the quotation mark at its beginning has none at the end")?,
        };
        let is_plain = |c: char| c.is_ascii_graphic() || c == ' ';
        match text.chars().count() {
            0 => Err("it is empty"),
            _ if matches!(&*text, "." | "..") => {
                Err("it cannot stand in an address, where it means a folder")
            }
            1..=LONGEST if text.chars().all(is_plain) => Ok(Self { text: text.into_owned(), is_made: false }),
            1..=LONGEST => Err("it has characters that are no letters, digits, signs or spaces of ASCII"),
            _ => Err("it is longer than 255 characters"),
        }
    }
}

/// What stands before the closing mark of a structured field's string.
fn unquoted(rest: &str) -> Option<Cow<'_, str>> {
    let mut text = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return characters.as_str().is_empty().then_some(Cow::Owned(text)),
            '\\' => text.push(characters.next().filter(|next| matches!(next, '"' | '\\'))?),
            other => text.push(other),
        }
    }
}

/// When a command was issued, in microseconds since the epoch, if its key is a UUIDv7.
pub(crate) fn issued_at(key: &str) -> Option<i64> {
    let uuid = Uuid::try_parse(key).ok().filter(|uuid| uuid.get_version() == Some(Version::SortRand))?;
    let (seconds, nanos) = uuid.get_timestamp()?.to_unix();
    i64::try_from(seconds).ok()?.checked_mul(1_000_000)?.checked_add(i64::from(nanos) / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_plain_and_quoted() {
        let read = |value: &str| Key::read(value.as_bytes()).map(|key| key.text);
        assert_eq!(read("order-1").unwrap(), "order-1");
        assert_eq!(read("  order 1 ").unwrap(), "order 1");
        assert_eq!(read(r#""order \"1\"""#).unwrap(), r#"order "1""#);
        for bad in [
            "",
            ".",
            "..",
            "\".\"",
            " .. ",
            "\"",
            "\"\"",
            "\"a",
            "\"a\"b",
            "\"a\\n\"",
            "ü",
            "a\u{7f}",
            &"x".repeat(256),
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        assert_eq!(read("...").unwrap(), "...");
        assert!(Key::read(&[0xff]).is_err());
    }

    #[test]
    fn only_a_uuid_of_version_7_has_a_time() {
        let made = Key::made();
        assert!(made.is_made);
        assert!(issued_at(&made.text).is_some_and(|time| time > 1_700_000_000_000_000));
        assert_eq!(issued_at("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), Some(1_645_557_742_000_000));
        assert_eq!(issued_at(&Uuid::new_v4().to_string()), None);
        assert_eq!(issued_at("order-1"), None);
    }
}
