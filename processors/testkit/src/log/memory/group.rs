//! One member of a group, as its owner sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millrace_ports::{
    Group, GroupEvent, GroupSpec, LogFault, RosterEntry, TopicPartition, TransactionalWriter,
};
use millrace_runtime::planted::{self, Bug};

use super::members::Members;
use super::writer::MemoryWriter;
use super::{Operation, Shared, Step};

/// How long committed offsets wait for open transactions.
const STABLE_WAIT: Duration = Duration::from_secs(15);

/// A member.
pub(super) struct MemoryGroup {
    seat: Arc<Seat>,
}

/// What a member shares with its writers. The number changes when it joins anew.
pub(super) struct Seat {
    pub(super) shared: Arc<Shared>,
    pub(super) spec: GroupSpec,
    own: Mutex<Own>,
}

struct Own {
    member: u64,
    known: BTreeSet<i32>,
    left: bool,
}

impl Seat {
    pub(super) fn new(shared: Arc<Shared>, spec: GroupSpec, member: u64) -> Self {
        Self { shared, spec, own: Mutex::new(Own { member, known: BTreeSet::new(), left: false }) }
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn member(&self) -> u64 {
        self.own().member
    }
}

impl MemoryGroup {
    pub(super) fn new(shared: Arc<Shared>, spec: GroupSpec, member: u64) -> Self {
        Self { seat: Arc::new(Seat::new(shared, spec, member)) }
    }

    fn group(&self) -> &str {
        &self.seat.spec.group_id
    }
}

impl Group for MemoryGroup {
    fn poll(&self, wait: Duration) -> Result<Option<GroupEvent>, LogFault> {
        let seat = &self.seat;
        if seat.own().left {
            return Err(LogFault::Unavailable { step: "poll the group", message: "left".to_owned() });
        }
        let operation = Operation::PollGroup { group: self.group(), member: seat.member() };
        seat.shared.wait(
            &operation,
            "poll the group",
            wait,
            || None,
            |broker, now| {
                let mut own = seat.own();
                let state = broker.groups.entry(seat.spec.group_id.clone()).or_default();
                let event = match state.members.poll(own.member, now) {
                    Some(event) => event,
                    None => {
                        // removed for its silence: tell what is lost, and join anew
                        own.member = broker.join(&seat.spec, now)?;
                        let lost: Vec<i32> = std::mem::take(&mut own.known).into_iter().collect();
                        (!lost.is_empty()).then_some(GroupEvent::Lost(lost))
                    }
                };
                if let Some(GroupEvent::Assigned(given)) = &event {
                    own.known.extend(given);
                }
                Ok(match event {
                    Some(event) => Step::Done(Some(event)),
                    None => Step::NothingYet(None),
                })
            },
        )
    }

    fn release(&self, partitions: &[i32]) -> Result<(), LogFault> {
        let member = self.seat.member();
        let operation = Operation::Release { group: self.group(), member };
        self.seat.shared.step(&operation, "release partitions", |broker, _| {
            let mut own = self.seat.own();
            own.known.retain(|it| !partitions.contains(it));
            if let Some(state) = broker.groups.get_mut(self.group()) {
                state.members.release(own.member, partitions);
            }
            Ok(())
        })
    }

    fn hand_over(&self, partitions: &[i32]) -> Result<(), LogFault> {
        let member = self.seat.member();
        let operation = Operation::Release { group: self.group(), member };
        self.seat.shared.step(&operation, "hand partitions over", |broker, _| {
            let mut own = self.seat.own();
            own.known.retain(|it| !partitions.contains(it));
            if let Some(state) = broker.groups.get_mut(self.group()) {
                state.members.hand_over(own.member, partitions);
            }
            Ok(())
        })
    }

    fn retire(&self) {
        self.go(Members::retire);
    }

    fn roster(&self) -> Result<Vec<RosterEntry>, LogFault> {
        let member = self.seat.member();
        let operation = Operation::Roster { group: self.group() };
        self.seat.shared.step(&operation, "list the members", |broker, _| {
            let members = broker.groups.get(self.group()).map(|it| it.members.roster());
            let entry = |(id, partitions): (u64, Vec<i32>)| RosterEntry {
                member: format!("member-{id:08}"),
                host: "memory".to_owned(),
                partitions,
                is_self: id == member,
            };
            Ok(members.unwrap_or_default().into_iter().map(entry).collect())
        })
    }

    fn committed(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, LogFault> {
        let operation = Operation::Committed { group: self.group() };
        let found = self.seat.shared.wait(
            &operation,
            "read committed offsets",
            STABLE_WAIT,
            || None,
            |broker, _| {
                if broker.is_unstable(self.group(), partitions) && !planted::is_on(Bug::PendingNotAwaited) {
                    return Ok(Step::NothingYet(None));
                }
                let offsets = broker.groups.get(self.group()).map(|it| &it.offsets);
                let found = partitions
                    .iter()
                    .filter_map(|at| Some((at.clone(), *offsets?.get(at)?)))
                    .collect::<BTreeMap<_, _>>();
                Ok(Step::Done(Some(found)))
            },
        )?;
        found.ok_or_else(|| LogFault::Unavailable {
            step: "read committed offsets",
            message: "a transaction on them is open".to_owned(),
        })
    }

    fn commit(&self, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), LogFault> {
        let member = self.seat.member();
        let operation = Operation::CommitOffsets { group: self.group(), member };
        self.seat.shared.step(&operation, "commit offsets", |broker, _| {
            let fenced = || LogFault::Fenced { step: "commit offsets" };
            let own = offsets.keys().filter(|it| it.topic == self.seat.spec.topic);
            let state = broker.groups.get_mut(self.group()).ok_or_else(fenced)?;
            if !state.members.owns(member, own.map(|it| it.partition)) {
                return Err(fenced());
            }
            state.offsets.extend(offsets.iter().map(|(at, offset)| (at.clone(), *offset)));
            Ok(())
        })
    }

    fn writer(&self, transactional_id: &str) -> Result<Box<dyn TransactionalWriter>, LogFault> {
        Ok(Box::new(MemoryWriter::new(self.seat.clone(), transactional_id)))
    }

    fn leave(&self) {
        self.go(Members::remove);
    }
}

impl MemoryGroup {
    fn go(&self, how: impl FnOnce(&mut Members, u64)) {
        let mut own = self.seat.own();
        if std::mem::replace(&mut own.left, true) {
            return;
        }
        own.known.clear();
        let member = own.member;
        drop(own);
        self.seat.shared.change(|state, _| {
            if let Some(group) = state.broker.groups.get_mut(self.group()) {
                how(&mut group.members, member);
            }
        });
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        self.leave();
    }
}
