//! Readers of LevelDB and of Chromium's localStorage, against real profiles and against files written here.

mod damage;
mod fixtures;
mod hostile;
mod made;
mod random;
mod refusals;
mod truth;
mod writer;
