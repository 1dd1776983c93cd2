//! An aggregate's events in order, and its state at any version or time.

use std::collections::BTreeSet;
use std::sync::Arc;

use millrace_kernel::{AggregateId, Domain, Event, Named, partition};
use millrace_ports::{Log, Start, TopicPartition};
use millrace_runtime::Topology;
use millrace_wire::{Codec, Registry};
use serde::Serialize;
use serde_json::Value as Json;

use crate::difference::EventPlace;
use crate::fault::AuditFault;
use crate::reading::{Tail, decode_event, key_text};
use crate::shown;
use crate::watch::Watcher;

/// Most other aggregates that are named when the one asked for has no event.
const NEIGHBOURS: usize = 50;

/// Up to where a history is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// To its newest event.
    #[default]
    Now,
    /// Up to and including this version.
    Version(i64),
    /// Up to and including this time, microseconds since the epoch.
    Time(i64),
}

/// Which part of a history is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Up to where.
    pub until: Until,
    /// Only events of later versions than this.
    pub after: i64,
    /// So many events at most.
    pub most: usize,
    /// Whether the state that each event leaves is told, and the one before the first.
    pub with_states: bool,
}

impl Window {
    /// All of it, without the states in between.
    #[must_use]
    pub fn whole(until: Until) -> Self {
        Self { until, after: 0, most: usize::MAX, with_states: false }
    }
}

/// An event of an aggregate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// Its version.
    pub version: i64,
    /// The message's name.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// When it was recorded, microseconds since the epoch.
    pub recorded_at: i64,
    /// Where it stands.
    pub place: EventPlace,
    /// Its id.
    pub id: String,
    /// The command it happened for.
    pub command_id: String,
    /// The message that caused it: the command, or a step of its process.
    pub causation_id: Option<String>,
    /// Who acted.
    pub user_id: Option<String>,
    /// Its fields.
    pub data: Json,
    /// The state that it leaves, where that is asked for.
    #[serde(skip)]
    pub state: Option<Json>,
}

/// A history, and the state that it leads to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct History {
    /// The domain.
    pub domain: &'static str,
    /// The aggregate.
    pub aggregate_id: String,
    /// The version it has then; 0 when it had no event yet.
    pub version: i64,
    /// When its newest event was recorded, microseconds since the epoch; 0 when there is none.
    pub recorded_at: i64,
    /// Its state then; null when it does not exist.
    pub state: Json,
    /// Its events, oldest first.
    pub events: Vec<Told>,
    /// The version behind which it goes on, where only a part is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
    /// The state in front of the first event that is told, where that is asked for.
    #[serde(skip)]
    pub before: Option<Json>,
    /// Where they were looked for.
    #[serde(skip)]
    pub searched: Searched,
}

/// What was looked through for a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// The events topic.
    pub topic: String,
    /// The partition of the routing key.
    pub partition: i32,
    /// How many events were looked at.
    pub events: u64,
    /// Other aggregates with the same routing key that were met.
    pub neighbours: Vec<String>,
}

/// Tells the history of `id`. Only the partition of its routing key is read, and only to the
/// place where the history ends.
///
/// # Errors
/// [`AuditFault`], also for an event that cannot be read.
pub fn history<D: Domain>(
    log: &dyn Log,
    registry: &Arc<dyn Registry>,
    prefix: &str,
    id: &AggregateId,
    until: Until,
    watcher: &dyn Watcher,
) -> Result<History, AuditFault> {
    part::<D>(log, registry, prefix, id, &Window::whole(until), watcher)
}

/// As [`history`], of a part of it: all events before it are read and folded, too.
///
/// # Errors
/// As [`history`].
pub fn part<D: Domain>(
    log: &dyn Log,
    registry: &Arc<dyn Registry>,
    prefix: &str,
    id: &AggregateId,
    window: &Window,
    watcher: &dyn Watcher,
) -> Result<History, AuditFault> {
    let until = window.until;
    let names = Topology::of::<D>(prefix);
    // who asks for topics that are not there must not leave schemas of them
    let partitions = log.partitions(&names.events)?;
    let codec: Codec<Event<D::Event>> =
        Codec::register(Arc::clone(registry), &Topology::subject(&names.events), D::SCHEMAS.events)?;
    let at = TopicPartition::new(
        Arc::clone(&names.events),
        partition::of_key(id.routing_key().as_bytes(), partitions),
    );
    let end = match until {
        // the record's time is recorded_at, cut to milliseconds
        Until::Time(micros) => log.offset_at(&at, micros.div_euclid(1_000) + 1)?,
        _ => log.high_watermark(&at)?,
    };
    let mut told = History {
        domain: D::NAME,
        aggregate_id: id.as_str().to_owned(),
        version: 0,
        recorded_at: 0,
        state: Json::Null,
        events: Vec::new(),
        next: None,
        before: window.with_states.then_some(Json::Null),
        searched: Searched { topic: at.topic.to_string(), partition: at.partition, ..Searched::default() },
    };
    let (mut state, mut neighbours) = (None, BTreeSet::new());
    watcher.stage(&format!("reading {at}"), (end - log.low_watermark(&at)?).max(0).unsigned_abs());
    // in pieces, so that a history up to a version ends where that version stands
    const PIECE: i64 = 20_000;
    let mut from = log.low_watermark(&at)?;
    let mut is_complete = false;
    let mut tail = Tail::open(log, at.clone(), Start::Beginning)?;
    while from < end && !is_complete {
        let to = (from + PIECE).min(end);
        tail.up_to(to, watcher, &mut |record| {
            told.searched.events += 1;
            if is_complete || key_text(record) != Some(id.routing_key()) {
                return Ok(());
            }
            let event = decode_event(&codec, record)?;
            if event.aggregate_id != id.as_str() {
                if neighbours.len() < NEIGHBOURS {
                    neighbours.insert(event.aggregate_id);
                }
                return Ok(());
            }
            let is_beyond = match until {
                Until::Now => false,
                Until::Version(version) => event.version > version,
                Until::Time(micros) => event.recorded_at > micros,
            };
            let is_full = told.events.len() >= window.most;
            if is_full && !is_beyond {
                told.next = Some(told.version);
            }
            if is_beyond || is_full {
                is_complete = true;
                return Ok(());
            }
            state = D::evolve(state.take(), &event.data, event.recorded_at);
            (told.version, told.recorded_at) = (event.version, event.recorded_at);
            is_complete = until == Until::Version(event.version);
            let left = window.with_states.then(|| shown::state(state.as_ref()));
            if event.version <= window.after {
                told.before = left;
                return Ok(());
            }
            told.events.push(Told {
                state: left,
                version: event.version,
                kind: event.data.name(),
                recorded_at: event.recorded_at,
                place: EventPlace {
                    topic: at.topic.to_string(),
                    partition: at.partition,
                    offset: record.offset,
                },
                data: shown::data(&event.data),
                id: event.id.to_string(),
                command_id: event.command_id.to_string(),
                causation_id: event.metadata.causation_id.map(Into::into),
                user_id: event.metadata.user_id.map(Into::into),
            });
            Ok(())
        })?;
        from = to;
    }
    told.state = shown::state(state.as_ref());
    told.searched.neighbours = neighbours.into_iter().map(Into::into).collect();
    Ok(told)
}
