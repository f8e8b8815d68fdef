//! One physical value as SQLite stores it.

use std::fmt::Write as _;

use parquet::data_type::{ByteArray, FixedLenByteArray, Int96};

use crate::parquet_file::foreign::decimal::{push_decimal, push_decimal_bytes};
use crate::parquet_file::foreign::iso::{Unit, push_date, push_interval, push_time, push_timestamp};
use crate::parquet_file::foreign::meaning::Meaning;

/// A value as it stands in a page.
#[derive(Debug, Clone, Copy)]
pub(super) enum Physical<'a> {
    Boolean(bool),
    Int32(i32),
    Int64(i64),
    Int96 { julian_day: i32, nanos: i64 },
    Float(f32),
    Double(f64),
    Bytes(&'a [u8]),
}

/// What the decoder yields, as [`Physical`].
pub(super) trait AsPhysical {
    fn as_physical(&self) -> Physical<'_>;
}

impl AsPhysical for bool {
    fn as_physical(&self) -> Physical<'_> {
        Physical::Boolean(*self)
    }
}

impl AsPhysical for i32 {
    fn as_physical(&self) -> Physical<'_> {
        Physical::Int32(*self)
    }
}

impl AsPhysical for i64 {
    fn as_physical(&self) -> Physical<'_> {
        Physical::Int64(*self)
    }
}

impl AsPhysical for Int96 {
    fn as_physical(&self) -> Physical<'_> {
        let [low, high, day] = <[u32; 3]>::try_from(self.data()).unwrap_or_default();
        let nanos = (u64::from(high) << 32) | u64::from(low);
        Physical::Int96 { julian_day: day.cast_signed(), nanos: nanos.cast_signed() }
    }
}

impl AsPhysical for f32 {
    fn as_physical(&self) -> Physical<'_> {
        Physical::Float(*self)
    }
}

impl AsPhysical for f64 {
    fn as_physical(&self) -> Physical<'_> {
        Physical::Double(*self)
    }
}

impl AsPhysical for ByteArray {
    fn as_physical(&self) -> Physical<'_> {
        Physical::Bytes(self.data())
    }
}

impl AsPhysical for FixedLenByteArray {
    fn as_physical(&self) -> Physical<'_> {
        Physical::Bytes(self.data())
    }
}

/// A value as SQLite stores it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stored<'a> {
    Integer(i64),
    /// May still be NaN, which SQLite does not store.
    Real(f64),
    /// Text, or what is annotated as text; may not be valid UTF-8.
    Text(&'a [u8]),
    Blob(&'a [u8]),
    /// Text that was appended to the scratch.
    Written,
    /// Text that was appended to the scratch, of an integer too large for INTEGER.
    WrittenInteger,
    /// Bytes that are not what their annotation says.
    Misfit(&'a [u8]),
}

/// Turns a physical value into what SQLite stores; text that has to be made is appended to `scratch`.
pub(super) fn store<'a>(meaning: Meaning, value: Physical<'a>, scratch: &mut String) -> Stored<'a> {
    if write_text(meaning, value, scratch) {
        return Stored::Written;
    }
    match (meaning, value) {
        (Meaning::Unsigned, Physical::Int32(value)) => Stored::Integer(i64::from(value.cast_unsigned())),
        (Meaning::Unsigned64, Physical::Int64(value)) if value < 0 => {
            // Writing into a string cannot fail, here and below.
            let _ = write!(scratch, "{}", value.cast_unsigned());
            Stored::WrittenInteger
        }
        (Meaning::Float16, Physical::Bytes(&[low, high])) => {
            Stored::Real(half(u16::from_le_bytes([low, high])))
        }
        (Meaning::Text, Physical::Bytes(bytes)) => Stored::Text(bytes),
        (Meaning::Bytes | Meaning::Null, Physical::Bytes(bytes)) => Stored::Blob(bytes),
        (_, Physical::Bytes(bytes)) => Stored::Misfit(bytes),
        (_, Physical::Boolean(value)) => Stored::Integer(value.into()),
        (_, Physical::Int32(value)) => Stored::Integer(value.into()),
        (_, Physical::Int64(value)) => Stored::Integer(value),
        // Always written as text.
        (_, Physical::Int96 { .. }) => Stored::Written,
        (_, Physical::Float(value)) => Stored::Real(value.into()),
        (_, Physical::Double(value)) => Stored::Real(value),
    }
}

/// Appends the text of what is a text of ours in SQLite; `false`, and nothing appended, for all else.
fn write_text(meaning: Meaning, value: Physical<'_>, out: &mut String) -> bool {
    match (meaning, value) {
        (Meaning::Decimal { scale }, Physical::Int32(value)) => push_decimal(out, value.into(), scale),
        (Meaning::Decimal { scale }, Physical::Int64(value)) => push_decimal(out, value.into(), scale),
        (Meaning::Decimal { scale }, Physical::Bytes(bytes)) => return push_decimal_bytes(out, bytes, scale),
        (Meaning::Date, Physical::Int32(days)) => push_date(out, days.into()),
        (Meaning::Time { unit, utc }, Physical::Int32(time)) => push_time(out, time.into(), unit, utc),
        (Meaning::Time { unit, utc }, Physical::Int64(time)) => push_time(out, time, unit, utc),
        (Meaning::Timestamp { unit, utc }, Physical::Int64(time)) => {
            push_timestamp(out, time.into(), unit, utc);
        }
        (_, Physical::Int96 { julian_day, nanos }) => push_timestamp96(out, julian_day, nanos),
        (Meaning::Uuid, Physical::Bytes(bytes)) if bytes.len() == 16 => push_uuid(out, bytes),
        (Meaning::Interval, Physical::Bytes(bytes)) => match bytes.as_chunks() {
            (&[months, days, millis], []) => {
                let [months, days, millis] = [months, days, millis].map(u32::from_le_bytes);
                push_interval(out, months, days, millis);
            }
            _ => return false,
        },
        _ => return false,
    }
    true
}

/// INT96 as Impala, Hive and Spark write it. It does not say whether it is adjusted to UTC.
fn push_timestamp96(out: &mut String, julian_day: i32, nanos: i64) {
    const JULIAN_DAY_OF_EPOCH: i128 = 2_440_588;
    const NANOS_PER_DAY: i128 = 86_400_000_000_000;
    let days = i128::from(julian_day) - JULIAN_DAY_OF_EPOCH;
    push_timestamp(out, days * NANOS_PER_DAY + i128::from(nanos), Unit::Nanos, false);
}

fn push_uuid(out: &mut String, bytes: &[u8]) {
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        let _ = write!(out, "{byte:02x}");
    }
}

/// The double equal to an IEEE 754 half.
fn half(bits: u16) -> f64 {
    /// Between the biases of the two exponents.
    const BIAS: u64 = 1023 - 15;
    const SMALLEST: f64 = 1.0 / 16_777_216.0;
    let sign = u64::from(bits >> 15) << 63;
    let (exponent, fraction) = (u64::from(bits >> 10 & 0x1f), u64::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => (f64::from(bits & 0x3ff) * SMALLEST).to_bits(),
        0x1f => f64::INFINITY.to_bits() | fraction << 42,
        exponent => (exponent + BIAS) << 52 | fraction << 42,
    };
    f64::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(meaning: Meaning, value: Physical<'_>) -> String {
        let mut scratch = String::new();
        let stored = store(meaning, value, &mut scratch);
        assert!(
            matches!(stored, Stored::Written | Stored::WrittenInteger),
            "{meaning:?} {value:?}: {stored:?}"
        );
        scratch
    }

    fn number(meaning: Meaning, value: Physical<'_>) -> Stored<'_> {
        store(meaning, value, &mut String::new())
    }

    #[test]
    fn integers_keep_their_value_and_large_ones_become_text() {
        assert_eq!(number(Meaning::Boolean, Physical::Boolean(true)), Stored::Integer(1));
        assert_eq!(number(Meaning::Unsigned, Physical::Int32(-1)), Stored::Integer(4_294_967_295));
        assert_eq!(number(Meaning::Unsigned64, Physical::Int64(i64::MAX)), Stored::Integer(i64::MAX));
        assert_eq!(text(Meaning::Unsigned64, Physical::Int64(i64::MIN)), "9223372036854775808");
        assert_eq!(text(Meaning::Unsigned64, Physical::Int64(-1)), "18446744073709551615");
    }

    #[test]
    fn halves_are_exact() {
        let half = |bits: u16| match number(Meaning::Float16, Physical::Bytes(&bits.to_le_bytes())) {
            Stored::Real(value) => value,
            other => panic!("{other:?}"),
        };
        assert_eq!(half(0x3c00).to_bits(), 1.0_f64.to_bits());
        assert_eq!(half(0xc580).to_bits(), (-5.5_f64).to_bits());
        assert_eq!(half(0x7bff).to_bits(), 65_504.0_f64.to_bits());
        assert_eq!(half(0x0001).to_bits(), 5.960_464_477_539_063e-8_f64.to_bits());
        assert_eq!(half(0x8000).to_bits(), (-0.0_f64).to_bits());
        assert_eq!(half(0xfc00).to_bits(), f64::NEG_INFINITY.to_bits());
        assert!(half(0x7e00).is_nan() && half(0x7c01).is_nan());
    }

    #[test]
    fn int96_has_all_its_days_and_nanoseconds() {
        let at = |julian_day, nanos| text(Meaning::Timestamp96, Physical::Int96 { julian_day, nanos });
        assert_eq!(at(2_440_588, 1), "1970-01-01T00:00:00.000000001");
        assert_eq!(at(0, 0), "-4713-11-24T00:00:00.000000000");
        assert_eq!(at(5_373_484, 86_399_999_999_999), "9999-12-31T23:59:59.999999999");
        assert_eq!(at(i32::MAX, i64::MAX), "+5875190-09-12T23:47:16.854775807");
        assert_eq!(at(i32::MIN, i64::MIN).len(), "-5884323-00-00T00:00:00.000000000".len());
    }

    #[test]
    fn bytes_that_are_not_what_they_claim_are_kept() {
        assert_eq!(number(Meaning::Decimal { scale: 1 }, Physical::Bytes(b"")), Stored::Misfit(b""));
        assert_eq!(number(Meaning::Uuid, Physical::Bytes(b"abc")), Stored::Misfit(b"abc"));
        assert_eq!(number(Meaning::Interval, Physical::Bytes(b"abc")), Stored::Misfit(b"abc"));
        assert_eq!(number(Meaning::Null, Physical::Bytes(b"abc")), Stored::Blob(b"abc"));
        let uuid: [u8; 16] = std::array::from_fn(|index| u8::try_from(index * 17).expect("small"));
        assert_eq!(text(Meaning::Uuid, Physical::Bytes(&uuid)), "00112233-4455-6677-8899-aabbccddeeff");
        let interval = [1, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(text(Meaning::Interval, Physical::Bytes(&interval)), "P1M2DT4294967.295S");
    }
}
