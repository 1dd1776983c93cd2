//! What arrives, told apart: messages to decide, and records for the dead topic.

use std::sync::Arc;

use bytes::Bytes;
use millrace_kernel::{Command, Domain, Step, id};
use millrace_ports::{Outgoing, Record};
use millrace_wire::{DecodeFailure, RegistryFault, Unknown};

use super::codecs::Codecs;
use crate::topology::Topology;

/// Headers of a record in the dead topic: why it is there and where it was.
pub mod dead_headers {
    /// Why nothing could be made of the record.
    pub const REASON: &str = "millrace-reason";
    /// The topic it came from.
    pub const TOPIC: &str = "millrace-topic";
    /// Its partition there.
    pub const PARTITION: &str = "millrace-partition";
    /// Its offset there.
    pub const OFFSET: &str = "millrace-offset";
    /// How many bytes the value had, where it was too long to be kept whole.
    pub const CUT: &str = "millrace-cut";
}

/// Longest value of a header that is carried on, in bytes: it is copied to all that follows.
const MAX_CARRIED_LENGTH: usize = 512;
/// How much of a record the dead topic has room for, in bytes, reason and place apart.
const MAX_BURIED_LENGTH: usize = 2_000_000;

/// Headers that travel from a command to all that follows from it.
const CARRIED_HEADERS: [&str; 2] = ["traceparent", "tracestate"];

/// A record of the commands or steps topic, understood.
pub enum Intake<D: Domain> {
    /// A command to decide.
    Command(Box<Command<D::Command>>),
    /// A step to decide.
    Step(Box<Step<D::Step>>),
    /// A command of a type that this build does not know.
    Unknown(Box<Unknown>),
    /// Nothing that could be answered, and why.
    Dead(String),
}

/// Reads a record of the commands topic or, with `is_step`, of the steps topic.
///
/// # Errors
/// Only when the registry does not answer; bad bytes are [`Intake::Dead`].
pub fn read<D: Domain>(
    codecs: &Codecs<D>,
    record: &Record,
    is_step: bool,
) -> Result<Intake<D>, RegistryFault> {
    let Some(value) = record.value.as_deref() else {
        return Ok(Intake::Dead("a tombstone: a record without a value asks for nothing".to_owned()));
    };
    if is_step {
        return match codecs.steps.decode(value) {
            Ok(step) => Ok(Intake::Step(Box::new(step))),
            Err(DecodeFailure::Registry(fault)) => Err(fault),
            Err(other) => Ok(Intake::Dead(other.to_string())),
        };
    }
    let intake = match codecs.commands.decode(value) {
        Ok(command) => Intake::Command(Box::new(command)),
        Err(DecodeFailure::UnknownType(unknown)) => Intake::Unknown(unknown),
        Err(DecodeFailure::Registry(fault)) => return Err(fault),
        Err(DecodeFailure::Unreadable(why)) => Intake::Dead(why),
    };
    let command_id = match &intake {
        Intake::Command(command) => &command.id,
        Intake::Unknown(unknown) => &unknown.id,
        _ => return Ok(intake),
    };
    if id::is_valid(command_id) {
        return Ok(intake);
    }
    let shown: String = command_id.chars().take(80).collect();
    Ok(Intake::Dead(format!(
        "the command's id {shown:?} ({} bytes) is none: {}",
        command_id.len(),
        id::ID_RULE
    )))
}

/// The record for the dead topic: as it came, with the reason and its place. What can only be
/// that long because it was compressed is cut: it must not block what comes behind it.
pub fn bury(names: &Topology, record: &Record, reason: &str) -> Outgoing {
    let of_headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let fits = |length: usize| length <= MAX_BURIED_LENGTH;
    let key = record.key.clone().filter(|key| fits(key.len()));
    let key_length = key.as_ref().map_or(0, Bytes::len);
    let mut headers = if fits(key_length + of_headers) { record.headers.clone() } else { Vec::new() };
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), Bytes::from(value)));
    add(dead_headers::REASON, reason.to_owned());
    add(dead_headers::TOPIC, record.topic.to_string());
    add(dead_headers::PARTITION, record.partition.to_string());
    add(dead_headers::OFFSET, record.offset.to_string());
    let mut value = record.value.clone();
    if let Some(whole) = &record.value
        && !fits(key_length + of_headers + whole.len())
    {
        add(dead_headers::CUT, whole.len().to_string());
        value = Some(whole.slice(..whole.len().min(MAX_BURIED_LENGTH / 2)));
    }
    Outgoing {
        topic: Arc::clone(&names.dead),
        partition: record.partition,
        key,
        value,
        timestamp_ms: record.timestamp_ms,
        headers,
    }
}

/// The headers of `record` that all that follows from it carries on.
pub fn carried(record: &Record) -> Vec<(String, Bytes)> {
    let is_carried = |(name, value): &&(String, Bytes)| {
        CARRIED_HEADERS.contains(&name.as_str()) && value.len() <= MAX_CARRIED_LENGTH
    };
    record.headers.iter().filter(is_carried).cloned().collect()
}
