//! What became of a command.

use serde::{Deserialize, Serialize};

use crate::avro::{BadDatum, Datum, Input};
use crate::avro_record;
use crate::codes::MISROUTED;
use crate::digest::Digest;
use crate::inline::Text;
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
    pub topic: Text,
    /// Its partition, which is the events' partition too.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// How many times the domain had been given another number of partitions: 0 until it is.
    #[serde(default)]
    pub epoch: i32,
}

/// The version an aggregate has reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// `<Aggregate>/<id>`.
    pub aggregate_id: Text,
    /// The version of its newest event.
    pub version: i64,
}

/// One per command, in the outcomes topic, keyed by the command's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The command that is answered.
    pub command_id: Text,
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
    /// The message name of the command, if it is known.
    #[serde(default)]
    pub command_type: Option<Text>,
    /// What being rejected is called in the business, where the command's schema names it.
    #[serde(default)]
    pub failure: Option<Text>,
    /// Of the command that was decided first under this id: whoever sees one that does not
    /// [agree](Digest::agrees_with) with that of their own has used an id that was used for other content. A repeated
    /// answer may have its first bytes alone. Unknown where the first command was not read, or was forgotten.
    #[serde(default)]
    pub digest: Option<Digest>,
}

impl Outcome {
    /// Whether this is what `first` says, given again.
    #[must_use]
    pub fn is_again(&self, first: &Self) -> bool {
        let agrees = match (self.digest, first.digest) {
            (Some(digest), Some(first)) => digest.agrees_with(first),
            (digest, first) => digest == first,
        };
        agrees && *self == Self { duplicate: true, digest: self.digest, ..first.clone() }
    }
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
    /// Whether it ends with a whole digest.
    pub has_whole_digest: bool,
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
            i64::read(position)?;
            i32::read(position).map(drop)
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
        let recorded_at = i64::read(input)?;
        for _ in ["command_type", "failure"] {
            match input.index()? {
                0 => {}
                1 => {
                    input.text()?;
                }
                _ => return Err(input.bad("a branch that a nullable text has not")),
            }
        }
        let digest = Option::<Digest>::read(input)?;
        let has_whole_digest = digest.is_some_and(|digest| digest.as_bytes().len() == Digest::LENGTH);
        Ok(Self { duplicate, is_misrouted, recorded_at, has_whole_digest })
    }
}

avro_record!(Position { topic, partition, offset, epoch });
avro_record!(Version { aggregate_id, version });
avro_record!(Outcome {
    command_id,
    status,
    duplicate,
    positions,
    versions,
    violations,
    recorded_at,
    command_type,
    failure,
    digest,
});

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
        let position = Position { topic: "commands".into(), partition: 3, offset: 1 << 40, epoch: 9 };
        let digest = Digest::from_bytes(&[7; 32]);
        let cases = [
            (false, &[][..], digest),
            (true, &["NotFound", MISROUTED], None),
            (false, &["NotFound"], digest.map(Digest::short)),
        ];
        for (duplicate, codes, digest) in cases {
            let outcome = Outcome {
                command_id: "c1".into(),
                status: Status::Rejected,
                duplicate,
                positions: vec![position.clone(); 2],
                versions: vec![Version { aggregate_id: "User/ann".into(), version: 7 }],
                violations: codes.iter().map(|code| violation(code, Some("field"))).collect(),
                recorded_at: 1_700_000_000_000_000,
                command_type: Some("PostChirp".into()),
                failure: duplicate.then(|| "PostFailed".into()),
                digest,
            };
            let has_whole_digest = codes.is_empty();
            let mut bytes = Vec::new();
            outcome.write(&mut bytes);
            let mut input = Input::new(&bytes);
            let head = OutcomeHead::read(&mut input).unwrap();
            assert_eq!(input.left(), 0, "all of it is read");
            let is_misrouted = codes.contains(&MISROUTED);
            let recorded_at = outcome.recorded_at;
            assert_eq!(head, OutcomeHead { duplicate, is_misrouted, recorded_at, has_whole_digest });
            for length in 0..bytes.len() {
                assert!(OutcomeHead::read(&mut Input::new(&bytes[..length])).is_err(), "cut off at {length}");
            }
        }
    }

    #[test]
    fn an_answer_given_again_may_know_less_of_its_command() {
        let first = Outcome {
            command_id: "c1".into(),
            status: Status::Accepted,
            duplicate: false,
            positions: Vec::new(),
            versions: Vec::new(),
            violations: Vec::new(),
            recorded_at: 7,
            command_type: Some("PostChirp".into()),
            failure: None,
            digest: Digest::from_bytes(&[7; 32]),
        };
        let again = |digest| Outcome { duplicate: true, digest, ..first.clone() };
        assert!(again(first.digest).is_again(&first));
        assert!(again(first.digest.map(Digest::short)).is_again(&first));
        assert!(!again(None).is_again(&first));
        assert!(!again(Digest::from_bytes(&[8; 8])).is_again(&first));
        assert!(!first.is_again(&first), "it does not say that it is one");
        assert!(!Outcome { recorded_at: 8, ..again(first.digest) }.is_again(&first));
    }

    /// The bytes an earlier build wrote have none of the fields behind `recorded_at`, and are not read as they stand:
    /// the codec resolves them first. What was printed as JSON is read as it stands.
    #[test]
    fn json_of_an_earlier_build_is_read() {
        let text = r#"{"command_id": "c1", "status": "accepted", "duplicate": false,
            "positions": [{"topic": "t", "partition": 3, "offset": 9}], "versions": [], "violations": [], "recorded_at": 7}"#;
        let outcome: Outcome = serde_json::from_str(text).unwrap();
        assert_eq!((outcome.positions[0].epoch, outcome.recorded_at), (0, 7));
        assert_eq!((outcome.command_type, outcome.failure, outcome.digest), (None, None, None));
    }
}
