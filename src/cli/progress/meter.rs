//! Counts what a run does and says how far it is; knows nothing about showing it.
//!
//! Adding is two atomic additions. Everything else is asked for a few times a second.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parklite::progress::{Phase, PhaseKind};

use super::line::lock;

/// The least time after which a rate or a time left is more than a guess.
const MIN_RATE_TIME: Duration = Duration::from_secs(1);

/// Tells how long a run has lasted.
pub(super) trait Stopwatch: Send + Sync {
    fn elapsed(&self) -> Duration;
}

impl Stopwatch for Instant {
    fn elapsed(&self) -> Duration {
        Instant::elapsed(self)
    }
}

/// The counters of a run.
pub(super) struct Meter {
    stopwatch: Box<dyn Stopwatch>,
    rows: AtomicU64,
    bytes: AtomicU64,
    run: Mutex<Run>,
}

#[derive(Default)]
struct Run {
    total_bytes: Option<u64>,
    phase: Option<CurrentPhase>,
    /// One per kind of phase so far.
    passes: Vec<Pass>,
}

struct CurrentPhase {
    kind: PhaseKind,
    subject: String,
    total_rows: Option<u64>,
    total_bytes: Option<u64>,
    began: Duration,
}

/// All phases of one kind.
struct Pass {
    kind: PhaseKind,
    /// In its phases that are over.
    bytes: u64,
    began: Duration,
}

/// How far a phase is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PhaseStatus {
    pub(super) kind: PhaseKind,
    /// The exact name; not harmless.
    pub(super) subject: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Dropped once exceeded.
    pub(super) total_rows: Option<u64>,
    /// Dropped once exceeded.
    pub(super) total_bytes: Option<u64>,
    pub(super) elapsed: Duration,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunStatus {
    pub(super) elapsed: Duration,
    pub(super) total_bytes: Option<u64>,
    pub(super) phase: Option<PhaseStatus>,
    /// How far all phases of the present kind are within the run's bytes, for kinds that cover them.
    pub(super) pass: Option<Share>,
}

/// A part of a known whole, never more than it, and how long the part took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) part: u64,
    pub(super) whole: u64,
    pub(super) elapsed: Duration,
}

impl Meter {
    pub(super) fn new(stopwatch: Box<dyn Stopwatch>) -> Self {
        Self { stopwatch, rows: AtomicU64::new(0), bytes: AtomicU64::new(0), run: Mutex::default() }
    }

    pub(super) fn set_run_total(&self, bytes: u64) {
        lock(&self.run).total_bytes = Some(bytes);
    }

    /// Begins a phase and returns how the one before it ended, if that was still open.
    pub(super) fn begin(&self, phase: Phase<'_>) -> Option<PhaseStatus> {
        let mut run = lock(&self.run);
        let ended = self.end_in(&mut run);
        let began = self.stopwatch.elapsed();
        self.rows.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        if !run.passes.iter().any(|pass| pass.kind == phase.kind) {
            run.passes.push(Pass { kind: phase.kind, bytes: 0, began });
        }
        run.phase = Some(CurrentPhase {
            kind: phase.kind,
            subject: phase.subject.to_owned(),
            total_rows: phase.total_rows,
            total_bytes: phase.total_bytes,
            began,
        });
        ended
    }

    pub(super) fn advance(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Ends the phase and returns how far it came.
    pub(super) fn end(&self) -> Option<PhaseStatus> {
        self.end_in(&mut lock(&self.run))
    }

    pub(super) fn status(&self) -> RunStatus {
        let run = lock(&self.run);
        RunStatus {
            elapsed: self.stopwatch.elapsed(),
            total_bytes: run.total_bytes,
            phase: run.phase.as_ref().map(|phase| self.phase_status(phase)),
            pass: run.phase.as_ref().and_then(|phase| self.pass_share(&run, phase.kind)),
        }
    }

    fn end_in(&self, run: &mut Run) -> Option<PhaseStatus> {
        let status = run.phase.take().map(|phase| self.phase_status(&phase))?;
        if let Some(pass) = run.passes.iter_mut().find(|pass| pass.kind == status.kind) {
            pass.bytes = pass.bytes.saturating_add(status.bytes);
        }
        Some(status)
    }

    fn phase_status(&self, phase: &CurrentPhase) -> PhaseStatus {
        let rows = self.rows.load(Ordering::Relaxed);
        let bytes = self.bytes.load(Ordering::Relaxed);
        PhaseStatus {
            kind: phase.kind,
            subject: phase.subject.clone(),
            rows,
            bytes,
            total_rows: phase.total_rows.filter(|total| rows <= *total),
            total_bytes: phase.total_bytes.filter(|total| bytes <= *total),
            elapsed: self.stopwatch.elapsed().saturating_sub(phase.began),
        }
    }

    fn pass_share(&self, run: &Run, kind: PhaseKind) -> Option<Share> {
        let pass = run.passes.iter().find(|pass| pass.kind == kind && covers_the_run(kind))?;
        let part = pass.bytes.saturating_add(self.bytes.load(Ordering::Relaxed));
        let elapsed = self.stopwatch.elapsed().saturating_sub(pass.began);
        run.total_bytes.and_then(|whole| Share::of(part, whole, elapsed))
    }
}

/// Whether all phases of a kind together pass over all bytes of a run.
///
/// Sorting concerns some tables only; what is hashed, indexed or checked is measured in other bytes.
fn covers_the_run(kind: PhaseKind) -> bool {
    match kind {
        PhaseKind::Copying
        | PhaseKind::Exporting
        | PhaseKind::Matching
        | PhaseKind::Restoring
        | PhaseKind::Migrating => true,
        PhaseKind::Counting
        | PhaseKind::Sorting
        | PhaseKind::Hashing
        | PhaseKind::Indexing
        | PhaseKind::Checking
        | PhaseKind::Digesting
        | PhaseKind::Comparing
        | PhaseKind::Sending => false,
    }
}

impl PhaseStatus {
    /// The rows' share of their total, where that is known.
    pub(super) fn row_share(&self) -> Option<Share> {
        self.total_rows.and_then(|total| Share::of(self.rows, total, self.elapsed))
    }

    /// The bytes' share of their total, where that is known.
    pub(super) fn byte_share(&self) -> Option<Share> {
        self.total_bytes.and_then(|total| Share::of(self.bytes, total, self.elapsed))
    }

    /// How far the phase is: by rows, else by bytes.
    pub(super) fn share(&self) -> Option<Share> {
        self.row_share().or(self.byte_share())
    }

    /// Rows per second since the phase began, once that means something.
    pub(super) fn rows_per_second(&self) -> Option<u64> {
        per_second(self.rows, self.elapsed)
    }

    /// Bytes per second since the phase began, once that means something.
    pub(super) fn bytes_per_second(&self) -> Option<u64> {
        per_second(self.bytes, self.elapsed)
    }
}

impl Share {
    fn of(part: u64, whole: u64, elapsed: Duration) -> Option<Self> {
        (whole > 0 && part <= whole).then_some(Self { part, whole, elapsed })
    }

    /// The time left at the same rate, in whole seconds rounded up; `None` while it would be a guess.
    pub(super) fn time_left(&self) -> Option<Duration> {
        if self.part == 0 || self.elapsed < MIN_RATE_TIME {
            return None;
        }
        let rest = u128::from(self.whole - self.part);
        let milliseconds = self.elapsed.as_millis().saturating_mul(rest) / u128::from(self.part);
        u64::try_from(milliseconds.div_ceil(1000)).ok().map(Duration::from_secs)
    }
}

fn per_second(count: u64, elapsed: Duration) -> Option<u64> {
    if count == 0 || elapsed < MIN_RATE_TIME {
        return None;
    }
    u64::try_from(u128::from(count) * 1000 / elapsed.as_millis()).ok()
}

/// Time that passes when a test says so.
#[cfg(test)]
pub(super) mod fake_time {
    use std::sync::Arc;

    use super::{AtomicU64, Duration, Meter, Ordering, Stopwatch};

    #[derive(Clone, Default)]
    pub(in super::super) struct FakeTime(Arc<AtomicU64>);

    impl FakeTime {
        pub(in super::super) fn pass(&self, milliseconds: u64) {
            self.0.fetch_add(milliseconds, Ordering::Relaxed);
        }

        pub(in super::super) fn meter(&self) -> Meter {
            Meter::new(Box::new(self.clone()))
        }
    }

    impl Stopwatch for FakeTime {
        fn elapsed(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::Relaxed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fake_time::FakeTime;
    use super::*;

    fn phase(kind: PhaseKind, subject: &str) -> Phase<'_> {
        Phase { kind, subject, total_rows: Some(100), total_bytes: None }
    }

    #[test]
    fn what_workers_advance_is_what_the_phase_reports() {
        let meter = FakeTime::default().meter();
        meter.begin(phase(PhaseKind::Exporting, "events"));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| meter.advance(3, 7)));
            }
        });
        let ended = meter.end().expect("a phase was open");
        assert_eq!((ended.rows, ended.bytes), (12_000, 28_000));
        assert_eq!(meter.end(), None);
    }

    #[test]
    fn a_new_phase_ends_the_old_one_and_counts_from_zero() {
        let time = FakeTime::default();
        let meter = time.meter();
        assert_eq!(meter.begin(phase(PhaseKind::Exporting, "a")), None);
        meter.advance(5, 50);
        time.pass(1500);
        let ended = meter.begin(phase(PhaseKind::Exporting, "b")).expect("a was open");
        assert_eq!((ended.subject.as_str(), ended.rows, ended.elapsed.as_millis()), ("a", 5, 1500));
        let current = meter.status().phase.expect("b is open");
        assert_eq!((current.subject.as_str(), current.rows, current.elapsed.as_millis()), ("b", 0, 0));
    }

    #[test]
    fn a_total_that_is_exceeded_is_dropped() {
        let meter = FakeTime::default().meter();
        meter.begin(phase(PhaseKind::Exporting, "a"));
        meter.advance(100, 0);
        assert_eq!(meter.status().phase.expect("open").total_rows, Some(100));
        meter.advance(1, 0);
        let status = meter.status().phase.expect("open");
        assert_eq!((status.total_rows, status.row_share()), (None, None));
    }

    #[test]
    fn the_pass_adds_up_over_tables_and_only_for_kinds_that_cover_the_run() {
        let time = FakeTime::default();
        let meter = time.meter();
        meter.set_run_total(1000);
        meter.begin(phase(PhaseKind::Exporting, "a"));
        meter.advance(0, 400);
        time.pass(2000);
        meter.begin(phase(PhaseKind::Sorting, "a"));
        meter.advance(0, 400);
        assert_eq!(meter.status().pass, None);
        meter.begin(phase(PhaseKind::Exporting, "b"));
        meter.advance(0, 100);
        let share = meter.status().pass.expect("exporting covers the run");
        assert_eq!((share.part, share.whole), (500, 1000));
        assert_eq!(share.time_left(), Some(Duration::from_secs(2)));
        meter.advance(0, 501);
        assert_eq!(meter.status().pass, None);
    }

    #[test]
    fn rates_and_times_left_wait_until_they_mean_something() {
        let share =
            |part, milliseconds| Share { part, whole: 100, elapsed: Duration::from_millis(milliseconds) };
        assert_eq!(share(10, 999).time_left(), None);
        assert_eq!(share(0, 5000).time_left(), None);
        assert_eq!(share(10, 1000).time_left(), Some(Duration::from_secs(9)));
        assert_eq!(share(100, 1000).time_left(), Some(Duration::ZERO));
        assert_eq!(per_second(500, Duration::from_secs(2)), Some(250));
        assert_eq!(per_second(500, Duration::from_millis(900)), None);
    }
}
