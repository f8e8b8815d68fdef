//! What a file may claim in its footer of the order of its rows.

use crate::frame::mapping::TableMapping;
use crate::parquet_file::SortingTerm;
use crate::schema::{CellClass, Table, TotalOrder};

/// What a file may claim in its footer: the longest prefix of the order in which every column is one Parquet
/// column without companions; a number family without other companions may stand last.
#[must_use]
pub fn sorting_terms(table: &Table, mapping: &TableMapping, order: &TotalOrder) -> Vec<SortingTerm> {
    let mut terms = Vec::new();
    for term in &order.terms {
        let (column, is_last) = match term.column {
            None => match &mapping.rowid_column {
                Some(_) => (0, false),
                None => break,
            },
            Some(column) => {
                let Some(position) = table.stored_position(column) else { break };
                let mapped = &mapping.columns[position];
                let is_family = mapped.number_family
                    && mapped.companions.iter().all(|companion| companion.class == CellClass::Integer);
                if !mapped.companions.is_empty() && !is_family {
                    break;
                }
                let Some(index) = mapping.main_index(position) else { break };
                (index, is_family)
            }
        };
        terms.push(SortingTerm { column, descending: term.descending, nulls_first: !term.descending });
        if is_last {
            break;
        }
    }
    terms
}
