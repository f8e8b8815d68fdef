//! The databases to measure with, made from a seed in a folder that goes with the process.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use tempfile::TempDir;

/// Rows of each database: enough for several frames, few enough for seconds.
pub(crate) const ROWS: u32 = 50_000;

/// What a column of a database for encoding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing but NULL: what the rest of an export costs.
    Nothing,
    /// Integers up to 5000.
    Integers,
    /// Reals of full precision.
    Reals,
    /// Rising ISO 8601 texts.
    Times,
    /// Random UUIDs as text.
    Uuids,
    /// JSON of about 300 bytes.
    Json,
    /// One of three words.
    Categories,
}

/// How rows lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disorder {
    /// In order.
    None,
    /// One row in fifty comes a little late.
    Late,
    /// In no order.
    Full,
}

/// A database in its folder.
pub(crate) struct Database {
    folder: TempDir,
}

impl Database {
    /// Makes a database with `schema` and fills its table `rows` with what `fill` inserts.
    fn new(schema: &str, fill: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Self {
        let database = Self { folder: TempDir::new().expect("a temporary folder can be made") };
        let connection = Connection::open(database.path()).expect("a database can be made");
        connection.execute_batch(schema).expect("the schema is sound");
        connection.execute_batch("BEGIN").expect("begins");
        fill(&connection).expect("the rows are sound");
        connection.execute_batch("COMMIT").expect("commits");
        connection.close().expect("the database closes");
        database
    }

    /// A table like that of `scripts/make_events.py`: 13 columns, a UNIQUE text and an index.
    pub(crate) fn of_events() -> Self {
        let schema = "CREATE TABLE rows (id INTEGER PRIMARY KEY, event_uuid TEXT UNIQUE, _created_at TEXT, \
             user_id INTEGER, event_type TEXT, payload TEXT, session TEXT, a INTEGER, b REAL, c REAL, d INTEGER, \
             updated_at TEXT, note TEXT); CREATE INDEX rows_created_at ON rows (_created_at)";
        Self::new(schema, |connection| {
            let places = "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?3, ?12)";
            let mut insert = connection.prepare(&format!("INSERT INTO rows VALUES {places}"))?;
            let mut source = Source::new(7);
            for ordinal in 0..ROWS {
                let row = params![
                    ordinal,
                    uuid(&mut source),
                    time(ordinal * 1_000 + source.below(1_000)),
                    source.below(5_000),
                    category(&mut source),
                    json(&mut source),
                    format!("s{}", source.below(100_000)),
                    source.below(1_000),
                    source.real(),
                    (source.real() * 10_000.0).round() / 100.0,
                    source.below(6),
                    (source.below(10) > 6).then_some("ok"),
                ];
                insert.execute(row)?;
            }
            Ok(())
        })
    }

    /// A table of one column of `kind` beside its key.
    pub(crate) fn of_kind(kind: Kind) -> Self {
        Self::new("CREATE TABLE rows (id INTEGER PRIMARY KEY, value)", |connection| {
            let mut insert = connection.prepare("INSERT INTO rows VALUES (?1, ?2)")?;
            let mut source = Source::new(8);
            for ordinal in 0..ROWS {
                match kind {
                    Kind::Nothing => insert.execute(params![ordinal, None::<i64>])?,
                    Kind::Integers => insert.execute(params![ordinal, source.below(5_000)])?,
                    Kind::Reals => insert.execute(params![ordinal, source.real()])?,
                    Kind::Times => {
                        insert.execute(params![ordinal, time(ordinal * 1_000 + source.below(1_000))])?
                    }
                    Kind::Uuids => insert.execute(params![ordinal, uuid(&mut source)])?,
                    Kind::Json => insert.execute(params![ordinal, json(&mut source)])?,
                    Kind::Categories => insert.execute(params![ordinal, category(&mut source)])?,
                };
            }
            Ok(())
        })
    }

    /// A table whose rows lie by key, and by `_created_at` with some disorder.
    pub(crate) fn in_disorder(disorder: Disorder) -> Self {
        let schema = "CREATE TABLE rows (id INTEGER PRIMARY KEY, _created_at TEXT, value INTEGER)";
        Self::new(schema, |connection| {
            let mut insert = connection.prepare("INSERT INTO rows VALUES (?1, ?2, ?3)")?;
            let mut source = Source::new(9);
            for ordinal in 0..ROWS {
                let seconds = match disorder {
                    Disorder::Full => source.below(ROWS),
                    Disorder::Late if source.below(50) == 0 => ordinal.saturating_sub(source.below(100)),
                    Disorder::None | Disorder::Late => ordinal,
                };
                insert.execute(params![ordinal, time(seconds * 1_000), source.below(1_000)])?;
            }
            Ok(())
        })
    }

    /// Where the database lies.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("source.db")
    }

    /// Where something may be written.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its size in bytes.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.path().metadata().expect("the database is there").len()
    }
}

/// Numbers from a seed: the same ones everywhere.
struct Source(u64);

impl Source {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// splitmix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next() % u64::from(bound)).expect("less than a u32")
    }

    /// In [1, 2), every bit of the fraction at random.
    fn real(&mut self) -> f64 {
        f64::from_bits((1023 << 52) | (self.next() >> 12))
    }
}

fn uuid(source: &mut Source) -> String {
    let (high, low) = (source.next(), source.next());
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

fn time(milliseconds: u32) -> String {
    let (seconds, rest) = (milliseconds / 1_000, milliseconds % 1_000);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let (month, day) = (1 + days / 28 % 12, 1 + days % 28);
    format!("2025-{month:02}-{day:02}T{:02}:{:02}:{:02}.{rest:03}Z", hours % 24, minutes % 60, seconds % 60)
}

fn category(source: &mut Source) -> &'static str {
    match source.below(3) {
        0 => "set_logged",
        1 => "workout_started",
        _ => "workout_completed",
    }
}

fn json(source: &mut Source) -> String {
    let exercise = if source.below(2) == 0 { "squat" } else { "deadlift" };
    let mut text = format!("{{\"exercise\": \"{exercise}\", \"sets\": [");
    for set in 0..5 {
        let comma = if set == 0 { "" } else { ", " };
        let (reps, weight, rpe) = (source.below(12), source.below(180), source.below(9));
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{{\"reps\": {reps}, \"weight\": {weight}.5, \"rpe\": {rpe}.0}}");
    }
    let (set, of, device) = (source.below(9), source.below(99_999), source.below(40));
    let _ = write!(text, "], \"note\": \"set {set} of {of}\", \"device\": \"phone-{device}\"}}");
    text
}
