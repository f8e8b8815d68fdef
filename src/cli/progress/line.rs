//! Writes whole lines to a shared stream and never fails.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cli::text;

/// A stream that takes whole lines from any thread; what it cannot take is lost without a word.
pub(super) struct LineWriter<W>(Mutex<W>);

impl<W: Write> LineWriter<W> {
    pub(super) fn new(stream: W) -> Self {
        Self(Mutex::new(stream))
    }

    /// Writes one line in one piece. Progress is a courtesy: a closed stream must not end a run.
    pub(super) fn write(&self, line: &str) {
        let mut stream = lock(&self.0);
        let _ = stream.write_all(format!("{line}\n").as_bytes());
        let _ = stream.flush();
    }

    /// Writes a note for people.
    pub(super) fn write_note(&self, message: &str) {
        self.write(&note_line(message));
    }

    /// What was written so far.
    #[cfg(test)]
    pub(super) fn written(&self) -> String
    where
        W: AsRef<[u8]>,
    {
        String::from_utf8_lossy(lock(&self.0).as_ref()).into_owned()
    }
}

/// A note as one harmless line.
pub(super) fn note_line(message: &str) -> String {
    format!("note: {}", text::one_line(message))
}

/// Locks, even after a panic elsewhere: what is guarded here stays meaningful.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
