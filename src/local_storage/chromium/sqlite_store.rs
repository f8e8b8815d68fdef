//! The file `LocalStorage` of newer Chromium: all storages of a profile in one SQLite database.
//!
//! Source: Chromium, `components/services/storage/dom_storage/local_storage_sqlite.cc` as of 2026: `maps` names the storages,
//! `map_entries` has their items, packed or not.

use std::collections::BTreeMap;

use super::packed_value::unpack_value;
use super::storage_key::StorageKey;
use super::string::decode_string;
use super::unix_us_of_chromium_us;
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::counted::counted;
use crate::local_storage::database::{Collected, Found, Whose, bytes_of, text_of};
use crate::local_storage::item::Item;
use crate::schema::Cell;
use crate::sqlite::salvage::Salvage;

/// The version of the tables that this reads.
const KNOWN_VERSION: i64 = 1;

/// Takes all rows.
pub(in crate::local_storage) fn collect(salvage: &Salvage, collected: &mut Collected<'_>) -> Result<()> {
    check_version(salvage)?;
    let maps = read_maps(salvage, collected)?;
    let Some(entries) = salvage.table("map_entries") else { return Ok(()) };
    let mut homeless = 0;
    // An intermediate version did not pack values and had no column to say so.
    let packs = entries.has("value_compression_type");
    let columns = ["map_id", "value_compression_type", "key", "value"];
    let flaw = entries.for_each_row(columns, |[map, packing, key, value]| {
        let whose = if let Cell::Integer(map) = map { maps.get(&map) } else { None };
        match whose {
            None => homeless += 1,
            Some(whose) => {
                let packing = if packs { packing } else { Cell::Integer(0) };
                collected.take(whose, key.size_bytes() + value.size_bytes(), || item(packing, key, value));
            }
        }
        Ok(())
    })?;
    if homeless > 0 {
        let count = counted(homeless, "item");
        collected.tell(format!("left out: {count} of storages that have no name in the file"), true);
    }
    collected.tell_flaws(&flaw);
    Ok(())
}

/// The storages by the number that their items have.
fn read_maps(salvage: &Salvage, collected: &mut Collected<'_>) -> Result<BTreeMap<i64, Whose>> {
    let mut maps = BTreeMap::new();
    let Some(table) = salvage.table("maps") else { return Ok(maps) };
    let mut unnamed = 0;
    let columns = ["row_id", "storage_key", "last_modified", "total_size"];
    let flaw = table.for_each_row(columns, |[id, key, changed, size]| {
        let Cell::Integer(id) = id else { return Ok(()) };
        match bytes_of(&key).and_then(StorageKey::decode).map(Whose::from) {
            None => unnamed += 1,
            Some(whose) => {
                let changed = if let Cell::Integer(us) = changed { unix_us_of_chromium_us(us) } else { None };
                let size = if let Cell::Integer(size) = size { u64::try_from(size).ok() } else { None };
                collected.note(&whose, changed, size);
                maps.insert(id, whose);
            }
        }
        Ok(())
    })?;
    if unnamed > 0 {
        collected.tell(format!("{} without the name of an origin", counted(unnamed, "storage")), false);
    }
    collected.tell_flaws(&flaw);
    Ok(maps)
}

fn item(packing: Cell<'_>, key: Cell<'_>, value: Cell<'_>) -> std::result::Result<Found, String> {
    let Cell::Integer(packing) = packing else {
        return Err("nothing says how its value is packed".to_owned());
    };
    let (Some(key), Some(value)) = (bytes_of(&key), bytes_of(&value)) else {
        return Err("its key or value is no blob".to_owned());
    };
    let value = unpack_value(packing, value).map_err(|why| format!("its value cannot be unpacked: {why}"))?;
    let size = key.len() as u64 + value.len() as u64;
    let key = decode_string(key).map_err(|fault| format!("its key is no string: {fault}"))?;
    let value = decode_string(&value).map_err(|fault| format!("its value is no string: {fault}"))?;
    Ok(Found { item: Item { key, value }, size })
}

fn check_version(salvage: &Salvage) -> Result<()> {
    let Some(meta) = salvage.table("meta") else { return Ok(()) };
    let mut version = None;
    meta.for_each_row(["key", "value"], |[key, value]| {
        if text_of(&key) == Some("last_compatible_version") {
            version = match value {
                Cell::Integer(version) => Some(version),
                cell => text_of(&cell).and_then(|text| text.parse().ok()),
            };
        }
        Ok(())
    })?;
    match version {
        Some(version) if version > KNOWN_VERSION => {
            let message = format!(
                "localStorage of Chromium of version {version}, and versions up to {KNOWN_VERSION} can be read"
            );
            Err(Error::new(ErrorKind::NewerFormat, message)
                .hint("export it in the browser: JSON.stringify(localStorage) in the console of its developer tools"))
        }
        _ => Ok(()),
    }
}
