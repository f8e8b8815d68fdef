//! Cells as frames, and the order of their rows.

pub mod crossing;
pub mod order;
