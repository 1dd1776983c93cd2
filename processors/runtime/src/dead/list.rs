//! The dead topic gone through, record by record: however much is dead, little of it is held at once.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_kernel::Domain;
use millrace_ports::{LogFault, Record, Start, TopicPartition};

use super::headers::{self, Mark};
use super::topic::{DeadError, DeadRecord, DeadTopic, Messages, Place, READ_AT_ONCE, Selection};

/// Most records that are held at once. In a longer topic it is found out first with which of them something was done.
pub(super) const MOST_HELD: i64 = 10_000;
/// So many marks take the place of a record.
const MARKS: i64 = 50;

/// Some offsets of a partition.
#[derive(Clone, Copy)]
struct Stretch {
    from: i64,
    to: i64,
}

impl<D: Domain> DeadTopic<D> {
    /// How many records to hold at once; 10,000 unless told.
    #[must_use]
    pub fn holding(mut self, records: i64) -> Self {
        self.most_held = records.max(1);
        self
    }

    /// All records that are meant, by partition and offset, also those that are done with. Where the registry is away,
    /// without what stands in their messages.
    ///
    /// # Errors
    /// [`DeadError`]; also when the registry is away and an id is asked for.
    pub fn list(&self, selection: &Selection) -> Result<Vec<DeadRecord>, DeadError> {
        let mut all = Vec::new();
        self.each(selection, &mut |record| {
            all.push(record);
            ControlFlow::Continue(())
        })?;
        Ok(all)
    }

    /// Gives the records of [`DeadTopic::list`] to `each`, as they are read, until it has enough.
    ///
    /// # Errors
    /// As [`DeadTopic::list`]; some may have been given.
    pub fn each(
        &self,
        selection: &Selection,
        each: &mut dyn FnMut(DeadRecord) -> ControlFlow<()>,
    ) -> Result<(), DeadError> {
        let messages = if selection.id.is_some() { Messages::Needed } else { Messages::IfPossible };
        let partitions = match selection.partition {
            Some(one) if (0..self.partitions).contains(&one) => one..one + 1,
            Some(_) => return Ok(()),
            None => 0..self.partitions,
        };
        let mut whole = BTreeMap::new();
        for partition in partitions.clone() {
            let at = self.dead_at(partition);
            whole.insert(
                partition,
                Stretch { from: self.log.low_watermark(&at)?, to: self.log.high_watermark(&at)? },
            );
        }
        if whole.values().map(|it| it.to - it.from).sum::<i64>() <= self.most_held {
            let all = self.read_as(partitions, messages)?;
            let _ = all.into_iter().filter(|record| selection.holds(record)).try_for_each(each);
            return Ok(());
        }
        for (partition, Stretch { mut from, to }) in whole {
            while from < to {
                let mut piece = Stretch { from, to: to.min(from + self.most_held.saturating_mul(MARKS)) };
                from = piece.to;
                if let Some(offset) = selection.offset {
                    if !(piece.from..piece.to).contains(&offset) {
                        continue;
                    }
                    piece = Stretch { from: offset, to: offset + 1 };
                }
                if self.each_of(partition, piece, to, (selection, messages), each)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Gives the records of a piece of a partition that ends at `end`.
    fn each_of(
        &self,
        partition: i32,
        piece: Stretch,
        end: i64,
        (selection, messages): (&Selection, Messages),
        each: &mut dyn FnMut(DeadRecord) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, DeadError> {
        let at = self.dead_at(partition);
        // what was done with a record stands behind it
        let mut marks: HashMap<i64, (Mark, i64)> = HashMap::new();
        let _ = self.between(&at, Stretch { from: piece.from, to: end }, &mut |record| {
            if let Some((offset, mark)) = headers::note(&record.headers)
                && (piece.from..piece.to).contains(&offset)
            {
                marks.insert(offset, (mark, record.timestamp_ms));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.between(&at, piece, &mut |record| {
            if headers::note(&record.headers).is_some() {
                return Ok(ControlFlow::Continue(()));
            }
            let mut known = self.known(record, messages)?;
            known.done = marks.get(&record.offset).copied();
            Ok(if selection.holds(&known) { each(known) } else { ControlFlow::Continue(()) })
        })
    }

    fn dead_at(&self, partition: i32) -> TopicPartition {
        TopicPartition::new(Arc::clone(&self.names.dead), partition)
    }

    /// Reads a stretch of a partition; what retention takes meanwhile is left out.
    fn between(
        &self,
        at: &TopicPartition,
        Stretch { from, to }: Stretch,
        each: &mut dyn FnMut(&Record) -> Result<ControlFlow<()>, DeadError>,
    ) -> Result<ControlFlow<()>, DeadError> {
        let mut reader = self.log.reader(&[(at.clone(), Start::Offset(from))])?;
        let mut heard = Instant::now();
        while reader.position(at) < to {
            let records = match reader.poll(READ_AT_ONCE, Duration::from_millis(100)) {
                Err(LogFault::OutOfRange { .. }) => {
                    reader.seek(at, self.log.low_watermark(at)?.max(from))?;
                    continue;
                }
                polled => polled?,
            };
            if !records.is_empty() {
                heard = Instant::now();
            } else if heard.elapsed() > self.patience {
                return Err(DeadError::Stuck { at: at.clone() });
            }
            for record in records.iter().filter(|record| (from..to).contains(&record.offset)) {
                if each(record)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The record at a place, without its value; `None` where there is none.
    pub(super) fn known_at(&self, place: Place) -> Result<Option<DeadRecord>, DeadError> {
        let (partition, offset) = (Some(place.partition), Some(place.offset));
        let mut found = None;
        self.each(&Selection { partition, offset, ..Selection::default() }, &mut |record| {
            found = Some(record);
            ControlFlow::Break(())
        })?;
        Ok(found)
    }
}
