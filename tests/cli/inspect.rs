//! What `inspect` shows.

use crate::place::Place;

#[test]
fn tables_order_and_reason_sizes_and_digests_are_shown() {
    let place = Place::with_snapshot();
    place
        .run("inspect snap")
        .exits(0)
        .tells_nothing()
        .changes_nothing()
        .prints(" from gymlog.db (")
        .prints("the whole database, verified when it was made")
        .prints("1 view, 1 trigger")
        .prints("events")
        .prints("_created_at, rowid")
        .prints("the table has a _created_at column");
    place
        .run("inspect snap --columns")
        .exits(0)
        .prints("weight__integer")
        .prints("companion")
        .prints("sorting columns in the footer: _created_at");
    let one = place.run("inspect snap --table SETS");
    one.exits(0).prints("weight__integer").does_not_print("_event_id");
    let document = place.run("inspect snap --json").exits(0).tells_nothing().document();
    assert_eq!((&document["verb"], &document["exit_code"]), (&"inspect".into(), &0.into()));
    assert_eq!(document["tables"][1]["columns"][1]["declared_type"], "DECIMAL(5,2)");
}

#[test]
fn a_table_that_is_not_there_is_a_usage_error_that_names_those_that_are() {
    let place = Place::with_snapshot();
    place
        .run("inspect snap --table evnts")
        .fails(2, "the snapshot has no table \"evnts\": snap")
        .hints("events, sets, sqlite_sequence, cache_pages")
        .changes_nothing();
}

#[test]
fn a_single_file_is_inspected() {
    let place = Place::with_gymlog();
    place.run("export gymlog.db -t sets -o sets.parquet").exits(0);
    let ran = place.run("inspect sets.parquet");
    ran.exits(0).prints("part of the database").prints("left out: view heavy").prints("in manifest");
}
