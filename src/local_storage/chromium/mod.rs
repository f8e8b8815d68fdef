//! localStorage of the Chromium family: Chrome, Edge, Brave, Opera, Electron, WebView.
//!
//! [`leveldb_store`] reads the folder `Local Storage/leveldb`. What that has in common with the newer SQLite file
//! `LocalStorage` is here apart from it, as pure functions over bytes: [`string`], [`storage_key`], [`metadata`] and
//! [`packed_value`].

pub mod leveldb_store;
pub mod metadata;
pub mod packed_value;
mod record;
pub mod storage_key;
mod stored;
pub mod string;

pub use leveldb_store::{Doubtful, ListedStorage, Listing, Selection, list_leveldb, read_leveldb};
pub use metadata::unix_us_of_chromium_us;
pub use packed_value::unpack_value;
pub use storage_key::StorageKey;
pub use string::{MAX_UNITS, StringFault, decode_string};
