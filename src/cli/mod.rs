//! What a person or a script sees of a run: progress, results, errors.

pub(crate) mod exit;
pub(crate) mod progress;
pub(crate) mod terminal;
pub(crate) mod text;
