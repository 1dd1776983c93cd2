//! What several commands share: rules, each with the message that says what would be right.

use millrace_kernel::codes::LIMIT_REACHED;
use millrace_kernel::day::{DAY_MICROS, day_of};
use millrace_kernel::{Rejections, Violation};

/// Reasons that only calendar has. Append-only, like the kernel's.
pub mod codes {
    /// The calendar was removed, which is for good: there will be none of that id again.
    pub const REMOVED: &str = "Removed";
    /// The range does not begin before it ends.
    pub const INVALID_TIME_RANGE: &str = "InvalidTimeRange";
    /// Another slot of the calendar takes some of that time.
    pub const OVERLAP_CALENDAR: &str = "OverlapCalendar";
}

/// Most days that a slot lasts: who looks for what reaches into a day looks back as far, and no further.
pub const MAX_DAYS: i64 = 31;

/// A half-open range of instants, in microseconds since the epoch: `end` is behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub start: i64,
    pub end: i64,
}

impl Range {
    /// The day of UTC on which it begins, in days since the epoch.
    pub fn first_day(self) -> i64 {
        day_of(self.start)
    }

    /// The day of UTC of its last microsecond.
    pub fn last_day(self) -> i64 {
        day_of(self.end - 1)
    }
}

/// The range from `start` to `end`, if that is one that a slot may have.
pub(crate) fn range(rejections: &mut Rejections, start: i64, end: i64) -> Option<Range> {
    let is_start = rejections.instant("start", start);
    let is_end = rejections.instant("end", end);
    if !is_start || !is_end {
        return None;
    }
    let is_range = rejections.require(start < end, || {
        let message = "a slot must begin before it ends; name an end that is later than the start";
        Violation::on(codes::INVALID_TIME_RANGE, "end", message)
    });
    let is_short = is_range
        && rejections.require(end - start <= MAX_DAYS * DAY_MICROS, || {
            let message = format!("a slot lasts at most {MAX_DAYS} days of 24 hours; make several of it");
            Violation::on(LIMIT_REACHED, "end", message)
        });
    is_short.then_some(Range { start, end })
}
