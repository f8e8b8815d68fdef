//! The pages of a column chunk, handed out one at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};

/// Lets a reader of pages go on to the next data page once.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Arc<AtomicBool>);

impl Gate {
    pub(super) fn open(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether no data page was taken since it was opened.
    pub(super) fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Pages that seem to end wherever the gate is shut.
///
/// A column reader asked for rows goes through as many pages as that takes, and rows keep their pages in memory. So
/// that large rows do not pile up, whoever asks decides before each page whether there is room for another one.
pub(super) struct GatedPages<P> {
    pages: P,
    gate: Gate,
    most_values: u32,
}

impl<P: PageReader> GatedPages<P> {
    /// `most_values`: how many values a page may claim. The values of a list are read all at once, and a few bytes can
    /// claim billions.
    pub(super) fn new(pages: P, gate: Gate, most_values: u32) -> Self {
        Self { pages, gate, most_values }
    }
}

impl<P: PageReader> PageReader for GatedPages<P> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        if !self.gate.is_open() {
            return Ok(None);
        }
        let page = self.pages.get_next_page()?;
        if let Some(page) = page.as_ref().filter(|page| page.is_data_page()) {
            self.gate.0.store(false, Ordering::Relaxed);
            if page.num_values() > self.most_values {
                let message = format!("a page of a nested column claims {} values", page.num_values());
                return Err(ParquetError::General(message));
            }
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

impl<P: PageReader> Iterator for GatedPages<P> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
