//! The pace of a rebuild: it rests while the version that answers is behind.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_ports::{Clock, SystemClock};
use millrace_runtime::progress::Progress;
use millrace_runtime::role::Pace;

/// Behind by more than this, the version that answers has the servers for itself.
const MOST_LAG: Duration = Duration::from_secs(1);
/// A version that has not come on for so long is not helped by a rest: nobody fills it.
const STANDS_STILL: Duration = Duration::from_secs(5);
/// So many offsets behind the last event's may be markers of transactions.
const MARKERS: i64 = 2;

/// Gives way to the version that answers.
pub struct GiveWay {
    pace: Pace,
    moved: (Instant, i64),
}

impl GiveWay {
    pub fn new(pace: Pace) -> Self {
        Self { pace, moved: (Instant::now(), i64::MIN) }
    }

    /// Looks at how far the version that answers has come. Returns by how much it is behind.
    pub fn look(&mut self, live: &BTreeMap<i32, Progress>, ends: &BTreeMap<i32, i64>) -> Duration {
        let reached: i64 = live.values().map(|it| it.events_offset).sum();
        if reached > self.moved.1 {
            self.moved = (Instant::now(), reached);
        }
        let lag = lag(live, ends, SystemClock.now_micros());
        self.pace.rest(lag > MOST_LAG && self.moved.0.elapsed() < STANDS_STILL);
        lag
    }
}

impl Drop for GiveWay {
    fn drop(&mut self) {
        self.pace.rest(false);
    }
}

/// By how much a version is behind at most, by the time of the newest event it has, where there are
/// more.
fn lag(progress: &BTreeMap<i32, Progress>, ends: &BTreeMap<i32, i64>, now: i64) -> Duration {
    let of = |(partition, end): (&i32, &i64)| {
        let it = progress.get(partition)?;
        let micros = now.saturating_sub(it.recorded_at);
        (it.events_offset + MARKERS < *end).then(|| Duration::from_micros(micros.max(0).unsigned_abs()))
    };
    ends.iter().filter_map(of).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(events_offset: i64, recorded_at: i64) -> BTreeMap<i32, Progress> {
        let none = Progress::none("chirp.timelines", 0);
        BTreeMap::from([(0, Progress { events_offset, recorded_at, ..none })])
    }

    #[test]
    fn a_version_is_behind_when_there_are_events_that_it_has_not() {
        let second = Duration::from_secs(1);
        let ends = |end| BTreeMap::from([(0, end)]);
        assert_eq!(lag(&at(90, 1_000_000), &ends(100), 3_000_000), 2 * second);
        assert_eq!(lag(&at(99, 1_000_000), &ends(100), 3_000_000), Duration::ZERO, "a marker is no event");
        assert_eq!(lag(&at(90, 5_000_000), &ends(100), 3_000_000), Duration::ZERO, "clocks differ");
        assert_eq!(lag(&BTreeMap::new(), &ends(0), 3_000_000), Duration::ZERO);
    }

    #[test]
    fn a_rebuild_rests_while_the_live_version_is_behind_and_not_for_ever() {
        let pace = Pace::default();
        let mut way = GiveWay::new(pace.clone());
        way.look(&at(10, 0), &BTreeMap::from([(0, 100)]));
        assert!(pace.is_resting());
        way.moved.0 = Instant::now().checked_sub(STANDS_STILL).expect("a clock that has run so long");
        way.look(&at(10, 0), &BTreeMap::from([(0, 100)]));
        assert!(!pace.is_resting(), "nobody fills it");
        way.look(&at(20, 0), &BTreeMap::from([(0, 100)]));
        assert!(pace.is_resting());
        drop(way);
        assert!(!pace.is_resting());
    }
}
