use std::collections::BTreeSet;
use std::fs;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rusqlite::Connection;

use super::recipe::{CellRecipe, TableKind};
use super::{DatabaseRecipe, arbitrary_database};
use crate::fixtures::Fixture;
use crate::judge;

fn built(recipe: &DatabaseRecipe) -> Fixture {
    let fixture = Fixture::new("random");
    recipe.build(&fixture.path);
    fixture
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_recipe_builds_the_same_database_twice(recipe in arbitrary_database()) {
        let (first, second) = (built(&recipe), built(&recipe));
        judge::same_database(&first.path, &second.path);
    }
}

#[test]
fn the_judge_sees_one_changed_cell_in_any_database() {
    let recipes = samples(60);
    let mut seen = 0;
    for (ordinal, recipe) in recipes.iter().enumerate() {
        let original = built(recipe);
        let changed = original.duplicate();
        if let Some(what) = change_one_cell(&changed.open(), recipe, ordinal) {
            assert!(!judge::differences(&original.path, &changed.path).is_empty(), "{what}");
            seen += 1;
        }
    }
    assert!(seen > recipes.len() / 2, "only {seen} databases took the change");
}

/// Changes the class or the bytes of one cell of the last column of some table; what was done, in words.
fn change_one_cell(connection: &Connection, recipe: &DatabaseRecipe, ordinal: usize) -> Option<String> {
    let table = &recipe.tables[ordinal % recipe.tables.len()];
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let (name, column) = (quoted(&table.name), quoted(&table.columns.last()?.name));
    let key = quoted(&table.columns[0].name);
    let count: i64 =
        connection.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0)).ok()?;
    // A blob that no strategy makes, so that the cell cannot have held it; STRICT columns may refuse it.
    let sql = format!(
        "UPDATE {name} SET {column} = x'decade' WHERE {key} IS (SELECT {key} FROM {name} LIMIT 1 OFFSET {})",
        ordinal % usize::try_from(count).ok()?.max(1)
    );
    (connection.execute(&sql, []).ok()? > 0).then_some(sql)
}

fn samples(count: usize) -> Vec<DatabaseRecipe> {
    let mut runner = TestRunner::deterministic();
    let strategy = arbitrary_database();
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).expect("the strategy has no filter that fails").current())
        .collect()
}

#[test]
fn the_strategy_reaches_every_kind_of_table_and_setting() {
    let recipes = samples(200);
    let encodings: BTreeSet<_> = recipes.iter().map(|recipe| recipe.encoding).collect();
    let page_sizes: BTreeSet<_> = recipes.iter().map(|recipe| recipe.page_size).collect();
    let journal_modes: BTreeSet<_> = recipes.iter().map(|recipe| recipe.wal).collect();
    assert_eq!((encodings.len(), page_sizes.len(), journal_modes.len()), (3, 4, 2));
    let tables = || recipes.iter().flat_map(|recipe| &recipe.tables);
    assert!(tables().any(|table| table.kind == TableKind::NoKey));
    assert!(tables().any(|table| table.kind == TableKind::Alias { autoincrement: true }));
    assert!(tables().any(|table| table.kind == TableKind::KeyBesideRowid));
    assert!(tables().any(|table| table.kind == TableKind::WithoutRowid { key_columns: 2, descending: true }));
    assert!(tables().any(|table| table.is_strict() && !table.rows.is_empty()));
    assert!(tables().any(|table| table.rows.is_empty()));
    let cells = || tables().flat_map(|table| &table.rows).flat_map(|row| &row.cells);
    assert!(cells().any(|cell| matches!(cell, CellRecipe::Real(real) if real.is_infinite())));
    assert!(cells().any(|cell| matches!(cell, CellRecipe::Real(real) if real.is_subnormal())));
    assert!(cells().any(|cell| matches!(cell, CellRecipe::Text(text) if text.contains('\0'))));
    assert!(cells().any(|cell| matches!(cell, CellRecipe::RawText(bytes) if str::from_utf8(bytes).is_err())));
}

#[test]
fn most_random_rows_are_accepted_and_every_class_occurs() {
    let mut classes = BTreeSet::new();
    let (mut offered, mut accepted) = (0, 0);
    for recipe in samples(40) {
        let fixture = Fixture::new("random");
        offered += recipe.tables.iter().map(|table| table.rows.len()).sum::<usize>();
        accepted += recipe.build(&fixture.path);
        let connection = fixture.open();
        for table in &recipe.tables {
            let name = table.name.replace('"', "\"\"");
            let column = table.columns[1].name.replace('"', "\"\"");
            let mut statement = connection
                .prepare(&format!("SELECT typeof(\"{column}\") FROM \"{name}\""))
                .expect("the column exists");
            let found =
                statement.query_map([], |row| row.get::<_, String>(0)).expect("the table can be read");
            classes.extend(found.map(|class| class.expect("typeof answers")));
        }
    }
    assert_eq!(classes.len(), 5, "{classes:?}");
    assert!(accepted * 2 > offered, "{accepted} of {offered} rows were accepted");
}

#[test]
fn the_header_is_as_the_recipe_says() {
    for recipe in samples(20) {
        let fixture = built(&recipe);
        let bytes = fs::read(&fixture.path).expect("the database can be read");
        assert_eq!(bytes[18..20], if recipe.wal { [2, 2] } else { [1, 1] });
        assert_eq!(bytes[60..64], recipe.user_version.to_be_bytes());
        assert_eq!(bytes[68..72], recipe.application_id.to_be_bytes());
        let page_size = u32::from(u16::from_be_bytes([bytes[16], bytes[17]]));
        assert_eq!(page_size, if recipe.page_size == 65_536 { 1 } else { recipe.page_size });
    }
}
