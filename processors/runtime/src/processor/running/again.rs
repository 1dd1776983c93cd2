//! What is decided again: a batch that was not committed, and one of which something cannot be written.

use std::sync::Arc;

use millrace_kernel::Domain;
use millrace_ports::{LogFault, Record};

use super::commit::Proof;
use super::{Running, commands_upto};
use crate::processor::batch::{Batch, BatchError};
use crate::processor::decide::{Decider, Verdict};
use crate::processor::intake::Intake;
use crate::processor::lane::{LaneFault, Shared};

impl<D: Domain> Running<D> {
    /// What follows from a batch that failed. When it is certain that it was not committed, what is committed stays
    /// as it is, and its messages are read again; else the lane begins again, behind a fence.
    pub(super) fn not_committed(&mut self, shared: &Shared<D>, fault: LogFault) -> LaneFault {
        let messages = self.submission.take().map_or(0, |it| it.messages);
        if messages > 0 && matches!(fault, LogFault::Unavailable { .. }) {
            self.pace.failed(messages);
        }
        if !self.writer.is_clean() {
            return fault.into();
        }
        self.pending = None;
        self.is_further = true;
        self.committed.tell_floor_again();
        self.footing.submitted(&[]);
        if self.proof == Proof::Committing {
            self.proof = Proof::Asked;
        }
        self.meter.aborted();
        match self.read_again(shared) {
            Ok(()) => LaneFault::NotCommitted { messages, fault },
            Err(fault) => fault.into(),
        }
    }

    /// Drops what was decided and not handed over, and reads it again.
    fn read_again(&mut self, shared: &Shared<D>) -> Result<(), LogFault> {
        self.batch = Batch::default();
        self.held.clear();
        self.ahead.clear();
        self.gaps.clear();
        self.barrier.clear();
        self.claims.begin_again();
        if self.schemas.is_waiting() {
            // what waited for its schema is read again and looked at anew; nobody else would end the wait
            self.schemas.end(shared.clock.monotonic_micros());
        }
        self.quiet_at = None;
        self.meter.dropped();
        let next = self.submission.as_ref().map_or(&self.next, |it| &it.next);
        self.read_upto = commands_upto(next, &self.names);
        next.iter().try_for_each(|(input, offset)| self.reader.seek(input, *offset))
    }

    /// Decides again what was read up to these offsets, and looks at each message by itself.
    pub(super) fn take_care(
        &mut self,
        shared: &Shared<D>,
        upto: Vec<(Arc<str>, i64)>,
        why: &BatchError,
    ) -> Result<(), LaneFault> {
        tracing::info!(partition = self.partition, %why, "the batch is decided again, to find the message");
        self.careful = upto;
        Ok(self.read_again(shared)?)
    }

    pub(super) fn is_careful(&self, record: &Record) -> bool {
        self.careful.iter().any(|(topic, upto)| *topic == record.topic && record.offset < *upto)
    }
}

/// Decides a message and looks whether what follows can be written; if not, its decision fails.
pub(super) fn decide_carefully<D: Domain>(
    shared: &Shared<D>,
    decider: Decider<'_, D>,
    intake: &Intake<D>,
    record: &Record,
) -> Result<Verdict<D>, BatchError> {
    let decided = match decider.take(intake, record) {
        Verdict::Decided(decided) => decided,
        behind => return Ok(behind),
    };
    let why = match Batch::try_one(&shared.codecs, decider.place, record, *decided, decider.layers) {
        // a decision is a function: this is the same one
        Ok(()) => return Ok(decider.take(intake, record)),
        Err(why) if why.is_unwritable() => why.to_string(),
        Err(bug) => return Err(bug),
    };
    Ok(Decider { unwritable: Some(&why), ..decider }.take(intake, record))
}
