//! The dead topic as an operator sees it: its records, and what was done with them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_kernel::{Command, Domain, Named, Step};
use millrace_ports::{Log, LogFault, Reader, Record, Start, TopicPartition};
use millrace_wire::codec::CodecError;
use millrace_wire::{Codec, DecodeFailure, Registry, RegistryFault};
use thiserror::Error;

use super::headers::{self, DeadKind, LinePlace, Mark};
use super::list::MOST_HELD;
use crate::topology::Topology;

/// Most records taken from the log at once.
pub(super) const READ_AT_ONCE: usize = 1_000;
/// How long the log may give nothing before its end is reached.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why nothing could be done with dead records. Whatever was said to be done before is done.
#[derive(Debug, Error)]
pub enum DeadError {
    /// The log does not answer, or somebody else is at work on the same records.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// The registry does not answer.
    #[error(transparent)]
    Registry(#[from] RegistryFault),
    /// The registry refuses the schemas.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The log has come to no end.
    #[error("{at} was not read to its end in time: a transaction is open there, or the log does not answer")]
    Stuck {
        /// Where.
        at: TopicPartition,
    },
    /// There is no such record.
    #[error("{topic}[{partition}] holds no dead record at offset {offset}")]
    NoSuchRecord {
        /// The dead topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
    },
    /// A record would overtake others of its key.
    #[error("{at} waits behind {before} of its key; name the key with --key to take all of them in order")]
    OutOfOrder {
        /// The record asked for.
        at: Place,
        /// The one that comes first.
        before: Place,
    },
    /// A record cannot be put back.
    #[error("{at} cannot be put back: {why}")]
    NotRedrivable {
        /// The record.
        at: Place,
        /// Why, and what can be done.
        why: String,
    },
}

/// A place in the dead topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Place {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the record of partition {} at offset {}", self.partition, self.offset)
    }
}

/// Which records are meant; all of them, as far as nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only those with this record key.
    pub key: Option<Vec<u8>>,
    /// Only the message with this id.
    pub id: Option<String>,
    /// Only those of this partition.
    pub partition: Option<i32>,
    /// Only the one at this offset.
    pub offset: Option<i64>,
}

impl Selection {
    /// Whether every record is meant.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn holds(&self, record: &DeadRecord) -> bool {
        let key = self.key.as_deref().is_none_or(|key| record.key.as_deref() == Some(key));
        let id = self.id.as_deref().is_none_or(|id| record.id.as_deref() == Some(id));
        let partition = self.partition.is_none_or(|partition| record.place.partition == partition);
        let offset = self.offset.is_none_or(|offset| record.place.offset == offset);
        key && id && partition && offset
    }
}

/// A record of the dead topic, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadRecord {
    /// Where it stands.
    pub place: Place,
    /// What kind it is.
    pub kind: DeadKind,
    /// Why it is there.
    pub reason: String,
    /// Its key, if it has one.
    pub key: Option<Bytes>,
    /// The id of the message, if that can be read.
    pub id: Option<String>,
    /// The message's name, if that can be read.
    pub message_type: Option<String>,
    /// Of a step: the command whose process waits for it.
    pub process: Option<String>,
    /// The topic it came from.
    pub topic: String,
    /// Its offset there; the partition is the same.
    pub source_offset: i64,
    /// The offset there of the last record it stands for, where it stands for a whole batch.
    pub source_last: Option<i64>,
    /// The record's own time, milliseconds since the epoch.
    pub time_ms: i64,
    /// Its place among the commands of its key that wait for each other.
    pub line: Option<LinePlace>,
    /// How many bytes it had, if it is not whole.
    pub cut: Option<u64>,
    /// What was done with it, and when, in milliseconds since the epoch.
    pub done: Option<(Mark, i64)>,
}

/// A record's value, read as far as it can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// The message.
    Message(serde_json::Value),
    /// Bytes that are none, and why.
    Bytes(Bytes, String),
    /// There is no value.
    Nothing,
}

/// A record of the dead topic with all that is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// What is known of it.
    pub record: DeadRecord,
    /// Its headers, the engine's among them.
    pub headers: Vec<(String, Bytes)>,
    /// Its value.
    pub content: Content,
}

/// The dead topic of a domain.
pub struct DeadTopic<D: Domain> {
    pub(super) log: Arc<dyn Log>,
    pub(super) names: Topology,
    pub(super) partitions: i32,
    codecs: Option<Codecs<D>>,
    away: Mutex<Option<RegistryFault>>,
    pub(super) patience: Duration,
    /// Most records that are held at once while they are gone through.
    pub(super) most_held: i64,
}

/// What reads the messages.
struct Codecs<D: Domain> {
    commands: Codec<Command<D::Command>>,
    steps: Option<Codec<Step<D::Step>>>,
}

impl<D: Domain> Codecs<D> {
    fn step(&self, value: &[u8]) -> Result<Step<D::Step>, DecodeFailure> {
        let none = || DecodeFailure::Unreadable("a step, in a domain that has none".to_owned());
        self.steps.as_ref().ok_or_else(none)?.decode(value)
    }

    fn register(registry: &Arc<dyn Registry>, names: &Topology) -> Result<Self, CodecError> {
        let subject = |topic: &str| Topology::subject(topic);
        Ok(Self {
            commands: Codec::register(Arc::clone(registry), &subject(&names.commands), D::SCHEMAS.commands)?,
            steps: D::SCHEMAS
                .steps
                .map(|steps| Codec::register(Arc::clone(registry), &subject(&names.steps), steps))
                .transpose()?,
        })
    }
}

/// What is read of messages where the registry is away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Messages {
    /// Everything, or nothing is done.
    Needed,
    /// As much as can be: whoever looks is shown what Kafka knows.
    IfPossible,
}

impl<D: Domain> DeadTopic<D> {
    /// The dead topic of the domain whose names begin with `prefix`.
    ///
    /// Where the registry is away, it can still be listed: see [`DeadTopic::registry_away`].
    ///
    /// # Errors
    /// [`DeadError`]: the topic does not exist, the log does not answer, or the registry refuses the schemas.
    pub fn open(log: Arc<dyn Log>, registry: &Arc<dyn Registry>, prefix: &str) -> Result<Self, DeadError> {
        let names = Topology::of::<D>(prefix);
        let partitions = log.partitions(&names.dead)?;
        let (codecs, away) = match Codecs::register(registry, &names) {
            Ok(codecs) => (Some(codecs), None),
            Err(CodecError::Registry(fault @ RegistryFault::Unavailable { .. })) => (None, Some(fault)),
            Err(refused) => return Err(refused.into()),
        };
        Ok(Self {
            log,
            names,
            partitions,
            codecs,
            away: Mutex::new(away),
            patience: PATIENCE,
            most_held: MOST_HELD,
        })
    }

    /// Why ids, types and processes of what was listed or shown may be missing: the registry, which explains the
    /// messages, did not answer. `None` where it did, or was not needed.
    #[must_use]
    pub fn registry_away(&self) -> Option<RegistryFault> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn codecs(&self) -> Result<&Codecs<D>, DeadError> {
        self.codecs.as_ref().ok_or_else(|| {
            let message = "it did not answer".to_owned();
            let unknown = RegistryFault::Unavailable { url: String::new(), message };
            DeadError::Registry(self.registry_away().unwrap_or(unknown))
        })
    }

    pub(super) fn commands(&self) -> Result<&Codec<Command<D::Command>>, DeadError> {
        Ok(&self.codecs()?.commands)
    }

    /// How long to wait for a log that gives nothing; 30 s unless told.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The name of the topic.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.names.dead
    }

    /// The record at `place` with its headers and its value.
    ///
    /// # Errors
    /// [`DeadError::NoSuchRecord`] and others.
    pub fn show(&self, place: Place) -> Result<Shown, DeadError> {
        let missing = || DeadError::NoSuchRecord {
            topic: self.names.dead.to_string(),
            partition: place.partition,
            offset: place.offset,
        };
        if !(0..self.partitions).contains(&place.partition) {
            return Err(missing());
        }
        let known = self.known_at(place)?.ok_or_else(missing)?;
        let record = Values::open(self, place.partition)?.at(place.offset)?.ok_or_else(missing)?;
        let content = match &record.value {
            None => Content::Nothing,
            Some(value) => self.content(known.kind, value)?,
        };
        Ok(Shown { record: known, headers: record.headers, content })
    }

    fn content(&self, kind: DeadKind, value: &Bytes) -> Result<Content, DeadError> {
        let bytes = |why: String| Content::Bytes(value.clone(), why);
        if let Some(fault) = self.registry_away() {
            return Ok(bytes(fault.to_string()));
        }
        let codecs = self.codecs()?;
        let message = match kind {
            DeadKind::Step => codecs.step(value).map(|step| serde_json::to_value(&step)),
            _ => codecs.commands.decode(value).map(|command| serde_json::to_value(&command)),
        };
        Ok(match message {
            Ok(Ok(json)) => Content::Message(json),
            Ok(Err(why)) => bytes(why.to_string()),
            Err(why) => bytes(why.to_string()),
        })
    }

    /// The records of some partitions with what was done with them.
    pub(super) fn read(&self, partitions: Range<i32>) -> Result<Vec<DeadRecord>, DeadError> {
        self.read_as(partitions, Messages::Needed)
    }

    pub(super) fn read_as(
        &self,
        partitions: Range<i32>,
        messages: Messages,
    ) -> Result<Vec<DeadRecord>, DeadError> {
        let (mut found, mut marks) = (Vec::new(), BTreeMap::new());
        self.each_record(&self.names.dead, partitions, &mut |record| {
            match headers::note(&record.headers) {
                Some((offset, mark)) => {
                    let place = Place { partition: record.partition, offset };
                    marks.insert(place, (mark, record.timestamp_ms));
                }
                None => found.push(self.known(record, messages)?),
            }
            Ok(())
        })?;
        found.sort_by_key(|record| record.place);
        for record in &mut found {
            record.done = marks.get(&record.place).copied();
        }
        Ok(found)
    }

    /// Reads what some partitions of a topic hold now.
    pub(super) fn each_record(
        &self,
        topic: &Arc<str>,
        partitions: Range<i32>,
        each: &mut dyn FnMut(&Record) -> Result<(), DeadError>,
    ) -> Result<(), DeadError> {
        let mut ends = BTreeMap::new();
        for partition in partitions {
            let at = TopicPartition::new(Arc::clone(topic), partition);
            ends.insert(at.clone(), self.log.high_watermark(&at)?);
        }
        let starts: Vec<_> = ends.keys().map(|at| (at.clone(), Start::Beginning)).collect();
        let mut reader = self.log.reader(&starts)?;
        let mut heard = Instant::now();
        loop {
            ends.retain(|at, end| reader.position(at) < *end);
            let Some(at) = ends.keys().next() else { return Ok(()) };
            let records = reader.poll(READ_AT_ONCE, Duration::from_millis(100))?;
            if !records.is_empty() {
                heard = Instant::now();
            } else if heard.elapsed() > self.patience {
                return Err(DeadError::Stuck { at: at.clone() });
            }
            records.iter().try_for_each(&mut *each)?;
        }
    }

    pub(super) fn known(&self, record: &Record, messages: Messages) -> Result<DeadRecord, DeadError> {
        let text = |name| headers::text(&record.headers, name);
        let topic = text(headers::TOPIC).unwrap_or_default().to_owned();
        let kind = text(headers::KIND).and_then(DeadKind::parse).unwrap_or(DeadKind::Unreadable);
        let mut known = DeadRecord {
            place: Place { partition: record.partition, offset: record.offset },
            kind,
            reason: text(headers::REASON).unwrap_or("no reason is given").to_owned(),
            key: record.key.clone(),
            id: None,
            message_type: None,
            process: None,
            topic,
            source_offset: text(headers::OFFSET).and_then(|offset| offset.parse().ok()).unwrap_or(-1),
            source_last: text(headers::LAST).and_then(|offset| offset.parse().ok()),
            time_ms: record.timestamp_ms,
            line: text(headers::LINE).and_then(LinePlace::parse),
            cut: text(headers::CUT).and_then(|length| length.parse().ok()),
            done: None,
        };
        // each question may take seconds: who did not answer once is not asked of the next
        if messages == Messages::IfPossible && self.registry_away().is_some() {
            return Ok(known);
        }
        match self.read_message(&mut known, record.value.as_ref()) {
            Err(DeadError::Registry(fault)) if messages == Messages::IfPossible => {
                *self.away.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
            }
            read => read?,
        }
        Ok(known)
    }

    fn read_message(&self, known: &mut DeadRecord, value: Option<&Bytes>) -> Result<(), DeadError> {
        let Some(value) = value else { return Ok(()) };
        let codecs = self.codecs()?;
        match known.kind {
            DeadKind::Step => match codecs.step(value) {
                Ok(step) => {
                    known.message_type = Some(step.data.name().to_owned());
                    known.process = step.process.map(|process| process.command_id).map(Into::into);
                    known.id = Some(step.id.to_string());
                }
                Err(DecodeFailure::Registry(fault)) => return Err(fault.into()),
                Err(_) => {}
            },
            _ => match codecs.commands.decode(value) {
                Ok(command) => {
                    known.message_type = Some(command.data.name().to_owned());
                    known.id = Some(command.id.to_string());
                }
                Err(DecodeFailure::UnknownType(unknown)) => known.id = Some(unknown.id.to_string()),
                Err(DecodeFailure::Registry(fault)) => return Err(fault.into()),
                Err(DecodeFailure::Unreadable(_) | DecodeFailure::NotYet { .. }) => {}
            },
        }
        Ok(())
    }
}

/// Reads single records of a partition of the dead topic.
pub(super) struct Values {
    reader: Box<dyn Reader>,
    at: TopicPartition,
    patience: Duration,
}

impl Values {
    pub(super) fn open<D: Domain>(topic: &DeadTopic<D>, partition: i32) -> Result<Self, DeadError> {
        let at = TopicPartition::new(Arc::clone(&topic.names.dead), partition);
        let reader = topic.log.reader(&[(at.clone(), Start::Beginning)])?;
        Ok(Self { reader, at, patience: topic.patience })
    }

    /// The record at `offset`; `None` when retention has taken it.
    pub(super) fn at(&mut self, offset: i64) -> Result<Option<Record>, DeadError> {
        self.reader.seek(&self.at, offset)?;
        let asked = Instant::now();
        loop {
            match self.reader.poll(1, Duration::from_millis(100)) {
                Ok(records) => match records.into_iter().next() {
                    Some(record) => return Ok((record.offset == offset).then_some(record)),
                    None if self.reader.position(&self.at) > offset => return Ok(None),
                    None if asked.elapsed() > self.patience => {
                        return Err(DeadError::Stuck { at: self.at.clone() });
                    }
                    None => {}
                },
                Err(LogFault::OutOfRange { .. }) => return Ok(None),
                Err(fault) => return Err(fault.into()),
            }
        }
    }
}

/// Those that nothing was done with yet, by place.
pub(super) fn waiting(records: Vec<DeadRecord>) -> Vec<DeadRecord> {
    records.into_iter().filter(|record| record.done.is_none()).collect()
}

/// The records that are meant in the order in which they must be taken: by offset, and those of a
/// line together, by number.
///
/// # Errors
/// [`DeadError::OutOfOrder`] when one waits behind another that is not meant.
pub(super) fn in_order(waiting: &[DeadRecord], selection: &Selection) -> Result<Vec<DeadRecord>, DeadError> {
    let mut lines: BTreeMap<(i32, i64), Vec<&DeadRecord>> = BTreeMap::new();
    for record in waiting {
        if let Some(place) = record.line {
            lines.entry((record.place.partition, place.line)).or_default().push(record);
        }
    }
    for line in lines.values_mut() {
        line.sort_by_key(|record| record.line.map(|place| place.number));
    }
    let mut taken = BTreeSet::new();
    let mut order = Vec::new();
    for record in waiting.iter().filter(|record| selection.holds(record)) {
        let Some(place) = record.line else {
            order.push(record.clone());
            continue;
        };
        let line = (record.place.partition, place.line);
        if !taken.insert(line) {
            continue;
        }
        let mut before = None;
        for member in lines.get(&line).into_iter().flatten() {
            match (selection.holds(member), before) {
                (true, None) => order.push((*member).clone()),
                (true, Some(before)) => return Err(DeadError::OutOfOrder { at: member.place, before }),
                (false, None) => before = Some(member.place),
                (false, Some(_)) => {}
            }
        }
    }
    Ok(order)
}
