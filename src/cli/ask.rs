//! Asking a person, where there is one.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::Builder;
use std::time::Duration;

use parklite::error::{Error, ErrorKind, Result};
use parklite::run::Interrupt;

/// How often a wait for an answer looks whether the run was interrupted.
const PATIENCE: Duration = Duration::from_millis(50);

/// Asks a yes-or-no question on the terminal; `None` where nobody can answer. No answer is a no.
///
/// # Errors
/// `Interrupted`; `Failed` where the terminal fails.
pub(crate) fn ask(question: &str, interrupt: &Interrupt) -> Result<Option<bool>> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(None);
    }
    let failed = |error| Error::new(ErrorKind::Failed, "asking on the terminal failed").because(error);
    let mut stderr = std::io::stderr();
    write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush()).map_err(failed)?;
    // A read is taken up again after a signal, so another thread does it; it ends with the program.
    let (sender, receiver) = channel();
    let read = move || {
        let mut answer = String::new();
        let _ = sender.send(std::io::stdin().lock().read_line(&mut answer).map(|_| answer));
    };
    Builder::new().spawn(read).map_err(failed)?;
    let answer = loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(answer) => break answer.map_err(failed)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break String::new(),
        }
        if let Err(interrupted) = interrupt.check() {
            let _ = writeln!(stderr);
            return Err(interrupted);
        }
    };
    Ok(Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")))
}
