//! The program itself, run as people and scripts run it: its exit codes, which stream says what, and what
//! is left on the disk.
//!
//! Every test works in a [`Place`](place::Place), a folder of its own in which the program runs; each run
//! records what was there before and after, so that a test can say what came and that nothing else did.

#[cfg(target_os = "linux")]
mod confinement;
mod databases;
mod diff;
mod digest;
mod export_check;
mod export_output;
mod export_report;
mod export_selection;
mod export_source;
mod guide;
mod help;
mod http_server;
mod inspect;
mod migrate;
mod migrate_again;
mod migrate_browser;
mod migrate_bulk_sync;
mod migrate_chromium;
mod migrate_databases;
mod migrate_dumps;
mod migrate_errors;
mod migrate_listing;
mod migrate_many;
mod migrate_post;
mod migrate_post_failures;
mod migrate_post_settings;
mod migrate_progress;
mod migrate_put_back;
mod migrate_put_back_merged;
mod migrate_target;
mod migrate_told;
mod other_process;
#[cfg(target_os = "linux")]
#[path = "../common/peak_memory.rs"]
mod peak_memory;
mod place;
mod ran;
mod restore_foreign;
mod restore_into_fresh;
mod restore_over_existing;
mod restore_under_locks;
mod signals;
mod streams;
mod subtle;
mod terminal;
mod verify_damage;
mod verify_every_byte;
mod verify_levels;
