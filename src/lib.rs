//! parklite: SQLite in, ordered zstd Parquet out, and the exact database back, verified.

pub mod clock;
pub mod digest;
pub mod durable;
pub mod error;
pub mod export;
pub mod frame;
pub mod inspect;
pub mod matching;
pub mod parquet_file;
pub mod progress;
pub mod rebuild;
mod report;
pub mod restore;
pub mod run;
pub mod schema;
pub mod snapshot;
pub mod sqlite;
pub mod verify;
