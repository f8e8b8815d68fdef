//! The untouched values of an events database, key by key.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::EventStore;
use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::failure::failure;
use crate::sqlite::name::quoted;

/// A value that some source had under a key, and when one had it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCapture {
    /// Whose it is.
    pub origin: Option<String>,
    /// The part of the origin's storage.
    pub partition: Option<String>,
    /// The key, as WTF-8.
    pub store_key: Vec<u8>,
    /// When it was there last, and on which line: greater the later it was.
    pub seen: String,
    /// The value.
    pub value: StoredValue,
}

/// A value as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredValue {
    /// Well-formed text.
    Text(String),
    /// Code units, low byte first.
    Utf16Le(Vec<u8>),
}

impl EventStore {
    /// Visits every value, by key; those of one key the latest last.
    ///
    /// # Errors
    /// `Damaged` where a value is not as this program stores it; what SQLite says; what `visit` does.
    pub fn captures(&self, visit: &mut dyn FnMut(StoredCapture) -> Result<()>) -> Result<()> {
        let table = &self.schema.table;
        let (name, id, kind) = (quoted(&table.table), quoted(&table.event_id), quoted(&table.event_type));
        let sql = format!(
            "SELECT origin, partition, store_key, seen, encoding, value FROM (
               SELECT origin, partition, store_key, value_sha256,
                      max(printf('%s/%019d', captured_at, coalesce(line, 0))) AS seen
               FROM event_sources
               WHERE _event_id IN (SELECT {id} FROM {name} WHERE {kind} = 'localstorage_item')
               GROUP BY origin, partition, store_key, value_sha256
             ) JOIN original_values USING (value_sha256)
             ORDER BY store_key, seen, value_sha256"
        );
        let mut read = || -> Result<()> {
            let mut statement = self.connection.prepare(&sql).map_err(failure)?;
            let mut rows = statement.query([]).map_err(failure)?;
            while let Some(row) = rows.next().map_err(failure)? {
                visit(capture_of(row)?)?;
            }
            Ok(())
        };
        read().map_err(|error| error.at(&self.path))
    }
}

fn capture_of(row: &Row<'_>) -> Result<StoredCapture> {
    let value = match row.get_ref(5).map_err(failure)? {
        ValueRef::Text(text) => std::str::from_utf8(text).ok().map(|text| StoredValue::Text(text.to_owned())),
        ValueRef::Blob(units) => Some(StoredValue::Utf16Le(units.to_vec())),
        _ => None,
    };
    let value = value.ok_or_else(|| {
        Error::new(ErrorKind::Damaged, "a value is neither text nor code units")
            .in_table("original_values")
            .hint("another program changed it: import the dumps into a new database")
    })?;
    Ok(StoredCapture {
        origin: row.get(0).map_err(failure)?,
        partition: row.get(1).map_err(failure)?,
        store_key: row.get(2).map_err(failure)?,
        seen: row.get(3).map_err(failure)?,
        value,
    })
}
