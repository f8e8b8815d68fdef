//! What the two output streams are: a terminal or not, how wide, coloured or not.
//!
//! The only place that asks; everything else is told. Colours need a terminal that is not dumb and an
//! environment without `NO_COLOR` (any value but the empty one switches them off).

use std::ffi::OsStr;
use std::io::IsTerminal;

/// The width taken where a terminal does not tell, in cells.
const DEFAULT_WIDTH: usize = 80;

/// What one output stream can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// Whether the cursor can be moved, so that lines can be redrawn.
    pub(crate) can_redraw: bool,
    /// Whether colours are welcome.
    pub(crate) color: bool,
}

impl Terminal {
    /// The standard error stream of this process.
    pub(crate) fn stderr() -> Self {
        Self::of(std::io::stderr().is_terminal())
    }

    fn of(is_terminal: bool) -> Self {
        let term = std::env::var_os("TERM");
        let no_color = std::env::var_os("NO_COLOR");
        Self::from_facts(is_terminal, term.as_deref(), no_color.as_deref())
    }

    /// A missing `TERM` means a dumb terminal, except on Windows, where it is usually not set.
    fn from_facts(is_terminal: bool, term: Option<&OsStr>, no_color: Option<&OsStr>) -> Self {
        let dumb = term.map_or(!cfg!(windows), |term| term == "dumb");
        let can_redraw = is_terminal && !dumb;
        Self { can_redraw, color: can_redraw && no_color.is_none_or(OsStr::is_empty) }
    }
}

/// The present width of the terminal on the standard error stream in cells, or a usual one.
pub(crate) fn stderr_width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr())
        .map_or(DEFAULT_WIDTH, |(width, _)| usize::from(width.0).max(1))
}

/// The present width of the terminal on the standard output stream in cells; `None` where it is none.
pub(crate) fn stdout_width() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(is_terminal: bool, term: Option<&str>, no_color: Option<&str>) -> (bool, bool) {
        let terminal = Terminal::from_facts(is_terminal, term.map(OsStr::new), no_color.map(OsStr::new));
        (terminal.can_redraw, terminal.color)
    }

    #[test]
    fn colours_need_a_real_terminal_and_no_objection() {
        assert_eq!(facts(true, Some("xterm"), None), (true, true));
        assert_eq!(facts(true, Some("xterm"), Some("")), (true, true));
        assert_eq!(facts(true, Some("xterm"), Some("1")), (true, false));
        assert_eq!(facts(true, Some("dumb"), None), (false, false));
        assert_eq!(facts(false, Some("xterm"), None), (false, false));
    }
}
