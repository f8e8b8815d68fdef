//! The total order of a table's rows.

use serde::{Deserialize, Serialize};

use crate::schema::is_default;

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
