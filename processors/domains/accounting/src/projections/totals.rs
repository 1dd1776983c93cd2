//! Projection `totals`: what came in and went out on a day.
//!
//! A day's total is fed by every partition, so each writes one absolute row and the reader
//! of the table adds them up. `recorded_at` rises within a partition, so a projector needs to
//! know of one day only: once the next has begun, no event of the last one comes any more.

use millrace_kernel::{Event, KeyedProjector, Projection, Rows, keyed};
use serde::{Deserialize, Serialize};

use crate::messages::EventData;
use crate::messages::rows::DailyTotalsRow;

/// Microseconds of a day; UTC, as computers count it, has no longer ones.
const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

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
        let day = event.recorded_at.div_euclid(DAY_MICROS);
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

/// A day since the epoch as YYYY-MM-DD, in the calendar that UTC uses.
///
/// Years are counted from March, so that the leap day comes last, in eras of 400 years, which
/// all have the same length (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn date(day: i64) -> String {
    let from_march_0 = day.saturating_add(719_468);
    let era = from_march_0.div_euclid(146_097);
    let of_era = from_march_0.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        let rows = [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (19_675, "2023-11-14"),
            (20_453, "2025-12-31"),
            (20_454, "2026-01-01"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ];
        for (day, expected) in rows {
            assert_eq!(date(day), expected, "{day}");
        }
    }

    /// Counting days one by one, month by month, as on a calendar.
    #[test]
    fn every_day_of_four_hundred_years_has_its_date() {
        let (mut year, mut month, mut of_month) = (1970, 1, 1);
        for day in 0..146_097 {
            assert_eq!(date(day), format!("{year:04}-{month:02}-{of_month:02}"));
            let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            let length = match month {
                2 => 28 + i32::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            of_month += 1;
            if of_month > length {
                (of_month, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }

    #[test]
    fn a_sum_that_is_too_great_says_so_and_stays() {
        assert_eq!(at_most(i128::from(i64::MAX) + 1), i64::MAX);
        assert_eq!(at_most(5), 5);
    }
}
