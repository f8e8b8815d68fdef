//! Progress as JSON events, for programs; the format is described in the parent module.

use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

use parklite::progress::{Phase, Progress};
use serde::Serialize;

use super::line::{LineWriter, lock};
use super::meter::{Meter, PhaseStatus};
use super::ticker::Tick;
use crate::cli::text;

/// How long an event without news is held back.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Reports as one JSON object per line.
pub(super) struct Events<W> {
    meter: Meter,
    lines: LineWriter<W>,
    last: Mutex<LastEvent>,
}

/// What was told last.
#[derive(Default)]
struct LastEvent {
    at: Duration,
    rows: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct PhaseEvent<'a> {
    event: &'static str,
    phase: &'static str,
    subject: &'a str,
    rows: u64,
    total_rows: Option<u64>,
    bytes: u64,
    total_bytes: Option<u64>,
    elapsed_ms: u64,
}

#[derive(Serialize)]
struct RunEvent {
    event: &'static str,
    total_bytes: u64,
}

#[derive(Serialize)]
struct NoteEvent<'a> {
    event: &'static str,
    message: &'a str,
}

impl<W: Write> Events<W> {
    pub(super) fn new(meter: Meter, lines: LineWriter<W>) -> Self {
        Self { meter, lines, last: Mutex::default() }
    }

    fn write(&self, event: &impl Serialize) {
        if let Ok(json) = serde_json::to_string(event) {
            self.lines.write(&text::safe_json(&json));
        }
    }

    fn write_phase(&self, event: &'static str, phase: &PhaseStatus) {
        self.write(&PhaseEvent {
            event,
            phase: phase.kind.name(),
            subject: &phase.subject,
            rows: phase.rows,
            total_rows: phase.total_rows,
            bytes: phase.bytes,
            total_bytes: phase.total_bytes,
            elapsed_ms: u64::try_from(phase.elapsed.as_millis()).unwrap_or(u64::MAX),
        });
    }
}

impl<W: Write + Send + 'static> Tick for Events<W> {
    /// Writes where the phase is, if that changed or has not been told for a while.
    fn tick(&self) {
        let mut last = lock(&self.last);
        let status = self.meter.status();
        let Some(phase) = status.phase else { return };
        let news = (phase.rows, phase.bytes) != (last.rows, last.bytes);
        if news || status.elapsed.saturating_sub(last.at) >= HEARTBEAT {
            *last = LastEvent { at: status.elapsed, rows: phase.rows, bytes: phase.bytes };
            self.write_phase("progress", &phase);
        }
    }
}

impl<W: Write + Send> Progress for Events<W> {
    fn set_run_total(&self, bytes: u64) {
        self.meter.set_run_total(bytes);
        self.write(&RunEvent { event: "run", total_bytes: bytes });
    }

    fn begin(&self, phase: Phase<'_>) {
        // Held to the end, so that no tick tells of a phase before its beginning was told.
        let mut last = lock(&self.last);
        if let Some(ended) = self.meter.begin(phase) {
            self.write_phase("end", &ended);
        }
        let status = self.meter.status();
        *last = LastEvent { at: status.elapsed, ..LastEvent::default() };
        if let Some(begun) = status.phase {
            self.write_phase("begin", &begun);
        }
    }

    fn advance(&self, rows: u64, bytes: u64) {
        self.meter.advance(rows, bytes);
    }

    fn end(&self) {
        let _last = lock(&self.last);
        if let Some(ended) = self.meter.end() {
            self.write_phase("end", &ended);
        }
    }

    fn note(&self, message: &str) {
        self.write(&NoteEvent { event: "note", message });
    }
}

#[cfg(test)]
mod tests {
    use parklite::progress::PhaseKind;
    use serde_json::Value;

    use super::super::meter::fake_time::FakeTime;
    use super::*;

    fn values(events: &Events<Vec<u8>>) -> Vec<Value> {
        let text = events.lines.written();
        text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
    }

    #[test]
    fn a_run_is_told_as_documented() {
        let time = FakeTime::default();
        let events = Events::new(time.meter(), LineWriter::new(Vec::new()));
        events.set_run_total(1000);
        events.begin(Phase {
            kind: PhaseKind::Exporting,
            subject: "events",
            total_rows: Some(10),
            total_bytes: None,
        });
        events.advance(4, 40);
        time.pass(200);
        events.tick();
        events.advance(7, 70);
        events.end();
        events.tick();
        events.note("done \"so far\"");
        let expected = r#"{"event":"run","total_bytes":1000}
{"event":"begin","phase":"exporting","subject":"events","rows":0,"total_rows":10,"bytes":0,"total_bytes":null,"elapsed_ms":0}
{"event":"progress","phase":"exporting","subject":"events","rows":4,"total_rows":10,"bytes":40,"total_bytes":null,"elapsed_ms":200}
{"event":"end","phase":"exporting","subject":"events","rows":11,"total_rows":null,"bytes":110,"total_bytes":null,"elapsed_ms":200}
{"event":"note","message":"done \"so far\""}
"#;
        assert_eq!(events.lines.written(), expected);
        assert_eq!(values(&events).len(), 5);
    }

    #[test]
    fn without_news_there_is_an_event_per_second_at_most() {
        let time = FakeTime::default();
        let events = Events::new(time.meter(), LineWriter::new(Vec::new()));
        events.begin(Phase { kind: PhaseKind::Checking, subject: "", total_rows: None, total_bytes: None });
        for _ in 0..12 {
            time.pass(200);
            events.tick();
        }
        let told = values(&events).iter().filter(|event| event["event"] == "progress").count();
        assert_eq!(told, 2);
    }

    #[test]
    fn subjects_keep_their_exact_value_and_harm_no_terminal() {
        let name = "a\n\u{9b}31m\u{202e}\"表";
        let events = Events::new(FakeTime::default().meter(), LineWriter::new(Vec::new()));
        events.begin(Phase { kind: PhaseKind::Hashing, subject: name, total_rows: None, total_bytes: None });
        assert_eq!(values(&events)[0]["subject"], name);
        let text = events.lines.written();
        assert!(!text.contains(['\u{9b}', '\u{202e}']));
        assert_eq!(text.lines().count(), 1);
    }
}
