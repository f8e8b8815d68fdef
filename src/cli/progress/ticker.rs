//! Looks at a reporter from time to time, on a thread of its own.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use parklite::progress::{Phase, Progress};

use super::Reporter;
use super::line::lock;

/// A reporter that prints what is due when it is asked to.
pub(super) trait Tick: Progress + Send + Sync + 'static {
    fn tick(&self);
}

/// A reporter together with the thread that ticks it.
pub(super) struct Ticking<R> {
    reporter: Arc<R>,
    thread: Mutex<Option<TickThread>>,
}

/// Dropping the sender stops the thread at once.
struct TickThread(Sender<()>, JoinHandle<()>);

impl<R: Tick> Ticking<R> {
    /// Starts to tick. Without a thread to be had, only begins, ends and notes are reported.
    pub(super) fn start(reporter: R, interval: Duration) -> Self {
        let reporter = Arc::new(reporter);
        let ticked = Arc::clone(&reporter);
        let (stop, stopped) = mpsc::channel();
        let tick_until_stopped = move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                ticked.tick();
            }
        };
        let thread = Builder::new().name("progress".to_owned()).spawn(tick_until_stopped).ok();
        Self { reporter, thread: Mutex::new(thread.map(|thread| TickThread(stop, thread))) }
    }
}

impl<R> Ticking<R> {
    fn stop(&self) {
        if let Some(TickThread(stop, thread)) = lock(&self.thread).take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

impl<R> Drop for Ticking<R> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<R: Tick> Reporter for Ticking<R> {
    fn finish(&self) {
        self.stop();
    }
}

impl<R: Tick> Progress for Ticking<R> {
    fn set_run_total(&self, bytes: u64) {
        self.reporter.set_run_total(bytes);
    }

    fn begin(&self, phase: Phase<'_>) {
        self.reporter.begin(phase);
    }

    fn advance(&self, rows: u64, bytes: u64) {
        self.reporter.advance(rows, bytes);
    }

    fn end(&self) {
        self.reporter.end();
    }

    fn note(&self, message: &str) {
        self.reporter.note(message);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use super::*;

    struct Counting(Arc<AtomicUsize>);

    impl Tick for Counting {
        fn tick(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Progress for Counting {
        fn set_run_total(&self, _bytes: u64) {}
        fn begin(&self, _phase: Phase<'_>) {}
        fn advance(&self, _rows: u64, _bytes: u64) {}
        fn end(&self) {}
        fn note(&self, _message: &str) {}
    }

    #[test]
    fn a_finished_reporter_is_ticked_no_more() {
        let ticks = Arc::new(AtomicUsize::new(0));
        let ticking = Ticking::start(Counting(Arc::clone(&ticks)), Duration::from_millis(1));
        let started = Instant::now();
        while ticks.load(Ordering::Relaxed) == 0 && started.elapsed() < Duration::from_secs(10) {
            std::thread::yield_now();
        }
        ticking.finish();
        let counted = ticks.load(Ordering::Relaxed);
        assert!(counted > 0);
        std::thread::sleep(Duration::from_millis(10));
        assert_eq!(ticks.load(Ordering::Relaxed), counted);
    }

    #[test]
    fn finishing_does_not_wait_for_the_interval() {
        let ticking = Ticking::start(Counting(Arc::default()), Duration::from_hours(1));
        ticking.finish();
    }
}
