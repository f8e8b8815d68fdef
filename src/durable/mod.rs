//! Where files appear and vanish: staging, syncing, publishing, keeping aside, clearing up.
//!
//! Everything is written into a private [`Stage`] beside its target, synced, and given its name by one
//! atomic rename, so that a kill, a full disk or a power cut leaves the old state or the new one. Existing
//! names are never overwritten unless [`Existing::Replace`] says so, and never through a symbolic link.
//! A stage holds a lock as long as its run lives; [`clear_leftovers`] removes those whose run is dead.
//!
//! No other module creates, renames or removes a file or folder, syncs one, or changes its permissions.
//! (SQLite does so by itself, inside a stage.) Platform calls stay in here as well.
//!
//! Nothing here opens a source or target database, with one exception told at [`keep_aside`]: closing any
//! descriptor of a database drops the locks that this process holds on it.

mod descriptors;
mod leftovers;
mod lock;
mod neighbours;
mod path_kind;
mod permissions;
mod placement;
mod publish;
mod rename;
mod space;
mod stage;
mod sync;
mod sync_ahead;

pub use descriptors::free_descriptors;
pub use leftovers::clear_leftovers;
pub use lock::{FolderHold, hold_folder};
pub use neighbours::{
    drop_second_names, identity_of, keep_aside, orphan_neighbours, refuse_orphans, remove_stale_shared_memory,
};
pub use path_kind::{PathKind, folder_beside, is_regular_file, kind_of_name, kind_of_source, parent_of};
pub use permissions::{apply_mode, apply_mode_to_tree, file_mode, folder_mode, give_owner_of, mode_of};
pub use publish::{
    Existing, TargetForm, check_target, publish_directory, publish_file, publish_over, publish_over_keeping,
};
pub use space::{free_space, require_space};
pub use stage::Stage;
pub use sync::sync_tree;
pub use sync_ahead::SyncAhead;
