//! Sending bodies to a server: queued in the import's own transaction, sent after it, and noted batch by batch.
//!
//! Nothing is sent before the import is lasting, and no lock on the database is held while a request is under way. A
//! request that is under way when the run is killed is the only one that may be sent twice: nobody knows whether the
//! server took it.

mod after_import;
mod report;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use self::after_import::{check_interrupt, hold, interrupted, not_noted, unsent};
pub use self::report::{PostReport, RefusalReport};
use super::bulk_sync::{self, BulkSyncOptions, Session};
use super::report::MAX_TOLD;
use crate::clock::utc_text;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Address, Answer, Client, Headers};
use crate::progress::{Phase, PhaseKind};
use crate::run::Run;
use crate::sqlite::events::{BulkSyncQueue, EventStore, Queued, QueuedSession};

/// What stands in an address for the program.
pub const PROGRAM_GAP: &str = "{program_id}";
/// How long is waited before each further attempt, unless told otherwise.
pub const RETRY_WAITS: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15)];
/// How long one request may take, unless told otherwise.
pub const DEFAULT_POST_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a session is not sent whose program no address can name.
const UNFIT: &str = "the program cannot be part of an address; it is not sent";

/// Where sessions are sent, and how.
#[derive(Debug, Clone)]
pub struct PostOptions {
    /// The server.
    pub address: Address,
    /// What goes along with each request.
    pub headers: Headers,
    /// Which sessions, and how many in a batch; no file.
    pub sessions: BulkSyncOptions,
    /// How long one request may take.
    pub timeout: Duration,
    /// How long is waited before each further attempt; with none of them there is one attempt.
    pub waits: Vec<Duration>,
}

/// Refuses what would fail in the end, before any work; what sends is ready then.
pub(super) fn prepare(options: &PostOptions, has_target: bool) -> Result<Client> {
    if !has_target {
        return Err(Error::new(
            ErrorKind::Usage,
            "what is to be sent is noted in a database, and none is named",
        )
        .hint("name the database after --into"));
    }
    bulk_sync::check(&options.sessions)?;
    if options.timeout.is_zero() {
        return Err(Error::new(ErrorKind::Usage, "a request that may take no time cannot be answered")
            .hint("give --post-timeout some seconds, or leave it out"));
    }
    Client::new(&options.address, options.headers.clone(), options.timeout)
}

/// Notes what is to be sent of the programs of this run, some of which may be `left_out`; for a dry run also what could not be.
pub(super) fn queue(
    store: &EventStore,
    options: &PostOptions,
    left_out: &BTreeSet<String>,
    is_dry_run: bool,
) -> Result<PostReport> {
    store.refuse_several_senders()?;
    let url = options.address.text();
    let program = options.sessions.program.as_deref();
    let mut report = PostReport { url: url.to_owned(), ..PostReport::default() };
    let mut queue = store.queue(url)?;
    store.each_progress(&mut |row| {
        if !bulk_sync::is_taken(&row, &options.sessions) {
            return Ok(());
        }
        let (week_number, day_number) = (row.week_number, row.day_number);
        let program_id = row.program_id.clone();
        let session = bulk_sync::to_json(&Session::from(row))?;
        match queue.add(&QueuedSession { program_id, week_number, day_number, session })? {
            Queued::New => report.sessions_new += 1,
            Queued::Sent => report.sessions_known += 1,
            Queued::Waiting => {}
        }
        Ok(())
    })?;
    if queue.waiting(program)? == 0 {
        bulk_sync::check_program(store, &options.sessions, left_out)?;
    }
    if let Some((one, other)) = queue.two_programs(program)?.filter(|_| !options.address.has(PROGRAM_GAP)) {
        let message = format!(
            "the address is of one program, and there are sessions of several, such as {one:?} and {other:?}"
        );
        return Err(Error::new(ErrorKind::Usage, message).hint(format!(
            "write {PROGRAM_GAP} where the address names the program, or choose one with --program; what was queued for \
             the wrong address goes with DELETE FROM bulk_sync_queue WHERE url = … AND program_id = …"
        )));
    }
    if is_dry_run {
        let (mut unfit, size) = (Vec::<RefusalReport>::new(), options.sessions.batch_size as u64);
        queue.each_waiting(program, &mut |program_id, week, day| {
            let at = (week, day);
            match unfit.last_mut().filter(|last| last.program_id == program_id) {
                Some(last) if last.sessions < size => (last.last, last.sessions) = (at, last.sessions + 1),
                // Of this program it is known, and each other one is asked about once.
                None if options.address.with(PROGRAM_GAP, &program_id).is_some() => {}
                _ => unfit.push(RefusalReport {
                    program_id,
                    first: at,
                    last: at,
                    sessions: 1,
                    status: None,
                    reason: UNFIT.to_owned(),
                }),
            }
        })?;
        report.batches_refused = unfit.len() as u64;
        report.sessions_refused = unfit.iter().map(|refusal| refusal.sessions).sum();
        unfit.truncate(MAX_TOLD);
        report.refusals = unfit;
    }
    report.sessions_queued = queue.waiting(program)?;
    report.sessions_left = report.sessions_queued;
    Ok(report)
}

/// Sends what is queued, and notes what became of each batch.
pub(super) fn send(
    target: &Path,
    (options, client): (&PostOptions, &Client),
    busy_timeout: Duration,
    report: &mut PostReport,
    run: Run<'_>,
) -> Result<()> {
    if report.sessions_queued == 0 {
        return Ok(());
    }
    let _hold = hold(target, busy_timeout, report, run)?;
    let program = options.sessions.program.as_deref();
    let mut queue =
        BulkSyncQueue::open(target, options.address.text(), program, busy_timeout).map_err(unsent)?;
    report.sessions_queued = queue.waiting().map_err(unsent)?;
    run.progress.begin(Phase {
        kind: PhaseKind::Sending,
        subject: "",
        total_rows: Some(report.sessions_queued),
        total_bytes: None,
    });
    let mut sending = Sending { options, client, report, run };
    let sent = sending.all(&mut queue);
    run.progress.end();
    sent?;
    report.sessions_left = queue.waiting().map_err(unsent)?;
    Ok(())
}

/// What became of a batch.
enum Delivery {
    Taken,
    /// By itself: others may be taken.
    Refused {
        status: Option<u16>,
        reason: String,
    },
    /// Not now: the others would not be taken either.
    Failed {
        status: Option<u16>,
        reason: String,
        /// Whether it may be otherwise later.
        may_pass: bool,
    },
}

/// Sending under way.
struct Sending<'a> {
    options: &'a PostOptions,
    client: &'a Client,
    report: &'a mut PostReport,
    run: Run<'a>,
}

impl Sending<'_> {
    /// Gives each batch its turn, until the server is gone.
    fn all(&mut self, queue: &mut BulkSyncQueue) -> Result<()> {
        loop {
            self.check_interrupt()?;
            let batch = queue.next_batch(self.options.sessions.batch_size).map_err(unsent)?;
            let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(()) };
            let sessions = batch.len() as u64;
            match self.deliver(&batch)? {
                Delivery::Taken => {
                    let noted = queue.note_sent(&batch, &utc_text(self.run.clock.now()));
                    noted.map_err(|error| {
                        let taken = format!("the server took {sessions} sessions");
                        let hint = "the same command goes on, and sends these sessions again";
                        not_noted(queue.path(), &taken, hint, error)
                    })?;
                    self.report.batches_sent += 1;
                    self.report.sessions_sent += sessions;
                }
                Delivery::Refused { status, reason } => {
                    note_failure(queue, &batch, status, &reason)?;
                    self.report.batches_refused += 1;
                    self.report.sessions_refused += sessions;
                    if self.report.refusals.len() < MAX_TOLD {
                        self.report.refusals.push(RefusalReport {
                            program_id: first.program_id.clone(),
                            first: (first.week_number, first.day_number),
                            last: (last.week_number, last.day_number),
                            sessions,
                            status,
                            reason,
                        });
                    }
                }
                Delivery::Failed { status, reason, may_pass } => {
                    note_failure(queue, &batch, status, &reason)?;
                    self.report.is_stopped_for_good = !may_pass;
                    self.report.stopped = Some(reason);
                    return Ok(());
                }
            }
            self.run.progress.advance(sessions, 0);
        }
    }

    /// Sends one batch, again after each wait where that may help.
    fn deliver(&mut self, batch: &[QueuedSession]) -> Result<Delivery> {
        let program = batch.first().map_or("", |first| &first.program_id);
        let Some(address) = self.options.address.with(PROGRAM_GAP, program) else {
            return Ok(Delivery::Refused { status: None, reason: UNFIT.to_owned() });
        };
        let body = bulk_sync::body(&sessions_of(batch)?)?;
        let mut waits = self.options.waits.iter();
        loop {
            let (status, reason) = match self.post(&address, &body)? {
                Ok(Answer { status: 200..=299, .. }) => return Ok(Delivery::Taken),
                Ok(answer @ Answer { status: 500..=599, .. }) => (Some(answer.status), told(&answer)),
                Ok(answer) => {
                    return Ok(Delivery::Refused { status: Some(answer.status), reason: told(&answer) });
                }
                Err(unreached) if unreached.may_pass => (None, unreached.reason),
                Err(unreached) => {
                    let reason = unreached.reason;
                    return Ok(Delivery::Failed { status: None, reason, may_pass: false });
                }
            };
            let Some(&wait) = waits.next() else {
                return Ok(Delivery::Failed { status, reason, may_pass: true });
            };
            let host = self.options.address.host();
            self.run.progress.note(&format!("{host}: {reason}; sending again in {}", in_words(wait)));
            self.wait(wait)?;
            self.report.retries += 1;
        }
    }

    fn post(&self, address: &str, body: &str) -> Result<std::result::Result<Answer, crate::http::Unreached>> {
        let answer = self.client.post_json(address.to_owned(), body.to_owned(), self.run.interrupt);
        answer.map_err(|error| match error.kind() {
            ErrorKind::Interrupted => self.interrupted(),
            _ => error,
        })
    }

    fn wait(&self, wait: Duration) -> Result<()> {
        const STEP: Duration = Duration::from_millis(50);
        let mut left = wait;
        while !left.is_zero() {
            self.check_interrupt()?;
            std::thread::sleep(left.min(STEP));
            left = left.saturating_sub(STEP);
        }
        Ok(())
    }

    fn left(&self) -> u64 {
        self.report.sessions_queued.saturating_sub(self.report.sessions_sent)
    }

    fn check_interrupt(&self) -> Result<()> {
        check_interrupt(self.run.interrupt, self.report, self.left())
    }

    fn interrupted(&self) -> Error {
        interrupted(self.report, self.left())
    }
}

/// Notes why a batch was not taken.
fn note_failure(
    queue: &mut BulkSyncQueue,
    batch: &[QueuedSession],
    status: Option<u16>,
    reason: &str,
) -> Result<()> {
    queue.note_failure(batch, status, reason).map_err(|error| {
        let program = batch.first().map_or("", |first| &first.program_id);
        let refused = format!("the server did not take sessions of {program:?} ({reason})");
        not_noted(queue.path(), &refused, "the same command goes on with what is queued", error)
    })
}

/// How long is waited: `1 s`, and parts of a second where tests ask for them.
fn in_words(wait: Duration) -> String {
    match wait.subsec_millis() {
        0 => format!("{} s", wait.as_secs()),
        _ => format!("{} ms", wait.as_millis()),
    }
}

/// What a server says that did not take a batch.
fn told(answer: &Answer) -> String {
    let Answer { status, text, location_host } = answer;
    match (location_host, &**text) {
        (Some(host), _) if (300..400).contains(status) => {
            format!("{status}: it says to ask {host} instead, which is not done")
        }
        (_, "") => format!("{status}"),
        (_, text) => format!("{status}: {text}"),
    }
}

/// The sessions, as they were queued.
fn sessions_of(batch: &[QueuedSession]) -> Result<Vec<Session>> {
    let read = |queued: &QueuedSession| {
        let QueuedSession { program_id, week_number, day_number, session } = queued;
        bulk_sync::from_json(session).map_err(|error| {
            let message = format!("a queued session is not as it was written: {program_id:?}, week {week_number}, day {day_number}");
            Error::new(ErrorKind::Failed, message)
                .in_table("bulk_sync_queue")
                .hint("delete its row, and the next run queues the session anew")
                .because(error)
        })
    };
    batch.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_attempts_come_after_one_five_and_fifteen_seconds() {
        assert_eq!(RETRY_WAITS.map(|wait| wait.as_secs()), [1, 5, 15]);
    }

    #[test]
    fn what_a_server_says_is_told_with_its_status() {
        let answer = |status, text: &str, host: Option<&str>| {
            told(&Answer { status, text: text.to_owned(), location_host: host.map(str::to_owned) })
        };
        assert_eq!(answer(422, "no such week", None), "422: no such week");
        assert_eq!(answer(503, "", Some("other.example")), "503");
        assert_eq!(
            answer(302, "Found", Some("other.example")),
            "302: it says to ask other.example instead, which is not done"
        );
    }
}
