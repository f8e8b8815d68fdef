//! What a person or a script sees of a run: arguments, progress, results, errors.
//!
//! The only place that prints and that knows clap and indicatif. Arguments pass two stages: what was typed
//! (`args`), and what it means (each verb's `options`), which is all the library ever sees.

mod allocator;
mod args;
mod ask;
mod confine;
mod diff;
mod digest;
mod exit;
mod export;
mod foreign;
mod inspect;
mod inspect_database;
mod man;
mod migrate;
mod progress;
mod restore;
mod run;
mod terminal;
mod text;
mod units;
mod verify;
mod verify_database;

pub(crate) use run::run;
