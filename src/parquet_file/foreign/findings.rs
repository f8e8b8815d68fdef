//! What became of values that SQLite or JSON cannot hold as they are.

use serde::Serialize;

use crate::parquet_file::foreign::ForeignColumn;

/// What happened to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// NaN in a column of reals: SQLite stores it as NULL.
    NanBecameNull,
    /// NaN or an infinity in a nested value: JSON has none.
    NotFiniteInJson,
    /// Text that is not valid UTF-8 as the key of a map: its bytes in base64, which might be a key themselves.
    InvalidKeyInJson,
    /// Text that is not valid UTF-8 in a nested value: its bytes stand there as `{"base64": …}`.
    InvalidTextInJson,
    /// Text that is not valid UTF-8: TEXT with the same bytes.
    InvalidText,
    /// An integer above 2^63-1: TEXT with the same digits.
    LargeInteger,
    /// Bytes that are not what their logical type says, or too many to spell out: kept as they are.
    Misfit,
}

impl FindingKind {
    /// All kinds, losses first.
    pub const ALL: [Self; 7] = [
        Self::NanBecameNull,
        Self::NotFiniteInJson,
        Self::InvalidKeyInJson,
        Self::InvalidTextInJson,
        Self::InvalidText,
        Self::LargeInteger,
        Self::Misfit,
    ];

    /// Whether the value cannot be told from what is stored.
    #[must_use]
    pub fn is_loss(self) -> bool {
        matches!(self, Self::NanBecameNull | Self::NotFiniteInJson | Self::InvalidKeyInJson)
    }

    /// In words, after a number of values.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::NanBecameNull => "NaN became NULL",
            Self::NotFiniteInJson => "NaN or infinity became null in JSON",
            Self::InvalidKeyInJson => "key that is not valid UTF-8 became base64 in JSON",
            Self::InvalidTextInJson => "text that is not valid UTF-8 became base64 in JSON",
            Self::InvalidText => "text that is not valid UTF-8 was kept as TEXT, byte for byte",
            Self::LargeInteger => "integer above 2^63-1 became TEXT",
            Self::Misfit => "value that does not fit its logical type was kept as its bytes",
        }
    }
}

/// All values of one column to which the same thing happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The column's name in the file.
    pub column: String,
    /// What happened.
    pub what: FindingKind,
    /// Whether the value cannot be told from what is stored.
    pub loss: bool,
    /// To how many values.
    pub count: u64,
    /// The first row in which it did, counted from 1.
    pub first_row: u64,
}

/// Counts findings.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// By column, then by kind: count and first row.
    counts: Vec<[(u64, u64); FindingKind::ALL.len()]>,
}

impl Tally {
    pub(super) fn new(columns: usize) -> Self {
        Self { counts: vec![Default::default(); columns] }
    }

    pub(super) fn add(&mut self, column: usize, kind: FindingKind, row: u64) {
        let Some(counts) = self.counts.get_mut(column) else { return };
        let Some(at) = FindingKind::ALL.iter().position(|other| *other == kind) else { return };
        let (count, first) = &mut counts[at];
        if *count == 0 {
            *first = row;
        }
        *count += 1;
    }

    /// All findings, by kind, losses first, then by column.
    pub(super) fn findings(&self, columns: &[ForeignColumn]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (at, kind) in FindingKind::ALL.into_iter().enumerate() {
            for (column, counts) in columns.iter().zip(&self.counts) {
                let (count, first_row) = counts[at];
                if count > 0 {
                    let column = column.name.clone();
                    findings.push(Finding { column, what: kind, loss: kind.is_loss(), count, first_row });
                }
            }
        }
        findings
    }
}
