//! What every verb is handed besides its options: who listens, what time it is, and whether to stop; and threads that
//! help. `thread::spawn` and its kin panic where the system has no thread left: they are used nowhere else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;

/// Set from a signal handler; polled by every loop that can take long.
///
/// Clones share one state: a handler, the verbs and the databases' progress callbacks each hold one.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// An interrupt that has not happened.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the run to stop and clean up.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The flag itself, for a signal handler to set.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Whether the run was asked to stop.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Fails once the run was asked to stop.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`].
    pub fn check(&self) -> Result<()> {
        if self.is_set() {
            return Err(Error::new(ErrorKind::Interrupted, "interrupted; nothing partial was published"));
        }
        Ok(())
    }
}

/// What ends the process where something in it can no longer be stopped.
static LAST_RESORT: OnceLock<fn(&Error)> = OnceLock::new();

/// Says what ends the process, after telling the error, where a run can no longer end by itself: in a call that nothing
/// interrupts. The library itself never exits; without this, such a call goes on. The first one given counts.
pub fn set_last_resort(end: fn(&Error)) {
    LAST_RESORT.get_or_init(|| end);
}

/// Ends the process, where the program said how.
pub(crate) fn resort_to_the_last(error: &Error) {
    if let Some(end) = LAST_RESORT.get() {
        end(error);
    }
}

/// Starts a thread of `scope`.
///
/// # Errors
/// [`ErrorKind::Failed`] where the system has no thread left for this program.
pub(crate) fn start_thread<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>> {
    Builder::new().spawn_scoped(scope, work).map_err(no_thread)
}

/// Starts a thread that nobody waits for, for a call that ends by itself but that nothing interrupts.
///
/// # Errors
/// [`ErrorKind::Failed`] where the system has no thread left for this program.
pub(crate) fn start_lone_thread(work: impl FnOnce() + Send + 'static) -> Result<()> {
    Builder::new().spawn(work).map(|_| ()).map_err(no_thread)
}

fn no_thread(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Failed, "a thread cannot be started")
        .hint("too much is running: end something, or raise the limits on processes (`ulimit -u`) and memory")
        .because(error)
}

/// The surroundings of one run of one verb.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Who hears how far it is.
    pub progress: &'a dyn Progress,
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// Whether to stop.
    pub interrupt: &'a Interrupt,
}
