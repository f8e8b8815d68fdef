//! Plain data about a database: header, schema objects, tables, columns, indexes, order, cells.
//!
//! No database access and no file access here. These types are what `sqlite` reads, what the manifest
//! stores and what a restore rebuilds from, so they serialise as they stand.

mod cell;
mod header;
mod order;
mod pattern;
mod table;
mod text;

pub use cell::{Cell, CellClass};
pub use header::{AutoVacuum, DatabaseHeader, JournalMode};
pub use order::{OrderReason, OrderTerm, TotalOrder};
pub use pattern::name_glob;
pub use table::{
    Affinity, Column, Generated, Index, IndexColumn, IndexOrigin, IndexedValue, ObjectKind, SchemaObject,
    Table,
};
pub use text::{Identifier, SqlText, TextEncoding};

/// For fields that are left out of a document when they say nothing.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
