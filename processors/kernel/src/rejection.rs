//! A refused command: an answer with reasons, never an error.

use serde::{Deserialize, Serialize};

use crate::avro_record;

/// Machine-readable reasons shared by all domains. Append-only: a name is never changed
/// or used for something else.
pub mod codes {
    /// A value is malformed or not one this processor knows.
    pub const INVALID_ARGUMENT: &str = "InvalidArgument";
    /// The id is in use, also by something deleted.
    pub const ALREADY_EXISTS: &str = "AlreadyExists";
    /// There is no such thing.
    pub const NOT_FOUND: &str = "NotFound";
    /// It exists, but is deleted, closed, shipped …
    pub const INVALID_STATE: &str = "InvalidState";
    /// It belongs to somebody else.
    pub const NOT_PERMITTED: &str = "NotPermitted";
    /// `expected_version` is not the aggregate's.
    pub const VERSION_CONFLICT: &str = "VersionConflict";
    /// The record key is not the routing key, or the partition is not the key's.
    pub const MISROUTED: &str = "Misrouted";
    /// Something would grow beyond what can be stored.
    pub const LIMIT_REACHED: &str = "LimitReached";
    /// The decision fails every time; the command is in the dead topic.
    pub const POISONED: &str = "Poisoned";
    /// It waited behind a dead command of its key, and an operator has dropped it.
    pub const SKIPPED: &str = "Skipped";
    /// It was issued so long ago that it may be a command that was answered and forgotten since, in a
    /// domain that cannot afford to do a thing twice.
    pub const EXPIRED: &str = "Expired";
}

/// One rule that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The reason's name, from [`codes`] or the domain's own.
    pub code: String,
    /// What is wrong and what would be right, for a person.
    pub message: String,
    /// The field it is about, if it is about one.
    pub field: Option<String>,
}

impl Violation {
    /// A violation about `field`.
    pub fn on(code: &str, field: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), field: Some(field.to_owned()) }
    }

    /// A violation about the command as a whole.
    pub fn of(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), field: None }
    }
}

/// All violations of a command, in the order in which its rules are stated: `NotPermitted`
/// first, then by field in the schema's order. Never empty inside an `Err`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejections(Vec<Violation>);

impl Rejections {
    /// No violations yet.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// A refusal for one reason.
    #[must_use]
    pub fn one(violation: Violation) -> Self {
        Self(vec![violation])
    }

    /// Adds `violation` if the rule `holds` not. Returns `holds`, so that rules that need
    /// this one can be skipped.
    pub fn require(&mut self, holds: bool, violation: impl FnOnce() -> Violation) -> bool {
        if !holds {
            self.0.push(violation());
        }
        holds
    }

    /// Adds a violation.
    pub fn push(&mut self, violation: Violation) {
        self.0.push(violation);
    }

    /// `Ok(value())` when every rule held, else all that did not.
    ///
    /// # Errors
    /// The rejections gathered so far, when there are any.
    pub fn or<T>(self, value: impl FnOnce() -> T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value()) } else { Err(self) }
    }

    /// The violations in order.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.0
    }

    /// The violations in order.
    #[must_use]
    pub fn into_violations(self) -> Vec<Violation> {
        self.0
    }

    /// Whether nothing was violated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<Violation>> for Rejections {
    fn from(violations: Vec<Violation>) -> Self {
        Self(violations)
    }
}

avro_record!(Violation { code, message, field });
