//! Ids of messages.

use sha1::{Digest as _, Sha1};
use uuid::Uuid;

/// The namespace of every id that is derived.
const NAMESPACE: &[u8; 16] = b"millrace-events1";

/// Whether a text is an id: 1 to 64 characters of `A-Z a-z 0-9 _ . : -`
#[must_use]
pub fn is_id(text: &str) -> bool {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(may_stand)
}

/// A new `UUIDv7`: it says when it was made, by which domains that never do a thing twice know how old a command is.
#[must_use]
pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// The id of the `index`-th event that a command or step of this id has caused.
#[must_use]
pub fn event_id(message_id: &str, index: usize) -> String {
    derived(&format!("{message_id}/event/{index}"))
}

/// The id of a step of a process, which is called like the command that began it.
#[must_use]
pub fn step_id(process: &str, step: &str) -> String {
    derived(&format!("{process}/step/{step}"))
}

fn derived(name: &str) -> String {
    let digest = Sha1::new_with_prefix(NAMESPACE).chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_sha1_bytes(bytes).into_uuid().to_string()
}
