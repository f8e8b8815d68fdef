//! Old localStorage: databases of browsers, and as text: dumps of real browsers against their truth, every form with any string in it, damage, the
//! mapping to events, and the views over these in SQLite's own program.

#![expect(clippy::print_stderr, reason = "what was skipped and counts of full runs are told")]

mod damage;
mod databases;
mod fixtures;
mod hostile;
mod judges;
mod leveldb;
mod mapping;
mod storages;
mod truth;
mod views;
mod writers;
