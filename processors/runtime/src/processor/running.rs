//! A partition at work: read, decide, commit; the next batch is decided while one commits.

mod again;
mod barrier;
mod commit;
mod deciding;
mod input;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use millrace_kernel::Domain;
#[cfg(debug_assertions)]
use millrace_ports::Transaction;
use millrace_ports::{Moment, Reader, Record, TopicPartition, TransactionalWriter};

use self::barrier::Barrier;
use self::commit::{Proof, Submission};
use self::input::POLLED;
use super::batch::Batch;
use super::claims::Claims;
use super::clock_watch::ClockWatch;
use super::copy::{CopyFault, PartitionCopy, ends};
use super::decide::Place;
use super::footing::Footing;
use super::intake::{Gap, Intake};
use super::lane::{LaneFault, Shared, Turn};
use super::lookup::LookupPartition;
use super::pace::Pace;
use super::schema_wait::SchemaWait;
use super::state::{Overlay, PartitionState};
use crate::metrics::BatchMeter;
use crate::topology::Topology;

/// Longest wait for a commit before the input is looked at again.
const COMMIT_LOOK: Duration = Duration::from_millis(2);
/// Longest sleep while a schema is waited for.
const SCHEMA_LOOK: Duration = Duration::from_millis(20);

/// What a partition begins with: who writes for it, its inputs at the offsets `next`, what it stands on, how large
/// its batches are.
pub(super) struct Begun {
    pub(super) writer: Box<dyn TransactionalWriter>,
    pub(super) reader: Box<dyn Reader>,
    pub(super) next: BTreeMap<TopicPartition, i64>,
    pub(super) footing: Footing,
    pub(super) pace: Pace,
}

/// A partition that is being decided: its input, its state, and the batches under way.
pub(super) struct Running<D: Domain> {
    partition: i32,
    /// Of its own: all lanes together would count the users of each name at one place in memory.
    names: Topology,
    writer: Box<dyn TransactionalWriter>,
    reader: Box<dyn Reader>,
    pub(super) committed: PartitionState<D::State>,
    /// What the transaction under way will add to `committed`.
    pub(super) pending: Option<Overlay<D::State>>,
    /// Decided, not submitted yet.
    batch: Batch<D>,
    /// Room for the next batch.
    spare: Batch<D>,
    /// Read, not decided yet, each with its number.
    held: VecDeque<(u64, Record)>,
    /// What the first of them say.
    ahead: VecDeque<Intake<D>>,
    /// Batches that cannot be decompressed, each by the offset of the record that is held in its place.
    gaps: BTreeMap<i64, Gap>,
    /// The offset behind the last command that was read.
    read_upto: i64,
    /// How many records were read.
    polled: u64,
    barrier: Vec<Barrier>,
    claims: Claims,
    schemas: SchemaWait,
    /// What came of asking for schemas, or of another processor's keys, until what was decided before is under way.
    unanswered: Option<LaneFault>,
    /// Up to which record number a miss in a lookup partition is final.
    covered: HashMap<LookupPartition, u64>,
    /// Where each input goes on, as committed. Every batch commits them all, since a broker forgets offsets
    /// that are not committed for long.
    pub(super) next: BTreeMap<TopicPartition, i64>,
    /// The batch under way.
    submission: Option<Submission>,
    /// How large the next one may be.
    pub(super) pace: Pace,
    /// Up to which offset of an input it is looked at every message by itself whether what follows can be written:
    /// among those before there is one of which it cannot.
    careful: Vec<(Arc<str>, i64)>,
    /// When the end of the commands was last seen to be reached, by the clock that is never set;
    /// nothing has come since.
    quiet_at: Option<i64>,
    proof: Proof,
    /// Whether it stands in the state which secrets the keys of pseudonyms have.
    are_keys_noted: bool,
    footing: Footing,
    /// When offsets were submitted last, by the clock that is never set.
    submitted_at: Option<i64>,
    /// Whether more was read since: nothing but marks of transactions, or there would be a batch.
    is_further: bool,
    /// How many messages were committed since it began.
    done: u64,
    meter: BatchMeter,
    #[cfg(debug_assertions)]
    submitted: Option<Transaction>,
}

impl<D: Domain> Running<D> {
    /// Begins with the state as it was restored.
    pub(super) fn new(
        partition: i32,
        names: Topology,
        begun: Begun,
        committed: PartitionState<D::State>,
        meter: BatchMeter,
    ) -> Self {
        let Begun { writer, reader, next, footing, pace } = begun;
        let read_upto = commands_upto(&next, &names);
        Self {
            partition,
            names,
            writer,
            reader,
            committed,
            pending: None,
            batch: Batch::default(),
            spare: Batch::default(),
            held: VecDeque::new(),
            ahead: VecDeque::new(),
            gaps: BTreeMap::new(),
            read_upto,
            polled: 0,
            barrier: Vec::new(),
            claims: Claims::new(),
            schemas: SchemaWait::default(),
            unanswered: None,
            covered: HashMap::new(),
            next,
            submission: None,
            pace,
            careful: Vec::new(),
            quiet_at: None,
            proof: Proof::None,
            are_keys_noted: D::PSEUDONYMS.is_empty(),
            footing,
            submitted_at: None,
            is_further: false,
            done: 0,
            meter,
            #[cfg(debug_assertions)]
            submitted: None,
        }
    }

    /// How many messages were committed since it began.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// Whether its inputs end where it stands and nothing of them is in hand.
    pub(super) fn has_caught_up(&self, shared: &Shared<D>) -> bool {
        let is_empty_handed = self.pending.is_none() && self.batch.is_empty() && self.held.is_empty();
        let ends_here = |input: &TopicPartition| {
            shared.log.last_stable_offset(input).is_ok_and(|end| self.reader.position(input) >= end)
        };
        is_empty_handed && !self.is_waiting() && self.next.keys().all(ends_here)
    }

    /// Reports how it is in numbers.
    pub(super) fn measure(&self, shared: &Shared<D>, watch: &ClockWatch) {
        let (now_ms, kept) = (shared.clock.now_micros() / 1_000, self.committed.kept());
        let oldest = self.meter.oldest_ms().or(self.held.front().map(|(_, record)| record.timestamp_ms));
        let oldest = oldest.map(|at| Duration::from_millis(u64::try_from(now_ms - at).unwrap_or(0)));
        self.meter.meter().update(|numbers| {
            numbers.is_held = true;
            for input in self.next.keys() {
                numbers.read_up_to(&input.topic, self.reader.position(input));
            }
            numbers.hold(self.meter.in_hand() + self.held.len(), oldest);
            numbers.paused = match watch.too_far_ahead(&*shared.clock) {
                Some(_) => Some("clock"),
                None if !self.barrier.is_empty() => Some("lookup"),
                None if self.claims.is_asked() => Some("dead"),
                None => self.schemas.is_waiting().then_some("schema"),
            };
            numbers.aggregates = self.committed.aggregate_count() as u64;
            numbers.window_ids = self.committed.window_count() as u64;
            numbers.open_processes = kept.open_processes as u64;
            numbers.dead_steps = kept.dead_steps as u64;
            numbers.parked_keys = kept.parked_keys as u64;
            numbers.clock_ahead_ms = watch.ahead_ms(&*shared.clock);
            numbers.store = self.committed.is_stored().then(|| self.committed.path());
        });
    }

    /// One step, which waits for input up to `wait` and not at all if there is work.
    pub(super) fn turn(
        &mut self,
        shared: &Shared<D>,
        watch: &mut ClockWatch,
        wait: Duration,
    ) -> Result<Turn, LaneFault> {
        let mut progress = self.settle(shared, Duration::ZERO)?;
        progress |= self.keep_checkpoint(shared)?;
        // what a transaction under way has written is at the end of the topics already, and would count twice
        if self.pending.is_none() {
            self.footing.tend(shared)?;
        }
        if watch.too_far_ahead(&*shared.clock).is_some() {
            // a record that ends a silence may tell that it is right again
            self.poll(shared, watch, wait)?;
        }
        let looks = COMMIT_LOOK.min(wait);
        if let Some(turn) = self.claims.read_on(shared, self.partition, &self.committed, looks)? {
            return Ok(turn);
        }
        if !self.pass_barrier(shared) {
            return self.wait_for_barrier(shared, wait);
        }
        progress |= self.note_keys(shared);
        progress |= self.answer_repeats(shared)?;
        progress |= self.decide_held(shared, watch)?;
        let mut is_more = !self.schemas.is_waiting() && self.unanswered.is_none();
        while is_more && !self.is_waiting() && !self.batch.is_full(self.pace.most()) {
            let may_wait = !progress && self.pending.is_none() && self.batch.is_empty();
            let polled = self.poll(shared, watch, if may_wait { wait } else { Duration::ZERO })?;
            progress |= polled > 0;
            progress |= self.decide_held(shared, watch)?;
            is_more = polled == POLLED && !self.schemas.is_waiting() && self.unanswered.is_none();
        }
        if self.pending.is_none() && !self.is_waiting() && !self.batch.is_empty() {
            self.submit(shared)?;
            progress = true;
        }
        if let Some(fault) = self.unanswered.take() {
            return Err(fault);
        }
        if self.proof == Proof::Asked && !self.is_waiting() && self.held.is_empty() {
            self.submit_nothing(shared)?;
        }
        if !progress && self.pending.is_none() && !self.is_waiting() && self.held.is_empty() {
            progress = self.commit_again(shared)?;
        }
        if !progress && self.pending.is_some() {
            progress = self.settle(shared, COMMIT_LOOK.min(wait))?;
        } else if !progress && self.schemas.is_waiting() {
            std::thread::sleep(SCHEMA_LOOK.min(wait));
        }
        Ok(if progress { Turn::Progress } else { Turn::Idle })
    }

    /// Waits for the commit under way. Then its state, if somebody wants it: as a copy that
    /// stands by, or on disk so that the next start reads less.
    pub(super) fn finish(
        mut self: Box<Self>,
        shared: &Shared<D>,
        wait: Duration,
    ) -> Result<Option<PartitionCopy<D>>, LaneFault> {
        self.settle(shared, wait)?;
        self.committed.check()?;
        if self.pending.is_some() || !(shared.copies.keeps() || self.committed.is_stored()) {
            return Ok(None);
        }
        let whole_at = Moment::now(&*shared.clock);
        let reached = ends(shared, self.partition)?;
        let now = shared.clock.now_micros();
        // as in a simulation nobody would look again
        self.committed.tend_checkpoint(now).map_err(CopyFault::from)?;
        if self.committed.can_freeze() {
            self.committed.freeze(reached, whole_at.micros(), now);
        }
        self.proof = Proof::Asked;
        self.submit_nothing(shared)?;
        self.settle(shared, wait)?;
        if self.pending.is_some() {
            return Ok(None);
        }
        self.committed.tend_checkpoint(now).map_err(CopyFault::from)?;
        Ok(Some(PartitionCopy::of_lane(self.partition, self.committed, reached, whole_at)))
    }

    /// Whether something must be read before more is decided.
    fn is_waiting(&self) -> bool {
        !self.barrier.is_empty() || self.claims.is_asked()
    }
}

/// Where the commands go on.
fn commands_upto(next: &BTreeMap<TopicPartition, i64>, names: &Topology) -> i64 {
    next.iter().find(|(input, _)| input.topic == names.commands).map_or(0, |(_, offset)| *offset)
}

fn place<'a, D: Domain>(shared: &'a Shared<D>, names: &'a Topology, partition: i32) -> Place<'a> {
    Place {
        names,
        partition,
        partitions: shared.partitions,
        clock_micros: shared.clock.now_micros(),
        settings: &shared.settings,
        says_keys: shared.pseudonyms.header().filter(|_| !D::PSEUDONYMS.is_empty()),
    }
}
