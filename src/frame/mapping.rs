//! The plan of a table's columns: which Parquet columns it becomes, and why.
//!
//! Pure: counts of storage classes and the declared schema go in, a plan with its reasons comes out. A plan
//! can hold only the classes it was made for; `ColumnMapping::fits` says so, and no code converts a cell to
//! make it fit. The plan is stored with the data, so nothing ever reads meaning out of a column's name.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::schema::CellClass;

mod names;
mod plan;

pub use plan::plan_mapping;

/// How many cells of each storage class a column has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCounts {
    /// NULL.
    pub null: u64,
    /// INTEGER.
    pub integer: u64,
    /// REAL.
    pub real: u64,
    /// TEXT that is valid in the database's encoding.
    pub text: u64,
    /// TEXT that is not.
    pub raw_text: u64,
    /// BLOB.
    pub blob: u64,
}

impl ClassCounts {
    /// Counts one cell; `None` is NULL.
    pub fn count(&mut self, class: Option<CellClass>) {
        let place = match class {
            None => &mut self.null,
            Some(CellClass::Integer) => &mut self.integer,
            Some(CellClass::Real) => &mut self.real,
            Some(CellClass::Text) => &mut self.text,
            Some(CellClass::RawText) => &mut self.raw_text,
            Some(CellClass::Blob) => &mut self.blob,
        };
        *place += 1;
    }

    /// The cells of one class.
    #[must_use]
    pub fn of(&self, class: CellClass) -> u64 {
        match class {
            CellClass::Integer => self.integer,
            CellClass::Real => self.real,
            CellClass::Text => self.text,
            CellClass::RawText => self.raw_text,
            CellClass::Blob => self.blob,
        }
    }

    /// All cells, NULLs included.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.null.saturating_add(self.values())
    }

    /// All cells but NULLs.
    #[must_use]
    pub fn values(&self) -> u64 {
        // Counts come from manifests too, and a forged one may say anything.
        CellClass::ALL.iter().fold(0, |sum, &class| sum.saturating_add(self.of(class)))
    }

    /// Adds the cells of another count.
    pub fn add(&mut self, other: &Self) {
        self.null += other.null;
        self.integer += other.integer;
        self.real += other.real;
        self.text += other.text;
        self.raw_text += other.raw_text;
        self.blob += other.blob;
    }
}

/// The type of a Parquet column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MainClass {
    /// INT64.
    Integer,
    /// DOUBLE.
    Real,
    /// `BYTE_ARRAY` with the logical type STRING.
    Text,
    /// `BYTE_ARRAY`.
    Blob,
}

impl MainClass {
    /// The type that holds cells of `class`; raw text lies in `BYTE_ARRAY`.
    #[must_use]
    pub fn holding(class: CellClass) -> Self {
        match class {
            CellClass::Integer => Self::Integer,
            CellClass::Real => Self::Real,
            CellClass::Text => Self::Text,
            CellClass::RawText | CellClass::Blob => Self::Blob,
        }
    }

    /// The class of the cells a main column of this type holds.
    #[must_use]
    pub fn class(self) -> CellClass {
        match self {
            Self::Integer => CellClass::Integer,
            Self::Real => CellClass::Real,
            Self::Text => CellClass::Text,
            Self::Blob => CellClass::Blob,
        }
    }

    /// The Arrow type in memory: text and bytes as views, which cross into polars without a copy.
    #[must_use]
    pub fn data_type(self) -> DataType {
        match self {
            Self::Integer => DataType::Int64,
            Self::Real => DataType::Float64,
            Self::Text => DataType::Utf8View,
            Self::Blob => DataType::BinaryView,
        }
    }
}

/// One further Parquet column beside a main column: the cells of one other storage class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Companion {
    /// Whose cells it holds.
    pub class: CellClass,
    /// The Parquet column's name.
    pub name: String,
}

/// Why a column's main column has the type it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MappingReason {
    /// All values have one storage class.
    Uniform,
    /// There are no values.
    DeclaredAffinity,
    /// Most values have this class.
    Majority,
    /// As many values of another class; the declared affinity decided, or else the fixed order.
    Tie,
    /// Integers and reals meet in a column that is not declared INTEGER.
    NumberFamily,
    /// Declared DECIMAL or NUMERIC, where SQLite stores 10.0 as the integer 10.
    DeclaredDecimal,
    /// Integers and reals meet in a column declared INTEGER.
    DeclaredInteger,
}

impl fmt::Display for MappingReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uniform => "all values have one storage class",
            Self::DeclaredAffinity => "there are no values, so the declared type decides",
            Self::Majority => "most values have this storage class",
            Self::Tie => "storage classes tie, so the declared type decides",
            Self::NumberFamily => "integers and reals meet: every number is shown as DOUBLE, integers are kept exactly beside it",
            Self::DeclaredDecimal => {
                "declared DECIMAL or NUMERIC: every number is shown as DOUBLE, integers are kept exactly beside it"
            }
            Self::DeclaredInteger => "declared INTEGER: integers stay INT64, reals are kept beside them",
        })
    }
}

/// What one stored column becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnMapping {
    /// The column's index in `Table::columns`.
    pub column: usize,
    /// The main Parquet column's name.
    pub name: String,
    /// The main Parquet column's type.
    pub main: MainClass,
    /// Whether the main column is DOUBLE and shows every number, integers as their nearest double, while the
    /// `integer` companion holds the exact value of those that are INTEGER.
    #[serde(default, skip_serializing_if = "is_false")]
    pub number_family: bool,
    /// The further Parquet columns, in the order of [`CellClass::ALL`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub companions: Vec<Companion>,
    /// Why.
    pub reason: MappingReason,
    /// The cells the plan was made from.
    pub counts: ClassCounts,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl ColumnMapping {
    /// Whether a cell of `class` (`None` is NULL) has a place under this mapping.
    #[must_use]
    pub fn fits(&self, class: Option<CellClass>) -> bool {
        class.is_none_or(|class| class == self.main.class() || self.companion(class).is_some())
    }

    /// The companion that holds cells of `class`.
    #[must_use]
    pub fn companion(&self, class: CellClass) -> Option<&Companion> {
        self.companions.iter().find(|companion| companion.class == class)
    }

    /// Whether the main column shows cells of `class`.
    #[must_use]
    pub fn shows(&self, class: CellClass) -> bool {
        class == self.main.class() || (self.number_family && class == CellClass::Integer)
    }

    /// How many cells with a value a reader of the main column alone takes for NULL.
    #[must_use]
    pub fn hidden_cells(&self) -> u64 {
        let hidden = CellClass::ALL.iter().filter(|&&class| !self.shows(class));
        hidden.fold(0, |sum, &class| sum.saturating_add(self.counts.of(class)))
    }

    /// How many Parquet columns it is.
    #[must_use]
    pub fn width(&self) -> usize {
        1 + self.companions.len()
    }
}

/// One Parquet column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParquetColumn<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type.
    pub class: MainClass,
    /// What it holds.
    pub role: ColumnRole,
}

/// What a Parquet column holds; positions count stored columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnRole {
    /// The rowid: the one column that is never NULL.
    Rowid,
    /// The main column of the stored column at this position.
    Main(usize),
    /// The companion of one class of the stored column at this position.
    Companion(usize, CellClass),
}

/// What a table becomes.
///
/// Order of the Parquet columns: the rowid's, then each main column followed by its companions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableMapping {
    /// The name of the Parquet column that holds the rowid, where no column of the table does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rowid_column: Option<String>,
    /// One per stored column, in declaration order.
    pub columns: Vec<ColumnMapping>,
}

impl TableMapping {
    /// All Parquet columns in file order.
    pub fn parquet_columns(&self) -> impl Iterator<Item = ParquetColumn<'_>> {
        let rowid = self.rowid_column.iter().map(|name| ParquetColumn {
            name,
            class: MainClass::Integer,
            role: ColumnRole::Rowid,
        });
        rowid.chain(self.columns.iter().enumerate().flat_map(|(position, mapping)| {
            let main =
                ParquetColumn { name: &mapping.name, class: mapping.main, role: ColumnRole::Main(position) };
            let companions = mapping.companions.iter().map(move |companion| ParquetColumn {
                name: &companion.name,
                class: MainClass::holding(companion.class),
                role: ColumnRole::Companion(position, companion.class),
            });
            std::iter::once(main).chain(companions)
        }))
    }

    /// How many Parquet columns there are.
    #[must_use]
    pub fn width(&self) -> usize {
        usize::from(self.rowid_column.is_some())
            + self.columns.iter().map(ColumnMapping::width).sum::<usize>()
    }

    /// The index among the Parquet columns of the main column of the stored column at `position`.
    #[must_use]
    pub fn main_index(&self, position: usize) -> Option<usize> {
        self.parquet_columns().position(|column| column.role == ColumnRole::Main(position))
    }

    /// The Arrow schema of this table's record batches.
    #[must_use]
    pub fn arrow_schema(&self) -> SchemaRef {
        let field = |column: ParquetColumn<'_>| {
            Field::new(column.name, column.class.data_type(), column.role != ColumnRole::Rowid)
        };
        Arc::new(Schema::new(self.parquet_columns().map(field).collect::<Vec<_>>()))
    }
}

#[cfg(test)]
mod tests;
