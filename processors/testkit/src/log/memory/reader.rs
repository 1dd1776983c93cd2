//! Reads committed records.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use millrace_ports::{LogFault, Reader, Record, TopicPartition};

use super::{Operation, Shared, Step};

/// A reader of some partitions.
pub(super) struct MemoryReader {
    shared: Arc<Shared>,
    positions: Vec<(TopicPartition, i64)>,
    paused: BTreeSet<TopicPartition>,
    /// Which partition goes first, so that a busy one does not starve the others.
    turn: usize,
}

impl MemoryReader {
    pub(super) fn new(shared: Arc<Shared>, positions: Vec<(TopicPartition, i64)>) -> Self {
        Self { shared, positions, paused: BTreeSet::new(), turn: 0 }
    }
}

impl Reader for MemoryReader {
    fn poll(&mut self, max: usize, wait: Duration) -> Result<Vec<Record>, LogFault> {
        let Self { shared, positions, paused, turn } = self;
        shared.wait(&Operation::PollReader, "read", wait, Vec::new, |broker, _| {
            let mut records = Vec::new();
            let count = positions.len();
            *turn = if count == 0 { 0 } else { (*turn + 1) % count };
            for index in (0..count).map(|it| (it + *turn) % count) {
                let (at, position) = &mut positions[index];
                if paused.contains(at) {
                    continue;
                }
                let partition = broker.partition(at)?;
                if !partition.holds(*position) {
                    if !records.is_empty() {
                        break; // told by the next poll
                    }
                    return Err(LogFault::OutOfRange { partition: at.clone(), offset: *position });
                }
                if let Some((offset, _)) = partition.spoiled_at(*position) {
                    if !records.is_empty() {
                        break;
                    }
                    let message = "spoiled by the test".to_owned();
                    return Err(LogFault::Undecodable { partition: at.clone(), offset, message });
                }
                let (found, next) = partition.read(at, *position, max - records.len());
                *position = next;
                records.extend(found);
            }
            Ok(if records.is_empty() { Step::NothingYet(records) } else { Step::Done(records) })
        })
    }

    fn position(&self, partition: &TopicPartition) -> i64 {
        self.positions.iter().find(|it| it.0 == *partition).map_or(0, |it| it.1)
    }

    fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogFault> {
        for (at, position) in &mut self.positions {
            if at == partition {
                *position = offset;
            }
        }
        Ok(())
    }

    fn pause(&mut self, partition: &TopicPartition, paused: bool) -> Result<(), LogFault> {
        if paused {
            self.paused.insert(partition.clone());
        } else {
            self.paused.remove(partition);
        }
        Ok(())
    }
}
