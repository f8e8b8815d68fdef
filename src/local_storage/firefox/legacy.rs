//! `webappsstore.sqlite`, in which Firefox kept all origins until 2019, and `storage/ls-archive.sqlite`, what was left of it.
//!
//! Values are TEXT here, in which unpaired surrogates were replaced when they were written: that cannot be undone, nor seen.
//!
//! Source: Firefox, `dom/storage/StorageDBUpdater.cpp`.

use super::origin::{of_reversed_key, of_scope};
use crate::error::Result;
use crate::local_storage::counted::counted;
use crate::local_storage::database::{Collected, Found, Whose, key_of, text_of, units_of};
use crate::local_storage::item::Item;
use crate::sqlite::salvage::Salvage;

/// Takes all rows.
pub(in crate::local_storage) fn collect(salvage: &Salvage, collected: &mut Collected<'_>) -> Result<()> {
    let Some(table) = salvage.table("webappsstore2") else { return Ok(()) };
    let has_key = table.has("originKey");
    let mut unnamed = 0;
    let columns = ["originAttributes", "originKey", "scope", "key", "value"];
    let flaw = table.for_each_row(columns, |[attributes, origin, scope, key, value]| {
        let whose = if has_key {
            text_of(&origin)
                .and_then(|origin| of_reversed_key(origin, text_of(&attributes).unwrap_or_default()))
        } else {
            text_of(&scope).and_then(of_scope)
        };
        unnamed += u64::from(whose.is_none());
        let whose = whose.unwrap_or(Whose::default());
        collected.take(&whose, key.size_bytes() + value.size_bytes(), || {
            let key = key_of(&key, salvage.is_utf8())?;
            let value = units_of(&value, salvage.is_utf8())
                .map_err(|why| format!("its value cannot be read: {why}"))?;
            let size = key.len() as u64 + value.len() as u64;
            Ok(Found { item: Item { key, value }, size })
        });
        Ok(())
    })?;
    if unnamed > 0 {
        collected.tell(format!("of {} nobody can tell whose they are", counted(unnamed, "item")), false);
    }
    collected.tell_flaws(&flaw);
    Ok(())
}
