//! The events of a partition, checked one by one and folded.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use millrace_kernel::bookkeeping::{PROCESS_KIND, process};
use millrace_kernel::id::event_id;
use millrace_kernel::{Addressed, AggregateId, Domain, Event, FollowUp, partition};
use millrace_ports::{Record, Start, TopicPartition};
use serde_json::json;

use super::Scene;
use super::image::Image;
use crate::book::Book;
use crate::difference::{Check, ColumnDifference, Difference, EventPlace, Kind};
use crate::fault::AuditFault;
use crate::reading::{Tail, decode, key_text};

/// A process that its events leave open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// The command's first event.
    pub offset: i64,
    /// `recorded_at` of the command's first event and of its last.
    pub from: i64,
    pub to: i64,
}

/// The fold of one partition.
pub(super) struct Fold<'s, D: Domain> {
    at: TopicPartition,
    tail: Tail,
    /// Events before this offset are folded.
    pub read_to: i64,
    /// [Images](Image) as their events left them.
    pub aggregates: Book<'s>,
    /// Processes that were started by a command of this partition and are open: as many as a processor remembers.
    pub processes: HashMap<Box<str>, Open>,
    /// States that are ahead of the events read before them, until an event of their version is folded.
    pub awaited: Book<'s>,
    is_any_awaited: bool,
    /// Processes in question between two reads; see `bookkeeping.rs`.
    pub doubtful: HashMap<Box<str>, super::bookkeeping::Doubt>,
    last_recorded_at: i64,
    /// The message that caused the newest event, its offset, and how many events it has so far.
    cause: (String, i64, usize),
    ids: Ids,
    domain: std::marker::PhantomData<fn() -> D>,
}

/// Ids of events as far back as a repeated command is recognised, by hashes of twice 64 bits: no more than a processor holds.
struct Ids {
    hashers: [RandomState; 2],
    known: HashSet<u128>,
    order: VecDeque<(i64, u128)>,
    window_micros: i64,
    most: usize,
}

impl Ids {
    /// Takes in an id; whether it is new.
    fn take(&mut self, id: &str, recorded_at: i64) -> bool {
        while self.order.len() >= self.most
            || self.order.front().is_some_and(|(at, _)| *at < recorded_at - self.window_micros)
        {
            if let Some((_, old)) = self.order.pop_front() {
                self.known.remove(&old);
            }
        }
        let [high, low] = &self.hashers;
        let id = (u128::from(high.hash_one(id)) << 64) | u128::from(low.hash_one(id));
        if !self.known.insert(id) {
            return false;
        }
        self.order.push_back((recorded_at, id));
        true
    }
}

impl<'s, D: Domain> Fold<'s, D> {
    /// At the oldest event of a partition.
    pub fn start(scene: &Scene<'s, D>, partition: i32) -> Result<Self, AuditFault> {
        let at = scene.at(&scene.names.events, partition);
        let log = scene.audit.log;
        let (oldest, end) = (log.low_watermark(&at)?, log.high_watermark(&at)?);
        scene.audit.watcher.stage(&format!("folding {at}"), (end - oldest).unsigned_abs());
        if oldest > 0 {
            let message = format!(
                "{at} begins at offset {oldest}: older events are gone, and states and views cannot be checked \
                 against them; the topic must keep all, retention.ms and retention.bytes −1"
            );
            let gone = scene.difference(Check::Events, Kind::Missing, &at.topic, "offset 0", message);
            scene.findings.add(Difference { events: vec![place(&at, oldest)], ..gone });
        }
        let processor = scene.audit.processor;
        Ok(Self {
            tail: Tail::open(log, at.clone(), Start::Beginning)?,
            at,
            read_to: oldest,
            aggregates: Book::new(scene.audit.shelf),
            processes: HashMap::new(),
            awaited: Book::new(scene.audit.shelf),
            is_any_awaited: false,
            doubtful: HashMap::new(),
            last_recorded_at: i64::MIN,
            cause: (String::new(), -1, 0),
            ids: Ids {
                hashers: [RandomState::new(), RandomState::new()],
                known: HashSet::new(),
                order: VecDeque::new(),
                window_micros: (processor.dedup_window_seconds as i64).saturating_mul(1_000_000),
                most: processor.dedup_window_ids.max(1),
            },
            domain: std::marker::PhantomData,
        })
    }

    pub fn partition(&self) -> i32 {
        self.at.partition
    }

    /// Where an event stands.
    pub fn place(&self, offset: i64) -> EventPlace {
        place(&self.at, offset)
    }

    /// Reads on to offset `to`.
    pub fn read_on(&mut self, scene: &mut Scene<'s, D>, to: i64) -> Result<(), AuditFault> {
        if to <= self.read_to {
            return Ok(());
        }
        let mut records = Vec::new();
        let mut tail_error = Ok(());
        // records are taken in blocks: the tail lends itself only for as long as it reads
        while self.read_to < to && tail_error.is_ok() {
            let block = (self.read_to + 10_000).min(to);
            tail_error = self.tail.up_to(block, scene.audit.watcher, &mut |record| {
                records.push(record.clone());
                Ok(())
            });
            for record in records.drain(..) {
                match decode(&scene.codecs.events, &record)? {
                    Ok(event) => self.take(scene, &record, &event)?,
                    Err(why) => self.unreadable(scene, &record, &why),
                }
            }
            self.read_to = block;
        }
        tail_error
    }

    fn unreadable(&self, scene: &Scene<'s, D>, record: &Record, why: &str) {
        let message = format!(
            "{} offset {} cannot be read: {why}; it is left out here, and every projection stands still before it",
            self.at, record.offset
        );
        let key = format!("offset {}", record.offset);
        let difference = scene.difference(Check::Events, Kind::Different, &self.at.topic, &key, message);
        scene.findings.add(Difference { events: vec![self.place(record.offset)], ..difference });
    }

    fn take(
        &mut self,
        scene: &mut Scene<'s, D>,
        record: &Record,
        event: &Event<D::Event>,
    ) -> Result<(), AuditFault> {
        let id = event.aggregate_id.as_str();
        let before = self.aggregates.get(id.as_bytes())?.map(Image::<D::State>::from_bytes).transpose()?;
        scene.checked.events += 1;
        self.check(scene, record, event, before.as_ref());
        self.last_recorded_at = self.last_recorded_at.max(event.recorded_at);
        self.follow(event, record.offset);

        let folded = Image {
            version: event.version,
            recorded_at: event.recorded_at,
            state: D::evolve(before.and_then(|before| before.state), &event.data, event.recorded_at),
            offset: record.offset,
        };
        self.aggregates.put(id.as_bytes(), folded.to_bytes())?;
        if self.is_any_awaited
            && let Some(stated) = self.awaited.get(id.as_bytes())?
        {
            let stated = Image::from_bytes(stated)?;
            if stated.version == event.version {
                scene.compare_state(self, id, &stated, &folded);
                self.awaited.remove(id.as_bytes())?;
            }
        }
        Ok(())
    }

    /// What must hold of every event.
    fn check(
        &mut self,
        scene: &Scene<'s, D>,
        record: &Record,
        event: &Event<D::Event>,
        before: Option<&Image<D::State>>,
    ) {
        let expected = before.map_or(0, |folded| folded.version) + 1;
        let mut found: Vec<(ColumnDifference, String, Vec<i64>)> = Vec::new();
        let mut differs = |column: &str, expected, found_value, message: String, others: Vec<i64>| {
            found.push((
                ColumnDifference { column: column.to_owned(), expected, found: found_value },
                message,
                others,
            ));
        };
        let here = record.offset;
        if event.version != expected {
            let message = format!(
                "version {} of {} comes where {expected} should: versions are 1, 2, 3 … without gaps",
                event.version, event.aggregate_id
            );
            let others = before.map(|folded| folded.offset).into_iter().collect();
            differs("version", json!(expected), json!(event.version), message, others);
        }
        if event.recorded_at <= self.last_recorded_at {
            let message = format!(
                "recorded_at {} is not later than {} of the event before it in {}",
                event.recorded_at, self.last_recorded_at, self.at
            );
            let later = json!(format!("> {}", self.last_recorded_at));
            differs("recorded_at", later, json!(event.recorded_at), message, Vec::new());
        }
        let cause = event.metadata.causation_id.as_deref().unwrap_or(&event.command_id);
        let index = match &mut self.cause {
            (id, offset, count) if *id == cause && *offset == event.command_offset => {
                *count += 1;
                *count
            }
            other => {
                *other = (cause.to_owned(), event.command_offset, 0);
                0
            }
        };
        let derived = event_id(cause, index);
        if event.id != derived {
            let message = format!(
                "its id is not the one derived from its cause {cause} and its place {index} among its events"
            );
            differs("id", json!(derived), json!(event.id), message, Vec::new());
        }
        if !self.ids.take(&event.id, event.recorded_at) {
            let message =
                "another event of this partition has the same id: the same message was applied twice";
            differs("id", json!("unique"), json!(event.id), message.to_owned(), Vec::new());
        }
        let of_data = event.data.aggregate_id();
        if of_data.as_str() != event.aggregate_id {
            let message = format!("it says it is of {}, but its data is of {of_data}", event.aggregate_id);
            differs("aggregate_id", json!(of_data.as_str()), json!(event.aggregate_id), message, Vec::new());
        }
        let routing_key = of_data.routing_key().to_owned();
        let home = partition::of_key(routing_key.as_bytes(), scene.partitions);
        if home != self.at.partition || key_text(record) != Some(routing_key.as_str()) {
            let message = format!("its routing key is {routing_key}, which belongs to partition {home}");
            let is = format!("{} in partition {}", key_text(record).unwrap_or("no key"), self.at.partition);
            differs(
                "key",
                json!(format!("{routing_key} in partition {home}")),
                json!(is),
                message,
                Vec::new(),
            );
        }
        for (column, message, others) in found {
            let kind = Kind::Different;
            let difference =
                scene.difference(Check::Events, kind, &self.at.topic, &event.aggregate_id, message);
            let mut events: Vec<EventPlace> = others.into_iter().map(|offset| self.place(offset)).collect();
            events.push(self.place(here));
            scene.findings.add(Difference { columns: vec![column], events, ..difference });
        }
    }

    /// Which processes the event leaves open.
    fn follow(&mut self, event: &Event<D::Event>, offset: i64) {
        let id = event.command_id.as_str();
        match D::follow_up(&event.data) {
            FollowUp::None => {
                if let (false, Some(open)) = (event.is_caused_by_step(), self.processes.get_mut(id)) {
                    open.to = event.recorded_at;
                }
            }
            FollowUp::Completed | FollowUp::Refused(_) => {
                self.processes.remove(id);
                if let Some(doubt) = self.doubtful.get_mut(process(id).as_str()) {
                    doubt.has_ended = true;
                }
            }
            // a step that asks for further ones goes on with a process of its command's partition
            FollowUp::Steps(_) if event.is_caused_by_step() => {}
            FollowUp::Steps(_) => {
                let at = event.recorded_at;
                let open = self.processes.entry(id.into()).or_insert(Open { offset, from: at, to: at });
                open.to = at;
                if let Some(doubt) = self.doubtful.get_mut(process(id).as_str()) {
                    doubt.has_begun = true;
                }
            }
        }
    }

    /// Compares a state with the fold when it comes to its version.
    pub fn await_version(&mut self, id: &[u8], stated: Vec<u8>) -> Result<(), AuditFault> {
        self.is_any_awaited = true;
        self.awaited.put(id, stated)
    }

    /// Whether the events leave the process of a command open.
    pub fn is_open(&self, command_id: &str) -> bool {
        self.processes.contains_key(command_id)
    }
}

/// Whether an id is that of an open process.
pub(super) fn is_process(id: &str) -> bool {
    AggregateId::parse(id).is_some_and(|id| id.kind() == PROCESS_KIND)
}

fn place(at: &TopicPartition, offset: i64) -> EventPlace {
    EventPlace { topic: Arc::clone(&at.topic).to_string(), partition: at.partition, offset }
}
