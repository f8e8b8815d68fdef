//! The way back: one storage out of several captures of it, and texts that put it into a browser.
//!
//! Values are code units to the end: what a page stored comes back unit by unit. Nothing here knows databases.

mod day;
mod emit;
mod left_out;
mod list;
mod merge;

pub use emit::{Restored, console, storage_state};
pub use merge::{Capture, Merged, Merging};
