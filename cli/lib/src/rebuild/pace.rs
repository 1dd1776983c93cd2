//! The pace of a rebuild: it rests while the version that answers is behind.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_ports::{Clock, SystemClock};
use millrace_runtime::progress::Progress;
use millrace_runtime::role::Pace;

/// Behind by more than this, the version that answers has the servers for itself.
const MOST_LAG: Duration = Duration::from_secs(1);
/// A partition that has not come on for so long is not helped by a rest: nobody fills it, or it stands still.
const STANDS_STILL: Duration = Duration::from_secs(5);
/// So many offsets behind the last event's may be markers of transactions.
const MARKERS: i64 = 2;

/// Gives way to the version that answers.
pub struct GiveWay {
    pace: Pace,
    /// How far each partition has come, and since when.
    moved: BTreeMap<i32, (Instant, i64)>,
}

impl GiveWay {
    pub fn new(pace: Pace) -> Self {
        Self { pace, moved: BTreeMap::new() }
    }

    /// Looks at how far the version that answers has come. Returns by how much it is behind.
    pub fn look(&mut self, live: &BTreeMap<i32, Progress>, ends: &BTreeMap<i32, i64>) -> Duration {
        for (partition, progress) in live {
            let moved = self.moved.entry(*partition).or_insert((Instant::now(), i64::MIN));
            if progress.events_offset > moved.1 {
                *moved = (Instant::now(), progress.events_offset);
            }
        }
        let moves = |partition: &i32| {
            self.moved.get(partition).is_some_and(|(since, _)| since.elapsed() < STANDS_STILL)
        };
        let (mut most, mut is_helped) = (Duration::ZERO, false);
        for (partition, lag) in lags(live, ends, SystemClock.now_micros()) {
            most = most.max(lag);
            is_helped |= lag > MOST_LAG && moves(&partition);
        }
        self.pace.rest(is_helped);
        most
    }
}

impl Drop for GiveWay {
    fn drop(&mut self) {
        self.pace.rest(false);
    }
}

/// By how much the partitions of a version are behind, by the time of the newest event they have, where there
/// are more.
fn lags(progress: &BTreeMap<i32, Progress>, ends: &BTreeMap<i32, i64>, now: i64) -> Vec<(i32, Duration)> {
    let of = |(partition, end): (&i32, &i64)| {
        let it = progress.get(partition)?;
        let micros = now.saturating_sub(it.recorded_at).max(0).unsigned_abs();
        (it.events_offset + MARKERS < *end).then(|| (*partition, Duration::from_micros(micros)))
    };
    ends.iter().filter_map(of).collect()
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
        assert_eq!(lags(&at(90, 1_000_000), &ends(100), 3_000_000), [(0, 2 * second)]);
        assert_eq!(lags(&at(99, 1_000_000), &ends(100), 3_000_000), [], "a marker is no event");
        assert_eq!(lags(&at(90, 5_000_000), &ends(100), 3_000_000), [(0, Duration::ZERO)], "clocks differ");
        assert_eq!(lags(&BTreeMap::new(), &ends(0), 3_000_000), []);
    }

    #[test]
    fn a_rebuild_rests_while_the_live_version_is_behind_and_not_for_ever() {
        let pace = Pace::default();
        let mut way = GiveWay::new(pace.clone());
        way.look(&at(10, 0), &BTreeMap::from([(0, 100)]));
        assert!(pace.is_resting());
        let long_ago = Instant::now().checked_sub(STANDS_STILL).expect("a clock that has run so long");
        way.moved.insert(0, (long_ago, 10));
        way.look(&at(10, 0), &BTreeMap::from([(0, 100)]));
        assert!(!pace.is_resting(), "nobody fills it");
        // another partition goes on, and is not behind
        let mut two = at(10, 0);
        two.insert(1, Progress { events_offset: 50, partition: 1, ..two[&0].clone() });
        way.look(&two, &BTreeMap::from([(0, 100), (1, 50)]));
        assert!(!pace.is_resting(), "one partition stands still");
        way.look(&at(20, 0), &BTreeMap::from([(0, 100)]));
        assert!(pace.is_resting());
        drop(way);
        assert!(!pace.is_resting());
    }
}
