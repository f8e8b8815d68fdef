//! parklite: SQLite in, ordered zstd Parquet out, and the exact database back, verified.

pub mod clock;
pub mod digest;
pub mod durable;
pub mod error;
pub mod frame;
pub mod parquet_file;
pub mod progress;
pub mod run;
pub mod schema;
pub mod snapshot;
pub mod sqlite;
