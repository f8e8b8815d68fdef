//! Rows as columns: which columns a table becomes, how cells get into them and how they come out again.
//!
//! `mapping` is the pure plan, `build` turns cells into record batches under a plan, `decode` turns record
//! batches back into the same cells and refuses what the plan forbids. `crossing` hands batches to polars and
//! back without a copy, `cuts` says where frames and row groups end, `splice` makes frames of pieces that were read apart, `weight` what they take in memory, `order`
//! puts rows into their total order. Cells cross between rows and columns
//! nowhere else, so "every storage class and every byte" has to be true in exactly two files.

pub mod build;
pub mod crossing;
pub mod cuts;
pub mod decode;
pub mod mapping;
pub mod order;
pub mod splice;
#[cfg(test)]
pub(crate) mod testing;
pub mod weight;

pub use build::FrameBuilder;
pub use cuts::{CutFrame, Cuts, FRAME_BYTES, FRAME_ROWS, ROW_GROUP_BYTES, row_size};
pub use decode::{RowDecoder, digest_batch};
pub use mapping::{
    ClassCounts, ColumnMapping, ColumnRole, Companion, MainClass, MappingReason, TableMapping, plan_mapping,
};
pub use splice::{Piece, Splicer};
