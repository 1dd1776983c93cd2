//! What became of a command.

use serde::{Deserialize, Serialize};

use crate::avro::{BadDatum, Datum, Input};
use crate::avro_record;
use crate::codes::MISROUTED;
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

/// What the de-duplication window asks of an outcome: read without making anything of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomeHead {
    /// As [`Outcome::duplicate`].
    pub duplicate: bool,
    /// Whether the command was refused as it had come to the wrong partition.
    pub is_misrouted: bool,
    /// As [`Outcome::recorded_at`].
    pub recorded_at: i64,
}

impl OutcomeHead {
    /// Takes an [`Outcome`] from the front of `input`.
    ///
    /// # Errors
    /// [`BadDatum`] when the bytes are none.
    pub fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        input.text()?;
        Status::read(input)?;
        let duplicate = bool::read(input)?;
        input.items(|position| {
            position.text()?;
            i32::read(position)?;
            i64::read(position).map(drop)
        })?;
        input.items(|version| {
            version.text()?;
            i64::read(version).map(drop)
        })?;
        let mut is_misrouted = false;
        input.items(|violation| {
            is_misrouted |= violation.text()? == MISROUTED;
            violation.text()?;
            Option::<String>::read(violation).map(drop)
        })?;
        Ok(Self { duplicate, is_misrouted, recorded_at: i64::read(input)? })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_an_outcome_is_what_the_whole_says() {
        let violation = |code: &str, field: Option<&str>| Violation {
            code: code.to_owned(),
            message: "no".to_owned(),
            field: field.map(str::to_owned),
        };
        for (duplicate, codes) in [(false, &[][..]), (true, &["NotFound", MISROUTED]), (false, &["NotFound"])]
        {
            let outcome = Outcome {
                command_id: "c1".to_owned(),
                status: Status::Rejected,
                duplicate,
                positions: vec![Position { topic: "commands".to_owned(), partition: 3, offset: 1 << 40 }; 2],
                versions: vec![Version { aggregate_id: "User/ann".to_owned(), version: 7 }],
                violations: codes.iter().map(|code| violation(code, Some("field"))).collect(),
                recorded_at: 1_700_000_000_000_000,
            };
            let mut bytes = Vec::new();
            outcome.write(&mut bytes);
            let mut input = Input::new(&bytes);
            let head = OutcomeHead::read(&mut input).unwrap();
            assert_eq!(input.left(), 0, "all of it is read");
            let is_misrouted = codes.contains(&MISROUTED);
            assert_eq!(head, OutcomeHead { duplicate, is_misrouted, recorded_at: outcome.recorded_at });
            for length in 0..bytes.len() {
                assert!(OutcomeHead::read(&mut Input::new(&bytes[..length])).is_err(), "cut off at {length}");
            }
        }
    }
}
