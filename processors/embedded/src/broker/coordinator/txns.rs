//! The transaction coordinator: transactional ids, their producers, and the end of transactions.
//!
//! A decision is one entry of the metadata log. It is carried out before it is answered: markers
//! into every partition, offsets into their groups. After a crash the decision is carried out again,
//! which changes nothing where it already was.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kafka_protocol::ResponseError;

use super::groups::Groups;
use super::offsets::Committer;
use crate::broker::storage::metalog::MetaLog;
use crate::broker::storage::metastate::{Entry, MetaState, Offsets, StoredTxn, TxnStatus, merge_offsets};
use crate::broker::topics::Topics;
use crate::broker::util::{lock, now_ms};

/// Producer ids are reserved in blocks, so that not each of them costs an entry.
const PRODUCER_ID_BLOCK: i64 = 1000;
/// Transactional ids that were not used for so long are forgotten.
const EXPIRY_MS: i64 = 7 * 24 * 60 * 60 * 1000;

#[derive(Debug)]
struct ProducerIds {
    next: i64,
    reserved: i64,
}

/// The transaction coordinator.
#[derive(Debug)]
pub(crate) struct Txns {
    by_id: Mutex<HashMap<String, Arc<Mutex<StoredTxn>>>>,
    producer_ids: Mutex<ProducerIds>,
    metadata: Arc<MetaLog>,
    topics: Arc<Topics>,
    groups: Arc<Groups>,
    max_timeout: Duration,
}

impl Txns {
    /// Takes up where the last run stopped: decided transactions are carried out, and records of
    /// transactions that nobody knows are aborted.
    pub fn restored(
        state: &MetaState,
        metadata: Arc<MetaLog>,
        topics: Arc<Topics>,
        groups: Arc<Groups>,
        max_timeout: Duration,
    ) -> Self {
        let by_id =
            state.txns.iter().map(|(id, txn)| (id.clone(), Arc::new(Mutex::new(txn.clone())))).collect();
        let next = state.next_producer_id;
        let txns = Self {
            by_id: Mutex::new(by_id),
            producer_ids: Mutex::new(ProducerIds { next, reserved: next }),
            metadata,
            topics,
            groups,
            max_timeout,
        };
        let mut open = HashSet::new();
        for (id, txn) in txns.all() {
            let mut txn = lock(&txn);
            if txn.is_incomplete()
                && let Err(error) = txns.carry_out(&mut txn)
            {
                tracing::error!(transactional_id = id, ?error, "a decision cannot be carried out");
            }
            if txn.status == TxnStatus::Ongoing {
                open.extend(txn.partitions.iter().map(|(t, p)| (txn.producer_id, t.clone(), *p)));
            }
        }
        txns.abort_orphans(&open);
        txns
    }

    fn abort_orphans(&self, open: &HashSet<(i64, String, i32)>) {
        for topic in self.topics.all() {
            for partition in &topic.partitions {
                let orphans: Vec<(i64, i16)> = {
                    let log = partition.log();
                    let open_here = log.producers.open_producers();
                    open_here
                        .filter(|id| !open.contains(&(*id, topic.name.clone(), partition.index)))
                        .filter_map(|id| log.producers.epoch(id).map(|epoch| (id, epoch)))
                        .collect()
                };
                for (id, epoch) in orphans {
                    tracing::warn!(
                        topic = topic.name,
                        partition = partition.index,
                        producer_id = id,
                        "aborting a transaction that nobody knows"
                    );
                    let _ = partition.end_transaction(id, epoch, false, &topic.settings);
                }
            }
        }
    }

    /// All transactional ids.
    pub fn all(&self) -> Vec<(String, Arc<Mutex<StoredTxn>>)> {
        lock(&self.by_id).iter().map(|(id, txn)| (id.clone(), Arc::clone(txn))).collect()
    }

    pub fn get(&self, id: &str) -> Option<Arc<Mutex<StoredTxn>>> {
        lock(&self.by_id).get(id).cloned()
    }

    fn known(&self, id: &str) -> Result<Arc<Mutex<StoredTxn>>, ResponseError> {
        self.get(id).ok_or(ResponseError::InvalidProducerIdMapping)
    }

    /// A producer id that was never used.
    pub fn new_producer_id(&self) -> Result<i64, ResponseError> {
        let mut ids = lock(&self.producer_ids);
        if ids.next >= ids.reserved {
            let reserved = ids.next + PRODUCER_ID_BLOCK;
            self.metadata
                .append(&[Entry::ProducerIds(reserved)])
                .map_err(|_| ResponseError::CoordinatorNotAvailable)?;
            ids.reserved = reserved;
        }
        ids.next += 1;
        Ok(ids.next - 1)
    }

    fn save(&self, id: &str, txn: &mut StoredTxn, next: StoredTxn) -> Result<(), ResponseError> {
        if *txn == next {
            return Ok(());
        }
        let entry = Entry::Txn(id.to_owned(), next);
        self.metadata.append(std::slice::from_ref(&entry)).map_err(|error| {
            // that it cannot be written was said there
            tracing::debug!(transactional_id = id, %error, "cannot store a transaction");
            ResponseError::CoordinatorNotAvailable
        })?;
        if let Entry::Txn(_, next) = entry {
            *txn = next;
        }
        Ok(())
    }

    /// Makes the caller the one producer of a transactional id. What its predecessor left open is
    /// aborted, and the predecessor can write nothing more.
    pub fn init(
        &self,
        id: &str,
        timeout_ms: i32,
        producer_id: i64,
        epoch: i16,
    ) -> Result<(i64, i16), ResponseError> {
        if id.is_empty() {
            return Err(ResponseError::InvalidRequest);
        }
        let longest = i64::try_from(self.max_timeout.as_millis()).unwrap_or(i64::MAX);
        if timeout_ms <= 0 || i64::from(timeout_ms) > longest {
            return Err(ResponseError::InvalidTransactionTimeout);
        }
        let txn = {
            let fresh = StoredTxn { producer_id: -1, epoch: -1, ..StoredTxn::default() };
            let mut by_id = lock(&self.by_id);
            Arc::clone(by_id.entry(id.to_owned()).or_insert_with(|| Arc::new(Mutex::new(fresh))))
        };
        let mut txn = lock(&txn);
        if producer_id >= 0 && txn.producer_id >= 0 {
            txn.check_producer(producer_id, epoch).map_err(|_| ResponseError::ProducerFenced)?;
        }
        if txn.is_incomplete() {
            self.carry_out(&mut txn)?;
        }
        if txn.status == TxnStatus::Ongoing {
            self.decide(id, &mut txn, false, true)?;
        }
        let exhausted = txn.epoch >= i16::MAX - 1;
        let (producer_id, epoch) = if txn.producer_id < 0 || exhausted {
            (self.new_producer_id()?, 0)
        } else {
            (txn.producer_id, txn.epoch + 1)
        };
        let next = StoredTxn {
            producer_id,
            epoch,
            timeout_ms,
            status: TxnStatus::Empty,
            updated_ms: now_ms(),
            ..StoredTxn::default()
        };
        self.save(id, &mut txn, next)?;
        Ok((producer_id, epoch))
    }

    /// Adds partitions to the open transaction, or opens one with them.
    pub fn add_partitions(
        &self,
        id: &str,
        producer_id: i64,
        epoch: i16,
        partitions: impl IntoIterator<Item = (String, i32)>,
    ) -> Result<(), ResponseError> {
        let txn = self.known(id)?;
        let mut txn = lock(&txn);
        txn.check_producer(producer_id, epoch)?;
        let mut next = txn.opened(now_ms())?;
        next.partitions.extend(partitions);
        self.save(id, &mut txn, next)
    }

    /// Announces that offsets of a group will belong to the transaction.
    pub fn add_offsets(&self, id: &str, producer_id: i64, epoch: i16) -> Result<(), ResponseError> {
        self.add_partitions(id, producer_id, epoch, [])
    }

    /// Puts offsets of a group into the transaction.
    pub fn commit_offsets(
        &self,
        id: &str,
        producer_id: i64,
        epoch: i16,
        group_id: &str,
        committer: Committer<'_>,
        offsets: Offsets,
    ) -> Result<(), ResponseError> {
        if group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let txn = self.known(id)?;
        let mut txn = lock(&txn);
        txn.check_producer(producer_id, epoch)?;
        if txn.status != TxnStatus::Ongoing {
            return Err(ResponseError::InvalidTxnState);
        }
        let group = match self.groups.get(group_id) {
            Some(group) => group,
            None if committer.generation < 0 => self.groups.get_or_create(group_id),
            None => return Err(ResponseError::IllegalGeneration),
        };
        let mut group = lock(&group);
        if group.deleted {
            return Err(ResponseError::CoordinatorNotAvailable);
        }
        group.may_commit_in_transaction(committer)?;
        let mut next = txn.clone();
        merge_offsets(next.offsets.entry(group_id.to_owned()).or_default(), &offsets);
        self.save(id, &mut txn, next)?;
        merge_offsets(group.undecided.entry(producer_id).or_default(), &offsets);
        Ok(())
    }

    /// Runs `write` while the transaction is known to be open and to hold the partition, so that no
    /// record slips in behind the marker.
    pub fn produce<R>(
        &self,
        id: &str,
        producer_id: i64,
        epoch: i16,
        partition: (String, i32),
        write: impl FnOnce() -> Result<R, ResponseError>,
    ) -> Result<R, ResponseError> {
        let txn = self.known(id)?;
        let txn = lock(&txn);
        txn.check_producer(producer_id, epoch).map_err(|error| match error {
            ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
            other => other,
        })?;
        if txn.status != TxnStatus::Ongoing || !txn.partitions.contains(&partition) {
            return Err(ResponseError::InvalidTxnState);
        }
        write()
    }

    /// Ends the transaction.
    pub fn end(&self, id: &str, producer_id: i64, epoch: i16, commit: bool) -> Result<(), ResponseError> {
        let txn = self.known(id)?;
        let mut txn = lock(&txn);
        txn.check_producer(producer_id, epoch)?;
        match (txn.status, commit) {
            (TxnStatus::Ongoing, _) => self.decide(id, &mut txn, commit, false),
            // The answer was lost, or the markers could not be written: the same again.
            (TxnStatus::Committed, true) | (TxnStatus::Aborted, false) => self.carry_out(&mut txn),
            _ => Err(ResponseError::InvalidTxnState),
        }
    }

    fn decide(&self, id: &str, txn: &mut StoredTxn, commit: bool, fence: bool) -> Result<(), ResponseError> {
        let mut next = txn.decided(commit, now_ms());
        if fence {
            next.epoch = next.epoch.saturating_add(1);
        }
        self.save(id, txn, next)?;
        self.carry_out(txn)
    }

    fn carry_out(&self, txn: &mut StoredTxn) -> Result<(), ResponseError> {
        let commit = txn.status == TxnStatus::Committed;
        for (name, index) in &txn.partitions {
            let Some((topic, partition)) = self.topics.partition(name, *index) else { continue };
            partition.end_transaction(txn.producer_id, txn.epoch, commit, &topic.settings)?;
        }
        for (group_id, offsets) in &txn.offsets {
            let Some(group) = self.groups.get(group_id) else { continue };
            let mut group = lock(&group);
            let was_open = group.undecided.remove(&txn.producer_id).is_some();
            if commit && was_open {
                merge_offsets(&mut group.offsets, offsets);
            }
        }
        txn.partitions.clear();
        txn.offsets.clear();
        Ok(())
    }

    /// Aborts transactions that are open for too long, and forgets ids that are not used.
    pub fn tick(&self) {
        let now = now_ms();
        for (id, shared) in self.all() {
            let mut txn = lock(&shared);
            if txn.is_overdue(now) {
                tracing::info!(transactional_id = id, "aborting a transaction that timed out");
                if let Err(error) = self.decide(&id, &mut txn, false, true) {
                    tracing::debug!(transactional_id = id, ?error, "cannot abort yet");
                }
            } else if txn.is_incomplete() {
                let _ = self.carry_out(&mut txn);
            } else if txn.status != TxnStatus::Ongoing && now - txn.updated_ms > EXPIRY_MS {
                let mut by_id = lock(&self.by_id);
                // Two holders are the map and this loop; anybody else is about to use it.
                let idle = Arc::strong_count(&shared) <= 2;
                if idle && self.metadata.append(&[Entry::TxnExpired(id.clone())]).is_ok() {
                    by_id.remove(&id);
                }
            }
        }
    }
}
