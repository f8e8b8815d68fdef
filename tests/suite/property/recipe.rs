//! What a random database consists of.

use std::fmt;

/// A database that can be built; see [`super::arbitrary_database`].
#[derive(Clone, Debug)]
pub(crate) struct DatabaseRecipe {
    pub(crate) encoding: &'static str,
    pub(crate) page_size: u32,
    pub(crate) auto_vacuum: &'static str,
    pub(crate) wal: bool,
    pub(crate) user_version: i32,
    pub(crate) application_id: i32,
    pub(crate) tables: Vec<TableRecipe>,
}

#[derive(Clone, Debug)]
pub(crate) struct TableRecipe {
    pub(crate) name: String,
    pub(crate) kind: TableKind,
    /// At least two; the first ones are the key where the kind has one.
    pub(crate) columns: Vec<ColumnRecipe>,
    pub(crate) indexes: Vec<IndexRecipe>,
    pub(crate) rows: Vec<RowRecipe>,
    /// One row in this many is deleted again, so that gaps remain; none for 0.
    pub(crate) delete_every: usize,
}

/// What makes a row's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableKind {
    /// Only the rowid.
    NoKey,
    /// The first column is an alias of the rowid.
    Alias { autoincrement: bool },
    /// The first column is a primary key beside the rowid.
    KeyBesideRowid,
    /// WITHOUT ROWID, keyed by this many columns, the last of them downwards if so wished.
    WithoutRowid { key_columns: usize, descending: bool },
}

#[derive(Clone, Debug)]
pub(crate) struct ColumnRecipe {
    pub(crate) name: String,
    pub(crate) declared: &'static str,
    /// In a STRICT table, which replaces `declared`.
    pub(crate) strict: Option<&'static str>,
    pub(crate) collation: &'static str,
}

#[derive(Clone, Debug)]
pub(crate) struct IndexRecipe {
    /// Positions among the table's columns, taken modulo their number.
    pub(crate) columns: Vec<usize>,
    pub(crate) descending: bool,
    pub(crate) partial: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct RowRecipe {
    /// Used where the table has rowids that are free to choose.
    pub(crate) rowid: i64,
    /// Taken modulo the number of columns.
    pub(crate) cells: Vec<CellRecipe>,
}

/// A value of any storage class.
#[derive(Clone)]
pub(crate) enum CellRecipe {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    /// Bytes that are stored as TEXT whether or not they are valid.
    RawText(Vec<u8>),
    Blob(Vec<u8>),
}

impl TableRecipe {
    /// Whether the table is STRICT: all of its columns are, or none.
    pub(crate) fn is_strict(&self) -> bool {
        self.columns.iter().all(|column| column.strict.is_some())
    }
}

impl TableKind {
    /// Whether a row's rowid is not one of its cells.
    pub(crate) fn has_free_rowid(self) -> bool {
        matches!(self, Self::NoKey | Self::KeyBesideRowid)
    }
}

impl fmt::Debug for CellRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Real(real) => write!(f, "{real:?} (bits {:016x})", real.to_bits()),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::RawText(bytes) => write!(f, "text {bytes:02x?}"),
            Self::Blob(bytes) => write!(f, "blob {bytes:02x?}"),
        }
    }
}
