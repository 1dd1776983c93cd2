//! Which topics the members of a group subscribe to, as far as their metadata says.

use std::collections::HashSet;

use bytes::Buf as _;

use super::group::{Group, GroupState};

/// What the protocol of consumers is called; others may put anything into their metadata.
const CONSUMER: &str = "consumer";

/// What is known of a group's subscriptions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Subscriptions {
    /// Nobody uses the group.
    None,
    /// These topics.
    Topics(HashSet<String>),
    /// It is one of consumers, and a member's metadata cannot be read: any topic.
    Any,
    /// It is no group of consumers.
    Foreign,
}

impl Group {
    /// The topics that a member subscribes to.
    pub fn subscriptions(&self) -> Subscriptions {
        if self.state == GroupState::Empty && self.members.is_empty() {
            return Subscriptions::None;
        }
        if self.protocol_type != CONSUMER {
            return Subscriptions::Foreign;
        }
        let mut topics = HashSet::new();
        for member in self.members.values() {
            // While a group votes there is no protocol: then each that a member offers counts.
            let offered = member
                .protocols
                .iter()
                .filter(|(name, _)| self.protocol.as_ref().is_none_or(|protocol| protocol == name));
            for (_, metadata) in offered {
                match topics_of(metadata) {
                    Some(of_member) => topics.extend(of_member),
                    None => return Subscriptions::Any,
                }
            }
        }
        Subscriptions::Topics(topics)
    }
}

/// The topics in a consumer's metadata: a version, then an array of texts; what follows differs by version.
fn topics_of(metadata: &[u8]) -> Option<Vec<String>> {
    let mut rest = metadata;
    if rest.len() < 6 {
        return None;
    }
    rest.advance(2);
    let count = usize::try_from(rest.get_i32()).ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        if rest.len() < 2 {
            return None;
        }
        let length = usize::try_from(rest.get_i16()).ok()?;
        let name = rest.get(..length)?;
        topics.push(String::from_utf8(name.to_vec()).ok()?);
        rest.advance(length);
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::topics_of;

    #[test]
    fn metadata_of_any_version_and_garbage() {
        let two = b"\0\x03\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(topics_of(two), Some(vec!["a".to_owned(), "bc".to_owned()]));
        assert_eq!(topics_of(b"\0\0\0\0\0\0"), Some(Vec::new()));
        let bad: [&[u8]; 5] =
            [b"", b"\0\0\0\0", b"\0\0\x7f\xff\xff\xff", b"\0\0\xff\xff\xff\xff", b"\0\0\0\0\0\x01\0\x05a"];
        for metadata in bad {
            assert_eq!(topics_of(metadata), None, "{metadata:?}");
        }
    }
}
