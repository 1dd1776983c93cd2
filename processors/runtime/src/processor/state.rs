//! What a processor knows of its partition: committed state, and overlays on top of it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashSet;
use millrace_kernel::bookkeeping::{
    self, DEAD_STEP_KIND, INBOX_KIND, PARKED_KEY_KIND, PROCESS_KIND, PSEUDONYM_KEY_KIND, REPEATS_KIND,
};
use millrace_kernel::{AggregateId, Bookkeeping};
use millrace_ports::LocalFault;

use super::aggregates::Aggregates;
pub use super::aggregates::Decode;
use super::answers::Answer;
use super::checkpoint::{Checkpoint, Frozen, Reached};
use super::fault::CopyFault;
use super::hashed::Hash;
use super::keeping::{Changed, Keeping};
pub use super::overlay::Overlay;
use super::overlay::{Change, Written};
use super::window::{Known, Window};
use crate::planted::{self, Bug};
use crate::settings::ProcessorSettings;

/// An aggregate as its newest event left it.
#[derive(Debug)]
pub struct Versioned<S> {
    /// Version of the newest event; 0 when there was none.
    pub version: i64,
    /// When it was recorded, microseconds since the epoch.
    pub recorded_at: i64,
    /// The folded state, if the aggregate exists.
    pub state: Option<Arc<S>>,
}

impl<S> Clone for Versioned<S> {
    fn clone(&self) -> Self {
        Self { version: self.version, recorded_at: self.recorded_at, state: self.state.clone() }
    }
}

impl<S> Versioned<S> {
    /// An aggregate without events.
    #[must_use]
    pub fn none() -> Self {
        Self { version: 0, recorded_at: 0, state: None }
    }

    /// Whether nothing needs to be remembered: an ended process.
    #[must_use]
    pub fn is_forgotten(&self) -> bool {
        self.version == 0 && self.state.is_none()
    }
}

/// How many records the engine keeps of its own among the states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Processes that have not ended.
    pub open_processes: usize,
    /// Source partitions whose steps were taken.
    pub inboxes: usize,
    /// Steps in the dead topic.
    pub dead_steps: usize,
    /// Keys whose commands wait behind a dead one.
    pub parked_keys: usize,
    /// Commands whose repeats are not all answered yet.
    pub repeats: usize,
    /// Keys of pseudonyms.
    pub pseudonym_keys: usize,
}

impl Kept {
    /// The count for a kind of record; `None` for aggregates.
    fn of(&mut self, kind: &str) -> Option<&mut usize> {
        match kind {
            PROCESS_KIND => Some(&mut self.open_processes),
            INBOX_KIND => Some(&mut self.inboxes),
            DEAD_STEP_KIND => Some(&mut self.dead_steps),
            PARKED_KEY_KIND => Some(&mut self.parked_keys),
            REPEATS_KIND => Some(&mut self.repeats),
            PSEUDONYM_KEY_KIND => Some(&mut self.pseudonym_keys),
            _ => None,
        }
    }

    fn all(self) -> usize {
        self.open_processes
            + self.inboxes
            + self.dead_steps
            + self.parked_keys
            + self.repeats
            + self.pseudonym_keys
    }
}

/// The committed state of one partition.
pub struct PartitionState<S> {
    aggregates: Aggregates<S>,
    window: Window,
    pub(super) last_recorded_at: i64,
    /// What the engine keeps of its own among the aggregates.
    kept_ids: HashSet<AggregateId>,
    /// Those of them that say which answers are due.
    due: BTreeSet<AggregateId>,
    kept: Kept,
    keeping: Option<Keeping>,
    /// What was in the way of a look-up. Decisions are total functions of what they see, so the
    /// fault waits here until the lane asks: nothing that was decided after it may be used.
    fault: RefCell<Option<CopyFault>>,
}

impl<S> PartitionState<S> {
    /// Nothing yet, and all that comes is kept in memory.
    #[must_use]
    pub fn in_memory(decode: Decode<S>, window: Window) -> Self {
        Self::over(Aggregates::in_memory(decode), window, None)
    }

    pub(super) fn over(aggregates: Aggregates<S>, window: Window, keeping: Option<Keeping>) -> Self {
        Self {
            aggregates,
            window,
            last_recorded_at: 0,
            kept_ids: HashSet::new(),
            due: BTreeSet::new(),
            kept: Kept::default(),
            keeping,
            fault: RefCell::new(None),
        }
    }

    /// Takes in a record of the state topic; without a value the aggregate is forgotten.
    pub(super) fn take_state(&mut self, id: &AggregateId, value: Option<&[u8]>) {
        self.count(id, value.is_some());
        self.aggregates.take_in(id, value);
    }

    /// Takes in what the state topic says of forgotten answers.
    pub(super) fn take_floor(&mut self, record: bookkeeping::Floor) {
        if let Some(floor) = self.window.floor_mut() {
            floor.take(record);
        }
    }

    /// From how far back answers must be read, in microseconds of `recorded_at`, once all states are.
    pub(super) fn answers_from(&self, settings: &ProcessorSettings) -> i64 {
        let micros = |seconds: u64| i64::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        let window = self.last_recorded_at.saturating_sub(micros(settings.dedup_window_seconds));
        match self.window.floor().filter(|_| !planted::is_on(Bug::FloorLostAtRestart)) {
            None => window,
            Some(floor) if floor.is_told() => window.min(floor.record().recorded_at),
            // so much further that nobody honest is refused for what is older
            Some(_) => window.saturating_sub(settings.issued_at_ahead_micros().saturating_mul(2)),
        }
    }

    /// Takes in that there are answers older than this, which are not read.
    pub(super) fn answers_begin_at(&mut self, recorded_at: i64) {
        if let Some(floor) = self.window.floor_mut()
            && !floor.is_told()
            && !planted::is_on(Bug::FloorLostAtRestart)
        {
            // it was never written: by none who decided here, or nothing was to be forgotten yet
            floor.lost_before(recorded_at.saturating_add(1));
        }
    }

    /// Takes in that the outcomes topic has lost the answers before this time.
    pub(super) fn lost_answers_before(&mut self, recorded_at: i64) {
        if let Some(floor) = self.window.floor_mut() {
            floor.lost_before(recorded_at);
        }
    }

    /// From now on others decide, and this follows.
    pub(super) fn follows(&mut self) {
        if let Some(floor) = self.window.floor_mut() {
            floor.follow();
        }
    }

    /// What the next transaction should say of forgotten answers, if that has changed: once.
    pub(super) fn floor_news(&mut self) -> Option<bookkeeping::Floor> {
        self.window.floor_mut()?.news()
    }

    /// What was taken as news is not committed, and is news again.
    pub(super) fn tell_floor_again(&mut self) {
        if let Some(floor) = self.window.floor_mut() {
            floor.tell_again();
        }
    }

    /// A command issued at or before this may have been answered and forgotten, in microseconds since
    /// the epoch.
    #[must_use]
    pub fn floor(&self) -> Option<i64> {
        self.window.floor().map(|floor| floor.record().issued_at).filter(|issued_at| *issued_at > 0)
    }

    /// Takes in a first answer of the outcomes topic.
    pub(super) fn take_answer(&mut self, command_id: &[u8], recorded_at: i64, outcome: &[u8]) {
        self.window.remember(Hash::of(command_id), command_id, recorded_at, outcome);
    }

    /// Takes in what a transaction has committed, and gives back the emptied overlay for another.
    pub fn merge(&mut self, mut overlay: Overlay<S>) -> Overlay<S> {
        for Change { id, hash, versioned, written } in overlay.changes.drain(..) {
            let written = match &written {
                Written::Nothing => continue,
                Written::Tombstone => None,
                Written::State(state) => Some(&state[..]),
            };
            self.count(&id, written.is_some());
            self.aggregates.merge(hash, &id, versioned, written);
        }
        self.window.begin(&overlay.seen, overlay.last_recorded_at);
        for (id, value) in overlay.answers.iter() {
            let Some(answer) = Answer::parse(value) else { continue };
            self.window.remember(Hash::of(id), id, answer.recorded_at, answer.outcome);
        }
        self.window.end();
        self.last_recorded_at = self.last_recorded_at.max(overlay.last_recorded_at);
        overlay.clear();
        overlay
    }

    /// Counts what the engine keeps of its own.
    pub(super) fn count(&mut self, id: &AggregateId, is: bool) {
        if !Bookkeeping::is_kept_under(id) {
            return;
        }
        let Some(count) = self.kept.of(id.kind()) else { return };
        if is && self.kept_ids.insert(id.clone()) {
            *count += 1;
        } else if !is && self.kept_ids.remove(id) {
            *count -= 1;
        }
        if id.kind() == REPEATS_KIND {
            if is {
                self.due.insert(id.clone())
            } else {
                self.due.remove(id)
            };
        }
    }

    /// The ids of the keys of pseudonyms with which something was claimed here.
    pub(super) fn pseudonym_keys(&self) -> impl Iterator<Item = &AggregateId> {
        let ids = (self.kept.pseudonym_keys > 0).then_some(&self.kept_ids).into_iter().flatten();
        ids.filter(|id| id.kind() == PSEUDONYM_KEY_KIND)
    }

    /// Where it is kept which answers are due.
    pub(super) fn due(&self) -> impl Iterator<Item = &AggregateId> {
        self.due.iter()
    }

    /// The newest version of an aggregate; see [`PartitionState::check`].
    #[must_use]
    pub fn get(&self, id: &AggregateId) -> Option<Versioned<S>> {
        self.find(Hash::of(id.as_str()), id)
    }

    fn find(&self, hash: Hash, id: &AggregateId) -> Option<Versioned<S>> {
        if Bookkeeping::is_kept_under(id) && !self.kept_ids.contains(id) {
            // known without a look at the disk
            return None;
        }
        self.or_fault(self.aggregates.get(hash, id))
    }

    /// What is known of a command id; see [`PartitionState::check`].
    #[must_use]
    pub fn answer(&self, command_id: &str) -> Option<Known> {
        let writing = self.keeping.as_ref().and_then(Keeping::writing).map(|frozen| &frozen.window);
        let id = command_id.as_bytes();
        self.or_fault(self.window.answer(Hash::of(id), id, writing).map_err(CopyFault::from))
    }

    /// Brings near what will be looked up to decide commands of these ids that go to these aggregates. A hint: it
    /// changes nothing.
    pub(super) fn approach<'a>(&self, coming: impl Iterator<Item = (&'a str, &'a AggregateId)> + Clone) {
        let writing = self.keeping.as_ref().and_then(Keeping::writing).map(|frozen| &frozen.window);
        let answers = coming.clone().map(|(id, _)| self.window.glance(Hash::of(id), writing));
        std::hint::black_box(answers.fold(0, |all, seen| all ^ seen));
        let targets: Vec<Hash> = coming.map(|(_, target)| Hash::of(target.as_str())).collect();
        self.aggregates.approach(&targets);
    }

    fn or_fault<T>(&self, found: Result<Option<T>, CopyFault>) -> Option<T> {
        found.unwrap_or_else(|fault| {
            self.fault.borrow_mut().get_or_insert(fault);
            None
        })
    }

    /// What was in the way of a look-up since this was last asked. After one, nothing that was
    /// decided counts.
    ///
    /// # Errors
    /// [`CopyFault`].
    pub fn check(&self) -> Result<(), CopyFault> {
        self.fault.borrow_mut().take().map_or(Ok(()), Err)
    }

    /// What the engine keeps of its own.
    #[must_use]
    pub fn kept(&self) -> Kept {
        self.kept
    }

    /// How many aggregates are in memory: all of them, or those used last.
    #[must_use]
    pub fn aggregate_count(&self) -> usize {
        self.aggregates.len().saturating_sub(self.kept.all())
    }

    /// How much memory those in memory take, about, in bytes.
    #[must_use]
    pub fn cache_bytes(&self) -> usize {
        self.aggregates.cache_bytes()
    }

    /// How many command ids of the de-duplication window are in memory.
    #[must_use]
    pub fn window_count(&self) -> usize {
        self.window.len()
    }

    /// Where it is kept on disk, for messages.
    pub(super) fn path(&self) -> PathBuf {
        self.keeping.as_ref().map(|keeping| keeping.path().to_owned()).unwrap_or_default()
    }

    /// Whether it is kept on disk.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.keeping.is_some()
    }

    /// Whether a checkpoint should be taken now.
    #[must_use]
    pub fn is_checkpoint_due(&self, now_micros: i64) -> bool {
        let count = self.aggregates.changed() + self.window.len();
        let bytes = self.aggregates.changed_bytes() + self.window.bytes();
        self.keeping.as_ref().is_some_and(|keeping| keeping.is_due(Changed { count, bytes }, now_micros))
    }

    /// Sets apart all changes so far, which reach up to `reached`, for a checkpoint. Those were the ends of the
    /// topics at `whole_at`, or later. Nothing is written before [`PartitionState::write_checkpoint`]. To be called
    /// when the last one is done.
    pub fn freeze(&mut self, mut reached: Reached, whole_at: i64, now_micros: i64) {
        let Some(keeping) = &mut self.keeping else { return };
        if planted::is_on(Bug::CheckpointAhead) {
            reached.state += 3;
        }
        let aggregates = self.aggregates.freeze();
        let (window, mark) = self.window.freeze();
        let last_recorded_at = self.last_recorded_at;
        let checkpoint = Checkpoint { reached, last_recorded_at, taken_at: whole_at, window: mark };
        keeping.freeze(Frozen { aggregates, window, checkpoint }, now_micros);
    }

    /// Whether a checkpoint could be taken: there is a store, and the last one is done.
    #[must_use]
    pub fn can_freeze(&self) -> bool {
        self.keeping.as_ref().is_some_and(Keeping::is_idle)
    }

    /// Begins to write what was set apart. Only to be called when it is certain that nobody else
    /// had written to the topics below the offsets it is said to reach.
    pub fn write_checkpoint(&mut self) {
        if let Some(keeping) = &mut self.keeping {
            keeping.write();
        }
    }

    /// Looks after the checkpoint under way, without waiting; whether anything was done.
    ///
    /// # Errors
    /// [`LocalFault`], a lasting one. What may pass is tried again later.
    pub fn tend_checkpoint(&mut self, now_micros: i64) -> Result<bool, LocalFault> {
        let Some(keeping) = &mut self.keeping else { return Ok(false) };
        let Some(Frozen { aggregates, window, .. }) = keeping.tend(now_micros)? else { return Ok(false) };
        self.aggregates.reuse(aggregates);
        self.window.reuse(window);
        Ok(true)
    }
}

/// The state a decision sees: what is committed, what is being committed, and what this
/// batch has decided so far; the newest wins.
pub struct Layers<'a, S> {
    pub(super) committed: &'a PartitionState<S>,
    pub(super) pending: Option<&'a Overlay<S>>,
    pub(super) current: &'a Overlay<S>,
}

impl<S> Layers<'_, S> {
    fn overlays(&self) -> impl Iterator<Item = &Overlay<S>> {
        std::iter::once(self.current).chain(self.pending)
    }

    /// The aggregate's newest version.
    #[must_use]
    pub fn get(&self, id: &AggregateId) -> Versioned<S> {
        let hash = Hash::of(id.as_str());
        self.overlays()
            .filter(|_| !planted::is_on(Bug::StateFromTopic))
            .find_map(|overlay| overlay.get(hash, id))
            .cloned()
            .or_else(|| self.committed.find(hash, id))
            .unwrap_or_else(Versioned::none)
    }

    /// Whether the engine may keep a record of its own among those that `count` counts. Mostly
    /// there is none, and then none need be looked up.
    #[must_use]
    pub fn may_keep(&self, count: impl Fn(Kept) -> usize) -> bool {
        count(self.committed.kept()) > 0 || self.overlays().any(|overlay| overlay.is_any_kept)
    }

    /// What is known of a command id.
    #[must_use]
    pub fn answer(&self, command_id: &str) -> Option<Known> {
        let (hash, id) = (Hash::of(command_id), command_id.as_bytes());
        self.overlays()
            .find_map(|overlay| overlay.answers.get(hash, id))
            .map(|answer| Known::Answer(Bytes::copy_from_slice(answer.outcome)))
            .or_else(|| self.committed.answer(command_id))
    }

    /// A command issued at or before this may have been answered and forgotten, in microseconds since
    /// the epoch.
    #[must_use]
    pub fn floor(&self) -> Option<i64> {
        self.committed.floor()
    }

    /// The newest `recorded_at` of the partition.
    #[must_use]
    pub fn last_recorded_at(&self) -> i64 {
        self.overlays().map(|o| o.last_recorded_at).fold(self.committed.last_recorded_at, i64::max)
    }
}
