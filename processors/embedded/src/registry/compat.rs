//! Which schemas may follow which: Avro's rules of resolution, and the levels built on them.
//!
//! `apache-avro` has such a check, but it takes a type that is defined in one schema and named in the other for a
//! mismatch, does not look behind names at all, and ignores the aliases of types; a registry that refuses or admits
//! by it would differ from every other one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::pairs;
pub use super::pairs::{Steps, TooComplex};
use super::schema::AvroSchema;

/// What a new version of a subject must be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// Anything goes.
    None,
    /// Read what the latest version wrote.
    Backward,
    /// Read what every version wrote.
    BackwardTransitive,
    /// Write what the latest version reads.
    Forward,
    /// Write what every version reads.
    ForwardTransitive,
    /// Both, for the latest version.
    Full,
    /// Both, for every version.
    FullTransitive,
}

impl Level {
    const NAMES: [(Level, &'static str); 7] = [
        (Level::None, "NONE"),
        (Level::Backward, "BACKWARD"),
        (Level::BackwardTransitive, "BACKWARD_TRANSITIVE"),
        (Level::Forward, "FORWARD"),
        (Level::ForwardTransitive, "FORWARD_TRANSITIVE"),
        (Level::Full, "FULL"),
        (Level::FullTransitive, "FULL_TRANSITIVE"),
    ];

    /// Whether all earlier versions count, or the latest only.
    pub fn is_transitive(self) -> bool {
        matches!(self, Level::BackwardTransitive | Level::ForwardTransitive | Level::FullTransitive)
    }

    /// What keeps `new` from following `old`; nothing, if it may.
    ///
    /// # Errors
    /// The comparison takes more than the steps that are left.
    pub fn problems(
        self,
        new: &AvroSchema,
        old: &AvroSchema,
        steps: &mut Steps,
    ) -> Result<Vec<String>, TooComplex> {
        let (new, old) = (new.graph(), old.graph());
        let mut problems = Vec::new();
        if self.is_backward() {
            problems.extend(label("BACKWARD", pairs::problems(new, old, steps)?));
        }
        if self.is_forward() {
            problems.extend(label("FORWARD", pairs::problems(old, new, steps)?));
        }
        Ok(problems)
    }

    fn is_backward(self) -> bool {
        matches!(self, Level::Backward | Level::BackwardTransitive | Level::Full | Level::FullTransitive)
    }

    fn is_forward(self) -> bool {
        matches!(self, Level::Forward | Level::ForwardTransitive | Level::Full | Level::FullTransitive)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(level, _)| level == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Level {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.to_ascii_uppercase();
        Self::NAMES.iter().find(|(_, name)| *name == text).map(|(level, _)| *level).ok_or(())
    }
}

fn label(direction: &str, problems: Vec<String>) -> impl Iterator<Item = String> {
    problems.into_iter().map(move |problem| format!("{direction}: {problem}"))
}

/// Why data written with `writer` cannot always be read with `reader`; empty if they can.
///
/// # Errors
/// The comparison takes more steps than a request may.
pub fn unreadable(reader: &AvroSchema, writer: &AvroSchema) -> Result<Vec<String>, TooComplex> {
    pairs::problems(reader.graph(), writer.graph(), &mut Steps::default())
}
