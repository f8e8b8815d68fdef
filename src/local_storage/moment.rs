//! Moments and days as stores write them, checked strictly.
//!
//! What `Date.parse` would guess at (`31.12.2024 18:30`, a day without its month) is refused here: a guess would be stored for
//! good. So the shape of the text is checked here, because parsers take more than RFC 3339; the calendar is jiff's. Its
//! `Timestamp` is of no use for that: it ends a day before the year 9999 does.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// A moment of the years 0000 to 9999, in milliseconds since 1970-01-01T00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// Of milliseconds since 1970; `None` outside the years 0000 to 9999.
    #[must_use]
    pub fn from_ms(ms: i64) -> Option<Self> {
        let utc = EPOCH.checked_add(SignedDuration::from_millis(ms)).ok()?;
        (utc.year() >= 0).then_some(Self(ms))
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
        let time = time.strip_prefix(['T', 't'])?;
        let (clock, rest) = time.split_at_checked(8)?;
        let (ms, offset) = fraction_of(rest)?;
        let local = date_of(date)?.to_datetime(clock_of(clock)?);
        Self::from_ms(ms_since_1970(local)? + ms - offset_of(offset)? * 60_000)
    }

    /// Reads a day, `2026-11-20`: its midnight in UTC.
    #[must_use]
    pub fn from_date(text: &str) -> Option<Self> {
        Self::from_ms(ms_since_1970(date_of(text)?.to_datetime(Time::midnight()))?)
    }
}

/// RFC 3339 in UTC with milliseconds, always 24 characters: texts sort as the moments do.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = EPOCH.saturating_add(SignedDuration::from_millis(self.0));
        let (year, month, day) = (utc.year(), utc.month(), utc.day());
        let (hours, minutes, seconds, ms) = (utc.hour(), utc.minute(), utc.second(), utc.millisecond());
        write!(f, "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{ms:03}Z")
    }
}

fn ms_since_1970(utc: DateTime) -> Option<i64> {
    i64::try_from(utc.duration_since(EPOCH).as_millis()).ok()
}

fn date_of(text: &str) -> Option<Date> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else {
        return None;
    };
    let year = digits(&[y1, y2])? * 100 + digits(&[y3, y4])?;
    let (month, day) = (digits(&[m1, m2])?, digits(&[d1, d2])?);
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

fn clock_of(text: &str) -> Option<Time> {
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = text.as_bytes() else {
        return None;
    };
    let part = |tens, ones| i8::try_from(digits(&[tens, ones])?).ok();
    Time::new(part(h1, h2)?, part(m1, m2)?, part(s1, s2)?, 0).ok()
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
            let offset = i64::from(hours) * 60 + i64::from(minutes);
            (hours < 24 && minutes < 60).then_some(if sign == b'-' { -offset } else { offset })
        }
        _ => None,
    }
}

/// The number that decimal digits are, at most four of them.
fn digits(text: &[u8]) -> Option<i16> {
    text.iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i16::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS_PER_DAY: i64 = 86_400_000;
    /// 0000-01-01T00:00Z.
    const FIRST_MS: i64 = -62_167_219_200_000;
    /// 9999-12-31T23:59:59.999Z: later ones have no four digits for the year.
    const LAST_MS: i64 = 253_402_300_799_999;

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

    /// The numbers are those of Python's `datetime`, but for the year 0000, which it does not know.
    #[test]
    fn days_are_those_of_the_gregorian_calendar() {
        for (text, ms) in [
            ("0000-01-01", Some(FIRST_MS)),
            ("0000-02-29", Some(-62_162_121_600_000)),
            ("0000-12-31", Some(-62_135_683_200_000)),
            ("0001-01-01", Some(-62_135_596_800_000)),
            ("0001-02-29", None),
            ("1582-10-10", Some(-12_219_724_800_000)),
            ("1900-02-29", None),
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(951_782_400_000)),
            ("2023-02-29", None),
            ("2024-02-29", Some(1_709_164_800_000)),
            ("2024-02-30", None),
            ("2025-04-30", Some(1_745_971_200_000)),
            ("2025-04-31", None),
            ("2025-00-10", None),
            ("2025-10-00", None),
            ("9999-12-31", Some(253_402_214_400_000)),
            ("9999-99-99", None),
            ("99999-1-01", None),
            ("-001-01-01", None),
        ] {
            assert_eq!(Moment::from_date(text).map(Moment::ms), ms, "{text}");
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
        let mut day = Some(Moment(FIRST_MS));
        let mut days = 0;
        while let Some(moment) = day {
            let text = moment.to_string();
            assert_eq!(Moment::from_date(&text[..10]), Some(moment));
            assert_eq!(Moment::from_rfc3339(&text), Some(moment));
            day = Moment::from_ms(moment.ms() + MS_PER_DAY);
            days += 1;
        }
        assert_eq!(days, 3_652_425);
    }

    #[test]
    fn the_first_and_the_last_moment_are_those_of_the_years_with_four_digits() {
        assert_eq!(Moment::from_ms(FIRST_MS).map(Moment::ms), Some(FIRST_MS));
        assert_eq!(Moment::from_ms(FIRST_MS - 1), None);
        assert_eq!(Moment::from_ms(LAST_MS).map(Moment::ms), Some(LAST_MS));
        assert_eq!(Moment::from_ms(LAST_MS + 1), None);
        assert_eq!((Moment::from_ms(i64::MIN), Moment::from_ms(i64::MAX)), (None, None));
        assert_eq!((Moment::from_us(i64::MIN), Moment::from_us(i64::MAX)), (None, None));
        assert_eq!(
            Moment::from_us(-1).map(|moment| moment.to_string()).as_deref(),
            Some("1969-12-31T23:59:59.999Z")
        );
    }
}
