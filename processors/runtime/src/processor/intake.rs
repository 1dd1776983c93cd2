//! What arrives, told apart: messages to decide, and records for the dead topic.

use bytes::Bytes;
use millrace_kernel::{Addressed, AggregateId, Command, Domain, Metadata, Step, id};
use millrace_ports::Record;
use millrace_wire::{DecodeFailure, Unknown};

use super::codecs::Codecs;
pub use crate::dead::headers as dead_headers;

/// Longest value of a header that is carried on, in bytes: it is copied to all that follows.
const MAX_CARRIED_LENGTH: usize = 512;
/// Headers that travel from a command to all that follows from it.
const CARRIED_HEADERS: [&str; 2] = ["traceparent", "tracestate"];

/// A batch of commands that cannot be decompressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The offset of its first record that was not decided.
    pub first: i64,
    /// What the client said.
    pub why: String,
}

/// A record of the commands or steps topic, understood.
pub enum Intake<D: Domain> {
    /// A command to decide, and the aggregate it goes to.
    Command(Box<Command<D::Command>>, AggregateId),
    /// A step to decide.
    Step(Box<Step<D::Step>>),
    /// A command of a type that this build does not know.
    Unknown(Box<Unknown>),
    /// A batch of commands that cannot be decompressed, in the place of its last record.
    Gap(Gap),
    /// The registry does not know its schema yet; if it stays so, it is dead.
    NotYet {
        /// The schema's id.
        schema: u32,
        /// What the registry said.
        why: String,
    },
    /// Nothing that could be answered, and why.
    Dead(String),
}

impl<D: Domain> Intake<D> {
    /// The metadata of a command, if it can be read.
    #[must_use]
    pub fn metadata(&self) -> Option<&Metadata> {
        match self {
            Self::Command(command, _) => Some(&command.metadata),
            Self::Unknown(unknown) => Some(&unknown.metadata),
            Self::Step(_) | Self::Gap(_) | Self::NotYet { .. } | Self::Dead(_) => None,
        }
    }
}

/// Reads a record of the commands topic or, with `is_step`, of the steps topic. The registry is not asked; whoever
/// decides asks for the schemas of many records together.
pub fn read<D: Domain>(codecs: &Codecs<D>, record: &Record, is_step: bool) -> Intake<D> {
    let Some(value) = record.value.as_deref() else {
        return Intake::Dead("a tombstone: a record without a value asks for nothing".to_owned());
    };
    if is_step {
        let Some(steps) = &codecs.steps else {
            return Intake::Dead("a step, in a domain that has none".to_owned());
        };
        return match steps.decode_known(value) {
            Ok(step) => Intake::Step(Box::new(step)),
            Err(DecodeFailure::NotYet { id, why }) => Intake::NotYet { schema: id, why },
            Err(other) => Intake::Dead(other.to_string()),
        };
    }
    let intake = match codecs.commands.decode_known(value) {
        Ok(command) => {
            let target = command.data.aggregate_id();
            Intake::Command(Box::new(command), target)
        }
        Err(DecodeFailure::UnknownType(unknown)) => Intake::Unknown(unknown),
        Err(DecodeFailure::NotYet { id, why }) => Intake::NotYet { schema: id, why },
        Err(other) => Intake::Dead(other.to_string()),
    };
    let command_id = match &intake {
        Intake::Command(command, _) => &command.id,
        Intake::Unknown(unknown) => &unknown.id,
        _ => return intake,
    };
    if id::is_valid(command_id) {
        return intake;
    }
    let shown: String = command_id.chars().take(80).collect();
    Intake::Dead(format!("the command's id {shown:?} ({} bytes) is none: {}", command_id.len(), id::ID_RULE))
}

/// The headers of `record` that all that follows from it carries on.
pub fn carried(record: &Record) -> Vec<(String, Bytes)> {
    let is_carried = |(name, value): &&(String, Bytes)| {
        CARRIED_HEADERS.contains(&name.as_str()) && value.len() <= MAX_CARRIED_LENGTH
    };
    record.headers.iter().filter(is_carried).cloned().collect()
}
