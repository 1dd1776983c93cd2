//! All that can be seen of a history from outside: the committed records and the tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millrace_kernel::{Command, Event, Outcome, Step, Table};
use millrace_ports::{Record, TopicPartition};
use millrace_testkit::log::memory::MemoryLog;
use millrace_testkit::pipeline::Pipeline;

use super::versions::Versions;
use crate::lives::Lives;
use crate::neighbours::Neighbours;
use crate::plan::Setup;
use crate::strays::is_stray;
use crate::workload::Workload;

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The rule, in few words.
    pub rule: &'static str,
    /// What was seen and what was expected.
    pub message: String,
}

impl Failure {
    /// `rule` does not hold, as `message` shows.
    pub fn new(rule: &'static str, message: impl Into<String>) -> Self {
        Self { rule, message: message.into() }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.rule, self.message)
    }
}

/// `Err` with the rule and a message unless the condition holds.
#[macro_export]
macro_rules! holds {
    ($condition:expr, $rule:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::oracle::world::Failure::new($rule, format!($($message)+)));
        }
    };
}

/// A record with its offset, understood.
pub type At<T> = (i64, T);

/// What one partition holds.
pub struct Partition<W: Workload> {
    /// Commands in order.
    pub commands: Vec<At<Command<W::CommandData>>>,
    /// Steps in order.
    pub steps: Vec<At<Step<W::StepData>>>,
    /// Events in order.
    pub events: Vec<At<Event<W::EventData>>>,
    /// Outcomes in order.
    pub outcomes: Vec<At<Outcome>>,
    /// Up to where each topic has been read.
    read: [i64; 4],
}

impl<W: Workload> Default for Partition<W> {
    fn default() -> Self {
        Self {
            commands: Vec::new(),
            steps: Vec::new(),
            events: Vec::new(),
            outcomes: Vec::new(),
            read: [0; 4],
        }
    }
}

/// Up to which offset (exclusive) records were visible after which act.
pub type Ends = Vec<(i64, usize)>;

/// When what became visible.
#[derive(Clone, Debug, Default)]
pub struct Diary {
    /// At which act each command was sent, by partition and offset.
    pub sent: BTreeMap<(i32, i64), usize>,
    /// When, by the broker's clock, in microseconds since the epoch.
    pub appended: BTreeMap<(i32, i64), i64>,
    /// Steps that were delivered a second time by the scheduler, by partition and offset.
    pub repeated_steps: BTreeSet<(i32, i64)>,
    /// Per partition, up to which offset events were visible after which act.
    pub events: Vec<Ends>,
    /// The same of outcomes.
    pub outcomes: Vec<Ends>,
    /// What the look-up topics said.
    pub lookups: Lives,
}

impl Diary {
    /// A diary of so many partitions.
    #[must_use]
    pub fn new(partitions: i32) -> Self {
        let empty = || (0..partitions).map(|_| Vec::new()).collect();
        Self { events: empty(), outcomes: empty(), ..Self::default() }
    }

    /// The act after which the record at `offset` could be seen.
    #[must_use]
    pub fn visible(ends: &[(i64, usize)], offset: i64) -> usize {
        let found = ends.partition_point(|(end, _)| *end <= offset);
        ends.get(found).map_or(usize::MAX, |(_, act)| *act)
    }
}

/// The partitions as far as they can be seen.
pub struct Seen<W: Workload> {
    /// By number.
    pub partitions: Vec<Partition<W>>,
}

impl<W: Workload> Seen<W> {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(partitions: i32) -> Self {
        Self { partitions: (0..partitions).map(|_| Partition::default()).collect() }
    }

    /// Reads on, up to what is committed now.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn refresh(&mut self, pipeline: &Pipeline<W::Domain>) -> Result<(), Failure> {
        let (names, codecs) = (pipeline.names(), pipeline.codecs());
        for (number, partition) in self.partitions.iter_mut().enumerate() {
            let number = number as i32;
            let read = &mut partition.read;
            let log = &pipeline.log;
            read_on(log, &names.commands, number, &mut read[0], &mut partition.commands, |bytes| {
                codecs.commands.decode(bytes).map_err(|e| e.to_string())
            })?;
            read_on(log, &names.steps, number, &mut read[1], &mut partition.steps, |bytes| {
                let steps = codecs.steps.as_ref().ok_or("the domain has no steps")?;
                steps.decode(bytes).map_err(|e| e.to_string())
            })?;
            read_on(log, &names.events, number, &mut read[2], &mut partition.events, |bytes| {
                codecs.events.decode(bytes).map_err(|e| e.to_string())
            })?;
            read_on(log, &names.outcomes, number, &mut read[3], &mut partition.outcomes, |bytes| {
                codecs.outcomes.decode(bytes).map_err(|e| e.to_string())
            })?;
        }
        Ok(())
    }
}

fn read_on<T>(
    log: &MemoryLog,
    topic: &Arc<str>,
    partition: i32,
    position: &mut i64,
    into: &mut Vec<At<T>>,
    decode: impl Fn(&[u8]) -> Result<T, String>,
) -> Result<(), Failure> {
    let at = TopicPartition::new(Arc::clone(topic), partition);
    let (records, next) = log.committed_from(&at, *position);
    *position = next;
    for record in records.into_iter().filter(|record| !is_stray(record.key.as_deref())) {
        let found = record.value.as_deref().ok_or_else(|| "it has no value".to_owned()).and_then(&decode);
        let value = found.map_err(|why| {
            Failure::new("records can be read", format!("{at} offset {}: {why}", record.offset))
        })?;
        into.push((record.offset, value));
    }
    Ok(())
}

/// All that an oracle may look at.
pub struct World<'a, W: Workload> {
    /// What holds for the whole history.
    pub setup: &'a Setup<W::Settings>,
    /// The committed records.
    pub seen: &'a Seen<W>,
    /// When what became visible.
    pub diary: &'a Diary,
    /// The pipeline, for its tables and what else it has committed.
    pub pipeline: &'a Pipeline<W::Domain>,
    /// The domains beside it.
    pub neighbours: &'a Neighbours<W::StepData>,
    /// How many columns the key of each table has.
    pub tables: &'a BTreeMap<String, Table>,
    /// Which versions of them there are.
    pub versions: Versions,
}

impl<W: Workload> World<'_, W> {
    /// Every partition with its number.
    pub fn partitions(&self) -> impl Iterator<Item = (i32, &Partition<W>)> {
        self.seen.partitions.iter().enumerate().map(|(number, partition)| (number as i32, partition))
    }

    /// How a table is declared.
    #[must_use]
    pub fn table(&self, name: &str) -> &Table {
        &self.tables[name]
    }

    /// All committed records of a topic.
    #[must_use]
    pub fn records(&self, topic: &str) -> Vec<Record> {
        self.pipeline.log.committed_records(topic)
    }
}
