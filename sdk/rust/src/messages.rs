//! Commands, events and outcomes as a whole, as Avro and as JSON.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::envelope::{Metadata, Outcome};
use crate::{BadMessage, Input, Messages, Output, Record as _, Sink as _, Source, new_id, record_to_json};

/// A command: what somebody wants to happen. Whoever sends it again, as no outcome came, sends this very one again: then it is
/// decided once.
#[derive(Clone, Debug, PartialEq)]
pub struct Command<D> {
    /// New for each command.
    pub id: String,
    /// Who, when, and on which expectation.
    pub metadata: Metadata,
    /// What is asked.
    pub data: D,
}

impl<D> Command<D> {
    /// A command with a new id, issued now.
    #[must_use]
    pub fn new(data: impl Into<D>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let issued_at = i64::try_from(now.as_micros()).ok();
        Self { id: new_id(), metadata: Metadata { issued_at, ..Metadata::default() }, data: data.into() }
    }

    /// The same, and who acts.
    #[must_use]
    pub fn by(mut self, user_id: impl Into<String>) -> Self {
        self.metadata.user_id = Some(user_id.into());
        self
    }
}

/// An event: what has happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<D> {
    /// Its id.
    pub id: String,
    /// Who, and why.
    pub metadata: Metadata,
    /// The aggregate that it belongs to.
    pub aggregate_id: String,
    /// 1, 2, 3 … of the aggregate, without gaps.
    pub version: i64,
    /// The command that caused it.
    pub command_id: String,
    /// The offset of the command or step that caused it.
    pub command_offset: i64,
    /// Microseconds since the epoch.
    pub recorded_at: i64,
    /// What it tells.
    pub data: D,
}

/// A command as Avro, without the frame.
#[must_use]
pub fn encode_command<D: Messages>(command: &Command<D>) -> Vec<u8> {
    let mut out = Output::default();
    out.text("id", &command.id);
    out.record("metadata", &command.metadata);
    write_data(&mut out, &command.data);
    out.into_bytes()
}

/// An event as Avro, without the frame: for tests, as none but processors write events.
#[must_use]
pub fn encode_event<D: Messages>(event: &Event<D>) -> Vec<u8> {
    let mut out = Output::default();
    out.text("id", &event.id);
    out.record("metadata", &event.metadata);
    out.text("aggregate_id", &event.aggregate_id);
    out.long("version", event.version);
    out.text("command_id", &event.command_id);
    out.long("command_offset", event.command_offset);
    out.long("recorded_at", event.recorded_at);
    write_data(&mut out, &event.data);
    out.into_bytes()
}

fn write_data<D: Messages>(out: &mut Output, data: &D) {
    out.count(data.branch());
    data.write(out);
}

/// The command that Avro without a frame holds.
///
/// # Errors
/// [`BadMessage`].
pub fn decode_command<D: Messages>(body: &[u8]) -> Result<Command<D>, BadMessage> {
    let mut input = Input::new(body);
    let command = command_envelope(&mut input)?;
    Ok(Command { id: command.id, metadata: command.metadata, data: read_data(&mut input)? })
}

/// What stands around the data of a command.
pub(crate) fn command_envelope(from: &mut impl Source) -> Result<Command<()>, BadMessage> {
    Ok(Command { id: from.text("id")?, metadata: from.record("metadata")?, data: () })
}

/// The event that Avro without a frame holds.
///
/// # Errors
/// [`BadMessage`].
pub fn decode_event<D: Messages>(body: &[u8]) -> Result<Event<D>, BadMessage> {
    let mut input = Input::new(body);
    let event = event_envelope(&mut input)?;
    let data = read_data(&mut input)?;
    Ok(with_data(event, data))
}

/// What stands around the data of an event.
pub(crate) fn event_envelope(from: &mut impl Source) -> Result<Event<()>, BadMessage> {
    Ok(Event {
        id: from.text("id")?,
        metadata: from.record("metadata")?,
        aggregate_id: from.text("aggregate_id")?,
        version: from.long("version")?,
        command_id: from.text("command_id")?,
        command_offset: from.long("command_offset")?,
        recorded_at: from.long("recorded_at")?,
        data: (),
    })
}

fn with_data<D>(event: Event<()>, data: D) -> Event<D> {
    let Event { id, metadata, aggregate_id, version, command_id, command_offset, recorded_at, data: () } =
        event;
    Event { id, metadata, aggregate_id, version, command_id, command_offset, recorded_at, data }
}

fn read_data<D: Messages>(input: &mut Input<'_>) -> Result<D, BadMessage> {
    let branch = input.index("data", D::NAMES.len())?;
    let data = D::read(branch, input)?;
    input.end()?;
    Ok(data)
}

/// An outcome as Avro, without the frame: for tests, as none but processors write outcomes.
#[must_use]
pub fn encode_outcome(outcome: &Outcome) -> Vec<u8> {
    let mut out = Output::default();
    outcome.write(&mut out);
    out.into_bytes()
}

/// The outcome that Avro without a frame holds.
///
/// # Errors
/// [`BadMessage`].
pub fn decode_outcome(body: &[u8]) -> Result<Outcome, BadMessage> {
    let mut input = Input::new(body);
    let outcome = Outcome::read(&mut input)?;
    input.end()?;
    Ok(outcome)
}

/// The body of a request to the gateway: `{"data": …, "metadata": …}`, without what is null.
#[must_use]
pub fn command_to_json<D: Messages>(command: &Command<D>) -> Value {
    let mut metadata = record_to_json(&command.metadata);
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.retain(|_, value| !value.is_null());
    }
    json!({ "data": crate::json::messages_to_json(&command.data), "metadata": metadata })
}

/// An outcome out of the gateway's JSON.
///
/// # Errors
/// [`BadMessage`].
pub fn outcome_from_json(value: &Value) -> Result<Outcome, BadMessage> {
    crate::record_from_json(value)
}
