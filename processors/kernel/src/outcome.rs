//! What became of a command.

use serde::{Deserialize, Serialize};

use crate::avro::{BadDatum, Datum, Input};
use crate::avro_record;
use crate::rejection::Violation;

/// Accepted or rejected; nothing in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Every rule held; the events are committed.
    Accepted,
    /// At least one rule did not hold; see the violations.
    Rejected,
}

/// A place in the log up to which a reader must have come to see an effect.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The topic of the command or step that caused the events.
    pub topic: String,
    /// Its partition, which is the events' partition too.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

/// The version an aggregate has reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// `<Aggregate>/<id>`.
    pub aggregate_id: String,
    /// The version of its newest event.
    pub version: i64,
}

/// One per command, in the outcomes topic, keyed by the command's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The command that is answered.
    pub command_id: String,
    /// Accepted or rejected.
    pub status: Status,
    /// Whether the id had been used before; then this repeats the first answer.
    pub duplicate: bool,
    /// For every partition written to, the command or step that caused the last event.
    pub positions: Vec<Position>,
    /// The newest version of every aggregate that changed.
    pub versions: Vec<Version>,
    /// Every rule that did not hold, in a fixed order; empty when accepted.
    pub violations: Vec<Violation>,
    /// When it was decided, in microseconds since the epoch.
    pub recorded_at: i64,
}

avro_record!(Position { topic, partition, offset });
avro_record!(Version { aggregate_id, version });
avro_record!(Outcome { command_id, status, duplicate, positions, versions, violations, recorded_at });

impl Datum for Status {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Accepted => 0,
            Self::Rejected => 2,
        });
    }

    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        match input.index()? {
            0 => Ok(Self::Accepted),
            1 => Ok(Self::Rejected),
            _ => Err(input.bad("a status that is none")),
        }
    }
}
