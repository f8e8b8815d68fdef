//! What each byte of a data file belongs to, told by another reader of its footer: what parklite recorded is on trial.

use std::collections::BTreeSet;
use std::ops::Range;

use parklite::matching::DataFinding;
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::subject::SubjectFile;

/// What one finding should name: row group, column, and words of the finding.
pub(super) type Name = (Option<usize>, Option<String>, &'static str);

const CHANGED_CHUNK: &str = "the bytes of the column chunk";
const CUT_OFF: &str = "the file is cut off";
const BEYOND: &str = "the file goes on after the end";
const SEAL: &str = "the bytes of the seal are";
const AFTER_CHUNKS: &str = "the page index, the seal or the footer";

/// Bytes of the SHA-256 in the seal that must be right for the seal to be told from what is beside it.
const TELLING_BYTES: usize = 16;

/// The parts of one data file, in order and without gaps.
#[derive(Clone)]
pub(super) struct Parts(Vec<(Range<usize>, Part)>);

#[derive(Clone, PartialEq)]
enum Part {
    Chunk(usize, String),
    SealTag,
    SealDigest,
    /// The words that name it.
    Other(&'static str),
}

impl Parts {
    pub(super) fn of(file: &SubjectFile) -> Self {
        let open = std::fs::File::open(&file.path).expect("opens");
        let reader = SerializedFileReader::new(open).expect("a Parquet file");
        let mut parts = vec![
            (0..4, Part::Other("the magic at the beginning")),
            (4..12, Part::Other("the tag at the beginning")),
        ];
        for (index, group) in reader.metadata().row_groups().iter().enumerate() {
            for column in group.columns() {
                let (start, size) = column.byte_range();
                let range =
                    usize::try_from(start).expect("small")..usize::try_from(start + size).expect("small");
                parts.push((range, Part::Chunk(index, column.column_path().string())));
            }
        }
        let chunks_end = parts.last().expect("parts").0.end;
        let size = file.bytes.len();
        let length = u32::from_le_bytes(file.bytes[size - 8..size - 4].try_into().expect("four bytes"));
        let footer = size - 8 - usize::try_from(length).expect("small");
        parts.push((chunks_end..footer - 40, Part::Other("the page index are")));
        parts.push((footer - 40..footer - 32, Part::SealTag));
        parts.push((footer - 32..footer, Part::SealDigest));
        parts.push((footer..size - 8, Part::Other("the footer are")));
        parts.push((size - 8..size - 4, Part::Other("the footer's length")));
        parts.push((size - 4..size, Part::Other("the magic at the end")));
        assert!(parts.windows(2).all(|pair| pair[0].0.end == pair[1].0.start), "parts with gaps");
        Self(parts)
    }

    /// The places of all column chunks.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Range<usize>> {
        self.0.iter().filter(|(_, part)| matches!(part, Part::Chunk(..))).map(|(range, _)| range.clone())
    }

    /// What should be named when `old` has become `new`.
    pub(super) fn due(&self, old: &[u8], new: &[u8], is_folder: bool) -> BTreeSet<Name> {
        let is_known = |part: &Part| {
            is_folder
                || matches!(part, Part::Chunk(..))
                || matches!(part, Part::Other(name) if name.ends_with("beginning"))
        };
        let mut due = BTreeSet::new();
        // What a file by itself can only tell from its seal: whether more than that was changed.
        let mut only_the_seal = true;
        for (range, part) in &self.0 {
            if range.is_empty() {
                continue;
            }
            if range.end > new.len() && is_folder {
                due.insert(match part {
                    Part::Chunk(row_group, column) => (Some(*row_group), Some(column.clone()), CUT_OFF),
                    _ => (None, None, CUT_OFF),
                });
                break;
            }
            if new.get(range.clone()).is_some_and(|new| *new == old[range.clone()]) {
                continue;
            }
            match part {
                Part::Chunk(row_group, column) => {
                    due.insert((Some(*row_group), Some(column.clone()), CHANGED_CHUNK));
                }
                Part::Other(name) if is_known(part) => {
                    due.insert((None, None, *name));
                }
                Part::SealTag if is_known(part) => {
                    due.insert((None, None, SEAL));
                }
                Part::SealTag => {}
                Part::SealDigest => {
                    let pairs = new.iter().zip(old).skip(range.start).take(range.len());
                    only_the_seal &=
                        is_folder || pairs.filter(|(new, old)| new == old).count() >= TELLING_BYTES;
                }
                Part::Other(_) => only_the_seal = false,
            }
        }
        if new.len() > old.len() && is_folder {
            due.insert((None, None, BEYOND));
        }
        // Where something else is damaged, the seal's SHA-256 cannot be told to be right or wrong.
        if due.is_empty() {
            due.insert((None, None, if only_the_seal { SEAL } else { AFTER_CHUNKS }));
        }
        due
    }
}

/// Whether `found` names exactly what is due, of this file and table, and nothing else.
pub(super) fn names(found: &[DataFinding], due: &BTreeSet<Name>, file: &str, table: &str) -> bool {
    let is_named = |name: &Name| {
        let (row_group, column, words) = name;
        let mut findings = found.iter();
        findings.any(|it| it.row_group == *row_group && it.column == *column && it.finding.contains(words))
    };
    found.len() == due.len()
        && found.iter().all(|finding| finding.file == file && finding.table == table)
        && due.iter().all(is_named)
}
