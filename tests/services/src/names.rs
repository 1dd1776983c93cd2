//! Names that no other test uses, so that tests share servers without seeing each other.

use std::hash::{BuildHasher, Hasher, RandomState};

/// `<test>-<ten random letters and digits>`; what a Kafka topic or group cannot hold becomes `-`.
pub fn unique(test: &str) -> String {
    format!("{}-{}", cleaned(test, '-'), random())
}

/// A topic prefix for one test, ending in `.`: `feeds-k3x0w9q2ab.`
pub fn topic_prefix(test: &str) -> String {
    format!("{}.", unique(test))
}

/// A keyspace name for one test: CQL allows 48 letters, digits and `_`, beginning with a letter.
pub fn keyspace(test: &str) -> String {
    let mut name = format!("t_{}", cleaned(test, '_').to_ascii_lowercase());
    name.truncate(37);
    format!("{name}_{}", random())
}

fn cleaned(test: &str, replacement: char) -> String {
    test.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { replacement }).collect()
}

/// Ten characters out of the randomness the standard library seeds its hash maps with.
fn random() -> String {
    let mut bits = RandomState::new().build_hasher().finish();
    let mut text = String::new();
    for _ in 0..10 {
        let digit = (bits % 36) as u32;
        text.extend(char::from_digit(digit, 36));
        bits /= 36;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_differ() {
        let name = keyspace("A very long test name::with odd characters, and more of them");
        assert!(name.len() <= 48 && name.starts_with("t_a_very"), "{name}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
        assert_ne!(topic_prefix("x"), topic_prefix("x"));
        assert!(topic_prefix("a b").starts_with("a-b-") && topic_prefix("a b").ends_with('.'));
    }
}
