//! Asking a person, where there is one.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// Asks a yes-or-no question on the terminal; `None` where nobody can answer.
pub(crate) fn ask(question: &str) -> Option<bool> {
    let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
    if !stdin.is_terminal() || !stderr.is_terminal() {
        return None;
    }
    write!(stderr, "{question} [y/N] ").ok()?;
    stderr.flush().ok()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).ok()?;
    Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
