//! How far projections have come: published beside their rows, read by whoever waits.

use std::time::{Duration, Instant};

use millrace_kernel::table::parse_tables;
use millrace_kernel::{Delete, Page, PageQuery, Position, Put, Table, Value, Write};
use millrace_ports::{StoreFault, ViewStore};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Tables that every keyspace has beside the domain's own.
const SYSTEM_TABLES: &str = "
CREATE TABLE millrace_progress (
  projection text, -- view family and version, as <domain>.<family> or <domain>.<family>.v<version>
  source_partition int, -- partition of the events topic
  events_offset bigint, -- every event before this offset is in the tables
  commands_offset bigint, -- the events of all commands up to this offset are in the tables, but for those in millrace_fan_outs; -1 = none yet
  steps_offset bigint, -- the events of all steps up to this offset are in the tables, but for those in millrace_fan_outs; -1 = none yet
  recorded_at bigint, -- recorded_at of the newest event in the tables, microseconds since the epoch
  PRIMARY KEY ((projection), source_partition)
) WITH comment = 'How far each projection has come, per source partition. Bound: one row a partition.';

CREATE TABLE millrace_fan_outs (
  projection text, -- view family and version, as <domain>.<family> or <domain>.<family>.v<version>
  source_partition int, -- partition of the events topic
  cause text, -- commands or steps: where the cause of the rows stands
  cause_offset bigint, -- offset of the cause
  events_offset bigint, -- its newest such event; all is there when events_offset of millrace_progress is greater
  begun_at bigint, -- recorded_at of that event, microseconds since the epoch
  PRIMARY KEY ((projection, source_partition, cause, cause_offset))
) WITH comment = 'Commands and steps with so many rows that they are still being written while later ones are there already.';

CREATE TABLE millrace_fan_out_places (
  projection text, -- view family and version, as <domain>.<family> or <domain>.<family>.v<version>
  source_partition int, -- partition of the events topic
  slot int, -- offset of the event whose rows are written in pieces, modulo the number of slots
  place text, -- which event that is, and how far its rows are in the tables, in JSON
  PRIMARY KEY ((projection), source_partition, slot)
) WITH comment = 'How far large fan-outs are: whoever takes a partition over goes on there. What has ended stays until its slot is used again. Bound: 64 rows a partition.'
  AND compaction = {'class': 'LeveledCompactionStrategy'};

CREATE TABLE millrace_versions (
  projection text, -- view family, as <domain>.<family>
  version int, -- its tables are <view>_v<version>; version 1 has the plain names
  revision text, -- which rows its projectors make of an event, and in which columns
  state text, -- building, complete or dropped
  changed_at bigint, -- when it came to be so, microseconds since the epoch
  PRIMARY KEY ((projection), version)
) WITH comment = 'The versions of each view family: those that are complete are kept up to date by the projectors of their revision. Bound: one row a rebuild.';

CREATE TABLE millrace_views (
  view text, -- name of the view
  table_name text, -- table that holds the live version
  version int, -- live version, from 1
  switched_at bigint, -- when it went live, microseconds since the epoch
  PRIMARY KEY ((view))
) WITH comment = 'Which table answers for a view now.';
";

/// The table of published progress.
pub const PROGRESS: &str = "millrace_progress";
/// The table of commands and steps whose rows are still being written while later ones are there.
pub const FAN_OUTS: &str = "millrace_fan_outs";
/// The table of how far those are.
pub const PLACES: &str = "millrace_fan_out_places";
/// The table of live views.
pub const VIEWS: &str = "millrace_views";

/// The declarations of the tables every keyspace has.
#[must_use]
pub fn system_tables() -> Vec<Table> {
    parse_tables(SYSTEM_TABLES).expect("a constant that the tests read")
}

/// How far a projection of one source partition has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// `<domain>.<family>`, and of which version ([`crate::versions::Version::of`]).
    pub projection: String,
    /// Partition of the events topic.
    pub partition: i32,
    /// Every event before this offset is in the tables.
    pub events_offset: i64,
    /// All commands up to this have their events in the tables, but for those in [`FAN_OUTS`]; or −1.
    pub commands_offset: i64,
    /// All steps up to this have their events in the tables, but for those in [`FAN_OUTS`]; or −1.
    pub steps_offset: i64,
    /// `recorded_at` of the newest event in the tables, microseconds since the epoch.
    pub recorded_at: i64,
}

impl Progress {
    /// A projection that has applied nothing yet.
    #[must_use]
    pub fn none(projection: &str, partition: i32) -> Self {
        Self {
            projection: projection.to_owned(),
            partition,
            events_offset: 0,
            commands_offset: -1,
            steps_offset: -1,
            recorded_at: 0,
        }
    }

    /// The write that publishes it. A later one wins whoever sends it: the timestamp is that of
    /// the newest event. Two with one timestamp know the same commands and steps, as only whole
    /// ones are published, and differ in `events_offset` alone, which is never negative: at a tie
    /// CQL compares bytes, and -1 would win against every offset.
    #[must_use]
    pub fn write(&self) -> Write {
        Write::Put(Put {
            table: PROGRESS,
            values: vec![
                Value::from(self.projection.as_str()),
                Value::Int(self.partition),
                Value::BigInt(self.events_offset),
                Value::BigInt(self.commands_offset),
                Value::BigInt(self.steps_offset),
                Value::BigInt(self.recorded_at),
            ],
            timestamp: self.recorded_at,
        })
    }

    fn from_row(row: &[Value]) -> Option<Self> {
        match row {
            [
                Value::Text(projection),
                Value::Int(partition),
                Value::BigInt(events_offset),
                Value::BigInt(commands_offset),
                Value::BigInt(steps_offset),
                Value::BigInt(recorded_at),
            ] => Some(Self {
                projection: projection.to_string(),
                partition: *partition,
                events_offset: *events_offset,
                commands_offset: *commands_offset,
                steps_offset: *steps_offset,
                recorded_at: *recorded_at,
            }),
            _ => None,
        }
    }

    fn has_reached(&self, position: &Position) -> bool {
        let reached = if Cause::of(position).is_step { self.steps_offset } else { self.commands_offset };
        reached >= position.offset
    }
}

/// What events come from: a command or a step of the same partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cause {
    /// Whether it is a step.
    pub is_step: bool,
    /// Its offset.
    pub offset: i64,
}

impl Cause {
    /// The command or step at `position`.
    #[must_use]
    pub fn of(position: &Position) -> Self {
        Self { is_step: position.topic.ends_with(".steps"), offset: position.offset }
    }

    /// Says that the rows of its event at `events_offset` are still being written. To be acknowledged
    /// before any progress is published that is beyond the cause. `recorded_at` is that of the event.
    #[must_use]
    pub fn begun(self, projection: &str, partition: i32, events_offset: i64, recorded_at: i64) -> Write {
        let mut values = self.key(projection, partition);
        values.extend([Value::BigInt(events_offset), Value::BigInt(recorded_at)]);
        Write::Put(Put { table: FAN_OUTS, values, timestamp: recorded_at })
    }

    /// Says that they are there. It wins against [`Cause::begun`] for events up to `recorded_at`,
    /// whoever says that once more: what is in the tables stays in the tables.
    #[must_use]
    pub fn ended(self, projection: &str, partition: i32, recorded_at: i64) -> Write {
        let key = self.key(projection, partition);
        Write::Delete(Delete { table: FAN_OUTS, key, range: false, timestamp: recorded_at })
    }

    fn key(self, projection: &str, partition: i32) -> Vec<Value> {
        let cause = if self.is_step { "steps" } else { "commands" };
        vec![Value::from(projection), Value::Int(partition), Value::from(cause), Value::BigInt(self.offset)]
    }
}

/// Which of `positions` are caused by what is still being written, when `progress` was published.
///
/// Who has begun a fan-out may have died, and their successor have written its rows in another way,
/// without a word about their end: what `progress` has passed is there, whatever is said of it.
///
/// # Errors
/// [`StoreFault`].
pub fn read_fan_outs(
    store: &dyn ViewStore,
    progress: &[Progress],
    positions: &[Position],
) -> Result<Vec<Position>, StoreFault> {
    let of = |position: &Position| progress.iter().find(|it| it.partition == position.partition);
    let (asked, queries): (Vec<_>, Vec<_>) = positions
        .iter()
        .filter_map(|position| Some((position, of(position)?)))
        .map(|(position, progress)| {
            let query = PageQuery {
                table: FAN_OUTS.to_owned(),
                key: Cause::of(position).key(&progress.projection, position.partition),
                after: Vec::new(),
                limit: 1,
                in_turn: false,
            };
            ((position, progress.events_offset), query)
        })
        .unzip();
    let pages = store.read(&queries)?;
    let is_open = |page: &Page, upto: i64| {
        page.rows.iter().any(|row| matches!(row[..], [.., Value::BigInt(at), Value::BigInt(_)] if at >= upto))
    };
    let found = asked.into_iter().zip(pages).filter(|((_, upto), page)| is_open(page, *upto));
    Ok(found.map(|((position, _), _)| position.clone()).collect())
}

/// The published progress of `projection`, a row a partition.
///
/// # Errors
/// [`StoreFault`].
pub fn read_progress(store: &dyn ViewStore, projection: &str) -> Result<Vec<Progress>, StoreFault> {
    let query = PageQuery {
        table: PROGRESS.to_owned(),
        key: vec![Value::from(projection)],
        after: Vec::new(),
        limit: 100_000,
        in_turn: false,
    };
    let pages = store.read(&[query])?;
    Ok(pages.iter().flat_map(|page| &page.rows).filter_map(|row| Progress::from_row(row)).collect())
}

/// The first of `positions` that `progress` has not reached. Where there is none, [`read_fan_outs`] tells what is still
/// being written.
#[must_use]
pub fn first_missing<'p>(progress: &[Progress], positions: &'p [Position]) -> Option<&'p Position> {
    let is_reached = |position: &Position| {
        progress.iter().any(|it| it.partition == position.partition && it.has_reached(position))
    };
    positions.iter().find(|position| !is_reached(position))
}

/// Why a wait for one's own write ended without it.
#[derive(Debug, Error)]
pub enum WaitError {
    /// The deadline passed; the write is not lost, only not visible yet.
    #[error("{projection} has not reached offset {} of {}[{}] in time", .missing.offset, .missing.topic, .missing.partition)]
    TimedOut {
        /// The projection that was waited for.
        projection: String,
        /// A position it has not reached.
        missing: Position,
    },
    /// The progress cannot be read.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// How long a waiter pauses between two looks at the progress.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits until the rows that follow from `positions` are in the tables of `projection`, also when
/// they are many and others' are written meanwhile. Returns at once when there are none.
///
/// # Errors
/// [`WaitError::TimedOut`] after `deadline`.
pub fn wait_until(
    store: &dyn ViewStore,
    projection: &str,
    positions: &[Position],
    deadline: Duration,
) -> Result<(), WaitError> {
    let until = Instant::now() + deadline;
    loop {
        let progress = read_progress(store, projection)?;
        let missing = match first_missing(&progress, positions) {
            Some(missing) => missing.clone(),
            None => match read_fan_outs(store, &progress, positions)?.pop() {
                Some(missing) => missing,
                None => return Ok(()),
            },
        };
        if Instant::now() >= until {
            return Err(WaitError::TimedOut { projection: projection.to_owned(), missing });
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
