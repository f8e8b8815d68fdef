//! What is done to one file.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// One thing done to the bytes of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// One bit becomes the other one.
    Flip { at: usize, bit: u8 },
    /// One byte becomes this one.
    Set { at: usize, value: u8 },
    /// A run of bytes becomes zeros.
    Zero { at: usize, size: usize },
    /// The file ends after so many bytes.
    Cut { size: usize },
    /// So many zeros follow the end.
    Grow { by: usize },
}

impl Change {
    /// The bytes of the file afterwards; `None` where nothing would change.
    pub(super) fn apply(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut changed = bytes.to_vec();
        match self {
            Self::Flip { at, bit } => changed[at] ^= 1 << bit,
            Self::Set { at, value } => changed[at] = value,
            Self::Zero { at, size } => {
                let end = bytes.len().min(at + size);
                changed[at..end].fill(0);
            }
            Self::Cut { size } => changed.truncate(size),
            Self::Grow { by } => changed.resize(bytes.len() + by, 0),
        }
        (changed != bytes).then_some(changed)
    }
}

/// Makes the file at `path`, which holds `old`, hold `new`. Only what differs is written: thousands of files made anew
/// each second would keep the disk busy.
pub(super) fn write_difference(path: &Path, old: &[u8], new: &[u8]) {
    let common = old.len().min(new.len());
    let first = (0..common).find(|&at| old[at] != new[at]).unwrap_or(common);
    let from_end = (0..common - first)
        .find(|&at| old.len() != new.len() || old[old.len() - 1 - at] != new[new.len() - 1 - at])
        .unwrap_or(0);
    let mut file = File::options().write(true).open(path).expect("opens");
    file.seek(SeekFrom::Start(first as u64)).expect("seeks");
    file.write_all(&new[first..new.len() - from_end]).expect("written");
    file.set_len(new.len() as u64).expect("as long");
}

/// Every single flipped bit.
pub(super) fn every_bit(size: usize) -> impl Iterator<Item = Change> {
    (0..size).flat_map(|at| (0..8).map(move |bit| Change::Flip { at, bit }))
}

/// Every shorter length, some longer ones, every block of 512 bytes as zeros.
pub(super) fn every_size_and_block(size: usize) -> impl Iterator<Item = Change> {
    let cuts = (0..size).map(|size| Change::Cut { size });
    let growths = [1, 4, 4096].map(|by| Change::Grow { by });
    let blocks = (0..size).step_by(512).map(|at| Change::Zero { at, size: 512 });
    cuts.chain(growths).chain(blocks)
}

/// Every byte with one bit flipped (a different one from byte to byte), as 0 and as 255.
pub(super) fn every_byte(size: usize) -> impl Iterator<Item = Change> {
    (0..size).flat_map(|at| {
        // A fixed scramble of the place, so that all bits have their turn everywhere.
        let bit = u8::try_from((at.wrapping_mul(2_654_435_761) >> 7) % 8).expect("below 8");
        [Change::Flip { at, bit }, Change::Set { at, value: 0 }, Change::Set { at, value: 255 }]
    })
}
