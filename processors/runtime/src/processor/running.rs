//! A partition at work: read, decide, commit; the next batch is decided while one commits.

mod again;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use millrace_kernel::Domain;
use millrace_ports::{LogFault, Moment, Reader, Record, TopicPartition, Transaction, TransactionalWriter};

use self::again::decide_carefully;
use super::batch::Batch;
use super::claims::Claims;
use super::clock_watch::ClockWatch;
use super::copy::{CopyFault, PartitionCopy, ends};
use super::decide::{Decider, Place, Verdict};
use super::footing::Footing;
use super::intake::{Gap, Intake};
use super::lane::{LaneFault, Shared, Turn};
use super::lookup::LookupPartition;
use super::pace::Pace;
use super::reading::{ask_for_schemas, pass_over, read_ahead};
use super::repeats;
use super::schema_wait::{Look, SchemaWait};
use super::state::{Layers, Overlay, PartitionState};
use crate::dead::Burial;
use crate::metrics::BatchMeter;
use crate::planted::{self, Bug};
use crate::topology::Topology;

/// Longest wait for a commit before the input is looked at again.
const COMMIT_LOOK: Duration = Duration::from_millis(2);
/// Longest sleep while a schema is waited for.
const SCHEMA_LOOK: Duration = Duration::from_millis(20);
/// How many records are asked for at once: what was read is still near when it is decided.
const POLLED: usize = 512;
/// How often a lane without input asks whether there really is none.
const QUIET_LOOK_MICROS: i64 = 30_000_000;

/// How long offsets go without being committed again when nothing comes: a broker forgets them after days, those
/// of steps also while the group is there.
const COMMIT_AGAIN_MICROS: i64 = 3_600_000_000;

/// How long nothing comes before it is committed that the marks of transactions were read, too: without that
/// tools that look at offsets see a lag of one where nothing is left.
const COMMIT_MARKS_MICROS: i64 = 1_000_000;

/// What a table must have reached before a miss in it counts.
#[derive(Clone, Copy)]
struct Barrier {
    at: LookupPartition,
    target: i64,
    /// The newest record of the input that had arrived when the target was asked for.
    covers: u64,
}

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
    footing: Footing,
    /// When offsets were submitted last, by the clock that is never set.
    submitted_at: Option<i64>,
    /// Whether more was read since: nothing but marks of transactions, or there would be a batch.
    is_further: bool,
    meter: BatchMeter,
    #[cfg(feature = "planted-bugs")]
    submitted: Option<Transaction>,
}

/// A batch that was handed over to be committed.
struct Submission {
    /// Where each input goes on behind it.
    next: BTreeMap<TopicPartition, i64>,
    messages: usize,
    /// When, by the clock that is never set.
    at: i64,
}

/// Whether it is certain that nobody else has written below the offsets that a checkpoint was
/// said to reach. One who was replaced without knowing it yet would take the records of its
/// successor for its own. A commit that succeeds shows that it was not replaced before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    None,
    /// The offsets were asked for; no commit was begun since.
    Asked,
    /// A commit that was begun after the offsets were asked for is under way.
    Committing,
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
            covered: HashMap::new(),
            next,
            submission: None,
            pace,
            careful: Vec::new(),
            quiet_at: None,
            proof: Proof::None,
            footing,
            submitted_at: None,
            is_further: false,
            meter,
            #[cfg(feature = "planted-bugs")]
            submitted: None,
        }
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
        progress |= self.answer_repeats(shared)?;
        progress |= self.decide_held(shared, watch)?;
        let mut is_more = !self.schemas.is_waiting();
        while is_more && !self.is_waiting() && !self.batch.is_full(self.pace.most()) {
            let may_wait = !progress && self.pending.is_none() && self.batch.is_empty();
            let polled = self.poll(shared, watch, if may_wait { wait } else { Duration::ZERO })?;
            progress |= polled > 0;
            progress |= self.decide_held(shared, watch)?;
            is_more = polled == POLLED && !self.schemas.is_waiting();
        }
        if self.pending.is_none() && !self.is_waiting() && !self.batch.is_empty() {
            self.submit(shared)?;
            progress = true;
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

    /// Takes in the batch under way if it has committed.
    fn settle(&mut self, shared: &Shared<D>, wait: Duration) -> Result<bool, LaneFault> {
        if self.pending.is_none() {
            return Ok(false);
        }
        let settled = self.writer.settle(wait);
        #[cfg(feature = "planted-bugs")]
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
    fn keep_checkpoint(&mut self, shared: &Shared<D>) -> Result<bool, LaneFault> {
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
    fn commit_again(&mut self, shared: &Shared<D>) -> Result<bool, LaneFault> {
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
    fn submit_nothing(&mut self, shared: &Shared<D>) -> Result<(), LaneFault> {
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

    #[cfg(feature = "planted-bugs")]
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

    fn submit(&mut self, shared: &Shared<D>) -> Result<(), LaneFault> {
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
        #[cfg(feature = "planted-bugs")]
        {
            self.submitted = Some(transaction.clone());
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

    fn poll(
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

    /// Begins a batch with answers that are due, in half of its room: so those who wait for them and those who send
    /// get on side by side.
    fn answer_repeats(&mut self, shared: &Shared<D>) -> Result<bool, LaneFault> {
        if self.committed.kept().repeats == 0 || !self.batch.is_empty() {
            return Ok(false);
        }
        let place = place(shared, &self.names, self.partition);
        let layers = (&self.committed, self.pending.as_ref());
        let most = (self.pace.most() / 2).max(1);
        let given = repeats::answer(&mut self.batch, &shared.codecs, &place, layers, most)?;
        self.meter.repeated(given);
        Ok(given > 0)
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

    /// Decides what was read, until a lookup is behind or the batch is full.
    fn decide_held(&mut self, shared: &Shared<D>, watch: &ClockWatch) -> Result<bool, LaneFault> {
        if let Some(ahead_ms) = watch.too_far_ahead(&*shared.clock) {
            return Err(LaneFault::Clock { ahead_ms });
        }
        if self.held.is_empty() {
            return Ok(false);
        }
        self.meter.begin();
        let place = place(shared, &self.names, self.partition);
        let mut progress = false;
        while !self.batch.is_full(self.pace.most()) {
            if self.ahead.is_empty() {
                read_ahead(shared, &self.held, &self.gaps, &mut self.ahead, &self.committed);
            }
            let (Some((number, record)), Some(intake)) = (self.held.front(), self.ahead.front()) else {
                break;
            };
            if let Intake::NotYet { schema, .. } = intake {
                let age = shared.clock.now_micros() / 1_000 - record.timestamp_ms;
                match self.schemas.look(*schema, age, shared.clock.monotonic_micros()) {
                    Look::Ask => {
                        ask_for_schemas(shared, &self.held, &mut self.schemas)?;
                        // some of them can be read now
                        self.ahead.clear();
                        continue;
                    }
                    Look::Wait => break,
                    Look::Final => {}
                }
            }
            let number = *number;
            let layers = Layers {
                committed: &self.committed,
                pending: self.pending.as_ref(),
                current: &self.batch.overlay,
            };
            let is_covered = |at: LookupPartition| {
                self.covered.get(&at).is_some_and(|upto| number <= *upto)
                    || planted::is_on(Bug::LookupBarrierSkipped)
            };
            let mut decider = Decider {
                place: &place,
                layers: &layers,
                lookups: &shared.lookups,
                is_covered: &is_covered,
                unwritable: None,
                put_back: None,
            };
            let proven = match decider.needs_proof(record) {
                false => None,
                true if self.claims.knows(number) => {
                    let parked = decider.parked(record).map(|(_, parked)| parked);
                    self.claims.prove(record, intake, parked.as_ref())
                }
                true => {
                    // as with lookups, never while a transaction of ours is open
                    if self.pending.is_none() {
                        self.claims.ask(shared, self.partition, self.polled)?;
                    }
                    break;
                }
            };
            decider.put_back = proven.as_ref();
            let verdict = match self.is_careful(record) {
                true => decide_carefully(shared, decider, intake, record)?,
                false => decider.take(intake, record),
            };
            match verdict {
                Verdict::Behind(missed) => {
                    self.ask_barrier(shared, &missed)?;
                    break;
                }
                Verdict::Decided(decided) => {
                    let (Some((_, mut record)), Some(intake)) =
                        (self.held.pop_front(), self.ahead.pop_front())
                    else {
                        break;
                    };
                    if proven.is_some() {
                        self.claims.came(&record, decided.dead.as_ref().and_then(|burial| burial.line));
                    }
                    self.meter.decided(&intake, &mut record, &decided);
                    if let Some(Burial { reason, .. }) = &decided.dead {
                        tracing::warn!(
                            topic = %record.topic, partition = record.partition, offset = record.offset, reason,
                            "record goes to the dead topic, and the partition goes on; see `millrace dead list`"
                        );
                    }
                    if let Intake::Gap(_) = intake {
                        self.gaps.remove(&record.offset);
                    }
                    if self.schemas.is_waiting() {
                        self.schemas.end(shared.clock.monotonic_micros());
                    }
                    match self.batch.add(&shared.codecs, &place, &record, *decided) {
                        Ok(()) => progress = true,
                        Err(why) if why.is_unwritable() && !self.is_careful(&record) => {
                            let mut upto = self.batch.reached().to_vec();
                            upto.retain(|(topic, _)| *topic != record.topic);
                            upto.push((Arc::clone(&record.topic), record.offset + 1));
                            self.take_care(shared, upto, &why)?;
                            return Ok(true);
                        }
                        Err(why) => return Err(why.into()),
                    }
                }
            }
        }
        self.meter.pause();
        Ok(progress)
    }

    /// What was committed when the records at hand had arrived must be in the lookup tables
    /// before a miss counts. Never asked while a transaction of ours is open: two processors
    /// would wait for each other.
    fn ask_barrier(&mut self, shared: &Shared<D>, missed: &[LookupPartition]) -> Result<(), LaneFault> {
        if self.pending.is_some() {
            return Ok(());
        }
        for &at in missed {
            let target = shared.log.high_watermark(&shared.lookups.source(at))?;
            self.barrier.push(Barrier { at, target, covers: self.polled });
        }
        Ok(())
    }

    /// Whether no barrier is left to wait for.
    fn pass_barrier(&mut self, shared: &Shared<D>) -> bool {
        if self.barrier.iter().any(|it| shared.lookups.position(it.at) < it.target) {
            return false;
        }
        for Barrier { at, covers, .. } in self.barrier.drain(..) {
            let upto = if planted::is_on(Bug::BarrierAskedTooEarly) { u64::MAX } else { covers };
            self.covered.insert(at, upto);
        }
        true
    }

    /// Whether something must be read before more is decided.
    fn is_waiting(&self) -> bool {
        !self.barrier.is_empty() || self.claims.is_asked()
    }

    fn wait_for_barrier(&self, shared: &Shared<D>, wait: Duration) -> Result<Turn, LaneFault> {
        shared.lookups.wait_for_move(COMMIT_LOOK.min(wait));
        Ok(Turn::Idle)
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
    }
}
