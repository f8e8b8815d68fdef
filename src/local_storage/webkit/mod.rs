//! localStorage of WebKit: Safari, GNOME Web and others on Linux, and Chrome before 2017.
//!
//! One SQLite file for each origin; [`origin`] knows whose it is by what surrounds the file, as pure functions. Keys are
//! UTF-8, in which unpaired surrogates were replaced when they were written; values are UTF-16 and come through.

mod item_table;
pub mod origin;

pub(super) use item_table::collect;
