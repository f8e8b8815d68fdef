//! Old localStorage: what browsers and people saved of it, read without loss and mapped to events.
//!
//! Readers ([`dump`], [`chromium`], [`firefox`], [`webkit`], and what the last three have in common where they keep it in SQLite,
//! [`database`]) turn a source into [`item`]s; [`envelope`] knows what libraries wrap around their state; [`mapping`]
//! turns values into events and knows no source; [`progress`] folds those events into rows. [`json`], [`moment`] and [`origin`]
//! are what they share. No string of a browser goes through Rust's strings on the way: see [`code_units`].

pub mod chromium;
pub mod code_units;
mod compression;
mod counted;
pub mod database;
pub mod dump;
pub mod envelope;
pub mod firefox;
pub mod item;
pub mod json;
pub mod leveldb;
pub mod mapping;
pub mod moment;
pub mod origin;
pub mod progress;
pub mod put_back;
pub mod webkit;
