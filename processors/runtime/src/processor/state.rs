//! What a processor knows of its partition: committed state, and overlays on top of it.

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use millrace_kernel::AggregateId;
use millrace_kernel::bookkeeping::{DEAD_STEP_KIND, INBOX_KIND, PARKED_KEY_KIND, PROCESS_KIND};

use super::window::Window;

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
}

impl Kept {
    /// The count for a kind of record; `None` for aggregates.
    fn of(&mut self, kind: &str) -> Option<&mut usize> {
        match kind {
            PROCESS_KIND => Some(&mut self.open_processes),
            INBOX_KIND => Some(&mut self.inboxes),
            DEAD_STEP_KIND => Some(&mut self.dead_steps),
            PARKED_KEY_KIND => Some(&mut self.parked_keys),
            _ => None,
        }
    }

    fn all(self) -> usize {
        self.open_processes + self.inboxes + self.dead_steps + self.parked_keys
    }
}

/// The committed state of one partition.
pub struct PartitionState<S> {
    pub(super) aggregates: HashMap<AggregateId, Versioned<S>>,
    pub(super) window: Window,
    pub(super) last_recorded_at: i64,
    kept: Kept,
}

impl<S> PartitionState<S> {
    /// Nothing yet, with an empty window.
    #[must_use]
    pub fn new(window: Window) -> Self {
        Self { aggregates: HashMap::new(), window, last_recorded_at: 0, kept: Kept::default() }
    }

    /// Sets the newest version of an aggregate; `None` forgets it.
    pub fn set(&mut self, id: AggregateId, versioned: Option<Versioned<S>>) {
        let count = self.kept.of(id.kind());
        let (was, is) = match versioned {
            Some(versioned) => (self.aggregates.insert(id, versioned).is_some(), true),
            None => (self.aggregates.remove(&id).is_some(), false),
        };
        if let Some(count) = count {
            *count = *count + usize::from(is) - usize::from(was);
        }
    }

    /// What the engine keeps of its own.
    #[must_use]
    pub fn kept(&self) -> Kept {
        self.kept
    }

    /// Takes in what a transaction has committed.
    pub fn merge(&mut self, overlay: Overlay<S>) {
        for (id, versioned) in overlay.aggregates {
            let is_forgotten = versioned.is_forgotten();
            self.set(id, (!is_forgotten).then_some(versioned));
        }
        for (id, recorded_at, outcome) in overlay.answer_order {
            self.window.remember(id, recorded_at, outcome);
        }
        self.last_recorded_at = self.last_recorded_at.max(overlay.last_recorded_at);
    }

    /// How many aggregates are known.
    #[must_use]
    pub fn aggregate_count(&self) -> usize {
        self.aggregates.len() - self.kept.all()
    }
}

/// The effects of a batch that is not committed yet. Dropped when it is aborted.
pub struct Overlay<S> {
    pub(super) aggregates: HashMap<AggregateId, Versioned<S>>,
    pub(super) answers: HashMap<Arc<str>, Bytes>,
    pub(super) answer_order: Vec<(Arc<str>, i64, Bytes)>,
    pub(super) last_recorded_at: i64,
}

impl<S> Default for Overlay<S> {
    fn default() -> Self {
        Self {
            aggregates: HashMap::new(),
            answers: HashMap::new(),
            answer_order: Vec::new(),
            last_recorded_at: 0,
        }
    }
}

impl<S> Overlay<S> {
    /// Records how a command was answered.
    pub fn answer(&mut self, command_id: Arc<str>, recorded_at: i64, outcome: Bytes) {
        self.answers.insert(Arc::clone(&command_id), outcome.clone());
        self.answer_order.push((command_id, recorded_at, outcome));
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
        self.overlays()
            .find_map(|overlay| overlay.aggregates.get(id))
            .or_else(|| self.committed.aggregates.get(id))
            .cloned()
            .unwrap_or_else(Versioned::none)
    }

    /// The encoded outcome a command id was answered with.
    #[must_use]
    pub fn answer(&self, command_id: &str) -> Option<Bytes> {
        self.overlays()
            .find_map(|overlay| overlay.answers.get(command_id))
            .or_else(|| self.committed.window.answer(command_id))
            .cloned()
    }

    /// The newest `recorded_at` of the partition.
    #[must_use]
    pub fn last_recorded_at(&self) -> i64 {
        self.overlays().map(|o| o.last_recorded_at).fold(self.committed.last_recorded_at, i64::max)
    }
}
