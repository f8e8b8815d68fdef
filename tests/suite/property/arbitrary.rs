//! The strategies: which databases are made up, and how likely what is.

use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::recipe::{
    CellRecipe, ColumnRecipe, DatabaseRecipe, IndexRecipe, RowRecipe, TableKind, TableRecipe,
};

const MOST_TABLES: usize = 4;
const MOST_COLUMNS: usize = 6;
const MOST_ROWS: usize = 40;

const DECLARED_TYPES: [&str; 18] = [
    "",
    "INTEGER",
    "INT",
    "BIGINT",
    "REAL",
    "DOUBLE PRECISION",
    "TEXT",
    "VARCHAR(10)",
    "BLOB",
    "NUMERIC",
    "DECIMAL(10,2)",
    "DATETIME",
    "DATE",
    "TIMESTAMP",
    "BOOLEAN",
    "JSON",
    "UUID",
    "STRING",
];
const STRICT_TYPES: [&str; 6] = ["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"];

/// Names that have broken tools. None contains NUL or begins with `sqlite_`, which SQLite forbids.
const ODD_NAMES: [&str; 36] = [
    "rowid",
    "oid",
    "_rowid_",
    "ROWID",
    "id",
    "v",
    "v__text",
    "v__integer",
    "v__real",
    "v__blob",
    "v__rawtext",
    "v__text_",
    "_created_at",
    "_event_id",
    "select",
    "order",
    "a b",
    "a.b",
    "a\"b",
    "it's",
    "[a]",
    "`a`",
    "a;--",
    "new\nline",
    "../x",
    "CON",
    "",
    " ",
    "Ä",
    "ä",
    "🏋️",
    "1st",
    "-",
    "*",
    "main",
    "manifest",
];

/// Integers where widths, doubles or signs end.
const EDGE_INTEGERS: [i64; 16] = [
    0,
    1,
    -1,
    127,
    128,
    -129,
    32_768,
    8_388_608,
    2_147_483_648,
    -2_147_483_649,
    140_737_488_355_328,
    9_007_199_254_740_992,
    9_007_199_254_740_993,
    -9_007_199_254_740_993,
    i64::MAX,
    i64::MIN,
];

/// Reals whose bits get lost easily.
const EDGE_REALS: [f64; 16] = [
    0.0,
    -0.0,
    1.0,
    0.1,
    82.5,
    100.0,
    1e15,
    9_007_199_254_740_992.0,
    9.3e18,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN_POSITIVE,
    5e-324,
    0.300_000_000_000_000_04,
    -2.5,
];

/// Any database: one to four tables of any kind in any encoding and page size, with rows of every class.
pub(crate) fn arbitrary_database() -> impl Strategy<Value = DatabaseRecipe> {
    let header = (
        select(vec!["UTF-8", "UTF-8", "UTF-16le", "UTF-16be"]),
        select(vec![512_u32, 1024, 4096, 4096, 65_536]),
        select(vec!["NONE", "NONE", "FULL", "INCREMENTAL"]),
        any::<bool>(),
        any::<i32>(),
        any::<i32>(),
    );
    (header, vec(table(), 1..=MOST_TABLES)).prop_map(|(header, mut tables)| {
        let (encoding, page_size, auto_vacuum, wal, user_version, application_id) = header;
        make_distinct(tables.iter_mut().map(|table| &mut table.name));
        DatabaseRecipe { encoding, page_size, auto_vacuum, wal, user_version, application_id, tables }
    })
}

fn table() -> impl Strategy<Value = TableRecipe> {
    let rows =
        prop_oneof![1 => Just(0..=0), 6 => Just(1..=MOST_ROWS)].prop_flat_map(|count| vec(row(), count));
    (
        (name(), kind(), vec(column(), 2..=MOST_COLUMNS), prop::bool::weighted(0.2)),
        (vec(index(), 0..3), rows, 0..5_usize),
    )
        .prop_map(|((name, kind, mut columns, strict), (indexes, rows, delete_every))| {
            make_distinct(columns.iter_mut().map(|column| &mut column.name));
            if !strict {
                for column in &mut columns {
                    column.strict = None;
                }
            }
            TableRecipe { name, kind, columns, indexes, rows, delete_every }
        })
}

fn kind() -> impl Strategy<Value = TableKind> {
    prop_oneof![
        3 => Just(TableKind::NoKey),
        2 => any::<bool>().prop_map(|autoincrement| TableKind::Alias { autoincrement }),
        2 => Just(TableKind::KeyBesideRowid),
        2 => (1..=2_usize, any::<bool>())
            .prop_map(|(key_columns, descending)| TableKind::WithoutRowid { key_columns, descending }),
    ]
}

fn column() -> impl Strategy<Value = ColumnRecipe> {
    let collation = select(vec!["", "", "", "", "NOCASE", "RTRIM", "BINARY"]);
    (name(), select(DECLARED_TYPES.to_vec()), select(STRICT_TYPES.to_vec()), collation).prop_map(
        |(name, declared, strict, collation)| ColumnRecipe {
            name,
            declared,
            strict: Some(strict),
            collation,
        },
    )
}

fn index() -> impl Strategy<Value = IndexRecipe> {
    (vec(0..MOST_COLUMNS, 1..3), any::<bool>(), any::<bool>())
        .prop_map(|(columns, descending, partial)| IndexRecipe { columns, descending, partial })
}

fn row() -> impl Strategy<Value = RowRecipe> {
    let rowid = prop_oneof![4 => -20..200_i64, 1 => select(EDGE_INTEGERS.to_vec()), 1 => any::<i64>()];
    (rowid, vec(cell(), MOST_COLUMNS)).prop_map(|(rowid, cells)| RowRecipe { rowid, cells })
}

/// A value of any class; reals never NaN, which SQLite stores as NULL.
fn cell() -> impl Strategy<Value = CellRecipe> {
    let real = prop_oneof![
        select(EDGE_REALS.to_vec()),
        any::<u64>().prop_map(f64::from_bits).prop_filter("SQLite has no NaN", |real| !real.is_nan()),
        (-100_000..100_000_i32).prop_map(|cents| f64::from(cents) / 100.0),
    ];
    prop_oneof![
        2 => Just(CellRecipe::Null),
        2 => (-1000..1000_i64).prop_map(CellRecipe::Integer),
        1 => select(EDGE_INTEGERS.to_vec()).prop_map(CellRecipe::Integer),
        1 => any::<i64>().prop_map(CellRecipe::Integer),
        3 => real.prop_map(CellRecipe::Real),
        4 => text().prop_map(CellRecipe::Text),
        1 => vec(any::<u8>(), 0..12).prop_map(CellRecipe::RawText),
        2 => vec(any::<u8>(), 0..20).prop_map(CellRecipe::Blob),
        1 => any::<Index>().prop_map(|size| CellRecipe::Blob(vec![0xa5; size.index(3000)])),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => "[a-c ]{0,3}",
        1 => any::<String>(),
        1 => select(vec!["", " ", "1", "1.0", "1e3", "0x10", "-0.0", "Infinity", "a\0b", "\0", "\u{feff}x", "\u{ffff}", "ß", "🏋"])
            .prop_map(str::to_owned),
        1 => (0..86_400_u32).prop_map(|second| format!("2026-11-20T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)),
        1 => "[ -~]{20,400}",
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z][a-z0-9_]{0,8}",
        3 => select(ODD_NAMES.to_vec()).prop_map(str::to_owned),
        1 => any::<String>().prop_map(|name| name.replace('\0', "0").chars().take(40).collect()),
    ]
}

/// Appends underscores until no two names are equal for SQLite, which folds ASCII letters only.
fn make_distinct<'a>(names: impl Iterator<Item = &'a mut String>) {
    let mut taken = HashSet::new();
    for name in names {
        if name.to_ascii_lowercase().starts_with("sqlite_") {
            name.insert(0, 'x');
        }
        while !taken.insert(name.to_ascii_lowercase()) {
            name.push('_');
        }
    }
}
