//! Membership in a consumer group, and the offsets it keeps.
//!
//! The client behind it fetches nothing: what it is assigned is paused at once. The rebalance
//! callback only takes notes. What is revoked stays assigned until [`Group::release`], and
//! librdkafka goes on sending heartbeats while it waits for that, so a member that finishes its
//! work first is never taken for dead.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use millrace_ports::{
    Group, GroupEvent, GroupSpec, LogFault, RosterEntry, TopicPartition, TransactionalWriter,
};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::groups::GroupMemberInfo;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use crate::assignment;
use crate::config::KafkaConfig;
use crate::diary::Diary;
use crate::fault::Step;
use crate::membership::{Claim, Membership};
use crate::native::{GroupToken, Handle};
use crate::reaper::reap;
use crate::writer::KafkaWriter;

/// How long leaving may take before it is left to the session timeout.
const LEAVE_WAIT: Duration = Duration::from_secs(3);
/// The pause between two looks at something the broker has not settled yet.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Takes notes of rebalances.
struct Notes {
    topic: Arc<str>,
    diary: Diary,
    membership: Mutex<Membership>,
}

impl Notes {
    fn membership(&self) -> MutexGuard<'_, Membership> {
        self.membership.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self, partitions: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        list
    }

    fn assigned(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) {
        // An explicit offset spares the client a look at the committed ones, for which it would wait
        // while a transaction on them is open. Nothing is fetched from there.
        let ends = list.set_all_offsets(Offset::End);
        let taken = match consumer.rebalance_protocol() {
            RebalanceProtocol::Eager => consumer.assign(list),
            _ => consumer.incremental_assign(list),
        };
        let paused = if list.count() > 0 { consumer.pause(list) } else { Ok(()) };
        for problem in [ends, taken, paused].into_iter().filter_map(Result::err) {
            tracing::error!(
                topic = %self.topic, error = %problem, partitions = ?numbers(list),
                "cannot take an assignment. Next: the group deals these partitions out again at its next rebalance. \
                 What you can do: restart this process if they stay without an owner"
            );
        }
        self.membership().assign(&numbers(list));
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let partitions = numbers(list);
        let mut membership = self.membership();
        let is_lost = consumer.assignment_lost();
        if is_lost {
            membership.forget_lent();
        }
        let at_once = is_lost || membership.is_closing() || partitions.is_empty();
        if at_once {
            membership.lose(&partitions);
            drop(membership);
            self.give_back(consumer, &partitions);
        } else {
            membership.revoke(&partitions);
        }
    }

    fn give_back(&self, consumer: &BaseConsumer<Self>, partitions: &[i32]) {
        let done = match consumer.rebalance_protocol() {
            RebalanceProtocol::Eager => consumer.unassign(),
            _ => consumer.incremental_unassign(&self.list(partitions)),
        };
        if let Err(error) = done {
            tracing::warn!(
                topic = %self.topic, ?partitions, %error,
                "cannot give partitions back. Next: the group takes them back when the session times out"
            );
        }
    }
}

impl ClientContext for Notes {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.diary.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.diary.error(error, reason);
    }
}

impl ConsumerContext for Notes {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(consumer, list),
            _ => self.revoked(consumer, list),
        }
    }
}

fn numbers(list: &TopicPartitionList) -> Vec<i32> {
    list.elements().iter().map(|it| it.partition()).collect()
}

/// One member of one group, shared with its writers.
pub(crate) struct Member {
    /// Taken when dropped.
    consumer: Option<BaseConsumer<Notes>>,
    group_id: String,
    topic: Arc<str>,
    config: KafkaConfig,
    retired: AtomicBool,
}

impl Member {
    fn consumer(&self) -> Result<&BaseConsumer<Notes>, LogFault> {
        self.consumer.as_ref().ok_or_else(|| self.step("use the group").unavailable("left", None))
    }

    fn notes(&self) -> Option<&Arc<Notes>> {
        self.consumer.as_ref().map(Consumer::context)
    }

    fn membership(&self) -> Option<MutexGuard<'_, Membership>> {
        self.notes().map(|it| it.membership())
    }

    fn step(&self, step: &'static str) -> Step<'_> {
        Step { step, bootstrap: &self.config.bootstrap, topic: Some(&self.topic) }
    }

    fn handle(&self) -> Option<Handle> {
        self.consumer.as_ref().map(|it| it.client().native_ptr())
    }

    /// The right to commit `offsets`, which lasts as long as this member owns the partitions of the
    /// group's topic among them, or has lent them to a next owner.
    pub(crate) fn claim(&self, offsets: &BTreeMap<TopicPartition, i64>) -> Option<Claim> {
        self.membership()?.claim(self.own_offsets(offsets))
    }

    /// Whether `claim` lasts.
    pub(crate) fn holds(&self, claim: &Claim) -> bool {
        self.membership().is_some_and(|it| it.holds(claim))
    }

    /// The group's metadata, if this is still a member. One that has retired speaks for the group
    /// alone: then only the transactional id stands between it and the next owner, which is enough,
    /// since nobody decides before having fenced it off.
    pub(crate) fn token(&self) -> Option<GroupToken> {
        if self.retired.load(Ordering::Acquire) {
            return GroupToken::nameless(&self.group_id);
        }
        GroupToken::of(self.handle()?).filter(GroupToken::is_member)
    }

    fn own_offsets<'a>(&self, offsets: &'a BTreeMap<TopicPartition, i64>) -> impl Iterator<Item = i32> + 'a {
        let topic = Arc::clone(&self.topic);
        offsets.keys().filter(move |it| it.topic == topic).map(|it| it.partition)
    }

    /// A transaction on an offset, or a rebalance, is over sooner or later; until then it is asked
    /// again.
    fn settle_deadline(&self) -> Instant {
        Instant::now() + self.config.transaction_timeout + self.config.request_timeout
    }

    fn problem(&self, error: &KafkaError) -> Option<LogFault> {
        let diary = self.notes().map(|it| &it.diary);
        match error.rdkafka_error_code() {
            // what was lost is told by the rebalance that follows
            Some(Code::PollExceeded | Code::PartitionEOF) | None => None,
            // one connection may fail while others work; the client says when all are down
            Some(Code::BrokerTransportFailure | Code::Resolve | Code::OperationTimedOut) => None,
            // no fault of the membership: the client rejoins by itself
            Some(Code::IllegalGeneration | Code::UnknownMemberId | Code::RebalanceInProgress) => None,
            Some(_) => Some(self.step("poll the group").fault(error, diary)),
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            consumer.context().membership().close();
            reap(consumer);
        }
    }
}

/// The port's view of a [`Member`].
pub(crate) struct KafkaGroup(Arc<Member>);

impl KafkaGroup {
    /// Joins.
    pub(crate) fn join(config: &KafkaConfig, spec: &GroupSpec) -> Result<Self, LogFault> {
        let step = Step { step: "join the group", bootstrap: &config.bootstrap, topic: Some(&spec.topic) };
        let notes = Notes {
            topic: spec.topic.clone(),
            diary: Diary::default(),
            membership: Mutex::new(Membership::default()),
        };
        let consumer: BaseConsumer<Notes> = config
            .member(&spec.group_id, spec.session_timeout)
            .create_with_context(notes)
            .map_err(|error| step.fault(&error, None))?;
        consumer.subscribe(&[&spec.topic]).map_err(|error| step.fault(&error, None))?;
        Ok(Self(Arc::new(Member {
            consumer: Some(consumer),
            group_id: spec.group_id.clone(),
            topic: spec.topic.clone(),
            config: config.clone(),
            retired: AtomicBool::new(false),
        })))
    }

    /// What waits for its release may be lost meanwhile, and then nobody waits for it.
    fn notice_loss(&self) -> Result<(), LogFault> {
        let consumer = self.0.consumer()?;
        if !consumer.assignment_lost() {
            return Ok(());
        }
        let waiting = consumer.context().membership().awaiting_release();
        if !waiting.is_empty() {
            consumer.context().membership().lose(&waiting);
            consumer.context().give_back(consumer, &waiting);
        }
        Ok(())
    }
}

impl Group for KafkaGroup {
    fn poll(&self, wait: Duration) -> Result<Option<GroupEvent>, LogFault> {
        let consumer = self.0.consumer()?;
        let deadline = Instant::now() + wait;
        // without a wait a poll ends after any one event, log lines included: look a few times
        let mut looks = 8;
        // An outage queues an error for every attempt to connect. Whoever pauses after a fault would take hours
        // to come to the rebalance behind them, so a fault is told only when nothing better comes.
        let mut told = None;
        loop {
            self.notice_loss()?;
            if let Some(event) = consumer.context().membership().next_event() {
                return Ok(Some(event));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                if looks == 0 {
                    return told.map_or(Ok(None), Err);
                }
                looks -= 1;
            }
            if let Some(Err(error)) = consumer.poll(left) {
                told = self.0.problem(&error).or(told);
            }
        }
    }

    fn release(&self, partitions: &[i32]) -> Result<(), LogFault> {
        let consumer = self.0.consumer()?;
        let done = consumer.context().membership().release(partitions);
        if let Some(together) = done {
            consumer.context().give_back(consumer, &together);
        }
        Ok(())
    }

    fn hand_over(&self, partitions: &[i32]) -> Result<(), LogFault> {
        let consumer = self.0.consumer()?;
        let done = consumer.context().membership().hand_over(partitions);
        if let Some(together) = done {
            consumer.context().give_back(consumer, &together);
        }
        Ok(())
    }

    fn roster(&self) -> Result<Vec<RosterEntry>, LogFault> {
        let consumer = self.0.consumer()?;
        let found = consumer.fetch_group_list(Some(&self.0.group_id), self.0.config.request_timeout);
        let list = found.map_err(|error| {
            self.0.step("list the members").fault(&error, Some(&consumer.context().diary))
        })?;
        let own = self.0.token().map(|token| token.member());
        let group = list.groups().iter().find(|it| it.name() == self.0.group_id);
        let mut roster: Vec<RosterEntry> = group
            .map(|it| {
                it.members().iter().map(|member| entry(member, &self.0.topic, own.as_deref())).collect()
            })
            .unwrap_or_default();
        roster.sort();
        Ok(roster)
    }

    fn committed(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, LogFault> {
        let consumer = self.0.consumer()?;
        let diary = &consumer.context().diary;
        let step = Step { topic: None, ..self.0.step("read committed offsets") };
        let deadline = self.0.settle_deadline();
        loop {
            let mut list = TopicPartitionList::with_capacity(partitions.len());
            for at in partitions {
                list.add_partition(&at.topic, at.partition);
            }
            let answer = consumer
                .committed_offsets(list, self.0.config.request_timeout)
                .and_then(|list| known_offsets(&list));
            match answer {
                Ok(offsets) => return Ok(offsets),
                Err(error)
                    if error.rdkafka_error_code() == Some(Code::UnstableOffsetCommit)
                        && Instant::now() < deadline =>
                {
                    std::thread::sleep(RETRY_PAUSE);
                }
                Err(error) => return Err(step.fault(&error, Some(diary))),
            }
        }
    }

    fn commit(&self, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), LogFault> {
        let consumer = self.0.consumer()?;
        let step = self.0.step("commit offsets");
        let fenced = || LogFault::Fenced { step: step.step };
        let claim = self.0.claim(offsets).ok_or_else(fenced)?;
        if !self.0.membership().is_some_and(|it| it.owns(self.0.own_offsets(offsets))) {
            return Err(fenced());
        }
        let list = list_of(offsets).map_err(|error| step.fault(&error, None))?;
        let deadline = self.0.settle_deadline();
        loop {
            // A client between two memberships would commit as a stranger, which the broker allows
            // while the group is empty.
            if self.0.token().is_none() || !self.0.holds(&claim) {
                return Err(fenced());
            }
            match consumer.commit(&list, CommitMode::Sync) {
                Ok(()) => return Ok(()),
                // the group is being dealt out anew; what is still owned may be committed after that
                Err(error)
                    if matches!(
                        error.rdkafka_error_code(),
                        Some(Code::RebalanceInProgress | Code::IllegalGeneration)
                    ) && self.0.holds(&claim)
                        && Instant::now() < deadline =>
                {
                    std::thread::sleep(RETRY_PAUSE);
                }
                Err(error) => return Err(step.fault(&error, Some(&consumer.context().diary))),
            }
        }
    }

    fn writer(&self, transactional_id: &str) -> Result<Box<dyn TransactionalWriter>, LogFault> {
        let writer = KafkaWriter::start(&self.0.config, Some(self.0.clone()), transactional_id)?;
        Ok(Box::new(writer))
    }

    fn leave(&self) {
        self.go(|membership| {
            membership.close();
            let waiting = membership.awaiting_release();
            let owned = membership.owned();
            membership.lose(&owned);
            membership.forget_lent();
            waiting
        });
    }

    fn retire(&self) {
        self.go(|membership| {
            let waiting = membership.retire();
            self.0.retired.store(true, Ordering::Release);
            waiting
        });
    }
}

impl KafkaGroup {
    /// Settles what becomes of the partitions and leaves; `settle` tells which wait for a release.
    fn go(&self, settle: impl FnOnce(&mut Membership) -> Vec<i32>) {
        let Some(consumer) = self.0.consumer.as_ref() else { return };
        let notes = consumer.context();
        let waiting = settle(&mut notes.membership());
        if !waiting.is_empty() {
            notes.give_back(consumer, &waiting);
        }
        if consumer.close_queue().is_err() {
            return; // closed already
        }
        let deadline = Instant::now() + LEAVE_WAIT;
        while !consumer.closed() && Instant::now() < deadline {
            consumer.poll(Duration::from_millis(10));
        }
    }
}

fn entry(member: &GroupMemberInfo, topic: &str, own: Option<&str>) -> RosterEntry {
    RosterEntry {
        member: member.id().to_owned(),
        host: member.client_host().to_owned(),
        partitions: member
            .assignment()
            .and_then(|bytes| assignment::assigned(bytes, topic))
            .unwrap_or_default(),
        is_self: own == Some(member.id()),
    }
}

/// A list for the client.
pub(crate) fn list_of(offsets: &BTreeMap<TopicPartition, i64>) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (at, offset) in offsets {
        list.add_partition_offset(&at.topic, at.partition, Offset::Offset(*offset))?;
    }
    Ok(list)
}

/// The offsets in a list, without those that are not known.
pub(crate) fn known_offsets(list: &TopicPartitionList) -> Result<BTreeMap<TopicPartition, i64>, KafkaError> {
    let mut offsets = BTreeMap::new();
    for element in list.elements() {
        element.error()?;
        if let Offset::Offset(offset) = element.offset() {
            offsets.insert(TopicPartition::new(element.topic(), element.partition()), offset);
        }
    }
    Ok(offsets)
}
