//! Aggregates: their ids, and what a decision may see of them.

use std::fmt;
use std::sync::Arc;

use crate::published::Published;

/// `<Aggregate>/<id>`, the parts of a compound id joined with `/`.
///
/// The first part of the id is the routing key of everything that concerns the aggregate:
/// `Chirp/<author>/<chirp>` lives where commands keyed `<author>` are decided. So a
/// decision's reach can be checked by looking at the id alone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AggregateId(Arc<str>);

impl AggregateId {
    /// The id of a `kind` of aggregate, from the parts of its own id.
    #[must_use]
    pub fn new(kind: &str, parts: &[&str]) -> Self {
        const ROOM: usize = 256;
        let length = kind.len() + parts.iter().map(|part| part.len() + 1).sum::<usize>();
        if length > ROOM {
            return Self(format!("{kind}/{}", parts.join("/")).into());
        }
        // ids are made by the million: built on the stack, so that one allocation remains
        let mut room = [0_u8; ROOM];
        let mut end = kind.len();
        room[..end].copy_from_slice(kind.as_bytes());
        for part in parts {
            room[end] = b'/';
            room[end + 1..end + 1 + part.len()].copy_from_slice(part.as_bytes());
            end += 1 + part.len();
        }
        Self(std::str::from_utf8(&room[..end]).expect("whole texts, joined").into())
    }

    /// Reads `<Aggregate>/<part>[/<part>…]`; `None` when a part is empty or missing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = 0;
        for part in text.split('/') {
            if part.is_empty() {
                return None;
            }
            parts += 1;
        }
        (parts >= 2).then(|| Self(text.into()))
    }

    /// The kind of aggregate: what stands before the first `/`.
    #[must_use]
    pub fn kind(&self) -> &str {
        before_slash(&self.0)
    }

    /// The routing key: what stands between the first and the second `/`.
    #[must_use]
    pub fn routing_key(&self) -> &str {
        routing_key(&self.0)
    }

    /// The whole id as it stands in keys and records.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn shared(&self) -> &Arc<str> {
        &self.0
    }
}

impl fmt::Display for AggregateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AggregateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AggregateId({})", self.0)
    }
}

/// A kind of aggregate as fields and topics are named after it: `FollowRelationship` → `follow_relationship`.
#[must_use]
pub fn snake_case(kind: &str) -> String {
    let mut text = String::with_capacity(kind.len() + 4);
    for (index, letter) in kind.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// The routing key in the text of an aggregate id: what stands between the first and the second `/`.
#[must_use]
pub fn routing_key(aggregate_id: &str) -> &str {
    let kind = before_slash(aggregate_id);
    aggregate_id.get(kind.len() + 1..).map_or("", before_slash)
}

/// What stands before the first `/`, or all of it. Byte by byte: ids are short, and searches that are made for
/// long texts take longer to begin.
fn before_slash(text: &str) -> &str {
    let end = text.bytes().position(|byte| byte == b'/').unwrap_or(text.len());
    &text[..end]
}

/// What a decision sees: the aggregates that share its routing key, with the effects of
/// every earlier message, and the lookup tables that its domain declares.
pub trait StateReader {
    /// The domain's state of any aggregate.
    type State;

    /// The state of an aggregate that has the routing key of the message being decided;
    /// `None` when it does not exist. Asking for another routing key is a bug in the domain
    /// (the answer would depend on the number of partitions) and fails the decision.
    fn get(&self, id: &AggregateId) -> Option<Arc<Self::State>>;

    /// Whether an aggregate of any partition exists, by its lookup table: all that was
    /// committed when the message arrived, and possibly more. The kind of `id` must be one
    /// of the domain's declared lookups.
    fn exists(&self, id: &AggregateId) -> bool;

    /// Whether an aggregate of another domain exists, known as surely as in [`StateReader::exists`]. `parts` are those of its
    /// id; `of` must be one of [`Domain::LOOKUPS_ELSEWHERE`](crate::Domain::LOOKUPS_ELSEWHERE).
    fn exists_elsewhere(&self, of: Published, parts: &[&str]) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_id() {
        let id = AggregateId::new("Chirp", &["alice", "c1"]);
        assert_eq!(id.as_str(), "Chirp/alice/c1");
        assert_eq!((id.kind(), id.routing_key()), ("Chirp", "alice"));
        assert_eq!(AggregateId::parse("Chirp/alice/c1"), Some(id));
        for bad in ["", "Chirp", "Chirp/", "/alice", "Chirp//c1"] {
            assert_eq!(AggregateId::parse(bad), None, "{bad:?}");
        }
    }
}
