//! Days and months of UTC, for instants in microseconds since the epoch.
//!
//! There are no time zones here and no clock: whoever shows an instant to a person knows where that person is.

/// Microseconds of a day; UTC, as computers count it, has no longer ones.
pub const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// The first instant that a message may name, the beginning of the year 1.
pub const FIRST_INSTANT: i64 = -719_162 * DAY_MICROS;

/// The last instant that a message may name, a microsecond before the year 10000.
pub const LAST_INSTANT: i64 = 2_932_897 * DAY_MICROS - 1;

/// The day of an instant, in days since the epoch.
#[must_use]
pub fn day_of(instant: i64) -> i64 {
    instant.div_euclid(DAY_MICROS)
}

/// A day since the epoch as `YYYY-MM-DD`, in the calendar that UTC uses.
#[must_use]
pub fn date(day: i64) -> String {
    let (year, month, of_month) = civil(day);
    format!("{year:04}-{month:02}-{of_month:02}")
}

/// The first instant of the month of `instant`.
#[must_use]
pub fn month_of(instant: i64) -> i64 {
    let day = day_of(instant);
    let (.., of_month) = civil(day);
    (day - (of_month - 1)).saturating_mul(DAY_MICROS)
}

/// The first instant of the month behind that of `instant`.
#[must_use]
pub fn month_after(instant: i64) -> i64 {
    // no month has more than 31 days and none fewer than 28, so this is one of the first days of the next
    month_of(month_of(instant).saturating_add(31 * DAY_MICROS))
}

/// An instant as RFC 3339 has it, in UTC, with as much of the second as is needed: `2026-11-29T10:00:00Z`.
#[must_use]
pub fn rfc3339(instant: i64) -> String {
    let (date, of_day) = (date(day_of(instant)), instant.rem_euclid(DAY_MICROS));
    let (seconds, micros) = (of_day / 1_000_000, of_day % 1_000_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match micros {
        0 => format!("{date}T{hour:02}:{minute:02}:{second:02}Z"),
        _ => format!("{date}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"),
    }
}

/// Year, month and day of the month.
///
/// Years are counted from March, so that the leap day comes last, in eras of 400 years, which
/// all have the same length (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(day: i64) -> (i64, i64, i64) {
    let from_march_0 = day.saturating_add(719_468);
    let era = from_march_0.div_euclid(146_097);
    let of_era = from_march_0.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
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
            (day_of(FIRST_INSTANT), "0001-01-01"),
            (day_of(FIRST_INSTANT - 1), "0000-12-31"),
            (day_of(LAST_INSTANT), "9999-12-31"),
            (day_of(LAST_INSTANT + 1), "10000-01-01"),
        ];
        for (day, expected) in rows {
            assert_eq!(date(day), expected, "{day}");
        }
    }

    /// Counting days one by one, month by month, as on a calendar.
    #[test]
    fn every_day_of_four_hundred_years_has_its_date_and_month() {
        let (mut year, mut month, mut of_month) = (1970, 1, 1);
        let mut first_of_month = 0;
        for day in 0..146_097 {
            assert_eq!(date(day), format!("{year:04}-{month:02}-{of_month:02}"));
            let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            let length = match month {
                2 => 28 + i64::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            for instant in [day * DAY_MICROS, (day + 1) * DAY_MICROS - 1] {
                assert_eq!(month_of(instant), first_of_month * DAY_MICROS);
                assert_eq!(month_after(instant), (first_of_month + length) * DAY_MICROS);
            }
            of_month += 1;
            if of_month > length {
                (of_month, month, first_of_month) = (1, month + 1, day + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }

    #[test]
    fn instants_are_shown_in_utc() {
        let rows = [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (1_767_323_045_000_000, "2026-01-02T03:04:05Z"),
            (1_767_323_045_000_010, "2026-01-02T03:04:05.000010Z"),
            (FIRST_INSTANT, "0001-01-01T00:00:00Z"),
            (LAST_INSTANT, "9999-12-31T23:59:59.999999Z"),
        ];
        for (instant, expected) in rows {
            assert_eq!(rfc3339(instant), expected, "{instant}");
        }
        for instant in [i64::MIN, i64::MAX] {
            // such an instant is refused before; it must only not fail
            let _ = (rfc3339(instant), month_of(instant), month_after(instant));
        }
    }
}
