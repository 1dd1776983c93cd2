//! How far projections have come: published beside their rows, read by whoever waits.

use std::time::{Duration, Instant};

use millrace_kernel::table::parse_tables;
use millrace_kernel::{PageQuery, Position, Put, Table, Value, Write};
use millrace_ports::{StoreFault, ViewStore};
use thiserror::Error;

/// Tables that every keyspace has beside the domain's own.
const SYSTEM_TABLES: &str = "
CREATE TABLE millrace_progress (
  projection text, -- view family, as <domain>.<family>
  source_partition int, -- partition of the events topic
  events_offset bigint, -- every event before this offset is in the tables
  commands_offset bigint, -- newest command offset all of whose events are in the tables; -1 = none yet
  steps_offset bigint, -- newest step offset all of whose events are in the tables; -1 = none yet
  recorded_at bigint, -- recorded_at of the newest event in the tables, microseconds since the epoch
  PRIMARY KEY ((projection), source_partition)
) WITH comment = 'How far each projection has come, per source partition.';

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
/// The table of live views.
pub const VIEWS: &str = "millrace_views";

/// The declarations of the tables every keyspace has.
#[must_use]
pub fn system_tables() -> Vec<Table> {
    parse_tables(SYSTEM_TABLES).expect("a constant that the tests read")
}

/// How far a projection of one source partition has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// `<domain>.<family>`.
    pub projection: String,
    /// Partition of the events topic.
    pub partition: i32,
    /// Every event before this offset is in the tables.
    pub events_offset: i64,
    /// Newest command all of whose events are in the tables, or −1.
    pub commands_offset: i64,
    /// Newest step all of whose events are in the tables, or −1.
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
        let reached =
            if position.topic.ends_with(".steps") { self.steps_offset } else { self.commands_offset };
        reached >= position.offset
    }
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
    };
    let pages = store.read(&[query])?;
    Ok(pages.iter().flat_map(|page| &page.rows).filter_map(|row| Progress::from_row(row)).collect())
}

/// Why a wait for one's own write ended without it.
#[derive(Debug, Error)]
pub enum WaitError {
    /// The deadline passed; the write is not lost, only not visible yet.
    #[error("{projection} has not reached {} of {} in time; it is still being applied", .missing.offset, .missing.topic)]
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

/// Waits until the rows that follow from `positions` are in the tables of `projection`.
/// Returns at once when there are none.
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
        let missing = positions.iter().find(|position| {
            !progress.iter().any(|p| p.partition == position.partition && p.has_reached(position))
        });
        match missing {
            None => return Ok(()),
            Some(missing) if Instant::now() >= until => {
                return Err(WaitError::TimedOut {
                    projection: projection.to_owned(),
                    missing: missing.clone(),
                });
            }
            Some(_) => std::thread::sleep(LOOK_EVERY),
        }
    }
}
