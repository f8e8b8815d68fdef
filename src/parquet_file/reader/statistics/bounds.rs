//! Smallest and largest values: what is there, and what a file claims.

use std::cmp::Ordering;
use std::fmt;

use arrow::array::{Array, AsArray};
use arrow::compute::{max, max_binary_view, max_string_view, min, min_binary_view, min_string_view};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

/// One value that bounds others; text is its bytes, which is how Parquet orders it.
#[derive(Clone, PartialEq)]
pub(super) enum Bound {
    Integer(i64),
    /// Compared as a number: Parquet states a range of zeros as -0.0 to 0.0.
    Real(f64),
    Bytes(Vec<u8>),
}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.partial_cmp(b),
            (Self::Real(a), Self::Real(b)) => a.partial_cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.partial_cmp(b),
            _ => None,
        }
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_BYTES: usize = 24;
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Real(value) => write!(f, "{value:?}"),
            Self::Bytes(bytes) => {
                let shown = &bytes[..bytes.len().min(SHOWN_BYTES)];
                write!(f, "{:?}", String::from_utf8_lossy(shown))?;
                if shown.len() < bytes.len() { write!(f, "… ({} bytes)", bytes.len()) } else { Ok(()) }
            }
        }
    }
}

/// The smallest and the largest of some values.
#[derive(Clone, PartialEq)]
pub(super) struct Bounds {
    pub(super) min: Bound,
    pub(super) max: Bound,
}

impl fmt::Debug for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} to {:?}", self.min, self.max)
    }
}

impl Bounds {
    /// Those of an array's values; `None` where there are none, or their type is not one of ours.
    pub(super) fn of(array: &dyn Array) -> Option<Self> {
        let bytes = |bytes: &[u8]| Bound::Bytes(bytes.to_vec());
        let (min, max) = match array.data_type() {
            DataType::Int64 => {
                let array = array.as_primitive_opt::<Int64Type>()?;
                (Bound::Integer(min(array)?), Bound::Integer(max(array)?))
            }
            DataType::Float64 => {
                let array = array.as_primitive_opt::<Float64Type>()?;
                (Bound::Real(min(array)?), Bound::Real(max(array)?))
            }
            DataType::Utf8View => {
                let array = array.as_string_view_opt()?;
                (bytes(min_string_view(array)?.as_bytes()), bytes(max_string_view(array)?.as_bytes()))
            }
            DataType::BinaryView => {
                let array = array.as_binary_view_opt()?;
                (bytes(min_binary_view(array)?), bytes(max_binary_view(array)?))
            }
            _ => return None,
        };
        Some(Self { min, max })
    }

    /// Takes in the values of `other`.
    pub(super) fn widen(&mut self, other: Self) {
        if other.min < self.min {
            self.min = other.min;
        }
        if other.max > self.max {
            self.max = other.max;
        }
    }
}

/// What a file claims of the bounds of some values. Readers skip by it, so it must never be too narrow; bounds of
/// text and bytes may be cut short, and are then wider.
#[derive(Clone)]
pub(super) struct Claim {
    pub(super) min: Option<Bound>,
    pub(super) max: Option<Bound>,
    pub(super) min_is_exact: bool,
    pub(super) max_is_exact: bool,
}

impl Claim {
    pub(super) fn exact(min: Option<Bound>, max: Option<Bound>) -> Self {
        Self { min, max, min_is_exact: true, max_is_exact: true }
    }

    pub(super) fn nothing() -> Self {
        Self::exact(None, None)
    }

    /// Whether it is true of values with these bounds; `None` where there is no value.
    pub(super) fn holds_for(&self, seen: Option<&Bounds>) -> bool {
        let Some(seen) = seen else { return self.min.is_none() && self.max.is_none() };
        let min_holds = self
            .min
            .as_ref()
            .is_none_or(|min| if self.min_is_exact { *min == seen.min } else { *min <= seen.min });
        let max_holds = self
            .max
            .as_ref()
            .is_none_or(|max| if self.max_is_exact { *max == seen.max } else { *max >= seen.max });
        min_holds && max_holds
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |bound: &Option<Bound>| {
            bound.as_ref().map_or("nothing".to_string(), |bound| format!("{bound:?}"))
        };
        write!(f, "{} to {}", bound(&self.min), bound(&self.max))
    }
}
