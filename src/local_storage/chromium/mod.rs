//! localStorage of the Chromium family: Chrome, Edge, Brave, Opera, Electron, WebView.
//!
//! `leveldb_store` reads the folder `Local Storage/leveldb`, `sqlite_store` the newer SQLite file `LocalStorage`. What
//! they have in common is here apart from both, as pure functions over bytes: [`string`], [`storage_key`], [`metadata`]
//! and [`packed_value`].

pub mod leveldb_store;
pub mod metadata;
pub mod packed_value;
mod record;
pub(super) mod sqlite_store;
pub mod storage_key;
mod stored;
pub mod string;

pub use leveldb_store::{Doubtful, ListedStorage, Listing, Selection, list_leveldb, read_leveldb};
pub use metadata::unix_us_of_chromium_us;
pub use packed_value::unpack_value;
pub use storage_key::StorageKey;
pub use string::{MAX_UNITS, StringFault, decode_string};
