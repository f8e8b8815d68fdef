//! Putting a large file onto the disk while more of it is being written.
//!
//! What is left for the sync before publishing is then little. That sync is still made: this one only begins early, and
//! promises nothing but to tell of an error, since the system may tell of each only once.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// After so many bytes what has been written is synced; smaller files never are.
const EACH_BYTES: u64 = 32 * 1024 * 1024;

/// A thread that syncs a file, one sync at a time, as long as it is being written.
#[derive(Debug, Default)]
pub struct SyncAhead {
    /// Bytes written since the last sync began.
    written_bytes: u64,
    thread: Option<(SyncSender<()>, JoinHandle<io::Result<()>>)>,
}

impl SyncAhead {
    /// Says that `bytes` more have been written to `file`, always the same one; never waits.
    pub fn wrote(&mut self, file: &File, bytes: u64) {
        self.written_bytes = self.written_bytes.saturating_add(bytes);
        if self.written_bytes < EACH_BYTES {
            return;
        }
        if self.thread.is_none() {
            let Some(thread) = start(file) else { return };
            self.thread = Some(thread);
        }
        // One sync may wait while another is under way, and none follows one that failed.
        if self.thread.as_ref().is_some_and(|(asked, _)| asked.try_send(()).is_ok()) {
            self.written_bytes = 0;
        }
    }

    /// Waits for the sync that is under way.
    ///
    /// # Errors
    /// What a sync said: then some of the file may be lost, whatever a later sync says.
    pub fn finish(mut self) -> io::Result<()> {
        self.stop()
    }

    fn stop(&mut self) -> io::Result<()> {
        let Some((asked, thread)) = self.thread.take() else { return Ok(()) };
        drop(asked);
        thread.join().unwrap_or_else(|_| Err(io::Error::other("a syncing thread stopped")))
    }
}

impl Drop for SyncAhead {
    fn drop(&mut self) {
        // The file is given up as well; only its handle must be closed before it is removed.
        let _ = self.stop();
    }
}

fn start(file: &File) -> Option<(SyncSender<()>, JoinHandle<io::Result<()>>)> {
    let file = file.try_clone().ok()?;
    let (asked, asking) = sync_channel(1);
    let sync = move |asking: Receiver<()>| asking.iter().try_for_each(|()| file.sync_data());
    // Where the system has no thread or handle left, the sync before publishing does it all.
    let thread = Builder::new().spawn(move || sync(asking)).ok()?;
    Some((asked, thread))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_is_synced_while_it_is_written_and_a_small_one_is_not() {
        let file = tempfile::tempfile().expect("a temporary file");
        let mut ahead = SyncAhead::default();
        ahead.wrote(&file, EACH_BYTES - 1);
        assert!(ahead.thread.is_none() && ahead.written_bytes == EACH_BYTES - 1);
        ahead.wrote(&file, 1);
        assert!(ahead.thread.is_some() && ahead.written_bytes == 0);
        ahead.finish().expect("synced");
    }

    #[cfg(unix)]
    #[test]
    fn an_error_of_an_early_sync_is_told_at_the_end() {
        // A pipe cannot be synced.
        let (_reader, writer) = io::pipe().expect("a pipe");
        let file = File::from(std::os::fd::OwnedFd::from(writer));
        let mut ahead = SyncAhead::default();
        ahead.wrote(&file, EACH_BYTES);
        ahead.wrote(&file, EACH_BYTES);
        ahead.finish().expect_err("not synced");
    }
}
