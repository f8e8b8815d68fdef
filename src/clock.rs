//! The time, handed in from outside so that tests and schedules decide what "now" is.
//!
//! The core never reads the wall clock by itself: only [`SystemClock`], made in `main`, does.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Tells the time.
pub trait Clock: Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// `2026-11-20T09-30-00Z`: UTC, second precision, safe in file names everywhere.
#[must_use]
pub fn file_name_time(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H-%M-%SZ").to_string()
}

/// `2026-11-20T09:30:00Z`: UTC, second precision, RFC 3339.
#[must_use]
pub fn utc_text(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_and_safe_in_file_names() {
        let time = Timestamp::from_second(1_795_167_000).expect("in range");
        assert_eq!(utc_text(time), "2026-11-20T09:30:00Z");
        assert_eq!(file_name_time(time), "2026-11-20T09-30-00Z");
    }
}
