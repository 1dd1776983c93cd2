//! Names for what is personal: equal for equal texts, and telling nothing of them to who has no key.
//!
//! A pseudonym is `<key id>.<base64url of HMAC-SHA-256>` (RFC 2104, RFC 4648 §5 without padding) over the domain, the
//! kind of aggregate and the text, parted by zero bytes, so that the same text has another name in every other place.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

use crate::inline::Text;

/// How many bytes a key has.
pub const KEY_LENGTH: usize = 32;
/// The word before the id of a key that was given up.
const RETIRED: &str = "retired";
/// The longest id of a key: with its dot and 43 characters of base64 a pseudonym is an id.
pub const MAX_KEY_ID_LENGTH: usize = 20;
/// How many keys may be valid at once: the newest, and the one that it replaces.
pub const MOST_KEYS: usize = 2;
/// How many bytes of a check value are kept: enough to tell another key, too few to be worth anything.
pub const CHECK_LENGTH: usize = 8;

/// A secret, and the name by which pseudonyms say that it made them.
#[derive(Clone, PartialEq, Eq)]
pub struct PseudonymKey {
    id: Text,
    secret: [u8; KEY_LENGTH],
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PseudonymKey({})", self.id)
    }
}

impl PseudonymKey {
    /// The key `id`.
    ///
    /// # Errors
    /// [`BadPseudonymKeys::Id`].
    pub fn new(id: &str, secret: [u8; KEY_LENGTH]) -> Result<Self, BadPseudonymKeys> {
        let may = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if id.is_empty() || id.len() > MAX_KEY_ID_LENGTH || !id.bytes().all(may) || id == RETIRED {
            return Err(BadPseudonymKeys::Id);
        }
        Ok(Self { id: id.into(), secret })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The line of a file of keys that says it. Whoever reads it can try out which texts have a pseudonym.
    #[must_use]
    pub fn to_line(&self) -> String {
        format!("{} {}", self.id, URL_SAFE_NO_PAD.encode(self.secret))
    }

    /// What tells this secret from another one under the same id, and nothing else.
    #[must_use]
    pub fn check(&self) -> [u8; CHECK_LENGTH] {
        let whole = self.sign(&["millrace", "check"]);
        let mut check = [0; CHECK_LENGTH];
        check.copy_from_slice(&whole[..CHECK_LENGTH]);
        check
    }

    fn name(&self, domain: &str, kind: &str, text: &str) -> Text {
        format!("{}.{}", self.id, URL_SAFE_NO_PAD.encode(self.sign(&[domain, kind, text]))).into()
    }

    /// Of all parts but the last none holds a zero byte: they are names of ours.
    fn sign(&self, parts: &[&str]) -> [u8; 32] {
        // keys of any length are taken, so this cannot fail
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).unwrap_or_else(|_| unreachable!());
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                mac.update(&[0]);
            }
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

/// The keys of a deployment: the valid ones, newest first, and the ids of those that were given up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PseudonymKeys {
    valid: Vec<PseudonymKey>,
    retired: BTreeSet<Text>,
}

impl PseudonymKeys {
    /// Keys that are valid, newest first.
    ///
    /// # Errors
    /// [`BadPseudonymKeys`].
    pub fn new(valid: Vec<PseudonymKey>, retired: BTreeSet<Text>) -> Result<Self, BadPseudonymKeys> {
        if valid.len() > MOST_KEYS {
            return Err(BadPseudonymKeys::TooMany { count: valid.len() });
        }
        let mut seen = retired.clone();
        for key in &valid {
            if !seen.insert(key.id.clone()) {
                return Err(BadPseudonymKeys::Twice { id: key.id.to_string() });
            }
        }
        Ok(Self { valid, retired })
    }

    /// Reads a file of keys: a line `ID SECRET` for each valid key, newest first, where the secret is 32 bytes in base64url;
    /// a line `retired ID` for each that was given up; lines that begin with `#` say nothing.
    ///
    /// # Errors
    /// [`BadPseudonymKeys`], which never shows a secret.
    pub fn parse(text: &str) -> Result<Self, BadPseudonymKeys> {
        let (mut valid, mut retired) = (Vec::new(), BTreeSet::new());
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bad = |why| BadPseudonymKeys::Line { line: index + 1, why };
            let mut words = line.split_whitespace();
            let (Some(first), Some(second), None) = (words.next(), words.next(), words.next()) else {
                return Err(bad("it is not `ID SECRET`, nor `retired ID`"));
            };
            if first == RETIRED {
                let key = PseudonymKey::new(second, [0; KEY_LENGTH])
                    .map_err(|_| bad("what is retired is no id of a key"))?;
                retired.insert(key.id);
                continue;
            }
            let secret = URL_SAFE_NO_PAD.decode(second.trim_end_matches('='));
            let secret = secret.map_err(|_| bad("its secret is not base64url"))?;
            let secret = secret.try_into().map_err(|_| bad("its secret does not have 32 bytes"))?;
            valid
                .push(PseudonymKey::new(first, secret).map_err(|_| bad("its first word is no id of a key"))?);
        }
        Self::new(valid, retired)
    }

    /// The valid keys, newest first.
    #[must_use]
    pub fn valid(&self) -> &[PseudonymKey] {
        &self.valid
    }

    /// Whether the key of this id was given up: what was named with it is not found any more.
    #[must_use]
    pub fn is_retired(&self, id: &str) -> bool {
        self.retired.contains(id)
    }

    /// The names that `text` has under each valid key, newest first, as an id of the `kind` of aggregate of `domain`.
    #[must_use]
    pub fn names(&self, domain: &str, kind: &str, text: &str) -> Vec<Text> {
        self.valid.iter().map(|key| key.name(domain, kind, text)).collect()
    }
}

/// Why keys of pseudonyms cannot be used. No secret is shown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadPseudonymKeys {
    /// A line says nothing that is known.
    #[error(
        "line {line} of the keys of pseudonyms: {why}; `millrace pseudonym-key ID` prints a line with a new key"
    )]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// An id that no key may have.
    #[error(
        "the id of a key of pseudonyms is 1 to {MAX_KEY_ID_LENGTH} lower-case letters, digits and hyphens, and not `{RETIRED}`; what was given is not shown, as it may be a secret"
    )]
    Id,
    /// More than one key to go and one to come.
    #[error(
        "{count} keys of pseudonyms are valid, and {MOST_KEYS} may be: the newest and the one that it replaces"
    )]
    TooMany {
        /// How many.
        count: usize,
    },
    /// Two keys have one id.
    #[error("the key of pseudonyms {id} is there twice")]
    Twice {
        /// The id.
        id: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id;

    fn key(id: &str, byte: u8) -> PseudonymKey {
        PseudonymKey::new(id, [byte; KEY_LENGTH]).expect("a key")
    }

    fn keys(valid: &[PseudonymKey]) -> PseudonymKeys {
        PseudonymKeys::new(valid.to_vec(), BTreeSet::new()).expect("keys")
    }

    #[test]
    fn a_name_is_an_id_and_says_which_key_made_it() {
        let names =
            keys(&[key("2026-b", 2), key("2026-a", 1)]).names("identity", "EmailClaim", "ann@example.org");
        assert_eq!(names.len(), 2);
        assert!(names[0].starts_with("2026-b.") && names[1].starts_with("2026-a."), "{names:?}");
        for name in &names {
            assert!(id::is_valid(name), "{name}");
            assert_eq!(name.len(), 6 + 1 + 43);
        }
        let longest = "k".repeat(MAX_KEY_ID_LENGTH);
        assert!(id::is_valid(&keys(&[key(&longest, 1)]).names("d", "K", "")[0]));
    }

    #[test]
    fn the_same_text_has_one_name_in_each_place_and_others_elsewhere() {
        let keys = keys(&[key("a", 1)]);
        let all = [
            keys.names("identity", "EmailClaim", "ann"),
            keys.names("identity", "EmailClaim", "anne"),
            keys.names("identity", "PhoneClaim", "ann"),
            keys.names("shop", "EmailClaim", "ann"),
            self::keys(&[key("a", 2)]).names("identity", "EmailClaim", "ann"),
        ];
        assert_eq!(all.iter().flatten().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(all[0], keys.names("identity", "EmailClaim", "ann"));
    }

    #[test]
    fn what_is_hashed_is_said_by_the_standard() {
        // python3: base64url(hmac(b"\x01" * 32, b"identity\0EmailClaim\0ann@example.org", sha256))
        let names = keys(&[key("a", 1)]).names("identity", "EmailClaim", "ann@example.org");
        assert_eq!(names, ["a.B0zc-Ae-NCEyIaOK-eXWOBItVmcqm5JtGhmahEYydC0"]);
    }

    #[test]
    fn a_file_says_what_is_valid_and_what_was_given_up() {
        let (new, old) = (key("new", 9), key("old", 8));
        let text = format!("# ours\n\n{}\n  {}=\nretired older\n", new.to_line(), old.to_line());
        let read = PseudonymKeys::parse(&text).expect("keys");
        assert_eq!(read.valid(), [new.clone(), old]);
        assert!(read.is_retired("older") && !read.is_retired("old"));
        assert!(PseudonymKeys::parse("").expect("none").valid().is_empty());
        let line = new.to_line();
        let cases = [
            ("new".to_owned(), "line 1 of the keys"),
            (format!("{line} more"), "line 1 of the keys"),
            (
                "# x\nnew c2hvcnQ".to_owned(),
                "line 2 of the keys of pseudonyms: its secret does not have 32 bytes",
            ),
            ("new !!!".to_owned(), "its secret is not base64url"),
            (line.replace("new", "New"), "line 1 of the keys of pseudonyms: its first word is no id"),
            ("retired a/b".to_owned(), "line 1 of the keys of pseudonyms: what is retired is no id"),
            // a slip: nobody else may learn it
            (format!("retired {}", &line[4..]), "what is retired is no id of a key"),
            (line.replace("new", "retired"), "what is retired is no id of a key"),
            (format!("{line}\n{line}"), "new is there twice"),
            (format!("{line}\nretired new"), "new is there twice"),
            (
                format!("{line}\n{}\n{}", key("b", 1).to_line(), key("c", 1).to_line()),
                "3 keys of pseudonyms are valid",
            ),
        ];
        for (text, part) in cases {
            let why = PseudonymKeys::parse(&text).expect_err(&text).to_string();
            assert!(why.contains(part), "{text}: {why}");
            assert!(!why.contains(&line[4..]), "{why} shows a secret");
        }
    }

    #[test]
    fn a_check_tells_keys_apart_and_nobody_prints_one() {
        assert_eq!(key("a", 1).check(), key("b", 1).check());
        assert_ne!(key("a", 1).check(), key("a", 2).check());
        assert_eq!(format!("{:?}", key("a", 1)), "PseudonymKey(a)");
    }
}
