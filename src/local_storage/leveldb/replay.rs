//! Logs, replayed one after the other: every batch with right checksums counts.
//!
//! Changes are numbered without gaps. That tells what damage cost: if the batch behind it goes on with the next number,
//! nothing; else every value written before may have been overtaken by a lost change. Two things are no damage, and what is
//! left is the state that the browser itself goes on with: a log that merely ends too early, with nothing behind, and a gap
//! between two sound batches of one log, where the system went down before all was written and the browser then went on.

use std::io::{self, Read};

use super::batch::Batch;
use super::log::{LogReader, Piece};
use super::newest::{Lost, Rank, State};
use super::plan::place;
use crate::local_storage::counted::counted;
use crate::local_storage::item::Problem;

/// Replays logs into a state.
pub(super) struct Replay<'s, 'k> {
    state: &'s mut State<'k>,
    lost: &'s mut Lost,
    problems: &'s mut Vec<Problem>,
    /// Whether each log goes on where the one before ends.
    is_gapless: bool,
    /// The number of the next change, as far as the batches tell.
    next_sequence: Option<u64>,
    trouble: Option<Trouble>,
    /// Nothing of the present log has counted yet.
    is_at_beginning: bool,
    /// A log before the first batch had nothing in it, which is told only if another one has.
    empty_log: Option<String>,
    told_count: u64,
    /// Of problems that were not told one by one: how many, and whether any of them may have cost items.
    untold: (u64, bool),
}

/// Problems of all logs that are told one by one.
const MAX_TOLD_PROBLEMS: u64 = 50;

/// What was met since the last sound batch.
struct Trouble {
    place: String,
    why: String,
    /// How many places more.
    further: u64,
    /// Every one of them is an end that comes too early.
    is_torn: bool,
}

impl Trouble {
    fn at(place: String, why: &str) -> Self {
        Self { place, why: why.to_owned(), further: 0, is_torn: false }
    }
}

impl<'s, 'k> Replay<'s, 'k> {
    pub(super) fn new(
        state: &'s mut State<'k>,
        lost: &'s mut Lost,
        problems: &'s mut Vec<Problem>,
        is_gapless: bool,
    ) -> Self {
        Self {
            state,
            lost,
            problems,
            is_gapless,
            next_sequence: None,
            trouble: None,
            is_at_beginning: true,
            empty_log: None,
            told_count: 0,
            untold: (0, false),
        }
    }

    /// A log that should be there is not.
    ///
    /// No crash removes a log, so this is no torn end: what it held may be anything newer than all that is left.
    pub(super) fn miss(&mut self, name: String) {
        self.meet(name, "the log is missing", false);
    }

    /// A log, or what is left of it to read, is not to be had.
    pub(super) fn lose(&mut self, name: String, why: &str) {
        self.meet(name, why, false);
    }

    /// Replays the next log.
    pub(super) fn replay(&mut self, name: &str, rank: Rank, source: impl Read) -> io::Result<()> {
        if !self.is_gapless && self.trouble.is_none() {
            self.next_sequence = None;
        }
        let mut reader = LogReader::new(source);
        let mut is_empty = true;
        self.is_at_beginning = true;
        while let Some(piece) = reader.next_piece()? {
            is_empty = false;
            match piece {
                Piece::Record { at, payload } => match Batch::decode(&payload) {
                    Some(batch) => self.apply(&batch, rank, || place(name, at)),
                    None => self.meet(place(name, at), "a batch of changes cannot be read", false),
                },
                Piece::Damaged { at, why } => self.meet(place(name, at), why, false),
                Piece::Torn { at, why, begun } => {
                    // An end that is not the beginning of the next batch was not left by a writer that was stopped.
                    let is_torn = Batch::may_begin_with(&begun, self.next_sequence);
                    self.meet(place(name, at), why, is_torn);
                }
            }
        }
        if is_empty && self.is_gapless && self.next_sequence.is_none() {
            self.empty_log.get_or_insert_with(|| name.to_owned());
        }
        Ok(())
    }

    /// Tells of what was met and has no sound batch behind it.
    pub(super) fn finish(mut self) {
        if let Some(trouble) = self.trouble.take() {
            let consequence = if trouble.is_torn {
                "the last changes are missing, as after a crash of the browser or in a copy that is cut"
            } else {
                self.lost.add_before(u64::MAX);
                "the changes there are lost, and older values or deleted items may stand in their place"
            };
            self.tell(&trouble, consequence, true);
        }
        let (untold_count, may_lose_items) = self.untold;
        if untold_count > 0 {
            let message = format!("{} more in the logs", counted(untold_count, "problem"));
            self.problems.push(Problem { place: "logs".to_owned(), message, may_lose_items });
        }
    }

    fn meet(&mut self, place: String, why: &str, is_torn: bool) {
        match &mut self.trouble {
            Some(trouble) => {
                trouble.further += 1;
                trouble.is_torn &= is_torn;
            }
            None => self.trouble = Some(Trouble { is_torn, ..Trouble::at(place, why) }),
        }
    }

    fn apply(&mut self, batch: &Batch<'_>, rank: Rank, place: impl Fn() -> String) {
        self.settle(batch.sequence, place);
        for change in batch.changes() {
            self.state.offer(change.key, change.sequence, rank, change.value);
        }
        self.next_sequence = Some(batch.next_sequence());
        self.is_at_beginning = false;
    }

    /// Says what is missing before a sound batch that begins with the change `found`.
    fn settle(&mut self, found: u64, place: impl Fn() -> String) {
        if let Some(name) = self.empty_log.take() {
            self.meet(name, "the log is empty though another one follows", true);
        }
        let expected = self.next_sequence;
        let is_checked = expected.is_some() || self.trouble.is_some();
        let trouble = self.trouble.take();
        if expected == Some(found) {
            if let Some(trouble) = trouble {
                self.tell(&trouble, "no change is missing, for their numbers go on behind it", false);
            }
        } else if let (None, Some(expected)) = (&trouble, expected.filter(|&expected| expected > found)) {
            let trouble = Trouble::at(place(), "the numbers of changes go back");
            self.tell(&trouble, &format!("{found} follows where {expected} should"), false);
        } else if is_checked {
            let count = match expected.and_then(|expected| found.checked_sub(expected)) {
                Some(1) => "1 change is".to_owned(),
                Some(count) => format!("{count} changes are"),
                None => "changes are".to_owned(),
            };
            let consequence = if trouble.is_none() && !self.is_at_beginning {
                "missing, as after a power failure that the browser went on from"
            } else {
                self.lost.add_before(found);
                "lost, and older values or deleted items may stand in their place"
            };
            let trouble =
                trouble.unwrap_or_else(|| Trouble::at(place(), "the numbers of changes have a gap here"));
            self.tell(&trouble, &format!("{count} {consequence}"), true);
        }
    }

    fn tell(&mut self, trouble: &Trouble, consequence: &str, may_lose_items: bool) {
        if self.told_count == MAX_TOLD_PROBLEMS {
            self.untold = (self.untold.0 + 1, self.untold.1 || may_lose_items);
            return;
        }
        self.told_count += 1;
        let further = match trouble.further {
            0 => String::new(),
            1 => " (and at one place more)".to_owned(),
            count => format!(" (and at {count} places more)"),
        };
        let message = format!("{}{further}: {consequence}", trouble.why);
        self.problems.push(Problem { place: trouble.place.clone(), message, may_lose_items });
    }
}
