//! Building a restored database in a staged file.
//!
//! No DDL of a snapshot is ever executed. Every table first exists as a stand-in of ours with the same
//! physical layout and no constraints: `CREATE TABLE "parklite 3"(c0, c1 REAL, c2 INTEGER PRIMARY KEY)`. Rows go
//! in, indexes over plain columns are built sorted and without uniqueness, and then the rows of
//! `sqlite_schema` are replaced by the true ones, text byte for byte, over the b-trees that now exist. SQLite
//! parses them the way it parses the schema of any database it opens: unknown functions, collations and
//! modules lose nothing, rows that violate their own constraints stay, triggers never fire, no module runs.
//! Only indexes with expressions, a WHERE clause or virtual columns are built after that, under their true
//! definitions. The replacement of schema rows relies on `PRAGMA writable_schema` of the bundled SQLite and
//! is pinned by tests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, ErrorKind, Result};
use crate::run::Interrupt;
use crate::schema::{
    Affinity, AutoVacuum, Cell, DatabaseHeader, IndexColumn, IndexedValue, JournalMode, SqlText, Table,
    TextEncoding,
};
use crate::sqlite::failure::failure;
use crate::sqlite::open::{configure, open_connection};
use crate::sqlite::statement::{ImposterMode, Statement, define_imposter};
use crate::sqlite::target_plan::{PlannedObject, Storage, TargetPlan};

/// A database being built.
pub struct Target {
    connection: Connection,
    path: PathBuf,
    header: DatabaseHeader,
    interrupt: Interrupt,
}

impl Target {
    /// Creates the database at `path`, which must not exist or be empty.
    ///
    /// `cache_bytes`: how much SQLite may use for its page cache, and again for sorting an index; what does not
    /// fit goes to temporary files (see [`crate::sqlite::set_temporary_folder`]).
    ///
    /// # Errors
    /// `Damaged` for a page size no database has; what SQLite says.
    pub fn create(
        path: &Path,
        header: &DatabaseHeader,
        cache_bytes: u64,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        if !header.page_size.is_power_of_two() || !(512..=65536).contains(&header.page_size) {
            return Err(Error::new(ErrorKind::Damaged, "the snapshot names an impossible page size"));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = open_connection(path, flags | OpenFlags::SQLITE_OPEN_EXRESCODE)?;
        let pragmas = format!(
            "PRAGMA page_size={};
             PRAGMA encoding='{}';
             PRAGMA auto_vacuum={};
             PRAGMA locking_mode=EXCLUSIVE;
             PRAGMA journal_mode=OFF;
             PRAGMA synchronous=OFF;
             PRAGMA temp_store=FILE;
             PRAGMA cell_size_check=ON;
             PRAGMA cache_size=-{};",
            header.page_size,
            header.encoding.name(),
            match header.auto_vacuum {
                AutoVacuum::None => 0,
                AutoVacuum::Full => 1,
                AutoVacuum::Incremental => 2,
            },
            (cache_bytes / 1024).max(256)
        );
        connection.execute_batch(&pragmas).map_err(|error| failure(error).at(path))?;
        configure(&mut connection, Duration::ZERO, interrupt)?;
        // Without any object, SQLite would not even store the encoding; the row goes with all stand-ins.
        connection
            .execute_batch("BEGIN; CREATE VIEW \"parklite\" AS SELECT 1;")
            .map_err(|error| failure(error).at(path))?;
        Ok(Self { connection, path: path.to_path_buf(), header: *header, interrupt: interrupt.clone() })
    }

    /// Makes the stand-in of the table at `ordinal` and a way to insert its rows.
    ///
    /// `typed_reals`: columns of REAL affinity are declared so, which stores whole numbers in fewer bytes. The
    /// loader refuses a cell this would change; then the table must be loaded again without.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn load_table<'t>(
        &'t self,
        ordinal: usize,
        table: &Table,
        plain: bool,
        typed_reals: bool,
    ) -> Result<TableLoader<'t>> {
        let place = |error: Error| error.in_table(&table.name);
        let shape = StandIn { table, plain, typed_reals };
        let name = stand_in_name(ordinal);
        self.execute(format!("DROP TABLE IF EXISTS main.\"{name}\"").as_bytes()).map_err(place)?;
        self.execute(shape.definition(&name).as_bytes()).map_err(place)?;
        let mut into = name.clone();
        if !shape.has_rowid() {
            // Through an ordinary definition, the key columns of a WITHOUT ROWID table refuse NULL.
            // A second attempt needs a second name: the first imposter is still defined.
            into = format!("{name} rows {typed_reals}");
            let root = self.root_pages().map_err(place)?.remove(name.as_str()).unwrap_or_default();
            let definition = shape.definition(&into);
            let defined = define_imposter(&self.connection, ImposterMode::Writable, root, &definition);
            defined.map_err(place)?;
        }
        let statement = Statement::prepare(&self.connection, &shape.insert(&into, self.header.encoding))
            .map_err(place)?;
        Ok(TableLoader {
            statement,
            encoding: self.header.encoding,
            writes_rowid: shape.has_separate_rowid(),
            reals: shape.real_columns(),
            alias: table.rowid_alias.and_then(|alias| table.stored_position(alias)),
            row_ordinal: 0,
        })
    }

    /// Builds the plain indexes, puts the true schema in, builds the other indexes, and sets the header.
    ///
    /// All tables of the plan must have been loaded. `on_index` hears the name of each index before it is built.
    ///
    /// # Errors
    /// `Damaged` where SQLite cannot parse the schema; what SQLite says otherwise.
    pub fn finish(self, plan: &TargetPlan, tables: &[Table], on_index: impl Fn(&str)) -> Result<()> {
        let path = self.path.clone();
        let place = |error: Error| error.at(&path);
        for (position, planned) in plan.objects.iter().enumerate() {
            self.interrupt.check()?;
            match planned.storage {
                Storage::PlainIndex { table, index } => {
                    on_index(&planned.object.name.lossy());
                    self.build_plain_index(position, table, &tables[table], index).map_err(place)?;
                }
                Storage::DeferredIndex { .. } => self.reserve_index(position).map_err(place)?,
                Storage::Table(_) | Storage::None => {}
            }
        }
        self.put_schema_in(plan).map_err(place)?;
        for (position, planned) in plan.objects.iter().enumerate() {
            self.interrupt.check()?;
            if let Storage::DeferredIndex { .. } = planned.storage {
                on_index(&planned.object.name.lossy());
                self.build_deferred_index(position, planned).map_err(place)?;
            }
        }
        self.finish_header().map_err(place)
    }

    fn build_plain_index(
        &self,
        position: usize,
        table_ordinal: usize,
        table: &Table,
        index: usize,
    ) -> Result<()> {
        let columns = table.indexes[index].columns.iter().filter(|column| column.is_key);
        let terms = columns.map(|column| index_term(table, column)).collect::<Result<Vec<_>>>()?;
        let sql = format!(
            "CREATE INDEX main.\"{}\" ON \"{}\"({})",
            index_name(position),
            stand_in_name(table_ordinal),
            terms.join(", ")
        );
        self.execute(sql.as_bytes()).map_err(|error| error.in_table(&table.name))
    }

    /// Makes an empty b-tree of the kind indexes have.
    fn reserve_index(&self, position: usize) -> Result<()> {
        let sql = format!("CREATE TABLE main.\"{}\"(c0 PRIMARY KEY) WITHOUT ROWID", index_name(position));
        self.execute(sql.as_bytes())
    }

    fn put_schema_in(&self, plan: &TargetPlan) -> Result<()> {
        let roots = self.root_pages()?;
        self.set_defensive(false)?;
        self.execute(b"PRAGMA writable_schema=ON")?;
        self.execute(b"DELETE FROM main.sqlite_schema")?;
        let text = if self.header.encoding == TextEncoding::Utf8 { "?" } else { "CAST(? AS TEXT)" };
        let sql = format!(
            "INSERT INTO main.sqlite_schema(type, name, tbl_name, rootpage, sql) VALUES (?, {text}, {text}, ?, {text})"
        );
        let mut insert = Statement::prepare(&self.connection, sql.as_bytes())?;
        for (position, PlannedObject { object, storage }) in plan.objects.iter().enumerate() {
            let root = match storage {
                Storage::None => 0,
                Storage::Table(table) => {
                    *roots.get(&stand_in_name(*table)).ok_or_else(stand_in_is_missing)?
                }
                Storage::PlainIndex { .. } | Storage::DeferredIndex { .. } => {
                    *roots.get(&index_name(position)).ok_or_else(stand_in_is_missing)?
                }
            };
            insert.bind_text_bytes(1, object.kind.name().as_bytes())?;
            self.bind_sql_text(&mut insert, 2, &object.name)?;
            self.bind_sql_text(&mut insert, 3, &object.table_name)?;
            insert.bind_integer(4, i64::from(root))?;
            match &object.sql {
                Some(sql) => self.bind_sql_text(&mut insert, 5, sql)?,
                None => insert.bind_null(5)?,
            }
            insert.execute()?;
        }
        drop(insert);
        self.execute(b"COMMIT")?;
        self.reload_schema()
    }

    fn bind_sql_text(&self, statement: &mut Statement<'_>, parameter: usize, text: &SqlText) -> Result<()> {
        match (self.header.encoding, text) {
            (TextEncoding::Utf8, text) => statement.bind_text_bytes(parameter, text.as_bytes()),
            (encoding, SqlText::Valid(text)) => statement.bind_blob(parameter, &encoding.encode(text)),
            (_, SqlText::Raw(bytes)) => statement.bind_blob(parameter, bytes),
        }
    }

    /// Makes SQLite parse the schema rows that were written.
    fn reload_schema(&self) -> Result<()> {
        self.execute(b"PRAGMA writable_schema=RESET")?;
        self.set_defensive(true)?;
        self.execute(b"SELECT 1 FROM main.sqlite_schema").map_err(|error| {
            Error::new(ErrorKind::Damaged, "SQLite cannot parse the snapshot's schema").because(error)
        })
    }

    fn build_deferred_index(&self, position: usize, planned: &PlannedObject) -> Result<()> {
        let name = crate::schema::Identifier::from_bytes(planned.object.name.as_bytes());
        let reindex = [b"REINDEX main.".as_slice(), &name.quoted()].concat();
        let Err(error) = self.execute(&reindex) else { return Ok(()) };
        // Rows that violate a unique index were in the source as well: build it as if it were not unique.
        let Some(relaxed) = planned.object.sql.as_ref().and_then(without_unique) else {
            return Err(error.in_table(planned.object.table_name.lossy()));
        };
        let original = planned.object.sql.clone();
        self.replace_sql(position, Some(&relaxed))?;
        let built = self.execute(&reindex);
        self.replace_sql(position, original.as_ref())?;
        built.map_err(|error| error.in_table(planned.object.table_name.lossy()))
    }

    fn replace_sql(&self, position: usize, sql: Option<&SqlText>) -> Result<()> {
        self.set_defensive(false)?;
        self.execute(b"PRAGMA writable_schema=ON")?;
        let text = if self.header.encoding == TextEncoding::Utf8 { "?1" } else { "CAST(?1 AS TEXT)" };
        let statement = format!("UPDATE main.sqlite_schema SET sql = {text} WHERE rowid = ?2");
        let mut update = Statement::prepare(&self.connection, statement.as_bytes())?;
        match sql {
            Some(sql) => self.bind_sql_text(&mut update, 1, sql)?,
            None => update.bind_null(1)?,
        }
        // The rows were inserted in order into an empty table: rowids are ordinals.
        let rowid = i64::try_from(position + 1).map_err(|_| stand_in_is_missing())?;
        update.bind_integer(2, rowid)?;
        update.execute()?;
        drop(update);
        self.reload_schema()
    }

    fn finish_header(self) -> Result<()> {
        let DatabaseHeader { user_version, application_id, journal_mode, default_cache_size, .. } =
            self.header;
        let cache = default_cache_size.map(|pages| format!("PRAGMA default_cache_size={pages};"));
        let pragmas = format!(
            "PRAGMA user_version={user_version}; PRAGMA application_id={application_id}; {}",
            cache.unwrap_or_default()
        );
        self.connection.execute_batch(&pragmas).map_err(failure)?;
        if journal_mode == JournalMode::Wal {
            let sql = "PRAGMA locking_mode=NORMAL; PRAGMA journal_mode=WAL;";
            self.connection.execute_batch(sql).map_err(failure)?;
        }
        self.connection.close().map_err(|(_, error)| failure(error))
    }

    fn execute(&self, sql: &[u8]) -> Result<()> {
        Statement::prepare(&self.connection, sql)?.execute()
    }

    fn set_defensive(&self, on: bool) -> Result<()> {
        self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, on).map(|_| ()).map_err(failure)
    }

    fn root_pages(&self) -> Result<HashMap<String, u32>> {
        let mut statement =
            self.connection.prepare("SELECT name, rootpage FROM main.sqlite_schema").map_err(failure)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failure)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failure)
    }
}

fn stand_in_is_missing() -> Error {
    Error::new(ErrorKind::Failed, "a table was not loaded before the schema was put in")
}

fn stand_in_name(ordinal: usize) -> String {
    format!("parklite {ordinal}")
}

fn index_name(position: usize) -> String {
    format!("parklite index {position}")
}

/// A table of ours that lays rows out as the true table does.
struct StandIn<'a> {
    table: &'a Table,
    /// Without the key of a WITHOUT ROWID table, because it cannot be kept.
    plain: bool,
    typed_reals: bool,
}

impl StandIn<'_> {
    fn has_rowid(&self) -> bool {
        self.plain || self.table.has_rowid()
    }

    fn has_separate_rowid(&self) -> bool {
        self.table.has_rowid() && self.table.rowid_alias.is_none()
    }

    fn real_columns(&self) -> Vec<usize> {
        if !self.typed_reals {
            return Vec::new();
        }
        let columns = self.table.stored_columns().enumerate();
        columns
            .filter(|(_, (_, column))| column.affinity == Affinity::Real)
            .map(|(position, _)| position)
            .collect()
    }

    /// Unqualified: an imposter's definition must be.
    fn definition(&self, name: &str) -> String {
        let reals = self.real_columns();
        let column = |(position, (index, _)): (usize, (usize, _))| {
            let declared = match () {
                () if self.table.rowid_alias == Some(index) => " INTEGER PRIMARY KEY",
                () if reals.contains(&position) => " REAL",
                () => "",
            };
            format!("c{position}{declared}")
        };
        let columns: Vec<String> = self.table.stored_columns().enumerate().map(column).collect();
        let columns = columns.join(", ");
        if self.has_rowid() {
            return format!("CREATE TABLE \"{name}\"({columns})");
        }
        let keys = self.table.without_rowid_key.iter().filter(|key| key.is_key);
        let keys: Vec<String> = keys.filter_map(|key| index_term(self.table, key).ok()).collect();
        format!("CREATE TABLE \"{name}\"({columns}, PRIMARY KEY({})) WITHOUT ROWID", keys.join(", "))
    }

    /// With UTF-8, one parameter a cell. With UTF-16, two: whether it is text, and the value, text as a blob
    /// of its stored bytes, since SQLite's own conversion from UTF-8 changes some characters.
    fn insert(&self, name: &str, encoding: TextEncoding) -> Vec<u8> {
        let count = self.table.stored_columns().count();
        let rowid = self.has_separate_rowid();
        let mut columns = Vec::with_capacity(count + 1);
        let mut values = Vec::with_capacity(count + 1);
        if rowid {
            columns.push("rowid".to_string());
            values.push("?1".to_string());
        }
        for position in 0..count {
            columns.push(format!("c{position}"));
            let parameter = first_parameter(rowid, position, encoding);
            values.push(match encoding {
                TextEncoding::Utf8 => format!("?{parameter}"),
                _ => format!("iif(?{parameter}, CAST(?{next} AS TEXT), ?{next})", next = parameter + 1),
            });
        }
        format!("INSERT INTO main.\"{name}\"({}) VALUES ({})", columns.join(", "), values.join(", "))
            .into_bytes()
    }
}

fn first_parameter(rowid: bool, position: usize, encoding: TextEncoding) -> usize {
    let width = if encoding == TextEncoding::Utf8 { 1 } else { 2 };
    1 + usize::from(rowid) + position * width
}

fn index_term(table: &Table, column: &IndexColumn) -> Result<String> {
    let broken = || {
        Error::new(ErrorKind::Damaged, "the snapshot describes an index that cannot be").in_table(&table.name)
    };
    let name = match column.value {
        IndexedValue::Column(column) => format!("c{}", table.stored_position(column).ok_or_else(broken)?),
        IndexedValue::Rowid => "rowid".to_string(),
        IndexedValue::Expression => return Err(broken()),
    };
    let collation = String::from_utf8(column.collation.quoted()).map_err(|_| broken())?;
    Ok(format!("{name} COLLATE {collation}{}", if column.descending { " DESC" } else { "" }))
}

/// The text of a CREATE UNIQUE INDEX without its UNIQUE.
///
/// SQLite stores the text of an index beginning with exactly these words, whatever was typed.
fn without_unique(sql: &SqlText) -> Option<SqlText> {
    const UNIQUE: &[u8] = b"CREATE UNIQUE INDEX";
    let rest = sql.as_bytes().strip_prefix(UNIQUE)?;
    let relaxed = [b"CREATE INDEX".as_slice(), rest].concat();
    Some(match String::from_utf8(relaxed) {
        Ok(text) => SqlText::Valid(text),
        Err(error) => SqlText::Raw(error.into_bytes()),
    })
}

/// Inserts the rows of one table.
pub struct TableLoader<'t> {
    statement: Statement<'t>,
    encoding: TextEncoding,
    writes_rowid: bool,
    reals: Vec<usize>,
    alias: Option<usize>,
    row_ordinal: u64,
}

impl TableLoader<'_> {
    /// Inserts the next row; false, and nothing inserted, if a column declared REAL would change a cell.
    ///
    /// # Errors
    /// What SQLite says, with the row.
    pub fn insert(&mut self, rowid: Option<i64>, cells: &[Cell<'_>]) -> Result<bool> {
        self.row_ordinal += 1;
        if self.reals.iter().any(|&position| cells.get(position).is_none_or(|cell| !keeps_as_real(cell))) {
            return Ok(false);
        }
        self.bind_and_execute(rowid, cells).map_err(|error| error.at_row(self.row_ordinal))?;
        Ok(true)
    }

    fn bind_and_execute(&mut self, rowid: Option<i64>, cells: &[Cell<'_>]) -> Result<()> {
        let missing = || Error::new(ErrorKind::Damaged, "a row has no rowid");
        if self.writes_rowid {
            self.statement.bind_integer(1, rowid.ok_or_else(missing)?)?;
        }
        if let Some(alias) = self.alias
            && !matches!(cells.get(alias), Some(Cell::Integer(_)))
        {
            return Err(missing());
        }
        for (position, &cell) in cells.iter().enumerate() {
            let parameter = first_parameter(self.writes_rowid, position, self.encoding);
            match (self.encoding, cell) {
                (TextEncoding::Utf8, cell) => self.statement.bind(parameter, cell)?,
                (encoding, Cell::Text(text)) => {
                    self.statement.bind_integer(parameter, 1)?;
                    self.statement.bind_blob(parameter + 1, &encoding.encode(text))?;
                }
                (_, Cell::RawText(bytes)) => {
                    self.statement.bind_integer(parameter, 1)?;
                    self.statement.bind_blob(parameter + 1, bytes)?;
                }
                (_, cell) => {
                    self.statement.bind_integer(parameter, 0)?;
                    self.statement.bind(parameter + 1, cell)?;
                }
            }
        }
        self.statement.execute()
    }
}

/// Whether a column declared REAL stores the cell as it is.
fn keeps_as_real(cell: &Cell<'_>) -> bool {
    match cell {
        Cell::Null | Cell::Blob(_) => true,
        // SQLite stores whole reals as integers there, and negative zero has no integer.
        Cell::Real(value) => value.to_bits() != (-0.0_f64).to_bits(),
        Cell::Integer(_) | Cell::Text(_) | Cell::RawText(_) => false,
    }
}
