//! The names of Parquet columns: SQLite's own wherever they can be, and never the same twice.

use std::collections::HashSet;

use crate::frame::mapping::ColumnMapping;
use crate::schema::Table;

/// Names every Parquet column and returns the rowid column's name, if there is one.
///
/// SQLite's own names come first and never change, those of virtual columns included, so that a view may
/// add them; then stand-ins for names that are no text, then the rowid, then companions.
pub(super) fn assign_names(table: &Table, mappings: &mut [ColumnMapping]) -> Option<String> {
    let mut taken = TakenNames::default();
    let own_name = |index: usize| table.columns[index].name.as_str().filter(|name| !name.is_empty());
    for index in 0..table.columns.len() {
        if let Some(name) = own_name(index) {
            taken.take(name);
        }
    }
    for mapping in mappings.iter_mut() {
        mapping.name = match own_name(mapping.column) {
            Some(name) => name.to_owned(),
            None => taken.take_unique(format!("column_{}", mapping.column + 1)),
        };
    }
    let rowid_column = (table.has_rowid() && table.rowid_alias.is_none()).then(|| taken.take_rowid_name());
    for mapping in mappings {
        for companion in &mut mapping.companions {
            companion.name = taken.take_unique(format!("{}__{}", mapping.name, companion.class.name()));
        }
    }
    rowid_column
}

/// Names already given, compared as SQLite and most readers compare them: without ASCII case.
#[derive(Default)]
struct TakenNames(HashSet<String>);

impl TakenNames {
    fn take(&mut self, name: &str) {
        self.0.insert(name.to_ascii_lowercase());
    }

    fn is_free(&self, name: &str) -> bool {
        !self.0.contains(&name.to_ascii_lowercase())
    }

    fn take_unique(&mut self, mut name: String) -> String {
        while !self.is_free(&name) {
            name.push('_');
        }
        self.take(&name);
        name
    }

    fn take_rowid_name(&mut self) -> String {
        let usual = ["rowid", "_rowid_", "oid"].into_iter().find(|name| self.is_free(name));
        self.take_unique(usual.unwrap_or("rowid").to_owned())
    }
}
