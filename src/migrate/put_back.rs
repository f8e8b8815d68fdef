//! Putting it back: what all sources had, merged, as a file for Playwright or a text for a browser's console.
//!
//! It is made of the database that the run imports into, which has every untouched value of every run, in the run's own
//! transaction; so a dry run makes the same. Without a database it is made of what this run's sources have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;

use super::MigrateOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::local_storage::code_units::CodeUnits;
use crate::local_storage::put_back::{Capture, Restored, console, merged, storage_state};
use crate::sqlite::events::{EventStore, StoredCapture, StoredValue};

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
    /// Those with several values, or of which something is to be told.
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
    /// Sessions of others that are not put back, or not as completed as they were there.
    pub left_out: u64,
    /// What is not in it, and why.
    pub notes: Vec<String>,
}

/// Makes the text.
pub(super) fn make(
    store: &EventStore,
    put_back: &PutBackOptions,
    options: &MigrateOptions,
) -> Result<PutBackReport> {
    let mut making =
        Making { options, only: only_origin(store, options)?, storages: BTreeMap::new(), partitioned: 0 };
    let mut of_key: Vec<StoredCapture> = Vec::new();
    store.captures(&mut |capture| {
        if of_key.first().is_some_and(|first| first.store_key != capture.store_key) {
            making.key(std::mem::take(&mut of_key));
        }
        of_key.push(capture);
        Ok(())
    })?;
    making.key(of_key);
    let (mut storages, mut origins) = (Vec::new(), Vec::new());
    for (origin, (items, merged)) in making.storages {
        origins.push(PutBackOrigin { origin: origin.clone(), keys: items.len() as u64, merged });
        storages.push(Restored { origin, items });
    }
    Ok(PutBackReport {
        form: put_back.form,
        output: put_back.output.clone(),
        origins,
        partitioned: making.partitioned,
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
    let mut origins: BTreeSet<String> = options.origins.iter().cloned().collect();
    if origins.is_empty() {
        store.captures(&mut |capture| {
            origins.extend(capture.origin);
            Ok(())
        })?;
    }
    let first = origins.pop_first();
    Ok(first.filter(|_| origins.is_empty()))
}

type Items = Vec<(CodeUnits, CodeUnits)>;

struct Making<'a> {
    options: &'a MigrateOptions,
    only: Option<String>,
    storages: BTreeMap<Option<String>, (Items, Vec<PutBackKey>)>,
    partitioned: u64,
}

impl PutBackReport {
    /// How many sessions are in the database and not in what is put back, since they fit no store there.
    #[must_use]
    pub fn sessions_left_out(&self) -> u64 {
        let keys = self.origins.iter().flat_map(|origin| &origin.merged);
        keys.map(|key| key.left_out).sum()
    }
}

impl Making<'_> {
    /// Takes all captures of one key, the latest last.
    fn key(&mut self, captures: Vec<StoredCapture>) {
        let mut of_origins: BTreeMap<Option<String>, Vec<Capture>> = BTreeMap::new();
        let mut key = CodeUnits::default();
        let wanted = &self.options.origins;
        for capture in captures {
            if capture.origin.as_ref().is_some_and(|origin| !wanted.is_empty() && !wanted.contains(origin)) {
                continue;
            }
            if capture.partition.is_some() {
                self.partitioned += 1;
                continue;
            }
            key = CodeUnits::from_wtf8(&capture.store_key).unwrap_or_default();
            let value = match capture.value {
                StoredValue::Text(text) => CodeUnits::from(&*text),
                StoredValue::Utf16Le(units) => CodeUnits::from_utf16le(&units).unwrap_or_default(),
            };
            let mut is_of_origin = capture.origin.is_some();
            let values = of_origins.entry(capture.origin.or_else(|| self.only.clone())).or_default();
            // Where a dump that does not say whose it is has the same.
            values.retain(|other| {
                let is_other = other.value != value;
                is_of_origin |= !is_other && other.is_of_origin;
                is_other
            });
            values.push(Capture { value, seen: capture.seen, is_of_origin });
        }
        for (origin, values) in of_origins {
            let Some(merged) = merged(&self.options.mapping, origin.as_deref(), &key, &values) else {
                continue;
            };
            let (items, told) = self.storages.entry(origin).or_default();
            if values.len() > 1 || !merged.notes.is_empty() {
                told.push(PutBackKey {
                    key: key.to_string(),
                    values: values.len() as u64,
                    added: merged.added,
                    changed: merged.changed,
                    left_out: merged.left_out,
                    notes: merged.notes,
                });
            }
            items.push((key.clone(), merged.value));
        }
    }
}
