//! What the lanes of one role have in common.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::counts::Counts;
use super::instruments::{Distribution, Instruments, Recorder, Span};
use super::lane::{LaneNumbers, Meter, Numbers};

/// The meter of a role: its counts, its distributions, and its lanes.
pub struct RoleMeter {
    role: String,
    instruments: Option<Arc<dyn Instruments>>,
    recorders: Recorders,
    counts: Mutex<Counts>,
    lanes: Mutex<BTreeMap<i32, Numbers>>,
}

/// A recorder for each distribution.
struct Recorders(Vec<(Distribution, Recorder)>);

/// A role as it is now.
#[derive(Clone, Debug)]
pub struct RoleSnapshot {
    /// `<domain>.processor` or `<domain>.projector.<family>`.
    pub role: String,
    /// What it has done since the process started.
    pub counts: Counts,
    /// Its partitions, also those that it has given away.
    pub lanes: Vec<(i32, LaneNumbers)>,
}

impl RoleMeter {
    pub(super) fn new(role: &str, instruments: Option<Arc<dyn Instruments>>) -> Self {
        let all = [
            Distribution::BatchRecords,
            Distribution::DecideSeconds,
            Distribution::WriteSeconds,
            Distribution::CommitSeconds,
            Distribution::CommandSeconds,
            Distribution::RowsSeconds,
        ];
        let recorder = |of| instruments.as_ref().map(|it| (of, it.recorder(of, role)));
        let recorders = Recorders(all.into_iter().filter_map(recorder).collect());
        let (counts, lanes) = Default::default();
        Self { role: role.to_owned(), instruments, recorders, counts, lanes }
    }

    /// One that nobody looks at.
    pub(super) fn unseen() -> Arc<Self> {
        Arc::new(Self::new("", None))
    }

    /// The meter of a partition.
    #[must_use]
    pub fn lane(self: &Arc<Self>, partition: i32) -> Meter {
        let numbers = self.lanes().entry(partition).or_default().clone();
        Meter::new(Arc::clone(self), numbers)
    }

    /// Counts something: once a batch, or when something rare happens.
    pub fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Records a value.
    pub fn record(&self, of: Distribution, value: f64) {
        if let Some((_, recorder)) = self.recorders.0.iter().find(|(known, _)| *known == of) {
            recorder(value);
        }
    }

    /// Begins a span below `traceparent`; see [`Instruments::begin`].
    #[must_use]
    pub fn begin(
        &self,
        name: &str,
        traceparent: &[u8],
        of: &[(&'static str, String)],
    ) -> Option<Box<dyn Span>> {
        self.instruments.as_ref()?.begin(name, traceparent, of)
    }

    /// Partitions that are worked on, with their numbers.
    pub(super) fn held(&self) -> Vec<(i32, Numbers)> {
        let lanes = self.lanes();
        let held = lanes.iter().filter(|(_, numbers)| numbers.read().is_held);
        held.map(|(partition, numbers)| (*partition, numbers.clone())).collect()
    }

    pub(super) fn left(&self, partition: i32) {
        if let Some(numbers) = self.lanes().get(&partition) {
            numbers.update(LaneNumbers::leave);
        }
    }

    pub(super) fn snapshot(&self) -> RoleSnapshot {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let lanes = self.lanes().iter().map(|(partition, numbers)| (*partition, numbers.read())).collect();
        RoleSnapshot { role: self.role.clone(), counts, lanes }
    }

    fn lanes(&self) -> MutexGuard<'_, BTreeMap<i32, Numbers>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
