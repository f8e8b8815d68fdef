//! Progress as two lines that are redrawn in place: the run, and the phase under way.
//!
//! indicatif moves the cursor and ticks; the text of the lines is made here, at each redraw, from the meter.

use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use parklite::progress::{Phase, Progress};

use super::Reporter;
use super::line::{LineWriter, note_line};
use super::meter::{Meter, PhaseStatus, RunStatus, Share};
use super::plain::{counts_bytes, counts_rows, in_brackets, rate, second_share, time_left};
use crate::cli::text;

const REDRAWS_PER_SECOND: u8 = 10;
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// The bar's inner width in cells.
const BAR_WIDTH: u64 = 20;

/// Below this terminal width the upper line has words only.
const MIN_WIDTH_FOR_BAR: usize = 60;

/// A name is cut to no less than this, even if its line is cut elsewhere then.
const MIN_SUBJECT_WIDTH: usize = 8;

const SPINNER: [&str; 4] = ["|", "/", "-", "\\"];
const CYAN: &str = "\x1b[36m";
const RESET: &str = "\x1b[0m";

// The life of a bar.
const WAITING: u8 = 0;
const DRAWING: u8 = 1;
const FINISHED: u8 = 2;

/// Reports in two lines that are redrawn; appears with the first phase.
pub(super) struct Bar<W> {
    meter: Arc<Meter>,
    /// Takes the notes while nothing is drawn.
    lines: LineWriter<W>,
    drawn: ProgressBar,
    life: AtomicU8,
}

/// The standard error stream as something to draw on.
pub(super) fn stderr_target() -> ProgressDrawTarget {
    ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND)
}

impl<W: Write> Bar<W> {
    /// A bar on `target`, whose present width in cells `width` tells.
    pub(super) fn new(
        meter: Meter,
        lines: LineWriter<W>,
        target: ProgressDrawTarget,
        width: fn() -> usize,
        color: bool,
    ) -> Self {
        let meter = Arc::new(meter);
        let counted = Arc::clone(&meter);
        let draw = move |_: &ProgressState, target: &mut dyn fmt::Write| {
            // One cell stays free: some terminals break the line when the last one is filled.
            let _ = target.write_str(&render(&counted.status(), width().saturating_sub(1), color));
        };
        let style = ProgressStyle::with_template("{run_and_phase}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .with_key("run_and_phase", draw);
        let drawn = ProgressBar::with_draw_target(None, target).with_style(style);
        Self { meter, lines, drawn, life: AtomicU8::new(WAITING) }
    }

    fn show(&self) {
        let waiting = self.life.compare_exchange(WAITING, DRAWING, Ordering::AcqRel, Ordering::Acquire);
        if waiting.is_ok() {
            self.drawn.enable_steady_tick(REDRAW_INTERVAL);
        }
    }
}

impl<W> Bar<W> {
    fn clear(&self) {
        if self.life.swap(FINISHED, Ordering::AcqRel) != FINISHED {
            self.drawn.disable_steady_tick();
            self.drawn.finish_and_clear();
        }
    }
}

impl<W> Drop for Bar<W> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<W: Write + Send> Reporter for Bar<W> {
    fn finish(&self) {
        self.clear();
    }
}

impl<W: Write + Send> Progress for Bar<W> {
    fn set_run_total(&self, bytes: u64) {
        self.meter.set_run_total(bytes);
    }

    fn begin(&self, phase: Phase<'_>) {
        self.meter.begin(phase);
        self.show();
    }

    fn advance(&self, rows: u64, bytes: u64) {
        self.meter.advance(rows, bytes);
    }

    fn end(&self) {
        self.meter.end();
    }

    fn note(&self, message: &str) {
        if self.life.load(Ordering::Acquire) == DRAWING {
            self.drawn.println(note_line(message));
        } else {
            self.lines.write_note(message);
        }
    }
}

/// One or two lines, each at most `width` cells wide.
fn render(run: &RunStatus, width: usize, color: bool) -> String {
    let mut text = run_line(run, width, color);
    if let Some(phase) = &run.phase {
        text.push('\n');
        text.push_str(&phase_line(phase, width));
    }
    text
}

/// `exporting: ~51 % of 4.1 GiB [##########----------] 1 min 12 s, about 1 min 09 s left`
fn run_line(run: &RunStatus, width: usize, color: bool) -> String {
    let doing = run.phase.as_ref().map_or("working", |phase| phase.kind.name());
    let elapsed = text::duration(Duration::from_secs(run.elapsed.as_secs()));
    let Some(share) = run.pass else {
        let size =
            run.total_bytes.map_or_else(String::new, |bytes| format!(" {} in all,", text::bytes(bytes)));
        return text::fit(&format!("{} {doing}:{size} {elapsed} so far", spinner(run.elapsed)), width);
    };
    let percent = text::percent(share.part, share.whole);
    let head = format!("{doing}: ~{percent} of {}", text::bytes(share.whole));
    let mut tail = format!("{elapsed} so far");
    if let Some(left) = time_left(Some(share)) {
        tail = format!("{tail}, {left}");
    }
    let (done, rest) = bar(share);
    let plain = format!("{head} [{done}{rest}] {tail}");
    if width < MIN_WIDTH_FOR_BAR || text::width(&plain) > width {
        return text::fit(&format!("{head}, {tail}"), width);
    }
    if color { format!("{head} [{CYAN}{done}{RESET}{rest}] {tail}") } else { plain }
}

/// `  exporting events: 1,250,000 / ~2,000,000 rows (62 %), about 8 s left, 312 MiB, 410,000 rows/s`
fn phase_line(phase: &PhaseStatus, width: usize) -> String {
    let mut facts = Vec::new();
    if counts_rows(phase) {
        let total = of_total(phase.total_rows.map(text::rows));
        let (_, unit) = phase.kind.unit();
        facts.push(format!("{}{total} {unit}{}", text::rows(phase.rows), in_brackets(phase.row_share())));
    }
    // Before what matters less: a narrow terminal cuts the end off.
    facts.extend(time_left(phase.share()));
    if counts_bytes(phase) {
        let total = of_total(phase.total_bytes.map(text::bytes));
        facts.push(format!("{}{total}{}", text::bytes(phase.bytes), in_brackets(second_share(phase))));
    }
    facts.extend(rate(phase));
    if phase.share().is_none() {
        facts.push(text::duration(Duration::from_secs(phase.elapsed.as_secs())));
    }
    let head = format!("  {}", phase.kind.name());
    let tail = format!(": {}", facts.join(", "));
    if phase.subject.is_empty() {
        return text::fit(&format!("{head}{tail}"), width);
    }
    let room = width.saturating_sub(text::width(&head) + 1 + text::width(&tail)).max(MIN_SUBJECT_WIDTH);
    let subject = text::fit(&text::safe(&phase.subject), room);
    text::fit(&format!("{head} {subject}{tail}"), width)
}

fn of_total(total: Option<String>) -> String {
    total.map_or_else(String::new, |total| format!(" / ~{total}"))
}

/// The filled and the empty part of the bar.
fn bar(share: Share) -> (String, String) {
    let filled = u128::from(share.part) * u128::from(BAR_WIDTH) / u128::from(share.whole);
    let filled = usize::try_from(filled).unwrap_or_default();
    let all = usize::try_from(BAR_WIDTH).unwrap_or_default();
    ("#".repeat(filled), "-".repeat(all.saturating_sub(filled)))
}

fn spinner(elapsed: Duration) -> &'static str {
    let frame = elapsed.as_millis() / REDRAW_INTERVAL.as_millis() % SPINNER.len() as u128;
    SPINNER[usize::try_from(frame).unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use indicatif::TermLike;
    use parklite::progress::PhaseKind;

    use super::super::line::lock;
    use super::super::meter::fake_time::FakeTime;
    use super::*;

    const EVENTS: Phase<'_> = Phase {
        kind: PhaseKind::Exporting,
        subject: "events",
        total_rows: Some(2_000_000),
        total_bytes: Some(600 << 20),
    };

    fn status(phase: Phase<'_>, rows: u64, bytes: u64) -> RunStatus {
        let time = FakeTime::default();
        let meter = time.meter();
        meter.set_run_total(1 << 30);
        meter.begin(phase);
        meter.advance(rows, bytes);
        time.pass(5_000);
        meter.status()
    }

    #[test]
    fn two_lines_say_how_far_the_run_and_the_phase_are() {
        let text = render(&status(EVENTS, 1_250_000, 312 << 20), 120, false);
        let expected = "\
exporting: ~30 % of 1.0 GiB [######--------------] 5 s so far, about 12 s left
  exporting events: 1,250,000 / ~2,000,000 rows (62 %), about 3 s left, 312 MiB / ~600 MiB, 250,000 rows/s";
        assert_eq!(text, expected);
    }

    #[test]
    fn without_totals_there_is_a_spinner_and_no_percentage() {
        let phase = Phase { kind: PhaseKind::Sorting, total_rows: None, total_bytes: None, ..EVENTS };
        let expected = "- sorting: 1.0 GiB in all, 5 s so far\n  sorting events: 10 rows, 2 rows/s, 5 s";
        assert_eq!(render(&status(phase, 10, 0), 120, false), expected);
    }

    #[test]
    fn exceeded_totals_disappear() {
        let text = render(&status(EVENTS, 2_000_001, 2 << 30), 120, false);
        assert!(!text.contains('%') && !text.contains('~') && !text.contains("left"), "{text}");
    }

    #[test]
    fn long_names_are_cut_before_numbers_are() {
        let name = "a_very_long_table_name_that_goes_on_and_on_表表表表";
        let text = render(&status(Phase { subject: name, ..EVENTS }, 1, 1), 79, false);
        let phase = text.lines().nth(1).expect("two lines");
        assert!(phase.starts_with("  exporting a_very") && phase.contains('…'), "{phase}");
        for width in [0, 1, 10, 39, 59, 79] {
            let text = render(&status(Phase { subject: name, ..EVENTS }, 1, 1), width, true);
            assert!(text.lines().all(|line| text::width(line) <= width), "{width}: {text}");
        }
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let status = status(EVENTS, 1_250_000, 312 << 20);
        let colored = render(&status, 120, true);
        assert!(colored.contains(CYAN));
        assert_eq!(colored.replace(CYAN, "").replace(RESET, ""), render(&status, 120, false));
    }

    /// A terminal that keeps what was written to it.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl Screen {
        fn add(&self, text: &str) {
            lock(&self.0).push_str(text);
        }

        fn text(&self) -> String {
            lock(&self.0).clone()
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _lines: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _lines: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _cells: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _cells: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.add(text);
            Ok(())
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.add(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            self.add("<clear>");
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_bar_appears_with_the_first_phase_and_leaves_nothing_behind() {
        let screen = Screen::default();
        let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
        let lines = LineWriter::new(Vec::new());
        let bar = Bar::new(FakeTime::default().meter(), lines, target, || 100, false);
        bar.note("before");
        assert_eq!(screen.text(), "");
        bar.begin(EVENTS);
        bar.note("mean\nwhile");
        let text = screen.text();
        assert!(text.contains("note: mean while") && text.contains("exporting events: 0 / ~"), "{text}");
        bar.finish();
        bar.finish();
        let text = screen.text();
        assert!(text.ends_with("<clear>"), "{text}");
        bar.begin(EVENTS);
        bar.note("after");
        assert_eq!(screen.text(), text);
        assert_eq!(bar.lines.written(), "note: before\nnote: after\n");
    }

    #[test]
    fn the_spinner_turns() {
        let frames = [0, 100, 200, 300, 400].map(|time| spinner(Duration::from_millis(time)));
        assert_eq!(frames, ["|", "/", "-", "\\", "|"]);
    }
}
