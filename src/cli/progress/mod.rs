//! How far a run is, on the standard error stream: as a bar, as lines, as JSON events, or not at all.
//!
//! Workers only add to counters ([`meter`]); a ticker looks at them and prints. Every style is told the same
//! and counts the same, and no style can fail a run: a closed stream or a broken pipe is ignored.
//!
//! **What is counted.** A phase counts its rows and bytes against its own totals. Totals may be estimates and
//! are marked `~` where they are shown; one that is exceeded was wrong and is dropped, with its percentage
//! and the time left. Rates are averages since the phase began, and the time left follows from them.
//!
//! **What is not pretended.** A run passes over the same bytes several times (exporting, matching, hashing),
//! so there is no percentage of the run. The upper line of the bar shows the pass that is under way, such as
//! exporting over all tables, against the run's total, and how long the whole run has lasted. Passes that do
//! not cover the run's bytes (sorting, hashing, indexing, checking) show no percentage there.
//!
//! **Plain lines.** One line every five seconds about the phase under way, and one at the end of each phase
//! that lasted longer than that; a run that is quicker prints nothing.
//!
//! ```text
//! exporting events: 1,250,000 rows (62 %), 312 MiB, 410,000 rows/s, about 8 s left
//! exporting events: done, 2,010,312 rows, 502 MiB in 12 s
//! note: waiting for a lock
//! ```
//!
//! **JSON events.** One JSON object per line:
//!
//! ```text
//! {"event":"run","total_bytes":4402341478}
//! {"event":"begin","phase":"exporting","subject":"events","rows":0,"total_rows":2010312,"bytes":0,"total_bytes":null,"elapsed_ms":0}
//! {"event":"progress", …the same keys… }      at most five a second while something moves, else one
//! {"event":"end", …the same keys… }
//! {"event":"note","message":"waiting for a lock"}
//! ```
//!
//! `phase` is the verb, `subject` the exact name of the table or file, empty for several tables at once and for
//! the whole database; `elapsed_ms` counts from the phase's beginning; a total that is not known or was exceeded is `null`.
//! A phase without an `end` did not end: the run failed or was interrupted.

mod bar;
mod events;
mod line;
mod meter;
mod plain;
mod silent;
mod ticker;

use std::time::{Duration, Instant};

use clap::ValueEnum;
use parklite::progress::Progress;

use self::bar::Bar;
use self::events::Events;
use self::line::LineWriter;
use self::meter::Meter;
use self::plain::PlainLines;
use self::silent::{NotesOnly, Quiet};
use self::ticker::Ticking;
use super::terminal::{self, Terminal};

/// How often plain progress is told, and how long a phase lasts at least to be told about at its end.
const PLAIN_INTERVAL: Duration = Duration::from_secs(5);

/// How often the plain style looks whether a line is due.
const PLAIN_TICK: Duration = Duration::from_millis(250);

/// The least time between two JSON progress events.
const EVENT_TICK: Duration = Duration::from_millis(200);

/// What was typed: `--progress`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressChoice {
    /// A bar on a terminal, plain lines elsewhere
    #[default]
    Auto,
    /// A bar that is redrawn; plain lines where stderr is no terminal
    Bar,
    /// A line every five seconds
    Plain,
    /// One JSON object per line
    Json,
    /// Nothing but notes
    None,
}

/// What it means: the style a run is reported in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgressStyle {
    /// Two lines that are redrawn.
    Bar,
    /// A line every few seconds.
    Plain,
    /// One JSON object per line.
    Json,
    /// Notes only.
    None,
    /// Not even notes.
    Quiet,
}

impl ProgressStyle {
    /// Resolves what was typed: an explicit choice wins over `--quiet`, which wins over what the stream is.
    ///
    /// `--quiet --progress none` is quiet. A bar cannot be drawn where lines cannot be redrawn: there it
    /// becomes plain lines, so that a log file never fills with escape sequences.
    pub(crate) fn resolve(choice: ProgressChoice, quiet: bool, stderr: Terminal) -> Self {
        match choice {
            ProgressChoice::Auto | ProgressChoice::None if quiet => Self::Quiet,
            ProgressChoice::None => Self::None,
            ProgressChoice::Json => Self::Json,
            ProgressChoice::Auto | ProgressChoice::Bar if stderr.can_redraw => Self::Bar,
            ProgressChoice::Auto | ProgressChoice::Bar | ProgressChoice::Plain => Self::Plain,
        }
    }
}

/// A listener that owns a piece of the terminal and can give it back.
pub(crate) trait Reporter: Progress + Send {
    /// Stops reporting and clears what is redrawn, so that a report or an error can be printed.
    ///
    /// Safe to call twice. An open phase counts as given up. Notes are still printed afterwards.
    fn finish(&self);
}

/// Starts reporting in a style on the standard error stream; dropping the reporter finishes it.
pub(crate) fn reporter(style: ProgressStyle, color: bool) -> Box<dyn Reporter> {
    let meter = Meter::new(Box::new(Instant::now()));
    let lines = LineWriter::new(std::io::stderr());
    match style {
        ProgressStyle::Bar => {
            Box::new(Bar::new(meter, lines, bar::stderr_target(), terminal::stderr_width, color))
        }
        ProgressStyle::Plain => {
            Box::new(Ticking::start(PlainLines::new(meter, lines, PLAIN_INTERVAL), PLAIN_TICK))
        }
        ProgressStyle::Json => Box::new(Ticking::start(Events::new(meter, lines), EVENT_TICK)),
        ProgressStyle::None => Box::new(NotesOnly::new(lines)),
        ProgressStyle::Quiet => Box::new(Quiet),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explicit_style_wins_then_quiet_then_the_terminal() {
        let screen = Terminal { can_redraw: true, color: true };
        let file = Terminal { can_redraw: false, color: false };
        let resolve = ProgressStyle::resolve;
        assert_eq!(resolve(ProgressChoice::Auto, false, screen), ProgressStyle::Bar);
        assert_eq!(resolve(ProgressChoice::Auto, false, file), ProgressStyle::Plain);
        assert_eq!(resolve(ProgressChoice::Auto, true, screen), ProgressStyle::Quiet);
        assert_eq!(resolve(ProgressChoice::Json, true, file), ProgressStyle::Json);
        assert_eq!(resolve(ProgressChoice::Plain, false, screen), ProgressStyle::Plain);
        assert_eq!(resolve(ProgressChoice::Bar, true, screen), ProgressStyle::Bar);
        assert_eq!(resolve(ProgressChoice::Bar, false, file), ProgressStyle::Plain);
        assert_eq!(resolve(ProgressChoice::None, false, screen), ProgressStyle::None);
        assert_eq!(resolve(ProgressChoice::None, true, screen), ProgressStyle::Quiet);
    }

    #[test]
    fn every_style_is_a_progress_that_can_finish_twice() {
        for style in [ProgressStyle::Plain, ProgressStyle::Json, ProgressStyle::None, ProgressStyle::Quiet] {
            let reporter = reporter(style, false);
            let progress: &dyn Progress = &*reporter;
            progress.advance(1, 1);
            reporter.finish();
            reporter.finish();
        }
    }
}
