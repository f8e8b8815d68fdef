//! What the values of a leaf mean, by the Parquet specification, and how each meaning maps to SQLite.
//!
//! The annotation decides where it fits the physical type; an annotation that is unknown here leaves the physical type.

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::schema::types::Type;

use crate::parquet_file::foreign::decimal::MOST_SCALE;
use crate::parquet_file::foreign::iso::Unit;

/// What a physical value stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Boolean,
    /// Of up to 64 bits.
    Signed,
    /// Of up to 32 bits.
    Unsigned,
    Unsigned64,
    /// FLOAT or DOUBLE.
    Real,
    Float16,
    Decimal {
        scale: usize,
    },
    Date,
    Time {
        unit: Unit,
        utc: bool,
    },
    Timestamp {
        unit: Unit,
        utc: bool,
    },
    /// INT96: a Julian day and nanoseconds.
    Timestamp96,
    Text,
    Uuid,
    Interval,
    Bytes,
    /// Annotated as always NULL; a value that stands there all the same keeps its physical type.
    Null,
}

impl Meaning {
    /// The meaning of a leaf's values.
    pub(super) fn of(leaf: &Type) -> Self {
        let physical = leaf.get_physical_type();
        let info = leaf.get_basic_info();
        let annotated = match info.logical_type_ref() {
            Some(logical) => of_logical(logical, physical),
            None => of_converted(info.converted_type(), leaf),
        };
        annotated.unwrap_or(match physical {
            PhysicalType::BOOLEAN => Self::Boolean,
            PhysicalType::INT32 | PhysicalType::INT64 => Self::Signed,
            PhysicalType::INT96 => Self::Timestamp96,
            PhysicalType::FLOAT | PhysicalType::DOUBLE => Self::Real,
            PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY => Self::Bytes,
        })
    }

    /// The declared type of its column. Its affinity changes none of the cells.
    pub(super) fn declared_type(self) -> &'static str {
        match self {
            Self::Boolean | Self::Signed | Self::Unsigned => "INTEGER",
            Self::Real | Self::Float16 => "REAL",
            Self::Bytes => "BLOB",
            // Any other would change either the integers or the texts, or is not needed.
            Self::Unsigned64 | Self::Null => "",
            Self::Decimal { .. }
            | Self::Date
            | Self::Time { .. }
            | Self::Timestamp { .. }
            | Self::Timestamp96
            | Self::Text
            | Self::Uuid
            | Self::Interval => "TEXT",
        }
    }

    /// How its cells are stored, in words.
    pub(super) fn stored_as(self) -> &'static str {
        match self {
            Self::Boolean => "INTEGER 0 or 1",
            Self::Signed | Self::Unsigned => "INTEGER",
            Self::Unsigned64 => "INTEGER, TEXT above 2^63-1",
            Self::Real | Self::Float16 => "REAL",
            Self::Decimal { .. } => "TEXT, all digits",
            Self::Date => "TEXT, ISO 8601 date",
            Self::Time { .. } => "TEXT, ISO 8601 time",
            Self::Timestamp { .. } | Self::Timestamp96 => "TEXT, ISO 8601",
            Self::Text => "TEXT",
            Self::Uuid => "TEXT, 8-4-4-4-12",
            Self::Interval => "TEXT, ISO 8601 duration",
            Self::Bytes => "BLOB",
            Self::Null => "NULL",
        }
    }

    /// Whether its values can be NaN or infinite.
    pub(super) fn is_floating(self) -> bool {
        matches!(self, Self::Real | Self::Float16)
    }

    /// Whether each of its values makes a name of a JSON member.
    pub(super) fn makes_names(self) -> bool {
        self != Self::Null
    }
}

fn of_logical(logical: &LogicalType, physical: PhysicalType) -> Option<Meaning> {
    use PhysicalType as P;
    Some(match (logical, physical) {
        (LogicalType::String | LogicalType::Enum | LogicalType::Json, P::BYTE_ARRAY) => Meaning::Text,
        (LogicalType::Decimal(decimal), P::INT32 | P::INT64 | P::BYTE_ARRAY | P::FIXED_LEN_BYTE_ARRAY) => {
            return decimal_of(decimal.scale);
        }
        (LogicalType::Date, P::INT32) => Meaning::Date,
        (LogicalType::Time(time), P::INT32 | P::INT64) => {
            Meaning::Time { unit: unit_of(time.unit), utc: time.is_adjusted_to_u_t_c }
        }
        (LogicalType::Timestamp(time), P::INT64) => {
            Meaning::Timestamp { unit: unit_of(time.unit), utc: time.is_adjusted_to_u_t_c }
        }
        (LogicalType::Integer(integer), P::INT32) if !integer.is_signed => Meaning::Unsigned,
        (LogicalType::Integer(integer), P::INT64) if !integer.is_signed => Meaning::Unsigned64,
        (LogicalType::Uuid, P::FIXED_LEN_BYTE_ARRAY) => Meaning::Uuid,
        (LogicalType::Float16, P::FIXED_LEN_BYTE_ARRAY) => Meaning::Float16,
        (LogicalType::Unknown, _) => Meaning::Null,
        _ => return None,
    })
}

/// The older annotations. Their times and timestamps are always those of UTC.
///
/// Source: Apache Parquet, "Logical Types", "Deprecated time `ConvertedType`" and "Deprecated timestamp
/// `ConvertedType`".
fn of_converted(converted: ConvertedType, leaf: &Type) -> Option<Meaning> {
    use ConvertedType as C;
    Some(match converted {
        C::UTF8 | C::ENUM | C::JSON => Meaning::Text,
        C::DECIMAL if leaf.is_primitive() => return decimal_of(leaf.get_scale()),
        C::DATE => Meaning::Date,
        C::TIME_MILLIS => Meaning::Time { unit: Unit::Millis, utc: true },
        C::TIME_MICROS => Meaning::Time { unit: Unit::Micros, utc: true },
        C::TIMESTAMP_MILLIS => Meaning::Timestamp { unit: Unit::Millis, utc: true },
        C::TIMESTAMP_MICROS => Meaning::Timestamp { unit: Unit::Micros, utc: true },
        C::UINT_8 | C::UINT_16 | C::UINT_32 => Meaning::Unsigned,
        C::UINT_64 => Meaning::Unsigned64,
        C::INTERVAL => Meaning::Interval,
        _ => return None,
    })
}

fn decimal_of(scale: i32) -> Option<Meaning> {
    let scale = usize::try_from(scale).ok().filter(|_| scale <= MOST_SCALE)?;
    Some(Meaning::Decimal { scale })
}

fn unit_of(unit: TimeUnit) -> Unit {
    match unit {
        TimeUnit::MILLIS => Unit::Millis,
        TimeUnit::MICROS => Unit::Micros,
        TimeUnit::NANOS => Unit::Nanos,
    }
}

/// A leaf's type as people write it: its logical type, and its physical one where that is not the same word.
pub(super) fn leaf_words(leaf: &Type) -> String {
    let logical = logical_words(leaf);
    let physical = match leaf {
        Type::PrimitiveType { physical_type: PhysicalType::FIXED_LEN_BYTE_ARRAY, type_length, .. } => {
            format!("FIXED_LEN_BYTE_ARRAY({type_length})")
        }
        Type::PrimitiveType { physical_type, .. } => physical_type.to_string(),
        Type::GroupType { .. } => String::new(),
    };
    match logical {
        Some(logical) if logical == physical => physical,
        Some(logical) => format!("{logical} ({physical})"),
        None => physical,
    }
}

/// The logical type alone, in Parquet's words; `None` where there is none.
pub(super) fn logical_words(leaf: &Type) -> Option<String> {
    let info = leaf.get_basic_info();
    let zone = |utc: bool| if utc { "UTC" } else { "local" };
    let Some(logical) = info.logical_type_ref() else {
        return match info.converted_type() {
            ConvertedType::NONE => None,
            ConvertedType::UTF8 => Some("STRING".to_string()),
            ConvertedType::DECIMAL => match leaf {
                Type::PrimitiveType { precision, scale, .. } => Some(format!("DECIMAL({precision},{scale})")),
                Type::GroupType { .. } => None,
            },
            ConvertedType::TIME_MILLIS => Some("TIME(MILLIS, UTC)".to_string()),
            ConvertedType::TIME_MICROS => Some("TIME(MICROS, UTC)".to_string()),
            ConvertedType::TIMESTAMP_MILLIS => Some("TIMESTAMP(MILLIS, UTC)".to_string()),
            ConvertedType::TIMESTAMP_MICROS => Some("TIMESTAMP(MICROS, UTC)".to_string()),
            // Integers, `INT_8` for one, and words that need no other spelling.
            converted => Some(converted.to_string().replace("INT_", "INT")),
        };
    };
    Some(match logical {
        LogicalType::Decimal(decimal) => format!("DECIMAL({},{})", decimal.precision, decimal.scale),
        LogicalType::Time(time) => {
            format!("TIME({}, {})", unit_of(time.unit).name(), zone(time.is_adjusted_to_u_t_c))
        }
        LogicalType::Timestamp(time) => {
            format!("TIMESTAMP({}, {})", unit_of(time.unit).name(), zone(time.is_adjusted_to_u_t_c))
        }
        LogicalType::Integer(integer) => {
            format!("{}INT{}", if integer.is_signed { "" } else { "U" }, integer.bit_width)
        }
        LogicalType::Unknown => "NULL".to_string(),
        LogicalType::String => "STRING".to_string(),
        LogicalType::Map => "MAP".to_string(),
        LogicalType::List => "LIST".to_string(),
        LogicalType::Enum => "ENUM".to_string(),
        LogicalType::Date => "DATE".to_string(),
        LogicalType::Json => "JSON".to_string(),
        LogicalType::Bson => "BSON".to_string(),
        LogicalType::Uuid => "UUID".to_string(),
        LogicalType::Float16 => "FLOAT16".to_string(),
        LogicalType::Variant(_) => "VARIANT".to_string(),
        LogicalType::Geometry(_) => "GEOMETRY".to_string(),
        LogicalType::Geography(_) => "GEOGRAPHY".to_string(),
        LogicalType::_Unknown { field_id } => format!("unknown logical type {field_id}"),
    })
}
