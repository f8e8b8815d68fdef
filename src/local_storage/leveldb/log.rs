//! The record format of LevelDB's logs and manifests: blocks of 32 KiB, records in fragments, a checksum on each.
//!
//! A log that ends inside its last record is what a killed writer leaves ([`Piece::Torn`]); everything else that does not
//! fit is damage, and reading goes on behind it. What is handed out has a right checksum in every fragment.
//!
//! Source: LevelDB, `doc/log_format.md`.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::checksum::{covered_length, is_checksum_of};

const BLOCK_BYTES: usize = 32 * 1024;
/// Checksum, length and type.
const HEADER_BYTES: usize = 7;
/// Of one record; LevelDB joins batches up to 1 MiB, and one origin's whole storage is at most 10 MiB.
const MAX_RECORD_BYTES: usize = 64 * 1024 * 1024;

// Types of fragments.
const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// What is found in a log, in the order of the file; `at` is the byte where it begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// All fragments of a record, with right checksums.
    Record { at: u64, payload: Vec<u8> },
    /// Bytes that are no record.
    Damaged { at: u64, why: &'static str },
    /// The end of the file comes too early; nothing follows. `begun` is what is there of the record's payload, of which no
    /// checksum tells that it is as it was written.
    Torn { at: u64, why: &'static str, begun: Vec<u8> },
}

/// Reads the pieces of a log one after the other.
pub(super) struct LogReader<R> {
    source: R,
    block: Vec<u8>,
    block_at: u64,
    /// In the block.
    position: usize,
    /// The last fragment of this block was damaged: where the next one begins is a guess.
    is_guessing: bool,
    /// Where zeros began, that may go on to the end of the file.
    zeros_at: Option<u64>,
    /// The record whose end has not been read yet.
    open_record: Option<(u64, Vec<u8>)>,
    /// Fragments that continue a record belong to a damaged one.
    is_skipping: bool,
    found: VecDeque<Piece>,
    has_ended: bool,
}

/// One fragment, or what stands in its place.
enum Fragment {
    Sound {
        at: u64,
        kind: u8,
        payload: Vec<u8>,
    },
    Damaged {
        at: u64,
        why: &'static str,
    },
    /// Without a type where not even the header is whole.
    Torn {
        at: u64,
        why: &'static str,
        kind: Option<u8>,
        begun: Vec<u8>,
    },
    End,
}

impl<R: Read> LogReader<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            block: Vec::new(),
            block_at: 0,
            position: 0,
            is_guessing: false,
            zeros_at: None,
            open_record: None,
            is_skipping: false,
            found: VecDeque::new(),
            has_ended: false,
        }
    }

    /// The next piece; `None` at the end.
    pub(super) fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        while self.found.is_empty() && !self.has_ended {
            match self.next_fragment()? {
                Fragment::Sound { at, kind, payload } => self.join(at, kind, payload),
                Fragment::Damaged { at, why } => self.report(at, why),
                Fragment::Torn { at, why, kind, begun } => self.end_torn(at, why, kind, begun),
                Fragment::End => {
                    self.has_ended = true;
                    if let Some((at, begun)) = self.open_record.take() {
                        self.found.push_back(Piece::Torn { at, why: "its last record has no end", begun });
                    } else if let Some(at) = self.zeros_at {
                        self.found.push_back(Piece::Torn { at, why: "it ends in zeros", begun: Vec::new() });
                    }
                }
            }
        }
        Ok(self.found.pop_front())
    }

    fn report(&mut self, at: u64, why: &'static str) {
        self.open_record = None;
        self.is_skipping = true;
        self.found.push_back(Piece::Damaged { at, why });
    }

    /// Ends inside a fragment, which must be one that could stand there.
    fn end_torn(&mut self, at: u64, why: &'static str, kind: Option<u8>, begun: Vec<u8>) {
        self.has_ended = true;
        let torn = match (kind, self.open_record.take()) {
            (None | Some(MIDDLE | LAST), Some((open_at, bytes))) => Some((open_at, [bytes, begun].concat())),
            (None | Some(FULL | FIRST), None) => Some((at, begun)),
            (Some(FULL | FIRST), Some((_, bytes))) if bytes.is_empty() => Some((at, begun)),
            _ => None,
        };
        self.found.push_back(match torn {
            Some((at, begun)) => Piece::Torn { at, why, begun },
            None => Piece::Damaged { at, why },
        });
    }

    /// Takes a sound fragment into its record.
    fn join(&mut self, at: u64, kind: u8, payload: Vec<u8>) {
        match kind {
            FULL | FIRST => {
                // Old writers left an empty first fragment at the end of a block.
                if let Some((open_at, _)) = self.open_record.take().filter(|(_, bytes)| !bytes.is_empty()) {
                    self.report(open_at, "a record has no end");
                }
                self.is_skipping = false;
                if kind == FULL {
                    self.found.push_back(Piece::Record { at, payload });
                } else {
                    self.open_record = Some((at, payload));
                }
            }
            MIDDLE | LAST => match self.open_record.take() {
                Some((open_at, bytes)) if bytes.len() + payload.len() > MAX_RECORD_BYTES => {
                    self.report(open_at, "a record is larger than 64 MiB");
                }
                Some((open_at, mut bytes)) => {
                    bytes.extend_from_slice(&payload);
                    if kind == MIDDLE {
                        self.open_record = Some((open_at, bytes));
                    } else {
                        self.found.push_back(Piece::Record { at: open_at, payload: bytes });
                    }
                }
                None if self.is_skipping => {}
                None => self.report(at, "a record has no beginning"),
            },
            _ => self.report(at, "a record has an unknown type"),
        }
    }

    fn next_fragment(&mut self) -> io::Result<Fragment> {
        loop {
            let position = self.position;
            let at = self.block_at + position as u64;
            let rest = self.block.get(position..).unwrap_or_default();
            if rest.is_empty() || BLOCK_BYTES.saturating_sub(position) < HEADER_BYTES {
                if !self.read_block()? {
                    return Ok(Fragment::End);
                }
                continue;
            }
            let header = rest.first_chunk::<HEADER_BYTES>();
            if header.map_or(rest, <[u8; HEADER_BYTES]>::as_slice).iter().all(|&byte| byte == 0) {
                let is_zero = rest.iter().all(|&byte| byte == 0);
                self.position = self.block.len();
                if !is_zero {
                    return Ok(Fragment::Damaged { at, why: "there are zeros where a record should begin" });
                }
                self.zeros_at.get_or_insert(at);
                continue;
            }
            if let Some(zeros_at) = self.zeros_at.take() {
                return Ok(Fragment::Damaged {
                    at: zeros_at,
                    why: "there are zeros where records should be",
                });
            }
            let Some(&[a, b, c, d, low, high, kind]) = header else {
                self.position = self.block.len();
                let why = "it ends inside the header of a record";
                return Ok(Fragment::Torn { at, why, kind: None, begun: Vec::new() });
            };
            let checksum = u32::from_le_bytes([a, b, c, d]);
            let length = usize::from(u16::from_le_bytes([low, high]));
            // The checksum begins with the type, the last byte of the header.
            let covered = rest.get(HEADER_BYTES - 1..).unwrap_or_default();
            return Ok(match covered.get(..=length) {
                Some(bytes) if is_checksum_of(checksum, bytes) => {
                    let payload = bytes.get(1..).unwrap_or_default().to_vec();
                    self.position = position + HEADER_BYTES + length;
                    self.is_guessing = false;
                    Fragment::Sound { at, kind, payload }
                }
                Some(_) => {
                    let next = covered_length(checksum, covered).unwrap_or(length);
                    self.go_on_behind(next);
                    Fragment::Damaged { at, why: "the checksum of a record is wrong" }
                }
                None => {
                    let why = "the length of a record is wrong";
                    if let Some(next) = covered_length(checksum, covered) {
                        self.go_on_behind(next);
                        Fragment::Damaged { at, why }
                    } else if position + HEADER_BYTES + length > BLOCK_BYTES {
                        self.position = self.block.len();
                        Fragment::Damaged { at, why }
                    } else {
                        let begun = covered.get(1..).unwrap_or_default().to_vec();
                        let why = "it ends inside its last record";
                        Fragment::Torn { at, why, kind: Some(kind), begun }
                    }
                }
            });
        }
    }

    /// After a damaged fragment: tries the place behind it once, and else leaves the rest of the block.
    fn go_on_behind(&mut self, length: usize) {
        self.position = if self.is_guessing {
            self.block.len().max(BLOCK_BYTES)
        } else {
            self.position + HEADER_BYTES + length
        };
        self.is_guessing = true;
    }

    /// Whether there was another block.
    fn read_block(&mut self) -> io::Result<bool> {
        self.block_at += self.block.len() as u64;
        self.block.clear();
        self.position = 0;
        self.is_guessing = false;
        self.source.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut self.block)?;
        Ok(!self.block.is_empty())
    }
}
