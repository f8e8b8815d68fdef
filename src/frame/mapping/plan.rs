//! Which class a column's main column has, and which companions it needs.

use crate::frame::mapping::names::assign_names;
use crate::frame::mapping::{ClassCounts, ColumnMapping, Companion, MainClass, MappingReason, TableMapping};
use crate::schema::{Affinity, CellClass, Column, Table};

/// Plans a table's columns from the storage classes its cells have; `counts` has one entry per stored column.
///
/// A missing entry counts as a column without values. The plan depends on its arguments alone.
#[must_use]
pub fn plan_mapping(table: &Table, counts: &[ClassCounts]) -> TableMapping {
    let mut columns: Vec<ColumnMapping> = table
        .stored_columns()
        .enumerate()
        .map(|(position, (index, column))| {
            plan_column(index, column, counts.get(position).copied().unwrap_or_default())
        })
        .collect();
    let rowid_column = assign_names(table, &mut columns);
    TableMapping { rowid_column, columns }
}

/// Plans one column; names are given later.
fn plan_column(index: usize, column: &Column, counts: ClassCounts) -> ColumnMapping {
    let (main, number_family, reason) = choose_main(column, &counts);
    let companions = CellClass::ALL
        .into_iter()
        .filter(|&class| counts.of(class) > 0 && class != main.class())
        .map(|class| Companion { class, name: String::new() })
        .collect();
    ColumnMapping { column: index, name: String::new(), main, number_family, companions, reason, counts }
}

/// The classes that compete for the main column, in the order that settles ties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    Number,
    Text,
    Blob,
}

impl Contender {
    const ALL: [Self; 3] = [Self::Number, Self::Text, Self::Blob];

    fn count(self, counts: &ClassCounts) -> u64 {
        match self {
            Self::Number => counts.integer + counts.real,
            Self::Text => counts.text + counts.raw_text,
            Self::Blob => counts.blob,
        }
    }

    fn of_affinity(affinity: Affinity) -> Self {
        match affinity {
            Affinity::Integer | Affinity::Real | Affinity::Numeric => Self::Number,
            Affinity::Text => Self::Text,
            Affinity::Blob => Self::Blob,
        }
    }
}

fn choose_main(column: &Column, counts: &ClassCounts) -> (MainClass, bool, MappingReason) {
    let most = Contender::ALL.iter().map(|contender| contender.count(counts)).max().unwrap_or(0);
    if most == 0 {
        return (main_of_affinity(column.affinity), false, MappingReason::DeclaredAffinity);
    }
    let leaders: Vec<Contender> =
        Contender::ALL.into_iter().filter(|contender| contender.count(counts) == most).collect();
    let declared = Contender::of_affinity(column.affinity);
    let winner = if leaders.contains(&declared) { declared } else { leaders[0] };
    let classes = CellClass::ALL.iter().filter(|&&class| counts.of(class) > 0).count();
    let reason = match (leaders.len(), classes) {
        (_, 1) => MappingReason::Uniform,
        (1, _) => MappingReason::Majority,
        _ => MappingReason::Tie,
    };
    match winner {
        Contender::Number => choose_number(column, counts, reason),
        Contender::Text => (MainClass::Text, false, reason),
        Contender::Blob => (MainClass::Blob, false, reason),
    }
}

/// How numbers are shown once they are the main class; `reason` is why they are.
fn choose_number(
    column: &Column,
    counts: &ClassCounts,
    reason: MappingReason,
) -> (MainClass, bool, MappingReason) {
    match (counts.integer > 0, counts.real > 0) {
        (true, _) if is_declared_decimal(column) => (MainClass::Real, true, MappingReason::DeclaredDecimal),
        (true, true) if column.affinity == Affinity::Integer => {
            (MainClass::Integer, false, MappingReason::DeclaredInteger)
        }
        (true, true) => (MainClass::Real, true, MappingReason::NumberFamily),
        (true, false) => (MainClass::Integer, false, reason),
        (false, _) => (MainClass::Real, false, reason),
    }
}

fn main_of_affinity(affinity: Affinity) -> MainClass {
    match affinity {
        Affinity::Integer => MainClass::Integer,
        Affinity::Real | Affinity::Numeric => MainClass::Real,
        Affinity::Text => MainClass::Text,
        Affinity::Blob => MainClass::Blob,
    }
}

fn is_declared_decimal(column: &Column) -> bool {
    let declared = column.declared_type.as_bytes().to_ascii_uppercase();
    [&b"DECIMAL"[..], b"NUMERIC"]
        .iter()
        .any(|word| declared.windows(word.len()).any(|window| window == *word))
}
