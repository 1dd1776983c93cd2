//! Projection `totals`: what came in and went out on a day.
//!
//! A day's total is fed by every partition, so each writes one absolute row and the reader
//! of the table adds them up. `recorded_at` rises within a partition, so a projector needs to
//! know of one day only: once the next has begun, no event of the last one comes any more.

use millrace_kernel::day::{date, day_of};
use millrace_kernel::{Event, KeyedProjector, Projection, Rows, keyed};
use serde::{Deserialize, Serialize};

use crate::messages::EventData;
use crate::messages::rows::DailyTotalsRow;

/// The family, for the engine.
#[must_use]
pub fn family() -> Projection<EventData> {
    Projection {
        name: "totals",
        views: &[DailyTotalsRow::TABLE],
        revision: "1".to_owned(),
        projector: Box::new(|partition| keyed(Totals { partition })),
    }
}

/// Knows of every currency the sums of the newest day.
struct Totals {
    partition: i32,
}

/// Of one currency and day. Two deposits may be more together than an amount can be.
#[derive(Default, Serialize, Deserialize)]
struct Sums {
    /// Days since the epoch.
    day: i64,
    deposits: i128,
    withdrawals: i128,
}

/// What an event moves: currency, what was paid in, what was paid out.
fn moved(event: &EventData) -> Option<(&str, i64, i64)> {
    match event {
        EventData::MoneyDeposited(e) => Some((&e.currency, e.amount, 0)),
        EventData::MoneyWithdrawn(e) => Some((&e.currency, 0, e.amount)),
        _ => None,
    }
}

impl KeyedProjector<EventData> for Totals {
    type State = Sums;

    fn key<'e>(&self, event: &'e Event<EventData>) -> Option<&'e str> {
        moved(&event.data).map(|(currency, ..)| currency)
    }

    fn evolve(&self, sums: Option<Sums>, event: &Event<EventData>) -> Option<Sums> {
        let (_, paid_in, paid_out) = moved(&event.data)?;
        let day = day_of(event.recorded_at);
        let sums = sums.filter(|sums| sums.day == day).unwrap_or(Sums { day, ..Sums::default() });
        Some(Sums {
            day,
            deposits: sums.deposits + i128::from(paid_in),
            withdrawals: sums.withdrawals + i128::from(paid_out),
        })
    }

    fn apply(&self, sums: &Sums, event: &Event<EventData>, rows: &mut Rows<'_>) {
        let Some((currency, ..)) = moved(&event.data) else { return };
        let row = DailyTotalsRow {
            day: date(sums.day).into(),
            currency: currency.into(),
            source_partition: self.partition,
            deposits: at_most(sums.deposits),
            withdrawals: at_most(sums.withdrawals),
        };
        rows.push(row.put(event.recorded_at));
    }
}

fn at_most(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_is_too_great_says_so_and_stays() {
        assert_eq!(at_most(i128::from(i64::MAX) + 1), i64::MAX);
        assert_eq!(at_most(5), 5);
    }
}
