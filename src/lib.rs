//! parklite: SQLite in, ordered zstd Parquet out, and the exact database back, verified.
//!
//! ```text
//!  source database ──► rows ──► frames ──► order ──► encoder ──► staged file ──► matched ──► published
//!    one commit         cells    polars     window,    parquet,    private          decoded     synced,
//!                                over Arrow if needed  N threads   folder           again       renamed
//!            │                              ▲
//!            └──► ranges of keys, on disk ──┘   a large table in no order: dealt out by N readers, sorted range by range
//!
//!  snapshot ──► decoder ──► cells ──► staged database ──► schema, indexes ──► matched ──► published
//!
//!  old dumps ──► items ──► mapping ──► events ──► one transaction of an events database
//!    of localStorage  code units  rules
//! ```
//!
//! # Layers
//!
//! Arrows point down only. The verbs [`export`], [`restore`], [`verify`], [`verify_database`], [`inspect`], [`digests`],
//! [`diff`] and [`migrate`] each read as their own table of contents; [`rebuild`], [`matching`], [`content`] (snapshots and databases
//! alike) and [`foreign`] (Parquet files of other programs) are what several of them share; [`subject`] tells what a
//! path is. Below them,
//! [`sqlite`] knows everything about SQLite, [`frame`] turns cells into columns and back and orders rows,
//! [`local_storage`] reads what browsers kept and makes events of it, [`parquet_file`] is one table as Parquet, [`snapshot`]
//! is the format on disk. At the bottom lie plain data
//! ([`schema`]), [`digest`]s, [`durable`] files, the one way to the network ([`http`]), [`error`], [`progress`],
//! [`clock`] and [`run`]. The library never prints, never exits and never reads the wall clock.
//!
//! # Glossary
//!
//! - *storage class*: NULL, INTEGER, REAL, TEXT or BLOB; a property of each cell, not of its column.
//! - *cell*: one value of one row, with its storage class and exact bytes.
//! - *main column*, *companion column*: the Parquet column of the class most cells have, and one more for each
//!   further class.
//! - *number family*: a DOUBLE main column that shows every number, and the exact integers beside it.
//! - *total order*: the one order of a table's rows in its snapshot, ties broken by key.
//! - *window*: the last rows that were read, where rows that come a little late find their place.
//! - *range*, *partition*: keys from one splitter to the next, and dealing rows out to ranges before they are sorted.
//! - *layout*, *trial*: how the values of a column chunk are encoded, and trying layouts and levels out on a sample.
//! - *content digest*: row count and sum of row hashes; does not depend on order, files or compression.
//! - *subject*: what a verb is given to look at: a snapshot or a database, whoever made it.
//! - *seal*: the SHA-256 of a Parquet file inside itself.
//! - *stage*, *publish*: a private folder beside the target, and giving its content the final name.
//! - *dump*, *store*, *session*: a saved localStorage; what an app keeps in it under one key; one workout in that.
//! - *event*: one fact with a time and an identity of its own content, so that importing it again adds nothing.
//! - *capture*: when a dump was as it is.
//! - *stand-in*: a table of ours that lays rows out as the true one does, while a database is rebuilt.

pub mod budget;
pub mod clock;
pub mod content;
pub mod diff;
pub mod digest;
pub mod digests;
pub mod durable;
pub mod error;
pub mod export;
pub mod foreign;
pub mod frame;
pub mod http;
pub mod inspect;
pub mod local_storage;
pub mod matching;
pub mod migrate;
pub mod parquet_file;
pub mod progress;
pub mod rebuild;
mod report;
pub mod restore;
pub mod run;
pub mod schema;
pub mod snapshot;
pub mod sqlite;
pub mod subject;
mod varint;
pub mod verify;
pub mod verify_database;
