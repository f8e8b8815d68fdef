//! The on-disk format of a snapshot: manifest, file names, folder or single file.
//!
//! Readers never build a path from a table's name: the manifest maps tables to files, and a path that leaves
//! the snapshot is refused. What a Parquet file holds is `parquet_file`'s; how files appear is `durable`'s.

mod beside;
mod check;
mod files;
mod json;
mod manifest;
mod names;
mod open;
mod views;

pub use beside::{is_named_beside, refuse_inside_snapshot};
pub use files::{
    FileFinding, FileProblem, MANIFEST_FILE, SUMS_FILE, VIEWS_FILE, check_files, sums_text, surplus_files,
};
pub use manifest::{
    DataFile, FORMAT_VERSION, InlineRow, LeftOut, MOST_MANIFEST_BYTES, Manifest, SNAPSHOT_KEY, SnapshotFacts,
    TABLE_KEY, TableEntry, TableFooter, WrittenBy,
};
pub use names::file_names;
pub use open::{Location, Snapshot};
pub use views::views_text;
