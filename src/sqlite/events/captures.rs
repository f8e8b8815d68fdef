//! The untouched values of an events database, key by key.

use std::collections::BTreeSet;

use rusqlite::types::ValueRef;
use rusqlite::{Row, params};

use super::EventStore;
use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::failure::failure;
use crate::sqlite::name::quoted;

/// Which values are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Whose; everybody's if empty. A value of which nobody knows whose it is, is always wanted.
    pub origins: &'a [String],
    /// Whose the values are of which nobody knows it.
    pub unnamed: Option<&'a str>,
}

/// A value that some source had under a key, and when one had it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCapture {
    /// Whose it is.
    pub origin: Option<String>,
    /// Whether a source said so.
    pub is_of_origin: bool,
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

/// What of `event_sources` is looked at; the first parameter are the origins that are wanted, as a list of JSON.
const IS_WANTED: &str =
    "(origin IS NULL OR json_array_length(?1) = 0 OR origin IN (SELECT value FROM json_each(?1)))";

impl EventStore {
    /// Visits every value that is in no partition, by key and origin: first the latest of those of which a source said whose
    /// they are, then the others of these, then the others. Each value comes once for a key and origin, and one is held at a
    /// time.
    ///
    /// # Errors
    /// `Damaged` where a value is not as this program stores it; what SQLite says; what `visit` does.
    pub fn captures(
        &self,
        wanted: Wanted<'_>,
        visit: &mut dyn FnMut(StoredCapture) -> Result<()>,
    ) -> Result<()> {
        let counts = self.import_counts()?;
        // Values are fetched one by one: sorted with the rest, all of them would be in memory or on disk once more.
        let sql = format!(
            "SELECT whose, store_key, value_sha256, max(seen) AS last_seen, max(origin IS NOT NULL) AS is_of_origin
             FROM (SELECT coalesce(origin, ?2) AS whose, origin, store_key, value_sha256,
                          printf('%s/%019d', captured_at, coalesce(line, 0)) AS seen
                   FROM event_sources WHERE partition IS NULL AND {counts} AND {IS_WANTED} AND {})
             WHERE value_sha256 IN (SELECT value_sha256 FROM original_values)
             GROUP BY store_key, whose, value_sha256
             ORDER BY store_key, whose, is_of_origin DESC, last_seen DESC, value_sha256 DESC",
            self.is_item()
        );
        let mut read = || -> Result<()> {
            let origins = json_list(wanted.origins);
            let mut statement = self.connection.prepare(&sql).map_err(failure)?;
            let mut original = self
                .connection
                .prepare("SELECT value FROM original_values WHERE value_sha256 = ?1")
                .map_err(failure)?;
            let mut rows = statement.query(params![origins, wanted.unnamed]).map_err(failure)?;
            while let Some(row) = rows.next().map_err(failure)? {
                let sha256: String = row.get(2).map_err(failure)?;
                let value = original.query_row([sha256], |row| Ok(value_of(row))).map_err(failure)??;
                visit(StoredCapture {
                    origin: row.get(0).map_err(failure)?,
                    store_key: row.get(1).map_err(failure)?,
                    seen: row.get(3).map_err(failure)?,
                    is_of_origin: row.get(4).map_err(failure)?,
                    value,
                })?;
            }
            Ok(())
        };
        read().map_err(|error| error.at(&self.path))
    }

    /// How many values are in partitions.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn partitioned_captures(&self, origins: &[String]) -> Result<u64> {
        let counts = self.import_counts()?;
        let sql = format!(
            "SELECT count(*) FROM (SELECT DISTINCT origin, partition, store_key, value_sha256 FROM event_sources
                                   WHERE partition IS NOT NULL AND {counts} AND {IS_WANTED} AND {})",
            self.is_item()
        );
        let count = self.connection.query_row(&sql, [json_list(origins)], |row| row.get::<_, i64>(0));
        count.map(i64::unsigned_abs).map_err(|error| failure(error).at(&self.path))
    }

    /// Whose values there are, as sources say it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn capture_origins(&self) -> Result<BTreeSet<String>> {
        let counts = self.import_counts()?;
        let sql = format!(
            "SELECT DISTINCT origin FROM event_sources WHERE origin IS NOT NULL AND {counts} AND {}",
            self.is_item()
        );
        let read = || {
            let mut statement = self.connection.prepare(&sql)?;
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|error| failure(error).at(&self.path))
    }

    fn is_item(&self) -> String {
        let table = &self.schema.table;
        let (name, id, kind) = (quoted(&table.table), quoted(&table.event_id), quoted(&table.event_type));
        format!("_event_id IN (SELECT {id} FROM {name} WHERE {kind} = 'localstorage_item')")
    }
}

fn json_list(texts: &[String]) -> String {
    serde_json::Value::from(texts).to_string()
}

fn value_of(row: &Row<'_>) -> Result<StoredValue> {
    let value = match row.get_ref(0).map_err(failure)? {
        ValueRef::Text(text) => std::str::from_utf8(text).ok().map(|text| StoredValue::Text(text.to_owned())),
        ValueRef::Blob(units) => Some(StoredValue::Utf16Le(units.to_vec())),
        _ => None,
    };
    value.ok_or_else(|| {
        Error::new(ErrorKind::Damaged, "a value is neither text nor code units")
            .in_table("original_values")
            .hint("another program changed it: import the dumps into a new database")
    })
}
