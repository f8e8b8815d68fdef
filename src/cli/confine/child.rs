//! The process that does the work: it confines itself before it opens anything foreign.

use parklite::error::{Error, ErrorKind, Result};
use parklite::run::Interrupt;

use super::linux;
use super::{CHILD_MARK, Confinement, Needs};

/// Which of the two processes this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Parent,
    Child,
    /// The process that started this one is gone, so nobody waits for what it does.
    Orphan,
}

fn role() -> Role {
    let mark = std::env::var(CHILD_MARK).ok().and_then(|mark| mark.parse::<u32>().ok());
    match (mark, parent_id()) {
        (None, _) => Role::Parent,
        (Some(mark), Some(parent)) if mark != parent => Role::Orphan,
        _ => Role::Child,
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere nobody knows")]
fn parent_id() -> Option<u32> {
    let parent = rustix::process::getppid();
    Some(parent.map_or(0, |parent| parent.as_raw_nonzero().get().unsigned_abs()))
}

#[cfg(not(unix))]
fn parent_id() -> Option<u32> {
    None
}

/// Confines this process if it is the one that does the work, and says what is in force; `None` in the other one.
///
/// Must be called before any thread is started: some of what confines holds for one thread and those it starts.
///
/// # Errors
/// [`ErrorKind::Failed`] where the process that started this one is gone; what handling signals says.
pub(crate) fn enter(needs: &Needs, interrupt: &Interrupt) -> Result<Option<Confinement>> {
    let gone = || Error::new(ErrorKind::Failed, "the process that started this one is gone");
    match role() {
        Role::Parent => return Ok(None),
        Role::Orphan => return Err(gone()),
        Role::Child => {}
    }
    stop_when_asked(interrupt)?;
    linux::end_with_parent();
    // It may have ended just before.
    if role() == Role::Orphan {
        return Err(gone());
    }
    Ok(Some(linux::confine(needs)))
}

/// The other process passes on by this signal that it was interrupted; asking twice is asking once.
#[cfg(unix)]
fn stop_when_asked(interrupt: &Interrupt) -> Result<()> {
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, interrupt.flag())
        .map(drop)
        .map_err(|error| Error::new(ErrorKind::Failed, "handling signals failed").because(error))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature everywhere")]
fn stop_when_asked(_interrupt: &Interrupt) -> Result<()> {
    Ok(())
}
