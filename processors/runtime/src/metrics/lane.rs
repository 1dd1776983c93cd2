//! How one partition is, as numbers.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::role::RoleMeter;

/// One input of a partition: how far it was read, and where it ends.
#[derive(Clone, Debug)]
pub struct Input {
    /// The topic.
    pub topic: Arc<str>,
    /// Up to which offset (exclusive) the lane has read it.
    pub position: i64,
    /// Its high watermark, open transactions included, when it was last asked for.
    pub end: Option<i64>,
    /// Up to where committed reads come, when it was last asked for.
    pub stable: Option<i64>,
    /// Since when there has been more than the lane has read.
    pub behind_since: Option<Instant>,
    /// Since when committed reads have not come further, though there is more.
    pub stuck_since: Option<Instant>,
    /// Whose transaction that is, by the names that this system gives its own.
    pub holder: String,
}

impl Input {
    /// An input of which nothing is known yet.
    #[must_use]
    pub fn new(topic: Arc<str>, position: i64) -> Self {
        Self {
            topic,
            position,
            end: None,
            stable: None,
            behind_since: None,
            stuck_since: None,
            holder: String::new(),
        }
    }

    /// How many offsets were not read yet, if the end is known.
    #[must_use]
    pub fn unread(&self) -> Option<i64> {
        self.end.map(|end| (end - self.position).max(0))
    }
}

/// One partition in numbers. Those that add up outlive the lane; the others are those of now.
#[derive(Clone, Debug, Default)]
pub struct LaneNumbers {
    /// Whether this process works on it.
    pub is_held: bool,
    /// Commands and steps that were committed, or events whose rows were written.
    pub records: u64,
    /// What it reads.
    pub inputs: Vec<Input>,
    /// Records that were read and are not committed, or whose rows are not written.
    pub in_hand: u64,
    /// When the oldest of those arrived.
    pub waiting_since: Option<Instant>,
    /// Why it takes nothing more at the moment, if it does not: `lookup`, `store` or `clock`.
    pub paused: Option<&'static str>,
    /// Records read to restore it, while it is being restored and after.
    pub restore_read: u64,
    /// How many records are missing at most, while it is being restored.
    pub restore_left: u64,
    /// Aggregates in memory.
    pub aggregates: u64,
    /// Command ids of the de-duplication window in memory.
    pub window_ids: u64,
    /// Processes that have not ended.
    pub open_processes: u64,
    /// Steps in the dead topic, whose processes wait.
    pub dead_steps: u64,
    /// Keys whose commands wait behind a dead one.
    pub parked_keys: u64,
    /// How far this machine's clock is ahead of the broker's, milliseconds, as far as that is known.
    pub clock_ahead_ms: Option<i64>,
    /// Where its local state is on disk, if it is.
    pub store: Option<PathBuf>,
}

impl LaneNumbers {
    /// How many records are not done yet, as far as that is known.
    #[must_use]
    pub fn lag_records(&self) -> Option<u64> {
        let unread: Option<i64> = self.inputs.iter().map(Input::unread).sum();
        Some(u64::try_from(unread?).unwrap_or(0) + self.in_hand)
    }

    /// For how long the oldest record that is not done has been there. Exact for what was read; for
    /// what was not, the time since it was first seen to be there.
    #[must_use]
    pub fn lag(&self) -> Duration {
        let unread = self.inputs.iter().filter(|input| input.unread().is_some_and(|unread| unread > 0));
        let since = unread.filter_map(|input| input.behind_since).chain(self.waiting_since).min();
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Says how far an input was read.
    pub fn read_up_to(&mut self, topic: &Arc<str>, position: i64) {
        match self.inputs.iter_mut().find(|input| input.topic == *topic) {
            Some(input) => input.position = position,
            None => self.inputs.push(Input::new(Arc::clone(topic), position)),
        }
    }

    /// Says how many records are in hand, and how long ago the oldest of them has arrived.
    pub fn hold(&mut self, records: usize, oldest: Option<Duration>) {
        self.in_hand = records as u64;
        self.waiting_since = oldest.map(before);
    }

    /// Forgets how it is; what it has done stays.
    pub(super) fn leave(&mut self) {
        *self = Self { records: self.records, ..Self::default() };
    }
}

/// The numbers of one partition, for its lane and for those who look at them.
#[derive(Clone, Default)]
pub(super) struct Numbers(Arc<Mutex<LaneNumbers>>);

impl Numbers {
    pub(super) fn update(&self, change: impl FnOnce(&mut LaneNumbers)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn read(&self) -> LaneNumbers {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a lane reports through.
#[derive(Clone)]
pub struct Meter {
    role: Arc<RoleMeter>,
    numbers: Numbers,
}

impl Default for Meter {
    /// One that nobody looks at.
    fn default() -> Self {
        RoleMeter::unseen().lane(0)
    }
}

impl Meter {
    pub(super) fn new(role: Arc<RoleMeter>, numbers: Numbers) -> Self {
        Self { role, numbers }
    }

    /// The meter of its role.
    #[must_use]
    pub fn role(&self) -> &RoleMeter {
        &self.role
    }

    /// Changes the numbers: a few times a second, or once a batch.
    pub fn update(&self, change: impl FnOnce(&mut LaneNumbers)) {
        self.numbers.update(change);
    }

    /// The numbers as they are now.
    #[must_use]
    pub fn numbers(&self) -> LaneNumbers {
        self.numbers.read()
    }
}

/// The moment that lies `age` back, or this one when the process is younger than that.
fn before(age: Duration) -> Instant {
    let now = Instant::now();
    now.checked_sub(age).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_what_was_not_read_and_what_is_in_hand() {
        let topic: Arc<str> = "d.commands".into();
        let mut numbers = LaneNumbers::default();
        numbers.read_up_to(&topic, 10);
        assert_eq!((numbers.lag_records(), numbers.lag()), (None, Duration::ZERO), "the end is not known");
        numbers.inputs[0].end = Some(17);
        numbers.inputs[0].behind_since = Some(before(Duration::from_secs(2)));
        assert_eq!(numbers.lag_records(), Some(7));
        assert!(numbers.lag() >= Duration::from_secs(2));
        numbers.hold(3, Some(Duration::from_secs(5)));
        assert_eq!(numbers.lag_records(), Some(10));
        assert!(numbers.lag() >= Duration::from_secs(5));
        numbers.read_up_to(&topic, 17);
        numbers.hold(0, None);
        assert_eq!((numbers.lag_records(), numbers.lag()), (Some(0), Duration::ZERO));
    }

    #[test]
    fn what_was_done_outlives_the_lane() {
        let meter = Meter::default();
        meter.update(|numbers| (numbers.records, numbers.is_held, numbers.aggregates) = (5, true, 9));
        meter.update(LaneNumbers::leave);
        let numbers = meter.numbers();
        assert_eq!((numbers.records, numbers.is_held, numbers.aggregates), (5, false, 0));
    }
}
