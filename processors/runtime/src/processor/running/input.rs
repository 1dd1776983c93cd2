//! What a partition reads, and what it reads past.

use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::Domain;
use millrace_ports::{LogFault, TopicPartition};

use super::Running;
use crate::processor::clock_watch::ClockWatch;
use crate::processor::lane::{LaneFault, Shared};
use crate::processor::reading::pass_over;

/// How many records are asked for at once: what was read is still near when it is decided.
pub(super) const POLLED: usize = 512;
/// How often a lane without input asks whether there really is none.
const QUIET_LOOK_MICROS: i64 = 30_000_000;

impl<D: Domain> Running<D> {
    pub(super) fn poll(
        &mut self,
        shared: &Shared<D>,
        watch: &mut ClockWatch,
        wait: Duration,
    ) -> Result<usize, LaneFault> {
        let room = self.batch.room(shared.settings.batch_max_records).saturating_sub(self.held.len());
        if room == 0 {
            return Ok(0);
        }
        let records = match self.reader.poll(room.min(POLLED), wait) {
            Err(LogFault::Undecodable { partition: at, offset, message })
                if at.topic == shared.names.commands =>
            {
                return self.pass_over(shared, &at, offset, message);
            }
            polled => polled?,
        };
        let now = shared.clock.monotonic_micros();
        let is_quiet = |within: i64| self.quiet_at.is_some_and(|at| now - at <= within);
        if let Some(first) = records.first() {
            if first.topic == shared.names.commands && is_quiet(2 * QUIET_LOOK_MICROS) {
                watch.learn(&*shared.clock, first.timestamp_ms);
            }
            self.quiet_at = None;
        } else if !wait.is_zero() && !is_quiet(QUIET_LOOK_MICROS) {
            // an empty poll alone says nothing: a new client needs longer than that to connect, and
            // a connection may be lost without a word
            let commands = TopicPartition::new(Arc::clone(&shared.names.commands), self.partition);
            let is_end = self.reader.position(&commands) >= shared.log.high_watermark(&commands)?;
            self.quiet_at = is_end.then_some(now);
        }
        let polled = records.len();
        for record in records {
            self.polled += 1;
            if record.topic == self.names.commands {
                self.read_upto = record.offset + 1;
            }
            self.held.push_back((self.polled, record));
        }
        Ok(polled)
    }

    /// Goes on behind a batch of commands that cannot be decompressed: it is buried in its turn.
    fn pass_over(
        &mut self,
        shared: &Shared<D>,
        at: &TopicPartition,
        offset: i64,
        why: String,
    ) -> Result<usize, LaneFault> {
        let first = offset.max(self.read_upto);
        let passed = pass_over(shared, &mut *self.reader, at, first, offset, why)?;
        let Some((gap, record)) = passed else { return Ok(1) };
        self.read_upto = record.offset + 1;
        self.gaps.insert(record.offset, gap);
        self.polled += 1;
        self.held.push_back((self.polled, record));
        Ok(1)
    }
}
