//! What a run that sent says of it.

use serde::Serialize;

/// What was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PostReport {
    /// The server's address.
    pub url: String,
    /// Sessions of this run that are new to the server, or others than it has.
    pub sessions_new: u64,
    /// Sessions of this run that it has as they are.
    pub sessions_known: u64,
    /// Sessions that were to be sent when sending began, those of earlier runs included.
    pub sessions_queued: u64,
    /// Batches that the server took.
    pub batches_sent: u64,
    /// Sessions in them.
    pub sessions_sent: u64,
    /// Batches that it refused.
    pub batches_refused: u64,
    /// Sessions in them.
    pub sessions_refused: u64,
    /// Sessions that are still to be sent, the refused ones among them.
    pub sessions_left: u64,
    /// Attempts after the first one of a batch.
    pub retries: u64,
    /// Why sending ended before each batch had its turn.
    pub stopped: Option<String>,
    /// Whether it would end like that again: something must be put right first.
    #[serde(skip)]
    pub is_stopped_for_good: bool,
    /// What the server refused, or the first of very many.
    pub refusals: Vec<RefusalReport>,
}

/// A batch that the server refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusalReport {
    /// The program.
    pub program_id: String,
    /// Week and day of the first session.
    pub first: (i64, i64),
    /// Week and day of the last one.
    pub last: (i64, i64),
    /// How many there are.
    pub sessions: u64,
    /// What the server answered; nothing where it was not even asked.
    pub status: Option<u16>,
    /// Why, and the beginning of what it says.
    pub reason: String,
}
