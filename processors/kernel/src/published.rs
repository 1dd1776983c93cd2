//! Kinds of aggregates that a domain publishes, so that others can look them up.

use std::fmt;

/// A kind of aggregate that a domain publishes: one marked `"lookup": true` in its `state.avsc`. Written `identity.User`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Published {
    /// The domain.
    pub domain: &'static str,
    /// The kind of aggregate.
    pub kind: &'static str,
}

impl Published {
    /// The `kind` of aggregate of `domain`.
    #[must_use]
    pub const fn of(domain: &'static str, kind: &'static str) -> Self {
        Self { domain, kind }
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.domain, self.kind)
    }
}
