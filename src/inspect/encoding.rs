//! How the Parquet columns of a snapshot are encoded, and why: what the manifest keeps of each choice, in words.

use serde::Serialize;

use crate::parquet_file::{ChosenFor, ColumnFacts, Layout};

/// Why a column chunk was compressed with less effort than was asked for.
pub const WHY_LESS_EFFORT: &str = "less effort than asked for, since it came out no larger than plain with all of it on a sample, or next to nothing larger than a dictionary with all of it";

/// Why nothing was tried.
const WHY_NOTHING_TRIED: &str = "nothing but NULL, so there was nothing to choose";

/// One Parquet column.
#[derive(Debug, Clone, Serialize)]
pub struct InspectedParquetColumn {
    /// What the footer says of it.
    #[serde(flatten)]
    pub facts: ColumnFacts,
    /// How its chunks are encoded, the most frequent way first; empty where the snapshot does not tell.
    pub chosen: Vec<InspectedChoice>,
}

/// One way in which chunks of a column are encoded.
#[derive(Debug, Clone, Serialize)]
pub struct InspectedChoice {
    /// The way, and how many row groups it was chosen for.
    #[serde(flatten)]
    pub chosen: ChosenFor,
    /// Why.
    pub because: Vec<&'static str>,
}

impl InspectedParquetColumn {
    /// What the footer says of its `rows` rows, and what the manifest says beside it; `asked_level` is the zstd level asked
    /// for.
    pub(super) fn new(facts: ColumnFacts, rows: u64, chosen: &[ChosenFor], asked_level: i32) -> Self {
        let has_values = facts.null_count != Some(rows);
        let mut chosen: Vec<InspectedChoice> = chosen
            .iter()
            .map(|&chosen| {
                let less_effort = (chosen.choice.level < asked_level).then_some(WHY_LESS_EFFORT);
                let because = if has_values {
                    std::iter::once(why_layout(chosen.choice.layout)).chain(less_effort).collect()
                } else {
                    vec![WHY_NOTHING_TRIED]
                };
                InspectedChoice { chosen, because }
            })
            .collect();
        chosen.sort_by_key(|choice| std::cmp::Reverse(choice.chosen.row_groups));
        Self { facts, chosen }
    }

    /// Whether there was nothing to choose from.
    #[must_use]
    pub fn has_only_null(&self) -> bool {
        self.chosen.iter().any(|choice| choice.because == [WHY_NOTHING_TRIED])
    }
}

/// A layout in a word or two.
#[must_use]
pub fn layout_name(layout: Layout) -> &'static str {
    match layout {
        Layout::Dictionary => "dictionary",
        Layout::Plain => "plain",
        Layout::Deltas => "deltas",
        Layout::Lengths => "lengths",
        Layout::ByteStreams => "byte streams",
    }
}

/// What a layout is, and why a column chunk has it.
#[must_use]
pub fn why_layout(layout: Layout) -> &'static str {
    match layout {
        Layout::Dictionary => {
            "few distinct values, each stored once and pointed to, which came out smallest on a sample"
        }
        Layout::Plain => {
            "one value after another, where nothing else came out at least 1 % smaller on a sample, or there were no values"
        }
        Layout::Deltas => {
            "integers as differences from one to the next, which came out at least 1 % smaller on a sample"
        }
        Layout::Lengths => "lengths stored apart from bytes, which came out at least 1 % smaller on a sample",
        Layout::ByteStreams => {
            "first bytes of all reals, then second bytes, and so on, which came out at least 1 % smaller on a sample"
        }
    }
}
