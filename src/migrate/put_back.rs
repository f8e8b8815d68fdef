//! Putting it back: what all sources had, merged, as a file for Playwright or a text for a browser's console.
//!
//! It is made of the database that the run imports into, which has every untouched value of every run, in the run's own
//! transaction; so a dry run makes the same. Without a database it is made of what this run's sources have.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::MigrateOptions;
use super::report::MAX_TOLD;
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::put_back::{Capture, Merging, Restored, console, storage_state};
use crate::run::Run;
use crate::sqlite::events::{EventStore, StoredCapture, StoredValue, Wanted};

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PutBackForm {
    /// A file for Playwright's `storageState`.
    StorageState,
    /// A text to paste into the console of a browser.
    Console,
}

/// What is made, and where it goes.
#[derive(Debug, Clone)]
pub struct PutBackOptions {
    /// Which form.
    pub form: PutBackForm,
    /// A file that is not there yet; where none is named, the report has the text.
    pub output: Option<PathBuf>,
}

/// What was made.
#[derive(Debug, Clone, Serialize)]
pub struct PutBackReport {
    /// In which form.
    pub form: PutBackForm,
    /// The file.
    #[serde(serialize_with = "crate::report::lossy_path_if_any")]
    pub output: Option<PathBuf>,
    /// Whose storage.
    pub origins: Vec<PutBackOrigin>,
    /// Values of storage set apart from its origin's own, which cannot be put back.
    pub partitioned: u64,
    /// Sessions, and other elements of their lists, that are in the database and not in what is put back.
    pub left_out: u64,
    /// The text itself.
    #[serde(skip)]
    pub text: String,
}

/// The storage of one origin.
#[derive(Debug, Clone, Serialize)]
pub struct PutBackOrigin {
    /// Whose it is; none where nobody knows.
    pub origin: Option<String>,
    /// Its keys, all of them.
    pub keys: u64,
    /// How many keys have several values, or something that is to be told.
    pub keys_merged: u64,
    /// Those, or the first of very many.
    pub merged: Vec<PutBackKey>,
}

/// What became of the values of one key.
#[derive(Debug, Clone, Serialize)]
pub struct PutBackKey {
    /// The key.
    pub key: String,
    /// How many different values there are.
    pub values: u64,
    /// Elements that the one did not have that is the base.
    pub added: u64,
    /// Elements of it that got something of another.
    pub changed: u64,
    /// Elements of others that are no sessions, put in as they are.
    pub as_they_are: u64,
    /// Sessions of others that are not put back, or not as completed as they were there.
    pub left_out: u64,
    /// Elements of others that are no sessions and are not put back.
    pub elements_left_out: u64,
    /// What is not in it, and why.
    pub notes: Vec<String>,
}

/// Makes the text.
pub(super) fn make(
    store: &EventStore,
    put_back: &PutBackOptions,
    options: &MigrateOptions,
    run: Run<'_>,
) -> Result<PutBackReport> {
    let origins = &options.origins;
    let only = only_origin(store, options)?;
    let wanted = Wanted { origins, unnamed: only.as_deref() };
    let mut making = Making { options, of_key: None, storages: BTreeMap::new(), left_out: 0 };
    store.captures(wanted, &mut |capture| {
        run.interrupt.check()?;
        making.take(capture)
    })?;
    making.end_key();
    let (mut storages, mut origins_told) = (Vec::new(), Vec::new());
    for (origin, Made { items, keys_merged, merged }) in making.storages {
        let keys = items.len() as u64;
        origins_told.push(PutBackOrigin { origin: origin.clone(), keys, keys_merged, merged });
        storages.push(Restored { origin, items });
    }
    Ok(PutBackReport {
        form: put_back.form,
        output: put_back.output.clone(),
        origins: origins_told,
        partitioned: store.partitioned_captures(origins)?,
        left_out: making.left_out,
        text: text_of(put_back.form, &storages)?,
    })
}

fn text_of(form: PutBackForm, storages: &[Restored]) -> Result<String> {
    let unnamed = storages.iter().any(|storage| storage.origin.is_none());
    let name_it = |message: &str| {
        Err(Error::new(ErrorKind::Usage, message).hint("name the origin: --origin https://app.example"))
    };
    match (form, storages) {
        (_, []) => {
            Err(Error::new(ErrorKind::Usage, "there is nothing to put back: the database has no value").hint(
                "no store is known here: --map names a mapping file, --all-keys keeps the value of every key",
            ))
        }
        (PutBackForm::StorageState, _) if unnamed => {
            name_it("some of the dumps do not say whose storage they are, and Playwright needs to know")
        }
        (PutBackForm::Console, _) if unnamed => {
            name_it("some of the dumps do not say whose storage they are, and a console is of one page")
        }
        (PutBackForm::StorageState, _) => Ok(storage_state(storages)),
        (PutBackForm::Console, [storage]) => Ok(console(storage)),
        (PutBackForm::Console, _) => name_it("a console is of one origin, and there is storage of several"),
    }
}

/// The one origin that is meant, also where a dump does not say whose it is.
fn only_origin(store: &EventStore, options: &MigrateOptions) -> Result<Option<String>> {
    let mut origins = match &*options.origins {
        [] => store.capture_origins()?,
        named => named.iter().cloned().collect(),
    };
    let first = origins.pop_first();
    Ok(first.filter(|_| origins.is_empty()))
}

/// What is put back of one origin.
#[derive(Default)]
struct Made {
    items: Vec<(CodeUnits, CodeUnits)>,
    keys_merged: u64,
    merged: Vec<PutBackKey>,
}

struct Making<'a> {
    options: &'a MigrateOptions,
    /// The key that is under way.
    of_key: Option<OfKey<'a>>,
    storages: BTreeMap<Option<String>, Made>,
    left_out: u64,
}

struct OfKey<'a> {
    origin: Option<String>,
    key: CodeUnits,
    /// The key as it is stored.
    store_key: Vec<u8>,
    merging: Merging<'a>,
}

impl Making<'_> {
    /// Takes a capture; of those of one key and origin the first is the base.
    ///
    /// # Errors
    /// `Damaged` where the database has what was never written to it: it must not be put back as something else.
    fn take(&mut self, capture: StoredCapture) -> Result<()> {
        let StoredCapture { origin, is_of_origin, store_key, seen, value } = capture;
        let value = match value {
            StoredValue::Text(text) => CodeUnits::from(&*text),
            StoredValue::Utf16Le(units) => {
                CodeUnits::from_utf16le(&units).ok_or_else(|| changed("a value in original_values"))?
            }
        };
        let capture = Capture { value, seen, is_of_origin };
        match &mut self.of_key {
            Some(of_key) if of_key.store_key == store_key && of_key.origin == origin => {
                of_key.merging.add(capture);
            }
            _ => {
                self.end_key();
                let key = CodeUnits::from_wtf8(&store_key)
                    .ok_or_else(|| changed("a store_key in event_sources"))?;
                let merging = Merging::new(&self.options.mapping, origin.as_deref(), &key, capture);
                self.of_key = Some(OfKey { origin, key, store_key, merging });
            }
        }
        Ok(())
    }

    fn end_key(&mut self) {
        let Some(OfKey { origin, key, merging, .. }) = self.of_key.take() else { return };
        let merged = merging.finish();
        self.left_out += merged.left_out + merged.elements_left_out;
        let made = self.storages.entry(origin).or_default();
        if merged.values > 1 || !merged.notes.is_empty() {
            made.keys_merged += 1;
            if made.merged.len() < MAX_TOLD {
                made.merged.push(PutBackKey {
                    key: key.to_string(),
                    values: merged.values,
                    added: merged.added,
                    changed: merged.changed,
                    as_they_are: merged.as_they_are,
                    left_out: merged.left_out,
                    elements_left_out: merged.elements_left_out,
                    notes: merged.notes,
                });
            }
        }
        made.items.push((key, merged.value));
    }
}

fn changed(what: &str) -> Error {
    Error::new(ErrorKind::Damaged, format!("{what} is not text as it was imported: something has changed it"))
        .hint("import the dumps into a new database, and put back from there")
}
