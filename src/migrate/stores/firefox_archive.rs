//! What Firefox kept for all origins together (`webappsstore.sqlite`, `storage/ls-archive.sqlite`) beside what it keeps for
//! each by itself (`storage/default/<site>/ls/data.sqlite`): where a storage is in both, the latter is the newer one.
//!
//! The one time of the old file says nothing of a single storage: it moves when any of them is written, and by a copy.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{BrowserDatabase, StoreReader as _};
use crate::local_storage::database::Whose;
use crate::local_storage::firefox::origin::{of_folder_name, of_metadata};
use crate::local_storage::item::Problem;
use crate::local_storage::moment::Moment;
use crate::migrate::inputs::Looks;

/// When the newer files of the same profile were changed last.
#[derive(Debug, Default)]
pub(super) struct NewerFiles {
    changed_at: BTreeMap<Whose, Moment>,
    /// Of the old file.
    own: Option<Moment>,
}

impl NewerFiles {
    /// Those of the profile that the old file at `path` is in.
    pub(super) fn beside(path: &Path) -> Self {
        let mut found =
            Self { own: BrowserDatabase.looks(path).ok().and_then(Looks::modified_at), ..Self::default() };
        for folder in folders(path) {
            let file = folder.join("ls/data.sqlite");
            let whose = metadata_in(&folder)
                .and_then(|bytes| of_metadata(&bytes))
                .or_else(|| of_folder_name(folder.file_name()?.to_str()?));
            let changed_at = BrowserDatabase.looks(&file).ok().and_then(Looks::modified_at);
            if let (Some(whose), Some(changed_at)) = (whose, changed_at) {
                found.changed_at.insert(whose, changed_at);
            }
        }
        found
    }

    /// Makes the times of storages that are in newer files as well older than these; what is to be said of it.
    pub(super) fn date<'s>(
        &self,
        storages: impl Iterator<Item = (&'s Option<String>, &'s Option<String>, &'s mut Option<i64>)>,
        path: &Path,
    ) -> Option<Problem> {
        let mut count = 0;
        for (origin, partition, changed_at_us) in storages {
            let whose = Whose { origin: origin.clone(), partition: partition.clone() };
            if let Some(newer) = self.newer_than_own(&whose) {
                count += 1;
                *changed_at_us =
                    newer.ms().checked_sub(1).and_then(|ms| ms.checked_mul(1000)).or(*changed_at_us);
            }
        }
        let message = match count {
            0 => return None,
            1 => "1 storage is in a newer file of the profile as well, and counts as older than that, whatever the \
                  files' times are"
                .to_owned(),
            count => format!(
                "{count} storages are in newer files of the profile as well, and count as older than these, whatever \
                 the files' times are"
            ),
        };
        let place = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Some(Problem { place, message, may_lose_items: false })
    }

    /// The time of the newer file of this storage, where the old file's own time is not before it anyway.
    fn newer_than_own(&self, whose: &Whose) -> Option<Moment> {
        let newer = *self.changed_at.get(whose)?;
        self.own.is_none_or(|own| own >= newer).then_some(newer)
    }
}

/// What is beside the folder `ls`, and says whose it is.
fn metadata_in(folder: &Path) -> Option<Vec<u8>> {
    /// No origin's is longer.
    const MAX_BYTES: u64 = 1 << 20;
    let mut bytes = Vec::new();
    File::open(folder.join(".metadata-v2"))
        .and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes))
        .ok()?;
    Some(bytes)
}

/// The folders of origins in the profile of the old file at `path`.
fn folders(path: &Path) -> Vec<PathBuf> {
    let beside = path.parent().unwrap_or(Path::new(""));
    let is_archive = path.file_name().is_some_and(|name| name == "ls-archive.sqlite");
    let parent = if is_archive { beside.join("default") } else { beside.join("storage/default") };
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}
