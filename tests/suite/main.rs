//! The integration tests, as one binary.
//!
//! `fixtures` builds databases to test with, `property` makes up random ones, and `judge` says whether two
//! databases are the same. None of the three uses a line of parklite: what they say about it is independent.
//! `local_storage` is about reading old browser storage. `round_trip` puts parklite to the proof, `damage` its snapshots, `hostile_parquet` forges them, `subjects` compares
//! what can be compared with what.

mod corpus;
mod damage;
mod fixtures;
mod hostile_parquet;
mod judge;
mod local_storage;
mod property;
mod round_trip;
mod subjects;
