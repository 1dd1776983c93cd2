//! Writes batches all or nothing. `submit` writes, `settle` commits: two steps, between which a
//! simulation may do anything.

use std::sync::Arc;
use std::time::Duration;

use millrace_ports::{GroupSpec, LogFault, Transaction, TransactionalWriter};

use super::broker::Committing;
use super::group::Seat;
use super::members::Claim;
use super::{Operation, Shared, Step};

/// A writer under one transactional id.
pub(super) struct MemoryWriter {
    seat: Arc<Seat>,
    /// Whether it writes for a member of a group.
    has_group: bool,
    id: String,
    epoch: Option<u64>,
    /// The batch that is written and not committed, and the right to commit it.
    written: Option<(u64, Claim)>,
    /// What `submit` found wrong, told by `settle`.
    failed: Option<LogFault>,
    /// Whether the batch that failed last is aborted, and this still the one who may write.
    is_clean: bool,
}

impl MemoryWriter {
    pub(super) fn new(seat: Arc<Seat>, id: &str) -> Self {
        Self {
            seat,
            has_group: true,
            id: id.to_owned(),
            epoch: None,
            written: None,
            failed: None,
            is_clean: false,
        }
    }

    /// A writer that belongs to no group.
    pub(super) fn alone(shared: Arc<Shared>, id: &str) -> Self {
        let spec = GroupSpec { group_id: String::new(), topic: "".into(), session_timeout: Duration::ZERO };
        Self { has_group: false, ..Self::new(Arc::new(Seat::new(shared, spec, 0)), id) }
    }

    fn unavailable(step: &'static str, message: &str) -> LogFault {
        LogFault::Unavailable { step, message: message.to_owned() }
    }
}

impl TransactionalWriter for MemoryWriter {
    fn fence(&mut self) -> Result<(), LogFault> {
        (self.epoch, self.written, self.failed, self.is_clean) = (None, None, None, false);
        let id = self.id.clone();
        let epoch = self
            .seat
            .shared
            .step(&Operation::Fence { id: &id }, "fence", |broker, _| Ok(broker.fence(&id)))?;
        self.epoch = Some(epoch);
        Ok(())
    }

    fn submit(&mut self, batch: Transaction) -> Result<(), LogFault> {
        if self.written.is_some() || self.failed.is_some() {
            return Err(Self::unavailable("submit", "the batch before is not settled"));
        }
        if !self.has_group && !batch.offsets.is_empty() {
            let message = "a writer without a group commits no offsets".to_owned();
            return Err(LogFault::Refused { step: "submit", message });
        }
        self.is_clean = false;
        let has_group = self.has_group;
        let Some(epoch) = self.epoch else { return Err(Self::unavailable("submit", "not fenced")) };
        let (seat, id) = (self.seat.clone(), self.id.clone());
        let member = seat.member();
        let (mut claimed, records) = (None, batch.records.len());
        let result = seat.shared.step(&Operation::Write { id: &id, records }, "write", |broker, now| {
            let own = batch.offsets.keys().filter(|it| it.topic == seat.spec.topic);
            let group = broker.groups.get(&seat.spec.group_id);
            let claim = match has_group {
                true => group.and_then(|it| it.members.claim(member, own.map(|it| it.partition))),
                false => Some(Claim::default()),
            };
            claimed = Some(claim.ok_or(LogFault::Fenced { step: "submit" })?);
            broker.write(&id, epoch, &seat.spec.group_id, batch, now)
        });
        match (result, claimed) {
            (Ok(()), Some(claim)) => {
                self.written = Some((member, claim));
                Ok(())
            }
            (Err(fault @ LogFault::Fenced { .. }), None) => {
                self.epoch = None;
                Err(fault)
            }
            // like Kafka, whose answers about records come with the commit
            (Err(fault), _) => {
                self.failed = Some(fault);
                Ok(())
            }
            (Ok(()), None) => Ok(()),
        }
    }

    fn settle(&mut self, wait: Duration) -> Result<bool, LogFault> {
        let (seat, id) = (self.seat.clone(), self.id.clone());
        if let Some(fault) = self.failed.take() {
            let epoch = self.epoch;
            self.is_clean =
                epoch.is_some_and(|epoch| seat.shared.change(|state, _| state.broker.abort(&id, epoch)));
            if !self.is_clean {
                self.epoch = None;
            }
            return Err(fault);
        }
        let (Some(epoch), Some((member, claim))) = (self.epoch, &self.written) else { return Ok(true) };
        let by = Committing { id: &id, epoch, group: &seat.spec.group_id, member: *member, claim };
        let result = seat.shared.wait(
            &Operation::Commit { id: &id },
            "commit",
            wait,
            || false,
            |broker, _| {
                broker.commit(&by)?;
                Ok(Step::Done(true))
            },
        );
        match result {
            Ok(false) => Ok(false),
            Ok(true) => {
                self.written = None;
                Ok(true)
            }
            Err(fault) => {
                (self.epoch, self.written) = (None, None);
                Err(fault)
            }
        }
    }
    fn is_clean(&self) -> bool {
        self.is_clean
    }
}
