//! The manifest: what a snapshot is, how to rebuild the database from it, how to verify it.
//!
//! 64-bit integers beyond 2^53 and all digests are strings; text that is not valid UTF-8 is
//! `{"base64": "…"}`. Its own digest is looked at first, the version next, and only then anything else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::digest::{ContentDigest, RowHasher, Sha256Digest, Sha256Hasher};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::mapping::TableMapping;
use crate::parquet_file::{ChosenFor, FileTail, RowGroupEntry};
use crate::schema::{Cell, DatabaseHeader, SchemaObject, Table, TotalOrder};
use crate::snapshot::json::refuse_repeated_keys;
use crate::sqlite::not_kept::NotKept;
use crate::sqlite::recovered::RecoveredFrom;
use crate::sqlite::source_check::SourceCheck;

/// The version of the format this program writes, and the newest it reads.
pub const FORMAT_VERSION: u32 = 1;
/// The key under which every Parquet file describes itself and its table.
pub const TABLE_KEY: &str = "parklite.table";
/// The key under which a one-table file that is a snapshot by itself carries its manifest.
pub const SNAPSHOT_KEY: &str = "parklite.snapshot";

pub(super) const FORMAT: &str = "parklite snapshot";
pub(super) const DIGEST_FIELD: &str = "\"manifest_sha256\": \"";
const NO_DIGEST: Sha256Digest = Sha256Digest([0; 32]);

/// The largest manifest that is written or read: room for the chunk hashes of 13 million column chunks.
pub const MOST_MANIFEST_BYTES: u64 = 256 << 20;

/// Everything about one snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "a field of the document is called manifest_sha256")]
pub struct Manifest {
    format: String,
    format_version: u32,
    manifest_sha256: Sha256Digest,
    /// What wrote it.
    pub written_by: WrittenBy,
    /// Where it comes from, when, and how it was made.
    pub snapshot: SnapshotFacts,
    /// The header pragmas.
    pub database: DatabaseHeader,
    /// The digest over header and schema.
    pub schema_digest: Sha256Digest,
    /// The rows of `sqlite_schema`, in order.
    pub schema: Vec<SchemaObject>,
    /// The tables that hold rows.
    pub tables: Vec<TableEntry>,
    /// What a restore cannot rebuild.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_kept: Vec<NotKept>,
    /// What of the source was not asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// What wrote a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenBy {
    /// parklite's version.
    pub parklite: String,
    /// The SQLite library's version.
    pub sqlite: String,
}

/// Where a snapshot comes from, when it was taken and how it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotFacts {
    /// When its read transaction began, UTC, RFC 3339.
    pub taken_at_utc: String,
    /// The source database's file name, without its folder.
    pub source_name: String,
    /// The source database's size.
    pub source_size_bytes: u64,
    /// Whether what was written was decoded and matched with what was read before it got its name.
    pub verified: bool,
    /// Whether it holds the whole database.
    pub whole_database: bool,
    /// The zstd level asked for.
    pub compression_level: i32,
    /// What SQLite's own checks said of the source before it was read.
    #[serde(default)]
    pub source_check: SourceCheck,
    /// What SQLite had to recover the source from, in a private copy; `None` for one that could be read as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered_from: Option<RecoveredFrom>,
}

/// Something of the source that is not in the snapshot because of what was selected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// `table`, `index`, `view` or `trigger`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// One table of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableEntry {
    /// The table.
    #[serde(flatten)]
    pub table: Table,
    /// The order of its rows.
    pub order: TotalOrder,
    /// How its columns became Parquet columns.
    pub mapping: TableMapping,
    /// The digest of all its rows.
    pub digest: ContentDigest,
    /// The size of all its rows in canonical encoding, about what they take in a database.
    pub content_bytes: u64,
    /// The files that hold its rows, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<DataFile>,
    /// Its rows, where they are few and filtered: the counters in a snapshot of part of a database.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inline_rows: Vec<InlineRow>,
}

/// One Parquet file of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataFile {
    /// Its name inside the snapshot's folder; in a one-table file, empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Its size; unknown to a file about itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Its SHA-256; unknown to a file about itself (the seal proves that one).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256Digest>,
    /// Whether rows stand in the order of the table's b-tree, so that a restore need not sort.
    pub in_key_order: bool,
    /// The digest of its rows.
    pub digest: ContentDigest,
    /// Its row groups, in order.
    pub row_groups: Vec<RowGroupEntry>,
    /// How the chunks of each Parquet column are laid out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chosen: Vec<Vec<ChosenFor>>,
    /// What follows them; unknown to a file about itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<FileTail>,
}

/// What a Parquet file says about itself and its table; never about a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableFooter {
    /// The format's version.
    pub format_version: u32,
    /// The table.
    #[serde(flatten)]
    pub table: Table,
    /// The rows of `sqlite_schema` that belong to the table: itself, its indexes and triggers.
    pub schema: Vec<SchemaObject>,
    /// The order of its rows.
    pub order: TotalOrder,
    /// How its columns became Parquet columns.
    pub mapping: TableMapping,
    /// The digest of the rows of this file.
    pub digest: ContentDigest,
    /// The size of these rows in canonical encoding.
    pub content_bytes: u64,
    /// The row groups of this file.
    pub row_groups: Vec<RowGroupEntry>,
}

impl TableFooter {
    /// What a file with these row groups says of the table of `entry`.
    #[must_use]
    pub fn of(
        entry: &TableEntry,
        digest: ContentDigest,
        row_groups: &[RowGroupEntry],
        schema: &[SchemaObject],
    ) -> Self {
        let belongs = |object: &&SchemaObject| entry.table.name.is_same(object.table_name.as_bytes());
        Self {
            format_version: FORMAT_VERSION,
            table: entry.table.clone(),
            schema: schema.iter().filter(belongs).cloned().collect(),
            order: entry.order.clone(),
            mapping: entry.mapping.clone(),
            digest,
            content_bytes: entry.content_bytes,
            row_groups: row_groups.to_vec(),
        }
    }
}

/// One row, written out in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InlineRow {
    /// Its rowid in decimal digits.
    pub rowid: Option<String>,
    /// Its cells.
    pub cells: Vec<InlineCell>,
}

/// One cell, written out in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InlineCell {
    /// NULL.
    Null,
    /// Decimal digits.
    Integer(String),
    /// The 64 bits in hexadecimal digits.
    Real(String),
    /// Text.
    Text(String),
    /// The stored bytes in base64.
    RawText(String),
    /// The bytes in base64.
    Blob(String),
}

impl InlineRow {
    /// Writes a row out.
    #[must_use]
    pub fn of(rowid: Option<i64>, cells: &[Cell<'_>]) -> Self {
        let cell = |cell: &Cell<'_>| match cell {
            Cell::Null => InlineCell::Null,
            Cell::Integer(value) => InlineCell::Integer(value.to_string()),
            Cell::Real(value) => InlineCell::Real(format!("{:016x}", value.to_bits())),
            Cell::Text(text) => InlineCell::Text((*text).to_string()),
            Cell::RawText(bytes) => InlineCell::RawText(BASE64.encode(bytes)),
            Cell::Blob(bytes) => InlineCell::Blob(BASE64.encode(bytes)),
        };
        Self { rowid: rowid.map(|rowid| rowid.to_string()), cells: cells.iter().map(cell).collect() }
    }

    /// Reads the row back and hands it to `take`.
    ///
    /// # Errors
    /// `Damaged` for what [`Self::of`] never writes; what `take` says.
    pub fn read<T>(&self, take: impl FnOnce(Option<i64>, &[Cell<'_>]) -> Result<T>) -> Result<T> {
        let odd = || Error::new(ErrorKind::Damaged, "the manifest holds a row that makes no sense");
        let rowid = self.rowid.as_ref().map(|rowid| rowid.parse().map_err(|_| odd())).transpose()?;
        let mut bytes = Vec::with_capacity(self.cells.len());
        for cell in &self.cells {
            bytes.push(match cell {
                InlineCell::RawText(text) | InlineCell::Blob(text) => {
                    BASE64.decode(text).map_err(|_| odd())?
                }
                _ => Vec::new(),
            });
        }
        let cell = |(cell, bytes)| -> Result<Cell<'_>> {
            let bytes: &Vec<u8> = bytes;
            Ok(match cell {
                &InlineCell::Null => Cell::Null,
                InlineCell::Integer(digits) => Cell::Integer(digits.parse().map_err(|_| odd())?),
                InlineCell::Real(digits) => {
                    let value = f64::from_bits(u64::from_str_radix(digits, 16).map_err(|_| odd())?);
                    // No database holds such a thing: SQLite would store NULL in its place.
                    Cell::Real(if value.is_nan() { return Err(odd()) } else { value })
                }
                InlineCell::Text(text) => Cell::Text(text),
                InlineCell::RawText(_) => Cell::RawText(bytes),
                InlineCell::Blob(_) => Cell::Blob(bytes),
            })
        };
        let cells = self.cells.iter().zip(&bytes).map(cell).collect::<Result<Vec<_>>>()?;
        take(rowid, &cells)
    }
}

impl TableEntry {
    /// How many rows it has.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.digest.row_count
    }

    /// The digest of the rows that stand in the manifest itself.
    ///
    /// # Errors
    /// `Damaged` for rows that make no sense.
    pub fn inline_digest(&self) -> Result<ContentDigest> {
        let mut hasher = RowHasher::default();
        for row in &self.inline_rows {
            row.read(|rowid, cells| {
                hasher.add_row(rowid, cells);
                Ok(())
            })?;
        }
        Ok(hasher.take())
    }
}

impl Manifest {
    /// A manifest of what was written; its own digest is made when it becomes text.
    #[must_use]
    pub fn new(
        snapshot: SnapshotFacts,
        database: DatabaseHeader,
        schema: Vec<SchemaObject>,
        tables: Vec<TableEntry>,
    ) -> Self {
        Self {
            format: FORMAT.to_string(),
            format_version: FORMAT_VERSION,
            manifest_sha256: NO_DIGEST,
            written_by: WrittenBy {
                parklite: env!("CARGO_PKG_VERSION").to_string(),
                sqlite: crate::sqlite::library_version().to_string(),
            },
            snapshot,
            database,
            schema_digest: crate::digest::schema_digest(&database, &schema),
            schema,
            tables,
            not_kept: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// The manifest's text, which holds the SHA-256 of itself with those 64 digits as zeros.
    ///
    /// # Errors
    /// `Failed` if it cannot be written as JSON, which would be a mistake of this program.
    pub fn to_text(&self) -> Result<String> {
        let failed = |error| Error::new(ErrorKind::Failed, "writing the manifest failed").because(error);
        let blank = Self { manifest_sha256: NO_DIGEST, ..self.clone() };
        let mut text = serde_json::to_string_pretty(&blank).map_err(failed)?;
        text.push('\n');
        if text.len() as u64 > MOST_MANIFEST_BYTES {
            let message = "the manifest would be larger than any that is read again";
            return Err(Error::new(ErrorKind::Failed, message)
                .hint("export fewer tables at once (--table, --exclude)"));
        }
        let digest = Sha256Digest::of(text.as_bytes()).to_string();
        Ok(text.replacen(&format!("{DIGEST_FIELD}{NO_DIGEST}"), &format!("{DIGEST_FIELD}{digest}"), 1))
    }

    /// Reads a manifest and checks its own digest.
    ///
    /// # Errors
    /// `NewerFormat` for a version this program does not know; `Damaged` for anything else that is not a
    /// manifest or does not match its own digest.
    pub fn from_text(text: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            format_version: u32,
            manifest_sha256: Sha256Digest,
        }
        let damaged = |message: &str| Error::new(ErrorKind::Damaged, message.to_string());
        let head: Head = serde_json::from_slice(text)
            .map_err(|error| damaged("this is not a parklite manifest").because(error))?;
        if head.format != FORMAT || head.format_version == 0 {
            return Err(damaged("this is not a parklite manifest"));
        }
        // Before the version: every version has this digest, and one flipped bit must not look like a newer one.
        if blanked_digest(text, head.manifest_sha256) != Some(head.manifest_sha256) {
            return Err(damaged("the manifest was changed: it does not match its own digest"));
        }
        if head.format_version > FORMAT_VERSION {
            let newer = format!(
                "the snapshot has format version {}, newer than this program knows",
                head.format_version
            );
            return Err(Error::new(ErrorKind::NewerFormat, newer).hint(format!(
                "this is parklite {}, which reads up to format version {FORMAT_VERSION}; install a newer one",
                env!("CARGO_PKG_VERSION")
            )));
        }
        let senseless = |error| damaged("the manifest makes no sense").because(error);
        refuse_repeated_keys(text).map_err(senseless)?;
        serde_json::from_slice(text).map_err(senseless)
    }
}

/// The SHA-256 of a manifest's raw bytes with its own 64 digits as zeros; `None` unless they stand there once.
fn blanked_digest(text: &[u8], digest: Sha256Digest) -> Option<Sha256Digest> {
    let field = format!("{DIGEST_FIELD}{digest}");
    let mut found = text.windows(field.len()).enumerate().filter(|(_, window)| *window == field.as_bytes());
    let (at, _) = found.next()?;
    if found.next().is_some() {
        return None;
    }
    let mut hasher = Sha256Hasher::default();
    hasher.update(text.get(..at + DIGEST_FIELD.len())?);
    hasher.update(NO_DIGEST.to_string().as_bytes());
    hasher.update(text.get(at + field.len()..)?);
    Some(hasher.finish())
}
