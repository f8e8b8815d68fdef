//! Schema objects, tables, columns and indexes.

use serde::{Deserialize, Serialize};

use crate::schema::is_default;
use crate::schema::text::{Identifier, SqlText};

/// What kind of row of `sqlite_schema` it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectKind {
    /// A table, virtual ones included.
    Table,
    /// An index, automatic ones included.
    Index,
    /// A view.
    View,
    /// A trigger.
    Trigger,
}

impl ObjectKind {
    /// The word in `sqlite_schema.type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Index => "index",
            Self::View => "view",
            Self::Trigger => "trigger",
        }
    }
}

/// One row of `sqlite_schema`, exactly; rows keep their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaObject {
    /// Its rowid, which can be asked for like any other.
    #[serde(with = "exact_integer")]
    pub rowid: i64,
    /// `type`.
    #[serde(rename = "type")]
    pub kind: ObjectKind,
    /// `name`.
    pub name: SqlText,
    /// `tbl_name`.
    pub table_name: SqlText,
    /// Whether it has a b-tree of its own (`rootpage` is not 0).
    pub has_storage: bool,
    /// `sql`: byte for byte; `None` for automatic indexes.
    pub sql: Option<SqlText>,
}

impl SchemaObject {
    /// The size of its names and text in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        let sql = self.sql.as_ref().map_or(0, |sql| sql.as_bytes().len());
        (self.name.as_bytes().len() + self.table_name.as_bytes().len() + sql) as u64
    }
}

/// Integers in JSON: a number up to 2^53, a string of decimal digits beyond, since many readers round there.
mod exact_integer {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    const LARGEST_EXACT: u64 = 1 << 53;

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum NumberOrText {
        Number(i64),
        Text(String),
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
    pub(super) fn serialize<S: Serializer>(value: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        if value.unsigned_abs() <= LARGEST_EXACT {
            NumberOrText::Number(*value).serialize(serializer)
        } else {
            NumberOrText::Text(value.to_string()).serialize(serializer)
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(value) => Ok(value),
            NumberOrText::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

/// SQLite's column affinities.
///
/// Source: SQLite, "Datatypes In SQLite", section 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Affinity {
    /// BLOB, formerly called NONE.
    Blob,
    /// TEXT.
    Text,
    /// NUMERIC.
    Numeric,
    /// INTEGER.
    Integer,
    /// REAL.
    Real,
}

impl Affinity {
    /// The affinity of a declared type in an ordinary (`strict` false) or STRICT table.
    ///
    /// Source: SQLite, "Datatypes In SQLite", section 3.1; "STRICT Tables", section 2 (ANY).
    #[must_use]
    pub fn of_declared_type(declared_type: &[u8], strict: bool) -> Self {
        let upper = declared_type.to_ascii_uppercase();
        let has = |word: &[u8]| upper.windows(word.len()).any(|window| window == word);
        if has(b"INT") {
            Self::Integer
        } else if has(b"CHAR") || has(b"CLOB") || has(b"TEXT") {
            Self::Text
        } else if has(b"BLOB") || upper.is_empty() || (strict && upper == b"ANY") {
            Self::Blob
        } else if has(b"REAL") || has(b"FLOA") || has(b"DOUB") {
            Self::Real
        } else {
            Self::Numeric
        }
    }
}

/// Whether a column is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Generated {
    /// An ordinary column.
    #[default]
    No,
    /// Computed when read; holds no data.
    Virtual,
    /// Computed when written; holds data.
    Stored,
}

/// One declared column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: Identifier,
    /// Its declared type, empty if none.
    pub declared_type: Identifier,
    /// The affinity that follows from the declared type.
    pub affinity: Affinity,
    /// Whether it is generated.
    #[serde(default, skip_serializing_if = "is_default")]
    pub generated: Generated,
}

impl Column {
    /// Whether the b-tree holds a value for it.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.generated != Generated::Virtual
    }
}

/// What an index column indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IndexedValue {
    /// The table's column at this index (0-based, declaration order).
    Column(usize),
    /// The rowid.
    Rowid,
    /// An expression.
    Expression,
}

/// One column of an index or of a WITHOUT ROWID key, in index order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexColumn {
    /// What is indexed.
    pub value: IndexedValue,
    /// Its collation.
    pub collation: Identifier,
    /// Whether it is declared DESC.
    pub descending: bool,
    /// Whether it is a key column (false: carried along to find the row).
    pub is_key: bool,
}

/// Why an index exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IndexOrigin {
    /// CREATE INDEX.
    Created,
    /// A UNIQUE constraint.
    Unique,
    /// A PRIMARY KEY that is not the rowid.
    PrimaryKey,
}

/// One index of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its name.
    pub name: Identifier,
    /// Where it comes from.
    pub origin: IndexOrigin,
    /// Whether it is unique.
    pub unique: bool,
    /// Whether it has a WHERE clause.
    pub partial: bool,
    /// Its columns, key columns first.
    pub columns: Vec<IndexColumn>,
}

/// One table that holds rows of its own (virtual tables do not; their shadow tables do).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: Identifier,
    /// Whether it is a STRICT table.
    #[serde(default, skip_serializing_if = "is_default")]
    pub strict: bool,
    /// All columns in declaration order, virtual generated ones included.
    pub columns: Vec<Column>,
    /// The column that is an alias of the rowid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rowid_alias: Option<usize>,
    /// The key of a WITHOUT ROWID table's b-tree, and the columns it carries; empty for every other table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_rowid_key: Vec<IndexColumn>,
    /// Its indexes, in the order of `sqlite_schema`; not the key of a WITHOUT ROWID table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
}

impl Table {
    /// Whether rows have a rowid.
    #[must_use]
    pub fn has_rowid(&self) -> bool {
        self.without_rowid_key.is_empty()
    }

    /// The columns the b-tree holds values for, with their index in `columns`; this is the row's shape
    /// everywhere in this crate.
    pub fn stored_columns(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(|(_, column)| column.is_stored())
    }

    /// The position among the stored columns of the column at `index` in declaration order.
    #[must_use]
    pub fn stored_position(&self, index: usize) -> Option<usize> {
        self.stored_columns().position(|(candidate, _)| candidate == index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rowids_beyond_two_to_the_53_are_strings_in_json() {
        for (rowid, json) in
            [(7, "7"), (i64::MAX, "\"9223372036854775807\""), (i64::MIN, "\"-9223372036854775808\"")]
        {
            let object = SchemaObject {
                rowid,
                kind: ObjectKind::View,
                name: SqlText::Valid("v".into()),
                table_name: SqlText::Valid("v".into()),
                has_storage: false,
                sql: None,
            };
            let text = serde_json::to_string(&object).expect("serialises");
            assert!(text.contains(&format!("\"rowid\":{json},")), "{text}");
            assert_eq!(serde_json::from_str::<SchemaObject>(&text).expect("parses"), object);
        }
    }

    #[test]
    fn affinity_follows_the_declared_type_in_sqlites_order_of_rules() {
        for (declared, affinity) in [
            ("INTEGER", Affinity::Integer),
            ("CHARINT", Affinity::Integer),
            ("VARCHAR(10)", Affinity::Text),
            ("", Affinity::Blob),
            ("FLOATING POINT", Affinity::Integer),
            ("STRING", Affinity::Numeric),
            ("DECIMAL(10,2)", Affinity::Numeric),
            ("double precision", Affinity::Real),
        ] {
            assert_eq!(Affinity::of_declared_type(declared.as_bytes(), false), affinity, "{declared}");
        }
        assert_eq!(Affinity::of_declared_type(b"ANY", true), Affinity::Blob);
        assert_eq!(Affinity::of_declared_type(b"ANY", false), Affinity::Numeric);
    }
}
