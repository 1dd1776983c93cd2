//! What an id may look like, and the ids that are derived rather than chosen.

use sha1::{Digest, Sha1};
use uuid::Uuid;

use crate::inline::Text;

/// Longest id a message may carry, in bytes (ids are ASCII, so also in characters).
pub const MAX_ID_LENGTH: usize = 64;

/// The rule for every id, in words, for messages to people.
pub const ID_RULE: &str = "an id is 1 to 64 characters of A-Z a-z 0-9 _ . : -";

/// Whether `id` is 1–64 characters of `[A-Za-z0-9_.:-]`.
#[must_use]
pub fn is_valid(id: &str) -> bool {
    (1..=MAX_ID_LENGTH).contains(&id.len()) && id.bytes().all(|byte| MAY_STAND[usize::from(byte)])
}

/// Which bytes may stand in an id.
static MAY_STAND: [bool; 256] = {
    let mut may = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        may[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
        byte += 1;
    }
    may
};

/// The namespace of every UUIDv5 derived here, so that they collide with nobody else's.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d69_6c6c_7261_6365_2d65_7665_6e74_7331);

/// The id of the `index`-th event that the message `message_id` caused: UUIDv5 of
/// (message id, index), so a decision that is repeated names its events alike.
#[must_use]
pub fn event_id(message_id: &str, index: usize) -> Text {
    derived(&[message_id, "event", &index.to_string()])
}

/// The id of a step: UUIDv5 of (process, step). `process` is the id of the command that
/// started it; `step` is the message name, the routing key and how many came before.
#[must_use]
pub fn step_id(process: &str, step: &str) -> Text {
    derived(&[process, "step", step])
}

/// The id of a command that is sent again because its decision had failed every time: UUIDv5 of
/// (its first id, the place of the dead record), so that it repeats no other's.
#[must_use]
pub fn redriven_id(command_id: &str, dead_partition: i32, dead_offset: i64) -> Text {
    derived(&[command_id, "redriven", &dead_partition.to_string(), &dead_offset.to_string()])
}

/// A name for any bytes: their UUIDv5.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> Text {
    text_of(Sha1::new_with_prefix(NAMESPACE).chain_update(bytes))
}

fn derived(parts: &[&str]) -> Text {
    let mut name = Sha1::new_with_prefix(NAMESPACE);
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            // '/' may not occur in an id, so the joined name is unambiguous
            name.update(b"/");
        }
        name.update(part);
    }
    text_of(name)
}

/// RFC 9562, section 5.5: the first 16 bytes of the digest. Not by the `uuid` crate, whose SHA-1
/// leaves the processor's instructions for it unused and takes four times as long.
fn text_of(name: Sha1) -> Text {
    let digest = name.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    let id = uuid::Builder::from_sha1_bytes(bytes).into_uuid();
    Text::from(&*id.hyphenated().encode_lower(&mut [0; uuid::fmt::Hyphenated::LENGTH]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_to_the_rule() {
        for good in ["a", "A-z_0.9:x", &"x".repeat(64)] {
            assert!(is_valid(good), "{good} is an id");
        }
        for bad in ["", " ", "a b", "a/b", "ü", "a\n", &"x".repeat(65)] {
            assert!(!is_valid(bad), "{bad:?} is no id");
        }
    }

    #[test]
    fn derived_ids_are_names_in_our_namespace() {
        assert_eq!(event_id("c1", 12), Uuid::new_v5(&NAMESPACE, b"c1/event/12").to_string());
        assert_eq!(of_bytes(b"c1"), Uuid::new_v5(&NAMESPACE, b"c1").to_string());
    }

    #[test]
    fn derived_ids_repeat_and_differ() {
        assert_eq!(event_id("c1", 0), event_id("c1", 0));
        assert_ne!(event_id("c1", 0), event_id("c1", 1));
        assert_ne!(event_id("c1", 0), step_id("c1", "0"));
    }
}
