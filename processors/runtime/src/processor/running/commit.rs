//! Batches handed over to be committed, what was committed taken in, and checkpoints of it.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_kernel::Domain;
#[cfg(debug_assertions)]
use millrace_ports::LogFault;
use millrace_ports::{TopicPartition, Transaction};

use super::{Running, place};
use crate::planted::{self, Bug};
use crate::processor::batch::Batch;
use crate::processor::copy::{CopyFault, ends};
use crate::processor::lane::{LaneFault, Shared};
use crate::processor::state::{Layers, Overlay};

/// How long offsets go without being committed again when nothing comes: a broker forgets them after days, those
/// of steps also while the group is there.
const COMMIT_AGAIN_MICROS: i64 = 3_600_000_000;

/// How long nothing comes before it is committed that the marks of transactions were read, too: without that
/// tools that look at offsets see a lag of one where nothing is left.
const COMMIT_MARKS_MICROS: i64 = 1_000_000;

/// A batch that was handed over to be committed.
pub(super) struct Submission {
    /// Where each input goes on behind it.
    pub(super) next: BTreeMap<TopicPartition, i64>,
    pub(super) messages: usize,
    /// When, by the clock that is never set.
    pub(super) at: i64,
}

/// Whether it is certain that nobody else has written below the offsets that a checkpoint was
/// said to reach. One who was replaced without knowing it yet would take the records of its
/// successor for its own. A commit that succeeds shows that it was not replaced before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    None,
    /// The offsets were asked for; no commit was begun since.
    Asked,
    /// A commit that was begun after the offsets were asked for is under way.
    Committing,
}

impl<D: Domain> Running<D> {
    /// Takes in the batch under way if it has committed.
    pub(super) fn settle(&mut self, shared: &Shared<D>, wait: Duration) -> Result<bool, LaneFault> {
        if self.pending.is_none() {
            return Ok(false);
        }
        let settled = self.writer.settle(wait);
        #[cfg(debug_assertions)]
        let settled = self.or_again(settled);
        match settled {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(fault) => return Err(self.not_committed(shared, fault)),
        }
        if let Some(submission) = self.submission.take() {
            self.next = submission.next;
            let took = shared.clock.monotonic_micros() - submission.at;
            // offsets alone say nothing of how long messages take
            if submission.messages > 0 {
                self.done += submission.messages as u64;
                self.pace.committed(Duration::from_micros(u64::try_from(took).unwrap_or(0)));
            }
        }
        if let Some(overlay) = self.pending.take() {
            // first what holds parts of the overlay's memory, so that all of it can be used again
            let mut written = self.writer.give_back().unwrap_or_default();
            written.clear();
            self.spare = Batch::over(self.committed.merge(overlay), written);
        }
        self.footing.committed();
        self.meter.committed(self.writer.timing());
        if self.proof == Proof::Committing {
            self.proof = Proof::None;
            self.committed.write_checkpoint();
        }
        Ok(true)
    }

    /// Takes checkpoints when they are due. The offsets of what was committed are not known, but
    /// while no transaction is open, all that lies below the high watermarks is in memory.
    pub(super) fn keep_checkpoint(&mut self, shared: &Shared<D>) -> Result<bool, LaneFault> {
        let now = shared.clock.now_micros();
        let progress = self.committed.tend_checkpoint(now).map_err(CopyFault::from)?;
        if self.pending.is_some() || !self.committed.is_checkpoint_due(now) {
            return Ok(progress);
        }
        self.committed.freeze(ends(shared, self.partition)?, now, now);
        if planted::is_on(Bug::CheckpointUnproven) {
            self.committed.write_checkpoint();
            return Ok(self.committed.tend_checkpoint(now).map_err(CopyFault::from)?);
        }
        self.proof = Proof::Asked;
        Ok(true)
    }

    /// With nothing in hand, commits where the inputs stand when that was long ago, or soon when they stand behind the
    /// marks of transactions, which no record tells.
    pub(super) fn commit_again(&mut self, shared: &Shared<D>) -> Result<bool, LaneFault> {
        for (input, next) in &mut self.next {
            let position = self.reader.position(input);
            self.is_further |= position > *next;
            *next = position.max(*next);
        }
        let now = shared.clock.monotonic_micros();
        let since = *self.submitted_at.get_or_insert(now);
        if now - since < if self.is_further { COMMIT_MARKS_MICROS } else { COMMIT_AGAIN_MICROS } {
            return Ok(false);
        }
        self.submitted_at = Some(now);
        self.submit_nothing(shared)?;
        Ok(true)
    }

    /// Commits where the inputs stand once more, to prove by it that nobody has taken over.
    pub(super) fn submit_nothing(&mut self, shared: &Shared<D>) -> Result<(), LaneFault> {
        if self.pending.is_none() {
            self.writer.submit(Transaction { records: Vec::new(), offsets: self.next.clone() })?;
            let at = shared.clock.monotonic_micros();
            self.submission = Some(Submission { next: self.next.clone(), messages: 0, at });
            self.is_further = false;
            self.meter.submitted_nothing();
            self.pending = Some(Overlay::default());
            self.proof = Proof::Committing;
        }
        Ok(())
    }

    #[cfg(debug_assertions)]
    fn or_again(&mut self, settled: Result<bool, LogFault>) -> Result<bool, LogFault> {
        match (settled, self.submitted.take()) {
            (Err(LogFault::Unavailable { .. }), Some(again)) if planted::is_on(Bug::LostAnswerRetried) => {
                self.writer.fence()?;
                self.writer.submit(again)?;
                Ok(false)
            }
            (settled, submitted) => {
                self.submitted = submitted;
                settled
            }
        }
    }

    pub(super) fn submit(&mut self, shared: &Shared<D>) -> Result<(), LaneFault> {
        self.meter.begin();
        let nothing = Overlay::default();
        let below = Layers { committed: &self.committed, pending: None, current: &nothing };
        let place = place(shared, &self.names, self.partition);
        let (messages, upto) = (self.batch.len(), self.batch.reached().to_vec());
        let is_new = upto.iter().any(|it| !self.careful.contains(it));
        let (mut transaction, overlay) =
            match std::mem::take(&mut self.batch).close(&shared.codecs, &place, &below) {
                Ok(closed) => closed,
                Err(why) if why.is_unwritable() && is_new => return self.take_care(shared, upto, &why),
                Err(why) => return Err(why.into()),
            };
        self.batch = std::mem::take(&mut self.spare);
        // what was decided without seeing all of the state must not be committed
        self.committed.check()?;
        if let Some(floor) = self.committed.floor_news() {
            let recorded_at = self.committed.last_recorded_at.max(overlay.last_recorded_at);
            Batch::add_floor(&mut transaction, &shared.codecs, &place, floor, recorded_at);
        }
        let mut next = self.next.clone();
        next.append(&mut transaction.offsets);
        transaction.offsets = next.clone();
        if planted::is_on(Bug::StepOffsetsNotCommitted) {
            transaction.offsets.retain(|input, _| input.topic != shared.names.steps);
        }
        #[cfg(debug_assertions)]
        {
            self.submitted = planted::is_on(Bug::LostAnswerRetried).then(|| transaction.clone());
        }
        self.meter.pause();
        self.footing.submitted(&transaction.records);
        self.writer.submit(transaction)?;
        self.submission = Some(Submission { next, messages, at: shared.clock.monotonic_micros() });
        self.is_further = false;
        self.submitted_at = Some(shared.clock.monotonic_micros());
        self.meter.submitted(shared.clock.now_micros() / 1_000);
        self.pending = Some(overlay);
        if planted::is_on(Bug::CheckpointUncommitted)
            && let Some(overlay) = self.pending.replace(Overlay::default())
        {
            self.committed.merge(overlay);
            let now = shared.clock.now_micros();
            self.committed.freeze(ends(shared, self.partition)?, now, now);
            self.committed.write_checkpoint();
        }
        if self.proof == Proof::Asked {
            self.proof = Proof::Committing;
        }
        Ok(())
    }
}
