//! What is wrong with a message.

use std::error::Error;
use std::fmt;

/// What was read or is to be written is not what the schema says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadMessage {
    /// The field, such as `data.content`; empty: the message as a whole.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl BadMessage {
    /// Of a field.
    pub fn at(field: &str, reason: impl Into<String>) -> Self {
        Self { field: field.to_owned(), reason: reason.into() }
    }

    /// The same, of a field that stands in `name`.
    #[must_use]
    pub fn within(mut self, name: &str) -> Self {
        self.field = match (name, self.field.as_str()) {
            ("", inner) => inner.to_owned(),
            (name, "") => name.to_owned(),
            (name, inner) => format!("{name}.{inner}"),
        };
        self
    }
}

impl fmt::Display for BadMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.reason),
            field => write!(f, "{field}: {}", self.reason),
        }
    }
}

impl Error for BadMessage {}
