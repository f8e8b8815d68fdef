//! The styles that show no progress.

use std::io::Write;

use parklite::progress::{Phase, Progress};

use super::Reporter;
use super::line::LineWriter;

/// Shows notes and nothing else.
pub(super) struct NotesOnly<W>(LineWriter<W>);

impl<W: Write> NotesOnly<W> {
    pub(super) fn new(lines: LineWriter<W>) -> Self {
        Self(lines)
    }
}

impl<W: Write + Send> Progress for NotesOnly<W> {
    fn set_run_total(&self, _bytes: u64) {}
    fn begin(&self, _phase: Phase<'_>) {}
    fn advance(&self, _rows: u64, _bytes: u64) {}
    fn end(&self) {}
    fn note(&self, message: &str) {
        self.0.write_note(message);
    }
}

impl<W: Write + Send> Reporter for NotesOnly<W> {
    fn finish(&self) {}
}

/// Shows nothing.
pub(super) struct Quiet;

impl Progress for Quiet {
    fn set_run_total(&self, _bytes: u64) {}
    fn begin(&self, _phase: Phase<'_>) {}
    fn advance(&self, _rows: u64, _bytes: u64) {}
    fn end(&self) {}
    fn note(&self, _message: &str) {}
}

impl Reporter for Quiet {
    fn finish(&self) {}
}

#[cfg(test)]
mod tests {
    use parklite::progress::PhaseKind;

    use super::*;

    #[test]
    fn without_progress_notes_are_still_shown() {
        let notes = NotesOnly::new(LineWriter::new(Vec::new()));
        notes.begin(Phase { kind: PhaseKind::Copying, subject: "", total_rows: None, total_bytes: None });
        notes.advance(1, 1);
        notes.note("the source is busy");
        notes.end();
        assert_eq!(notes.0.written(), "note: the source is busy\n");
    }
}
