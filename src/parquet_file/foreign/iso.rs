//! Dates, times and durations as ISO 8601 text, with all digits of their unit.
//!
//! Every number a file can hold has a text: years before 0000 or after 9999 get a sign (`+10000-01-01`,
//! `-0044-03-15`; the year before 0001 is 0000), times outside a day keep counting (`25:00:00.000`, `-00:00:01.000`).

use std::fmt::Write as _;

use jiff::SignedDuration;
use jiff::civil::Date;

/// The unit of a time or timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    fn per_second(self) -> i128 {
        match self {
            Self::Millis => 1_000,
            Self::Micros => 1_000_000,
            Self::Nanos => 1_000_000_000,
        }
    }

    /// How many digits stand behind the point: always all of them, so that texts sort as the times do.
    pub(super) fn digits(self) -> usize {
        match self {
            Self::Millis => 3,
            Self::Micros => 6,
            Self::Nanos => 9,
        }
    }

    /// The word Parquet uses.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Millis => "MILLIS",
            Self::Micros => "MICROS",
            Self::Nanos => "NANOS",
        }
    }
}

const SECONDS_PER_DAY: i128 = 86_400;

/// Appends the date that lies `days` after 1970-01-01 in the proleptic Gregorian calendar.
///
/// `days` stays far inside what 64 bits hold: the largest that a file can state are some 2^52.
pub(super) fn push_date(out: &mut String, days: i64) {
    /// Days of 400 years, after which the calendar repeats: jiff's ends with the year 9999.
    const CYCLE_DAYS: i64 = 146_097;
    let of_cycle = SignedDuration::from_hours(24 * days.rem_euclid(CYCLE_DAYS));
    let date = Date::constant(1970, 1, 1).saturating_add(of_cycle);
    let (month, day) = (date.month(), date.day());
    let year = days.div_euclid(CYCLE_DAYS) * 400 + i64::from(date.year());
    // Writing into a string cannot fail, here and below.
    let _ = if (0..=9999).contains(&year) { write!(out, "{year:04}") } else { write!(out, "{year:+05}") };
    let _ = write!(out, "-{month:02}-{day:02}");
}

/// Appends a time of day, `Z` behind it if it is one of UTC.
pub(super) fn push_time(out: &mut String, time: i64, unit: Unit, utc: bool) {
    if time < 0 {
        out.push('-');
    }
    push_clock(out, i128::from(time.unsigned_abs()), unit);
    if utc {
        out.push('Z');
    }
}

/// Appends the timestamp that lies `time` after 1970-01-01T00:00, `Z` behind it if it is one of UTC.
///
/// `time` is a 64-bit number, or the sum of days and nanoseconds that an INT96 holds.
pub(super) fn push_timestamp(out: &mut String, time: i128, unit: Unit, utc: bool) {
    let per_day = SECONDS_PER_DAY * unit.per_second();
    // What a 64-bit number or an INT96 holds is at most some 2^32 days.
    push_date(out, i64::try_from(time.div_euclid(per_day)).unwrap_or_default());
    out.push('T');
    push_clock(out, time.rem_euclid(per_day), unit);
    if utc {
        out.push('Z');
    }
}

fn push_clock(out: &mut String, time: i128, unit: Unit) {
    let (seconds, part) = (time / unit.per_second(), time % unit.per_second());
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let _ = write!(out, "{hours:02}:{minutes:02}:{seconds:02}.{part:0digits$}", digits = unit.digits());
}

/// Appends Parquet's INTERVAL as an ISO 8601 duration whose three parts are always there.
pub(super) fn push_interval(out: &mut String, months: u32, days: u32, millis: u32) {
    let _ = write!(out, "P{months}M{days}DT{}.{:03}S", millis / 1000, millis % 1000);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(days: i64) -> String {
        let mut text = String::new();
        push_date(&mut text, days);
        text
    }

    fn timestamp(time: i128, unit: Unit, utc: bool) -> String {
        let mut text = String::new();
        push_timestamp(&mut text, time, unit, utc);
        text
    }

    /// The expected texts are what jiff and Python say of those days.
    #[test]
    fn dates_are_those_of_the_gregorian_calendar() {
        for (days, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
            (-719_162, "0001-01-01"),
            (-719_163, "0000-12-31"),
            (-719_528, "0000-01-01"),
            (-719_529, "-0001-12-31"),
            (2_932_896, "9999-12-31"),
            (2_932_897, "+10000-01-01"),
            (i64::from(i32::MAX), "+5881580-07-11"),
            (i64::from(i32::MIN), "-5877641-06-23"),
        ] {
            assert_eq!(date(days), text);
        }
    }

    #[test]
    fn every_day_of_the_years_that_jiff_knows_is_the_same_there() {
        let epoch = jiff::civil::date(1970, 1, 1);
        for days in (-719_528..=2_932_896).step_by(7) {
            let there = epoch.checked_add(jiff::Span::new().days(days)).expect("a date of jiff's");
            assert_eq!(date(days), format!("{:04}-{:02}-{:02}", there.year(), there.month(), there.day()));
        }
    }

    #[test]
    fn timestamps_have_all_digits_of_their_unit() {
        assert_eq!(timestamp(0, Unit::Millis, true), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(-1, Unit::Micros, false), "1969-12-31T23:59:59.999999");
        assert_eq!(timestamp(1_795_167_000_123_456_789, Unit::Nanos, true), "2026-11-20T09:30:00.123456789Z");
        assert_eq!(timestamp(i128::from(i64::MIN), Unit::Nanos, false), "1677-09-21T00:12:43.145224192");
        assert_eq!(timestamp(i128::from(i64::MAX), Unit::Millis, true), "+292278994-08-17T07:12:55.807Z");
        assert_eq!(timestamp(i128::from(i64::MIN), Unit::Millis, true), "-292275055-05-16T16:47:04.192Z");
    }

    #[test]
    fn times_outside_a_day_keep_counting() {
        let time = |value, unit, utc| {
            let mut text = String::new();
            push_time(&mut text, value, unit, utc);
            text
        };
        assert_eq!(time(34_200_123, Unit::Millis, false), "09:30:00.123");
        assert_eq!(time(86_400_000_000, Unit::Micros, true), "24:00:00.000000Z");
        assert_eq!(time(-1, Unit::Nanos, false), "-00:00:00.000000001");
        assert_eq!(time(i64::MIN, Unit::Nanos, false), "-2562047:47:16.854775808");
        let mut interval = String::new();
        push_interval(&mut interval, 14, 3, 4_500);
        assert_eq!(interval, "P14M3DT4.500S");
    }
}
