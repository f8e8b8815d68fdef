//! Plain data about a database: header, schema objects, tables, columns, indexes, order, cells.
//!
//! No database access and no file access here. These types are what `sqlite` reads, what the manifest
//! stores and what a restore rebuilds from, so they serialise as they stand.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text of the database that is nearly always valid, but need not be: DDL and names in `sqlite_schema`.
///
/// Serialises as a JSON string, or as `{"base64": "…"}` of the stored bytes where it is not valid text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SqlText {
    /// Valid text, as UTF-8 whatever the database's encoding.
    Valid(String),
    /// The stored bytes of text that is not valid in the database's encoding.
    Raw(Vec<u8>),
}

impl SqlText {
    /// The text for people: invalid parts are replaced, nothing fails.
    #[must_use]
    pub fn lossy(&self) -> Cow<'_, str> {
        match self {
            Self::Valid(text) => Cow::Borrowed(text),
            Self::Raw(bytes) => String::from_utf8_lossy(bytes),
        }
    }

    /// The bytes: UTF-8 of valid text, the stored bytes otherwise.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Valid(text) => text.as_bytes(),
            Self::Raw(bytes) => bytes,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TextOrBase64 {
    Text(String),
    Base64 { base64: String },
}

impl Serialize for SqlText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Valid(text) => serializer.serialize_str(text),
            Self::Raw(bytes) => TextOrBase64::Base64 { base64: BASE64.encode(bytes) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SqlText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match TextOrBase64::deserialize(deserializer)? {
            TextOrBase64::Text(text) => Ok(Self::Valid(text)),
            TextOrBase64::Base64 { base64 } => BASE64.decode(base64).map(Self::Raw).map_err(D::Error::custom),
        }
    }
}

/// A name of a table, column, index, collation, as SQLite itself holds it: UTF-8, hardly ever invalid.
///
/// Two identifiers name the same thing when they are equal but for ASCII case, as in SQLite.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier(Vec<u8>);

impl Identifier {
    /// Takes the bytes SQLite holds.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes SQLite holds.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as text, if it is valid.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The name for people: invalid parts are replaced.
    #[must_use]
    pub fn lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// Whether SQLite takes both for the same name (ASCII case is ignored, no other case is).
    #[must_use]
    pub fn is_same(&self, other: impl AsRef<[u8]>) -> bool {
        self.0.eq_ignore_ascii_case(other.as_ref())
    }

    /// The name quoted for SQL text, as bytes because it may not be valid UTF-8.
    #[must_use]
    pub fn quoted(&self) -> Vec<u8> {
        let mut quoted = Vec::with_capacity(self.0.len() + 2);
        quoted.push(b'"');
        for &byte in &self.0 {
            if byte == b'"' {
                quoted.push(b'"');
            }
            quoted.push(byte);
        }
        quoted.push(b'"');
        quoted
    }
}

impl AsRef<[u8]> for Identifier {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Identifier {
    fn from(name: &str) -> Self {
        Self(name.as_bytes().to_vec())
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lossy())
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.lossy(), f)
    }
}

impl Serialize for Identifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => SqlText::Raw(self.0.clone()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match SqlText::deserialize(deserializer)? {
            SqlText::Valid(text) => text.into_bytes(),
            SqlText::Raw(bytes) => bytes,
        }))
    }
}

/// How a database stores text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextEncoding {
    /// UTF-8.
    #[serde(rename = "UTF-8")]
    Utf8,
    /// UTF-16, little-endian.
    #[serde(rename = "UTF-16le")]
    Utf16Le,
    /// UTF-16, big-endian.
    #[serde(rename = "UTF-16be")]
    Utf16Be,
}

impl TextEncoding {
    /// The name `PRAGMA encoding` uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16le",
            Self::Utf16Be => "UTF-16be",
        }
    }

    /// Reads stored bytes as text: `None` where they are not valid in this encoding.
    #[must_use]
    pub fn decode(self, stored: &[u8]) -> Option<Cow<'_, str>> {
        let unit = match self {
            Self::Utf8 => return std::str::from_utf8(stored).ok().map(Cow::Borrowed),
            Self::Utf16Le => u16::from_le_bytes,
            Self::Utf16Be => u16::from_be_bytes,
        };
        let (pairs, rest) = stored.as_chunks::<2>();
        if !rest.is_empty() {
            return None;
        }
        let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|&pair| unit(pair))).collect();
        text.ok().map(Cow::Owned)
    }

    /// The bytes this encoding stores for `text`.
    #[must_use]
    pub fn encode(self, text: &str) -> Cow<'_, [u8]> {
        match self {
            Self::Utf8 => Cow::Borrowed(text.as_bytes()),
            Self::Utf16Le => Cow::Owned(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            Self::Utf16Be => Cow::Owned(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        }
    }
}

/// Whether the file is in WAL mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalMode {
    /// Write-ahead log.
    Wal,
    /// Any rollback journal mode; they leave no trace in the file.
    Rollback,
}

impl JournalMode {
    /// The word used in the manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wal => "wal",
            Self::Rollback => "rollback",
        }
    }
}

/// How free pages are given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AutoVacuum {
    /// Not at all.
    None,
    /// At every commit.
    Full,
    /// On request.
    Incremental,
}

impl AutoVacuum {
    /// The word used in the manifest and by `PRAGMA auto_vacuum`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Full => "full",
            Self::Incremental => "incremental",
        }
    }
}

/// The header pragmas that come back on restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseHeader {
    /// `PRAGMA user_version`.
    pub user_version: i32,
    /// `PRAGMA application_id`.
    pub application_id: i32,
    /// `PRAGMA encoding`.
    pub encoding: TextEncoding,
    /// `PRAGMA page_size`, in bytes.
    pub page_size: u32,
    /// `PRAGMA auto_vacuum`.
    pub auto_vacuum: AutoVacuum,
    /// WAL or not.
    pub journal_mode: JournalMode,
    /// `PRAGMA default_cache_size`, an old setting that lies in the header; `None` where it was never set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_cache_size: Option<i32>,
}

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

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
    /// The columns of the primary key in key order; for a WITHOUT ROWID table its b-tree's key.
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

/// What a table's rows are ordered by: one term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTerm {
    /// A stored column (0-based, declaration order), or the rowid where `None`.
    pub column: Option<usize>,
    /// Largest first, NULLs last.
    #[serde(default, skip_serializing_if = "is_default")]
    pub descending: bool,
}

/// Why a table has the order it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderReason {
    /// Asked for with `--order-by`.
    Requested,
    /// The table has a `_created_at` column.
    CreatedAtConvention,
    /// The table's rowid.
    Rowid,
    /// The table's primary key.
    PrimaryKey,
}

/// The one order of a table's rows in its snapshot; total, so equal rows always come out alike.
///
/// Cells compare as NULL, numbers by exact value, valid text by UTF-8 bytes, raw text by stored bytes,
/// blobs by bytes, whatever collation or DESC a column declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalOrder {
    /// The terms; the last ones break every tie (rowid, or the primary key).
    pub terms: Vec<OrderTerm>,
    /// Why this order.
    pub reason: OrderReason,
}

/// A storage class, with text that is not valid in the database's encoding as a class of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellClass {
    /// INTEGER.
    Integer,
    /// REAL.
    Real,
    /// TEXT, valid in the database's encoding.
    Text,
    /// TEXT, not valid in the database's encoding.
    RawText,
    /// BLOB.
    Blob,
}

impl CellClass {
    /// All classes but NULL, in canonical order.
    pub const ALL: [Self; 5] = [Self::Integer, Self::Real, Self::Text, Self::RawText, Self::Blob];

    /// The word used in companion columns and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Text => "text",
            Self::RawText => "rawtext",
            Self::Blob => "blob",
        }
    }
}

/// One value of one row, borrowed from wherever it lies.
///
/// Reals compare by their bits here: this is identity, not SQL's comparison.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL, never NaN.
    Real(f64),
    /// TEXT that is valid in the database's encoding, as UTF-8.
    Text(&'a str),
    /// TEXT that is not valid in the database's encoding: its stored bytes.
    RawText(&'a [u8]),
    /// BLOB.
    Blob(&'a [u8]),
}

impl Cell<'_> {
    /// The storage class; `None` for NULL.
    #[must_use]
    pub fn class(&self) -> Option<CellClass> {
        match self {
            Self::Null => None,
            Self::Integer(_) => Some(CellClass::Integer),
            Self::Real(_) => Some(CellClass::Real),
            Self::Text(_) => Some(CellClass::Text),
            Self::RawText(_) => Some(CellClass::RawText),
            Self::Blob(_) => Some(CellClass::Blob),
        }
    }

    /// The size of the value in bytes: 8 for a number, 0 for NULL.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len(),
            Self::RawText(bytes) | Self::Blob(bytes) => bytes.len(),
        }
    }
}

impl PartialEq for Cell<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Real(a), Self::Real(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::RawText(a), Self::RawText(b)) | (Self::Blob(a), Self::Blob(b)) => a == b,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn text_that_is_not_valid_survives_json() {
        for text in [SqlText::Valid("näme".into()), SqlText::Raw(vec![0xff, 0, b'a'])] {
            let json = serde_json::to_string(&text).expect("serialises");
            assert_eq!(serde_json::from_str::<SqlText>(&json).expect("parses"), text, "{json}");
        }
        let name = Identifier::from_bytes(vec![b'a', 0x80]);
        let json = serde_json::to_string(&name).expect("serialises");
        assert_eq!(serde_json::from_str::<Identifier>(&json).expect("parses"), name);
    }

    #[test]
    fn utf16_text_with_a_lone_surrogate_or_an_odd_byte_is_not_valid() {
        let encoding = TextEncoding::Utf16Le;
        assert_eq!(encoding.decode(&encoding.encode("a\u{ffff}😀")).as_deref(), Some("a\u{ffff}😀"));
        assert_eq!(encoding.decode(&[0x00, 0xd8]), None);
        assert_eq!(encoding.decode(&[0x61]), None);
    }

    #[test]
    fn identifiers_are_quoted_by_doubling_quotes() {
        assert_eq!(Identifier::from("a\"b").quoted(), b"\"a\"\"b\"");
    }
}
