//! Reading one partition up to a place, and on from there.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use millrace_kernel::{Datum, Event};
use millrace_ports::{Log, LogFault, Reader, Record, Start, TopicPartition};
use millrace_wire::{Codec, DecodeFailure};

use crate::fault::AuditFault;
use crate::watch::Watcher;

/// Records taken from the log at once.
const AT_ONCE: usize = 2_000;
/// How long a partition may give nothing though it is longer. A transaction that was left open
/// ends by itself within a fraction of it.
const PATIENCE: Duration = Duration::from_secs(60);
/// One poll.
const POLL: Duration = Duration::from_millis(100);

/// A partition that is read on and on.
pub(crate) struct Tail {
    at: TopicPartition,
    reader: Box<dyn Reader>,
    /// Read from the log, and behind the place that was asked for.
    ahead: VecDeque<Record>,
}

impl Tail {
    pub(crate) fn open(log: &dyn Log, at: TopicPartition, start: Start) -> Result<Self, AuditFault> {
        let reader = log.reader(&[(at.clone(), start)])?;
        Ok(Self { at, reader, ahead: VecDeque::new() })
    }

    /// Gives every committed record before offset `to` to `each`.
    pub(crate) fn up_to(
        &mut self,
        to: i64,
        watcher: &dyn Watcher,
        each: &mut dyn FnMut(&Record) -> Result<(), AuditFault>,
    ) -> Result<(), AuditFault> {
        let mut moved = Instant::now();
        loop {
            let mut taken = 0;
            while self.ahead.front().is_some_and(|record| record.offset < to) {
                if let Some(record) = self.ahead.pop_front() {
                    each(&record)?;
                    taken += 1;
                }
            }
            watcher.advance(taken);
            let position = self.reader.position(&self.at);
            if !self.ahead.is_empty() || position >= to {
                return Ok(());
            }
            if watcher.is_overdue() {
                return Err(AuditFault::Overdue { at: self.at.clone(), reached: position, wanted: to });
            }
            match self.reader.poll(AT_ONCE, POLL) {
                Ok(records) => self.ahead.extend(records),
                Err(LogFault::Unavailable { .. }) if moved.elapsed() < PATIENCE => {}
                Err(fault) => return Err(fault.into()),
            }
            if !self.ahead.is_empty() || self.reader.position(&self.at) > position {
                moved = Instant::now();
            } else if moved.elapsed() >= PATIENCE {
                return Err(AuditFault::Stuck {
                    at: self.at.clone(),
                    reached: position,
                    wanted: to,
                    seconds: PATIENCE.as_secs(),
                });
            }
        }
    }
}

/// Gives every committed record of `at` from offset `from` up to `to` to `each`; where the log
/// does not hold `from` any more, from its oldest record.
pub(crate) fn between(
    log: &dyn Log,
    at: &TopicPartition,
    (from, to): (i64, i64),
    watcher: &dyn Watcher,
    each: &mut dyn FnMut(&Record) -> Result<(), AuditFault>,
) -> Result<(), AuditFault> {
    let from = from.max(log.low_watermark(at)?);
    if from >= to {
        return Ok(());
    }
    Tail::open(log, at.clone(), Start::Offset(from))?.up_to(to, watcher, each)
}

/// As [`between`], of a partition of commands: a batch that cannot be decompressed is passed over there, as
/// processors do. Gives the first offset of each such batch.
pub(crate) fn commands_between(
    log: &dyn Log,
    at: &TopicPartition,
    (from, to): (i64, i64),
    watcher: &dyn Watcher,
    each: &mut dyn FnMut(&Record) -> Result<(), AuditFault>,
) -> Result<Vec<i64>, AuditFault> {
    let mut from = from.max(log.low_watermark(at)?);
    let mut passed = Vec::new();
    while from < to {
        let mut tail = Tail::open(log, at.clone(), Start::Offset(from))?;
        match tail.up_to(to, watcher, each) {
            Ok(()) => break,
            Err(AuditFault::Log(LogFault::Undecodable { partition, offset, .. })) if partition == *at => {
                passed.push(offset.max(from));
                from = log.batch_end(at, offset)?;
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(passed)
}

/// The text of a record's key, if it is one.
pub(crate) fn key_text(record: &Record) -> Option<&str> {
    record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok())
}

/// The place of a record.
pub(crate) fn place_of(record: &Record) -> TopicPartition {
    TopicPartition::new(std::sync::Arc::clone(&record.topic), record.partition)
}

/// A record's message, or why there is none; only a registry that is away is a fault.
pub(crate) fn decode<T: Datum>(codec: &Codec<T>, record: &Record) -> Result<Result<T, String>, AuditFault> {
    let Some(value) = record.value.as_deref() else {
        return Ok(Err("a tombstone where a message should be".to_owned()));
    };
    match codec.decode(value) {
        Ok(message) => Ok(Ok(message)),
        Err(DecodeFailure::Registry(fault)) => Err(fault.into()),
        Err(other) => Ok(Err(other.to_string())),
    }
}

/// An event, without which nothing behind it can be folded.
pub(crate) fn decode_event<E>(codec: &Codec<Event<E>>, record: &Record) -> Result<Event<E>, AuditFault>
where
    Event<E>: Datum,
{
    decode(codec, record)?.map_err(|why| AuditFault::Unreadable {
        at: place_of(record),
        offset: record.offset,
        why,
    })
}
