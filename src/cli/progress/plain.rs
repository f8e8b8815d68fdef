//! Progress as ordinary lines, for logs.

use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

use parklite::progress::{Phase, PhaseKind, Progress};

use super::line::{LineWriter, lock};
use super::meter::{Meter, PhaseStatus, Share};
use super::ticker::Tick;
use crate::cli::text;

/// Reports in lines, one per interval.
pub(super) struct PlainLines<W> {
    meter: Meter,
    lines: LineWriter<W>,
    interval: Duration,
    /// When the last line was written, from the run's beginning.
    last_line: Mutex<Duration>,
}

impl<W: Write> PlainLines<W> {
    pub(super) fn new(meter: Meter, lines: LineWriter<W>, interval: Duration) -> Self {
        Self { meter, lines, interval, last_line: Mutex::default() }
    }

    fn write_end_of(&self, phase: Option<PhaseStatus>) {
        if let Some(phase) = phase.filter(|phase| phase.elapsed > self.interval) {
            *lock(&self.last_line) = self.meter.status().elapsed;
            self.lines.write(&done_line(&phase));
        }
    }
}

impl<W: Write + Send + 'static> Tick for PlainLines<W> {
    /// Writes a line about the phase under way if the last line is old enough.
    fn tick(&self) {
        let status = self.meter.status();
        let Some(phase) = status.phase else { return };
        let mut last_line = lock(&self.last_line);
        if status.elapsed.saturating_sub(*last_line) >= self.interval {
            *last_line = status.elapsed;
            self.lines.write(&progress_line(&phase));
        }
    }
}

impl<W: Write + Send> Progress for PlainLines<W> {
    fn set_run_total(&self, bytes: u64) {
        self.meter.set_run_total(bytes);
    }

    fn begin(&self, phase: Phase<'_>) {
        self.write_end_of(self.meter.begin(phase));
    }

    fn advance(&self, rows: u64, bytes: u64) {
        self.meter.advance(rows, bytes);
    }

    fn end(&self) {
        self.write_end_of(self.meter.end());
    }

    fn note(&self, message: &str) {
        self.lines.write_note(message);
    }
}

/// `exporting events: 1,250,000 rows (62 %), 312 MiB, 410,000 rows/s, about 8 s left`
fn progress_line(phase: &PhaseStatus) -> String {
    let mut facts = Vec::new();
    if counts_rows(phase) {
        facts.push(rows(phase) + &in_brackets(phase.row_share()));
    }
    if counts_bytes(phase) {
        facts.push(text::bytes(phase.bytes) + &in_brackets(second_share(phase)));
    }
    facts.extend(rate(phase));
    facts.extend(time_left(phase.share()));
    if facts.is_empty() {
        facts.push(text::duration(phase.elapsed));
    }
    format!("{}: {}", title(phase), facts.join(", "))
}

/// `exporting events: done, 2,010,312 rows, 502 MiB in 12 s`
fn done_line(phase: &PhaseStatus) -> String {
    // What is to be sent is known exactly: where less was, the server was gone.
    let is_stopped =
        phase.kind == PhaseKind::Sending && phase.total_rows.is_some_and(|total| phase.rows < total);
    let mut facts = vec![if is_stopped { "stopped" } else { "done" }.to_owned()];
    if counts_rows(phase) {
        facts.push(rows(phase));
    }
    if counts_bytes(phase) {
        facts.push(text::bytes(phase.bytes));
    }
    format!("{}: {} in {}", title(phase), facts.join(", "), text::duration(phase.elapsed))
}

fn title(phase: &PhaseStatus) -> String {
    match phase.subject.as_str() {
        "" => phase.kind.name().to_owned(),
        subject => format!("{} {}", phase.kind.name(), text::safe(subject)),
    }
}

fn rows(phase: &PhaseStatus) -> String {
    let (one, several) = phase.kind.unit();
    text::quantity(phase.rows, one, several)
}

/// Whether a phase is one that counts rows at all.
pub(super) fn counts_rows(phase: &PhaseStatus) -> bool {
    phase.rows > 0 || phase.total_rows.is_some()
}

/// Whether a phase is one that counts bytes at all.
pub(super) fn counts_bytes(phase: &PhaseStatus) -> bool {
    phase.bytes > 0 || phase.total_bytes.is_some()
}

/// Rows per second, or bytes where no rows are counted.
pub(super) fn rate(phase: &PhaseStatus) -> Option<String> {
    if counts_rows(phase) {
        let (_, unit) = phase.kind.unit();
        return phase.rows_per_second().map(|rate| format!("{} {unit}/s", text::rows(rate)));
    }
    phase.bytes_per_second().map(|rate| format!("{}/s", text::bytes(rate)))
}

/// `about 8 s left`
pub(super) fn time_left(share: Option<Share>) -> Option<String> {
    let time = share?.time_left().filter(|time| !time.is_zero())?;
    Some(format!("about {} left", text::duration(time)))
}

/// The bytes' share, unless the rows' was given already: one percentage is enough.
pub(super) fn second_share(phase: &PhaseStatus) -> Option<Share> {
    if phase.row_share().is_some() { None } else { phase.byte_share() }
}

/// ` (62 %)`, or nothing.
pub(super) fn in_brackets(share: Option<Share>) -> String {
    share.map_or_else(String::new, |share| format!(" ({})", text::percent(share.part, share.whole)))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::meter::fake_time::FakeTime;
    use super::*;

    const EVENTS: Phase<'_> = Phase {
        kind: PhaseKind::Exporting,
        subject: "events",
        total_rows: Some(2_000_000),
        total_bytes: Some(600 << 20),
    };

    fn plain(time: &FakeTime) -> PlainLines<Vec<u8>> {
        PlainLines::new(time.meter(), LineWriter::new(Vec::new()), Duration::from_secs(5))
    }

    #[test]
    fn a_line_is_written_per_interval_and_one_at_the_end() {
        let time = FakeTime::default();
        let plain = plain(&time);
        plain.begin(EVENTS);
        plain.advance(1_250_000, 312 << 20);
        time.pass(4_999);
        plain.tick();
        assert_eq!(plain.lines.written(), "");
        time.pass(1);
        plain.tick();
        time.pass(1_000);
        plain.tick();
        plain.advance(760_312, 190 << 20);
        time.pass(6_000);
        plain.end();
        plain.tick();
        let expected = "\
exporting events: 1,250,000 rows (62 %), 312 MiB, 250,000 rows/s, about 3 s left
exporting events: done, 2,010,312 rows, 502 MiB in 12 s
";
        assert_eq!(plain.lines.written(), expected);
    }

    #[test]
    fn sending_counts_sessions_and_is_not_done_where_the_server_was_gone() {
        let time = FakeTime::default();
        let plain = plain(&time);
        let sending = Phase { kind: PhaseKind::Sending, subject: "", total_rows: Some(3), total_bytes: None };
        for sent in [1, 3] {
            plain.begin(sending);
            plain.advance(sent, 0);
            time.pass(6_000);
            plain.end();
        }
        let expected = "sending: stopped, 1 session in 6 s\nsending: done, 3 sessions in 6 s\n";
        assert_eq!(plain.lines.written(), expected);
    }

    #[test]
    fn quick_phases_say_nothing() {
        let time = FakeTime::default();
        let plain = plain(&time);
        plain.set_run_total(10);
        plain.begin(EVENTS);
        time.pass(1_000);
        plain.tick();
        plain.begin(Phase { kind: PhaseKind::Matching, ..EVENTS });
        time.pass(1_000);
        plain.end();
        assert_eq!(plain.lines.written(), "");
    }

    #[test]
    fn an_exceeded_total_takes_percentage_and_time_left_with_it() {
        let time = FakeTime::default();
        let plain = plain(&time);
        plain.begin(Phase { total_bytes: None, ..EVENTS });
        plain.advance(3_000_000, 0);
        time.pass(6_000);
        plain.tick();
        assert_eq!(plain.lines.written(), "exporting events: 3,000,000 rows, 500,000 rows/s\n");
    }

    #[test]
    fn phases_without_rows_or_without_any_count_still_say_something() {
        let time = FakeTime::default();
        let plain = plain(&time);
        let hashing = PhaseKind::Hashing;
        plain.begin(Phase { kind: hashing, subject: "", total_rows: None, total_bytes: Some(100 << 20) });
        plain.advance(0, 60 << 20);
        time.pass(6_000);
        plain.tick();
        plain.begin(Phase { kind: PhaseKind::Checking, subject: "", total_rows: None, total_bytes: None });
        time.pass(6_000);
        plain.tick();
        let expected = "\
hashing: 60.0 MiB (60 %), 10.0 MiB/s, about 4 s left
hashing: done, 60.0 MiB in 6 s
checking: 6 s
";
        assert_eq!(plain.lines.written(), expected);
    }

    #[test]
    fn names_and_notes_cannot_break_out_of_their_line() {
        let time = FakeTime::default();
        let plain = plain(&time);
        plain.begin(Phase { subject: "a\nb\x1b[2J", total_rows: None, total_bytes: None, ..EVENTS });
        time.pass(6_000);
        plain.tick();
        plain.note("waiting\nfor \u{202e}a lock");
        let expected = "exporting a\\nb\\u{1b}[2J: 6 s\nnote: waiting for \\u{202e}a lock\n";
        assert_eq!(plain.lines.written(), expected);
    }

    #[test]
    fn a_closed_stream_is_ignored() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let plain = PlainLines::new(FakeTime::default().meter(), LineWriter::new(Closed), Duration::ZERO);
        plain.begin(EVENTS);
        plain.tick();
        plain.note("nobody hears this");
        plain.end();
    }
}
