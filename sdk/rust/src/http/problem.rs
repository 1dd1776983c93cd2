//! What a gateway answers instead of what was asked for.

use std::error::Error;
use std::fmt;

use serde_json::Value;

const TYPE: &str = "urn:millrace:problem:";

/// What a gateway answered instead of what was asked for, or that none answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The status of HTTP; 0: nobody answered, or nothing that can be read.
    pub status: u16,
    /// The problem document (RFC 9457).
    pub document: Value,
}

impl Problem {
    pub(super) fn of(status: u16, document: Value) -> Self {
        // whoever stands in front of the gateway may have answered
        let document = if document.is_object() { document } else { Value::Object(Default::default()) };
        Self { status, document }
    }

    pub(super) fn unreached(base: &str, error: &dyn fmt::Display) -> Self {
        Self::of(0, serde_json::json!({"title": format!("{base} cannot be reached: {error}")}))
    }

    pub(super) fn unreadable(base: &str, error: &dyn fmt::Display) -> Self {
        let title = format!("{base} answered what cannot be read: {error}");
        Self::of(200, serde_json::json!({"title": title, "type": format!("{TYPE}unreadable")}))
    }

    /// The last part of its type, such as `unauthenticated`; empty where it has none.
    #[must_use]
    pub fn kind(&self) -> &str {
        let kind = self.document["type"].as_str().unwrap_or_default();
        kind.strip_prefix(TYPE).unwrap_or(kind)
    }

    /// Whether the same may be asked again, as nothing was said of it.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self.status, 0 | 429 | 500..) || matches!(self.kind(), "too-slow" | "no-outcome")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.document["detail"].as_str().or(self.document["title"].as_str());
        match said {
            Some(said) => f.write_str(said),
            None => write!(f, "it was answered with {}", self.status),
        }
    }
}

impl Error for Problem {}
