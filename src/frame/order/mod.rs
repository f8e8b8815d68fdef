//! The total order of a table's rows: keys, the check while reading, and sorting in bounded memory.
//!
//! A row's place is one string of bytes ([`OrderKey`]), and comparing two rows is comparing those bytes,
//! nothing else: no collation, no second comparison of cells anywhere in this crate. Rows that arrive in
//! order ([`InOrderCheck`]) need no sorting; almost ordered ones go through a [`Window`], the others through a [`Sorter`]
//! or, where they are more than fit into memory, through [`Partitions`]. Row groups are cut by the sequence of rows alone,
//! so that memory, threads and disk never show in what is written. Where order is a matter of time only, a [`KeyWindow`]
//! tells it.

mod gather;
mod held;
mod key;
mod key_window;
mod merge;
mod partition;
mod sorter;
mod spill;
mod splitters;
mod window;

pub use gather::copy_of_rows;
pub use key::{InOrderCheck, OrderKey};
pub use key_window::{KeyWindow, Keys, Leaving, Room};
pub use partition::{PartitionedRows, Partitions, SortedRows as SortedRange};
pub use sorter::{SortedRows, Sorter, with_order_columns};
pub use splitters::{Splitters, parts_for};
pub use window::{WINDOW_ROWS, Window};
