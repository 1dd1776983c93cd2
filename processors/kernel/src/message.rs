//! Commands, steps and events: the envelopes around a domain's own data.
//!
//! The field order is the order of the Avro schemas; `wire` turns these values into bytes
//! and back without another representation in between.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::aggregate::AggregateId;
use crate::avro_record;
use crate::inline::Text;
use crate::outcome::{Position, Version};

/// A union branch that knows its record name: `RegisterUser`, `UserRegistered`.
pub trait Named {
    /// The record's name in the schema, which is the message's name everywhere.
    fn name(&self) -> &'static str;
}

/// A message that says where it belongs: `"aggregate"` in its schema.
pub trait Addressed {
    /// Of a command, the aggregate whose event it emits when it is accepted, of which `expected_version` speaks; of a step,
    /// the one it is sent to; of an event, the one it happened to.
    fn aggregate_id(&self) -> AggregateId;

    /// The first part of that aggregate's id, which names the partition: of a command, the record key it must have. It
    /// is the text exactly as it stands in the message, also when it breaks the rule for ids.
    fn routing_key(&self) -> Cow<'_, str>;
}

/// A union of commands that says what their rejections are called: `"failure"` in its schema.
pub trait Failing {
    /// What being rejected is called in the business, of the command of this name; `None` where it has no name.
    fn failure_of(command_type: &str) -> Option<&'static str>;
}

/// What travels with a message beside its data. All of it may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metadata {
    /// The trace this message belongs to.
    pub trace_id: Option<Text>,
    /// The acting user. Where it is given, a command that belongs to somebody must be theirs.
    pub user_id: Option<Text>,
    /// The conversation this message belongs to; the producer's own, carried along.
    pub correlation_id: Option<Text>,
    /// The id of the message that caused this one.
    pub causation_id: Option<Text>,
    /// When the producer issued it, in microseconds since the epoch.
    pub issued_at: Option<i64>,
    /// The version the aggregate must have; 0 = it must not exist.
    pub expected_version: Option<i64>,
}

/// What was asked, by anyone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command<T> {
    /// The command's id; a repeated one changes nothing and is answered as the first was.
    pub id: Text,
    /// Who, when, and on which expectation.
    pub metadata: Metadata,
    /// The domain's message.
    pub data: T,
}

/// What a process carries from step to step: whose it is and where it has written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessContext {
    /// The command that started the process and gets the outcome when it ends.
    pub command_id: Text,
    /// Per partition in which it wrote events, the command or step that caused the last.
    pub positions: Vec<Position>,
    /// The newest version of every aggregate it has changed.
    pub versions: Vec<Version>,
}

/// Which processor wrote a step, and in which order: what is delivered twice is known by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSource {
    /// The domain whose events asked for the step; `None` for the one that takes it.
    pub domain: Option<Text>,
    /// The partition whose processor wrote the step, or of the events that asked for it.
    pub partition: i32,
    /// Rises with every step of that partition, also across restarts: see [`StepSource::after`].
    pub sequence: i64,
}

impl StepSource {
    /// How many steps one event may ask for.
    pub const MAX_STEPS: usize = 1_000;

    /// The source of the `index`-th step that an event of `partition` asks for. `recorded_at` of
    /// the event, in microseconds since the epoch, rises within a partition whatever happens to
    /// its processor, so nothing else needs to be remembered to number steps. `index` must be less
    /// than [`StepSource::MAX_STEPS`]. Good until the year 2262.
    #[must_use]
    pub fn after(partition: i32, recorded_at: i64, index: usize) -> Self {
        let sequence = recorded_at.saturating_mul(Self::MAX_STEPS as i64).saturating_add(index as i64);
        Self { domain: None, partition, sequence }
    }
}

/// A follow-up command of a process. Only processors write these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step<T> {
    /// UUIDv5 of (process, step).
    pub id: Text,
    /// `causation_id` is the event that asked for the step, `issued_at` its `recorded_at`.
    pub metadata: Metadata,
    /// Who wrote it, and in which order.
    pub source: StepSource,
    /// The process this step belongs to, if it belongs to one: nobody waits for the end of what another domain's
    /// events set in motion.
    pub process: Option<ProcessContext>,
    /// The domain's message.
    pub data: T,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event<T> {
    /// UUIDv5 of (command or step id, index).
    pub id: Text,
    /// That of the command or step; `causation_id` is its id.
    pub metadata: Metadata,
    /// `<Aggregate>/<id>`.
    pub aggregate_id: Text,
    /// 1, 2, 3 … per aggregate, without gaps.
    pub version: i64,
    /// The command this happened for; of a process, the one that started it.
    pub command_id: Text,
    /// Offset of the command or step that caused it, in this event's partition.
    pub command_offset: i64,
    /// When it was recorded, in microseconds since the epoch; rises within a partition.
    pub recorded_at: i64,
    /// The domain's message.
    pub data: T,
}

impl<T> Event<T> {
    /// Whether a step caused this event rather than a command: then `command_offset` is
    /// one of the steps topic.
    #[must_use]
    pub fn is_caused_by_step(&self) -> bool {
        self.metadata.causation_id.as_deref().is_some_and(|cause| cause != self.command_id)
    }
}

/// The only time a decision knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// `metadata.issued_at`, else the record's timestamp; microseconds since the epoch.
    pub now: i64,
}

avro_record!(Metadata { trace_id, user_id, correlation_id, causation_id, issued_at, expected_version });
avro_record!(Command<T> { id, metadata, data });
avro_record!(ProcessContext { command_id, positions, versions });
avro_record!(StepSource { domain, partition, sequence });
avro_record!(Step<T> { id, metadata, source, process, data });
avro_record!(Event<T> { id, metadata, aggregate_id, version, command_id, command_offset, recorded_at, data });
