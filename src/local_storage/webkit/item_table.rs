//! The table `ItemTable` of a file, in both layouts.
//!
//! Source: WebKit, `Source/WebKit/NetworkProcess/storage/SQLiteStorageArea.cpp`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::origin::{decode_origin_file, of_file_name};
use crate::error::{Error, Result};
use crate::local_storage::chromium::MAX_UNITS;
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::counted::counted;
use crate::local_storage::database::{Collected, Found, Whose, key_of, units_of};
use crate::local_storage::item::Item;
use crate::schema::Cell;
use crate::sqlite::salvage::Salvage;

/// No origin file is longer: hosts have at most 255 characters.
const MAX_ORIGIN_BYTES: u64 = 1 << 16;

/// Takes all rows.
pub(in crate::local_storage) fn collect(
    salvage: &Salvage,
    path: &Path,
    collected: &mut Collected<'_>,
) -> Result<()> {
    let whose = whose(path, collected)?;
    let Some(table) = salvage.table("ItemTable") else { return Ok(()) };
    let mut without_key = 0;
    let flaw = table.for_each_row(["key", "value"], |[key, value]| {
        if matches!(key, Cell::Null) {
            without_key += 1;
            return Ok(());
        }
        collected.take(&whose, key.size_bytes() + value.size_bytes(), || {
            let key = key_of(&key, salvage.is_utf8())?;
            let value = value_of(&value, salvage.is_utf8())
                .map_err(|why| format!("its value cannot be read: {why}"))?;
            let size = key.len() as u64 + value.len() as u64;
            Ok(Found { item: Item { key, value }, size })
        });
        Ok(())
    })?;
    if without_key > 0 {
        let count = counted(without_key, "row");
        collected.tell(format!("left out: {count} without a key, which no page can have written"), false);
    }
    collected.tell_flaws(&flaw);
    Ok(())
}

/// UTF-16 with the low byte first; very old versions had texts.
fn value_of(value: &Cell<'_>, is_utf8: bool) -> std::result::Result<CodeUnits, String> {
    match value {
        Cell::Blob(bytes) if bytes.len() > 2 * MAX_UNITS => {
            Err(format!("it is longer than {MAX_UNITS} code units"))
        }
        Cell::Blob(bytes) => {
            CodeUnits::from_utf16le(bytes).ok_or_else(|| "it ends inside a code unit".to_owned())
        }
        text => units_of(text, is_utf8),
    }
}

/// By the file's name, or by the file `origin` in the folder above.
fn whose(path: &Path, collected: &mut Collected<'_>) -> Result<Whose> {
    let path = std::path::absolute(path).map_err(|error| Error::io("finding the file", path, error))?;
    let of_name = path.file_name().and_then(|name| name.to_str()).and_then(of_file_name);
    let folder = path.parent().and_then(Path::parent);
    let of_file = folder
        .filter(|_| of_name.is_none())
        .and_then(|folder| decode_origin_file(&read_origin_file(&folder.join("origin"))?));
    let is_damaged = folder.zip(of_file.as_ref()).is_some_and(|(folder, whose)| !fits_folders(folder, whose));
    if is_damaged {
        let message = "the file `origin` in the folder above is damaged: its two origins are not those that the names of the \
                       folders stand for";
        collected.tell(message, true);
    }
    let whose = of_name.or(of_file.filter(|_| !is_damaged));
    if whose.is_none() {
        let message = "nothing tells whose storage it is: the file `origin` in the folder above is not there or damaged; name this file itself, with its --origin";
        collected.tell(message, false);
    }
    Ok(whose.unwrap_or_default())
}

/// Whether the two origins are the same where the two folders are: one has the top-level origin's hash for its name, the
/// other in it that of the frame's.
fn fits_folders(folder: &Path, whose: &Whose) -> bool {
    /// Of SHA-256 in base64.
    const HASH_LENGTH: usize = 43;
    let name = |folder: &Path| folder.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let (Some(frame), Some(top)) = (name(folder), folder.parent().and_then(name)) else { return true };
    let is_hash = |name: &str| {
        let is_of_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        name.len() == HASH_LENGTH && name.bytes().all(is_of_base64)
    };
    // Folders of other names were copied to where they are.
    !is_hash(&frame) || !is_hash(&top) || (frame == top) == whose.partition.is_none()
}

/// `None` where it is not there, which is told.
fn read_origin_file(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_ORIGIN_BYTES).read_to_end(&mut bytes)).ok()?;
    Some(bytes)
}
