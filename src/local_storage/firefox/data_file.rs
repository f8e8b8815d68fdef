//! `ls/data.sqlite` in an origin's folder: one storage.
//!
//! Source: Firefox, `dom/localstorage/ActorsParent.cpp`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::origin::{of_folder_name, of_metadata, of_origin_and_suffix};
use super::value::{Stored, decode_value};
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::database::{Collected, Found, Whose, bytes_of, key_of, text_of};
use crate::local_storage::item::Item;
use crate::schema::Cell;
use crate::sqlite::salvage::Salvage;

/// The major version of the tables that this reads.
const KNOWN_VERSION: i32 = 5;
/// No origin has a metadata file that is longer.
const MAX_METADATA_BYTES: u64 = 1 << 20;

/// Takes all rows.
pub(in crate::local_storage) fn collect(
    salvage: &Salvage,
    path: &Path,
    collected: &mut Collected<'_>,
) -> Result<()> {
    let version = salvage.user_version() >> 4;
    if version > KNOWN_VERSION {
        let message = format!(
            "localStorage of Firefox of version {version}, and versions up to {KNOWN_VERSION} can be read"
        );
        return Err(Error::new(ErrorKind::NewerFormat, message).hint(
            "export it in the browser: JSON.stringify(localStorage) in the console of its developer tools",
        ));
    }
    let whose = whose(salvage, path, collected)?;
    let Some(table) = salvage.table("data") else { return Ok(()) };
    // Older versions had fewer columns, some of them with other names.
    let either = |new, old| if table.has(new) { new } else { old };
    let length = either("utf16_length", "utf16Length");
    let compression = either("compression_type", "compressed");
    let converts = table.has("conversion_type");
    let columns = ["key", length, "conversion_type", compression, "value"];
    let flaw = table.for_each_row(columns, |[key, length, conversion, compression, value]| {
        let conversion = if converts { conversion } else { Cell::Integer(1) };
        collected.take(&whose, key.size_bytes() + value.size_bytes(), || {
            let key = key_of(&key, salvage.is_utf8())?;
            let value = value_of(length, conversion, compression, value)
                .map_err(|why| format!("its value cannot be read: {why}"))?;
            let size = key.len() as u64 + value.len() as u64;
            Ok(Found { item: Item { key, value }, size })
        });
        Ok(())
    })?;
    collected.tell_flaws(&flaw);
    Ok(())
}

fn value_of(
    length: Cell<'_>,
    conversion: Cell<'_>,
    compression: Cell<'_>,
    value: Cell<'_>,
) -> std::result::Result<CodeUnits, String> {
    let (Cell::Integer(conversion_type), Cell::Integer(compression_type)) = (conversion, compression) else {
        return Err("nothing says how it is stored".to_owned());
    };
    let utf16_length = match length {
        Cell::Integer(length) => Some(length),
        Cell::Null => None,
        _ => return Err("its length is no number".to_owned()),
    };
    let bytes = bytes_of(&value).ok_or("it is neither a blob nor a text")?;
    decode_value(Stored { compression_type, conversion_type, utf16_length }, bytes)
}

/// By the database itself, else by the file beside its folder, else by the name of the folder above.
fn whose(salvage: &Salvage, path: &Path, collected: &mut Collected<'_>) -> Result<Whose> {
    let mut stated = None;
    let mut usage = None;
    if let Some(table) = salvage.table("database") {
        let flaw = table.for_each_row(["origin", "usage"], |[origin, size]| {
            if stated.is_none() {
                stated = text_of(&origin).and_then(of_origin_and_suffix);
                usage = if let Cell::Integer(size) = size { u64::try_from(size).ok() } else { None };
            }
            Ok(())
        })?;
        collected.tell_flaws(&flaw);
    }
    let path = std::path::absolute(path).map_err(|error| Error::io("finding the file", path, error))?;
    let folder = path.parent().and_then(Path::parent);
    let of_name = || folder.and_then(Path::file_name).and_then(|name| name.to_str()).and_then(of_folder_name);
    let of_file = || folder.and_then(|folder| of_metadata(&read_metadata(&folder.join(".metadata-v2"))?));
    let whose = if let Some(stated) = stated {
        if let Some(named) = of_name().filter(|named| *named != stated) {
            collected.tell(format!("the file is of {stated}, but its folder of {named}"), false);
        }
        stated
    } else {
        let found = of_file().or_else(of_name).unwrap_or_default();
        collected.tell(format!("the file does not say whose it is; by its folder, of {found}"), false);
        found
    };
    collected.note(&whose, None, usage);
    Ok(whose)
}

/// `None` where it is not there, or is no such file: it only matters where nothing else tells.
fn read_metadata(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_METADATA_BYTES).read_to_end(&mut bytes)).ok()?;
    Some(bytes)
}
