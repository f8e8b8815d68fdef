//! Moments and days as stores write them, checked strictly.
//!
//! What `Date.parse` would guess at (`31.12.2024 18:30`, a day without its month) is refused here: a guess would be stored for
//! good. Own code, because what there is for it is lenient.

use std::fmt;

const MS_PER_DAY: i64 = 86_400_000;
/// 9999-12-31T23:59:59.999Z: later ones have no four digits for the year.
const LAST_MS: i64 = 253_402_300_799_999;
/// 0000-01-01T00:00Z.
const FIRST_MS: i64 = -62_167_219_200_000;

/// A moment of the years 0000 to 9999, in milliseconds since 1970-01-01T00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// Of milliseconds since 1970; `None` outside the years 0000 to 9999.
    #[must_use]
    pub fn from_ms(ms: i64) -> Option<Self> {
        (FIRST_MS..=LAST_MS).contains(&ms).then_some(Self(ms))
    }

    /// Of microseconds since 1970, cut to milliseconds; `None` outside the years 0000 to 9999.
    #[must_use]
    pub fn from_us(us: i64) -> Option<Self> {
        Self::from_ms(us.div_euclid(1000))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn ms(self) -> i64 {
        self.0
    }

    /// Reads `2026-11-20T09:30:00Z`, with any digits of a fraction (cut to three) and any offset.
    ///
    /// A leap second is refused, as `Date.parse` does.
    ///
    /// Source: RFC 3339, section 5.6.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let (date, time) = text.split_at_checked(10)?;
        let midnight = Self::from_date(date)?.0;
        let time = time.strip_prefix(['T', 't'])?;
        let (clock, rest) = time.split_at_checked(8)?;
        let (hours, minutes, seconds) = clock_of(clock)?;
        let (ms, offset) = fraction_of(rest)?;
        let offset_minutes = offset_of(offset)?;
        let of_day = ((i64::from(hours) * 60 + i64::from(minutes)) * 60 + i64::from(seconds)) * 1000 + ms;
        Self::from_ms(midnight + of_day - offset_minutes * 60_000)
    }

    /// Reads a day, `2026-11-20`: its midnight in UTC.
    #[must_use]
    pub fn from_date(text: &str) -> Option<Self> {
        let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else {
            return None;
        };
        let (year, month, day) = (digits(&[y1, y2, y3, y4])?, digits(&[m1, m2])?, digits(&[d1, d2])?);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 => 28 + u32::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (1..=days).contains(&day).then(|| Self(days_since_1970(year, month, day) * MS_PER_DAY))
    }
}

/// RFC 3339 in UTC with milliseconds, always 24 characters: texts sort as the moments do.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date_of(self.0.div_euclid(MS_PER_DAY));
        let ms = self.0.rem_euclid(MS_PER_DAY);
        let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", ms % 1000)
    }
}

/// Days of 400 years, after which the calendar repeats.
const CYCLE_DAYS: i64 = 146_097;
/// Days from 0000-03-01, where a cycle begins, to 1970-01-01.
const EPOCH: i64 = 719_468;

fn days_since_1970(year: u32, month: u32, day: u32) -> i64 {
    // Years begin in March here, so that the leap day is their last; months then come in a pattern of 153 days.
    let year = i64::from(year) - i64::from(month <= 2);
    let month = i64::from((month + 9) % 12);
    let day_of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    let year_of_cycle = year.rem_euclid(400);
    let day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    year.div_euclid(400) * CYCLE_DAYS + day_of_cycle - EPOCH
}

fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH;
    let day_of_cycle = days.rem_euclid(CYCLE_DAYS);
    // Leap days of whole 4, 100 and 400 years taken out, every year has 365 days.
    let year_of_cycle =
        (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (days.div_euclid(CYCLE_DAYS) * 400 + year_of_cycle + i64::from(month <= 2), month, day)
}

fn clock_of(text: &str) -> Option<(u32, u32, u32)> {
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = text.as_bytes() else {
        return None;
    };
    let (hours, minutes, seconds) = (digits(&[h1, h2])?, digits(&[m1, m2])?, digits(&[s1, s2])?);
    (hours < 24 && minutes < 60 && seconds < 60).then_some((hours, minutes, seconds))
}

/// Milliseconds of the fraction, if there is one, and what stands behind it.
fn fraction_of(text: &str) -> Option<(i64, &str)> {
    let Some(fraction) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, offset) = fraction.split_at_checked(length)?;
    let thousandths = fraction.bytes().chain([b'0', b'0', b'0']).take(3);
    (length > 0).then(|| (thousandths.fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0')), offset))
}

/// Minutes east of UTC.
fn offset_of(text: &str) -> Option<i64> {
    match text.as_bytes() {
        b"Z" | b"z" => Some(0),
        &[sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[h1, h2])?, digits(&[m1, m2])?);
            let offset = i64::from(hours * 60 + minutes);
            (hours < 24 && minutes < 60).then_some(if sign == b'-' { -offset } else { offset })
        }
        _ => None,
    }
}

fn digits(text: &[u8]) -> Option<u32> {
    text.iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        Moment::from_rfc3339(text).map(|moment| moment.to_string())
    }

    #[test]
    fn moments_become_utc_with_milliseconds() {
        for (text, utc) in [
            ("2025-09-01T16:09:13.283Z", "2025-09-01T16:09:13.283Z"),
            ("2025-09-01T16:09:13Z", "2025-09-01T16:09:13.000Z"),
            ("2025-09-01t16:09:13.2z", "2025-09-01T16:09:13.200Z"),
            ("2024-02-29T23:59:59.9999999-01:30", "2024-03-01T01:29:59.999Z"),
            ("2025-01-01T00:30:00+05:45", "2024-12-31T18:45:00.000Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
            ("1969-12-31T23:59:59.999-00:00", "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(utc), "{text}");
        }
    }

    #[test]
    fn whatever_is_not_rfc_3339_is_refused() {
        for text in [
            "",
            "2025-09-01",
            "31.12.2024 18:30",
            "2025-09-01 16:09:13Z",
            "2025-09-01T16:09:13",
            "2025-09-01T16:09Z",
            "2025-09-01T24:00:00Z",
            "2025-09-01T16:60:00Z",
            "2016-12-31T23:59:60Z",
            "2025-02-29T00:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-00-01T00:00:00Z",
            "2025-09-31T00:00:00Z",
            "2025-09-00T00:00:00Z",
            "2025-09-01T16:09:13.Z",
            "2025-09-01T16:09:13,5Z",
            "2025-09-01T16:09:13+0200",
            "2025-09-01T16:09:13+24:00",
            "+010000-01-01T00:00:00Z",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "1756742953283",
            " 2025-09-01T16:09:13Z",
            "2025-09-01T16:09:13Z ",
            "２０25-09-01T16:09:13Z",
            "2025-09-0１T16:09:13Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_ten_thousand_years_is_read_and_written() {
        let mut days = FIRST_MS / MS_PER_DAY;
        while days * MS_PER_DAY <= LAST_MS {
            let moment = Moment(days * MS_PER_DAY);
            let text = moment.to_string();
            assert_eq!(Moment::from_date(&text[..10]), Some(moment));
            assert_eq!(Moment::from_rfc3339(&text), Some(moment));
            days += 1;
        }
        assert_eq!(Moment::from_ms(LAST_MS + 1), None);
        assert_eq!(
            Moment::from_us(-1).map(|moment| moment.to_string()).as_deref(),
            Some("1969-12-31T23:59:59.999Z")
        );
    }
}
