//! Whether a file is as long as it says: a cut one is told, and its copy made to say how long it is.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::durable::Stage;
use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::journal_records::Beside;
use crate::sqlite::wal_frames::WalFrames;

/// How long the main file is, and how long it says it is.
///
/// Source: SQLite, "Database File Format", section 1.3.
pub(super) struct Length {
    pub(super) is_in_wal_mode: bool,
    /// As its journal ought to have it.
    pub(super) beside: Beside,
    change_counter: [u8; 4],
    /// Pages that are there from their first to their last byte.
    whole_pages: u64,
    /// Pages that ought to be there.
    stated_pages: u64,
}

impl Length {
    const CHANGE_COUNTER_AT: usize = 24;
    const PAGES_AT: usize = 28;
    const PAGES_VALID_FOR_AT: usize = 92;

    pub(super) fn of(copy: &Path) -> Result<Self> {
        let failed = |error| Error::io("reading the copy of a database", copy, error);
        let file = File::open(copy).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let mut header = Vec::new();
        file.take(100).read_to_end(&mut header).map_err(failed)?;
        header.resize(100, 0);
        let four = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
        let page_bytes = match u32::from(u16::from_be_bytes([header[16], header[17]])) {
            1 => 65_536,
            // SQLite will say that it is no database.
            0 => 512,
            bytes => bytes,
        };
        let change_counter = four(Self::CHANGE_COUNTER_AT);
        let stated = u32::from_be_bytes(four(Self::PAGES_AT));
        let is_stated = change_counter == four(Self::PAGES_VALID_FOR_AT) && stated > 0;
        let begun_pages = size.div_ceil(u64::from(page_bytes));
        Ok(Self {
            is_in_wal_mode: header[18] == 2 || header[19] == 2,
            beside: Beside { page_bytes, stated_pages: is_stated.then_some(stated) },
            change_counter,
            whole_pages: size / u64::from(page_bytes),
            stated_pages: if is_stated { begun_pages.max(u64::from(stated)) } else { begun_pages },
        })
    }

    /// Fails where pages are missing that the WAL does not have: SQLite would make up pages of zeros in their place.
    pub(super) fn check_covered(&self, wal: &WalFrames) -> Result<()> {
        let missing = self.stated_pages.saturating_sub(self.whole_pages);
        if missing <= wal.committed_pages.len() as u64 {
            let mut pages = self.whole_pages + 1..=self.stated_pages;
            let has = |page| u32::try_from(page).is_ok_and(|page| wal.committed_pages.contains(&page));
            if pages.all(has) {
                return Ok(());
            }
        }
        let message = format!(
            "the file ends after page {} of {}, and its WAL lacks the rest",
            self.whole_pages, self.stated_pages
        );
        Err(Error::new(ErrorKind::Damaged, message).hint("copy it again, with the file that ends in -wal"))
    }

    /// Makes the copy of a file that was cut say how many pages it has, so that SQLite reads those.
    pub(super) fn fit(&self, copy: &Path, stage: &Stage) -> Result<Option<String>> {
        let whole = u32::try_from(self.whole_pages).unwrap_or(0);
        if self.whole_pages == self.stated_pages || whole == 0 {
            return Ok(None);
        }
        let name = copy.file_name().map_or(copy, Path::new);
        stage.overwrite(name, Self::PAGES_AT as u64, &whole.to_be_bytes())?;
        stage.overwrite(name, Self::PAGES_VALID_FOR_AT as u64, &self.change_counter)?;
        Ok(Some(format!("the file was cut: it ends after page {whole} of {}", self.stated_pages)))
    }
}
