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

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, ErrorKind, Result};
use crate::run::Interrupt;
use crate::schema::{AutoVacuum, DatabaseHeader, JournalMode, SchemaObject, Table};
use crate::sqlite::connect::{configure, open_connection, open_in};
use crate::sqlite::failure::failure;
use crate::sqlite::imposter::{ImposterMode, define_imposter};
use crate::sqlite::modules::keep_modules;
use crate::sqlite::piecewise_vfs::piecewise_vfs;
use crate::sqlite::stand_in::{StandIn, TableLoader};
use crate::sqlite::statement::Statement;
use crate::sqlite::target_plan::{Storage, TargetPlan};
use crate::sqlite::watch::{Extent, Watch, bound_expressions};

use indexes::cannot_be_built;

mod indexes;
mod schema;

/// A database being built.
pub struct Target {
    connection: Connection,
    path: PathBuf,
    header: DatabaseHeader,
    interrupt: Interrupt,
    watch: Watch,
    cache_kib: u64,
}

/// A page cache that stays within the processor's own, in KiB: enough where pages are only appended. It is also how much of
/// an index SQLite sorts at a time, which takes half as long as with a large one, and writing what was sorted to a file in
/// between costs less than that.
const SMALL_CACHE_KIB: u64 = 4 << 10;

/// What is to be made of the tables that were loaded.
#[derive(Debug, Clone, Copy)]
pub struct Finish<'a> {
    /// The plan of the schema.
    pub plan: &'a TargetPlan,
    /// The tables.
    pub tables: &'a [Table],
    /// How much was loaded into each.
    pub extents: &'a [Extent],
}

impl Finish<'_> {
    fn extent(&self) -> Extent {
        self.extents.iter().fold(Extent::default(), |sum, extent| sum.and(*extent))
    }
}

impl Target {
    /// Creates the database at `path`, which must not exist or be empty.
    ///
    /// `cache_bytes`: how much SQLite may use for its page cache where rows do not come in the order of their b-tree;
    /// 4 MiB otherwise, and again for sorting an index, whose rest goes to temporary files (see
    /// [`crate::sqlite::set_temporary_folder`]).
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
        let flags = flags | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let mut connection = match piecewise_vfs() {
            Some(vfs) => open_in(path, flags, vfs)?,
            None => open_connection(path, flags)?,
        };
        let cache_kib = (cache_bytes / 1024).max(256);
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
            cache_kib
        );
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_LEGACY_FILE_FORMAT, header.legacy_format)
            .map_err(failure)?;
        connection.execute_batch(&pragmas).map_err(|error| failure(error).at(path))?;
        configure(&mut connection, Duration::ZERO, interrupt)?;
        // Not even their names are looked at here: a virtual table is a row of the schema and tables with rows.
        keep_modules(&connection, &[])?;
        let watch = Watch::over(&mut connection, interrupt)?;
        // Without any object, SQLite would not even store the encoding; the row goes with all stand-ins.
        connection
            .execute_batch("BEGIN; CREATE VIEW \"parklite\" AS SELECT 1;")
            .map_err(|error| failure(error).at(path))?;
        let (path, interrupt) = (path.to_path_buf(), interrupt.clone());
        Ok(Self { connection, path, header: *header, interrupt, watch, cache_kib })
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
        // Where there is a rowid, rows come in its order; other keys may be ordered by a collation.
        self.use_cache(if shape.has_rowid() { SMALL_CACHE_KIB } else { self.cache_kib }).map_err(place)?;
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
        TableLoader::prepare(&self.connection, &shape, &into, self.header.encoding).map_err(place)
    }

    /// Builds the plain indexes, puts the true schema in, asks SQLite what it reads out of it, builds the other
    /// indexes, and sets the header.
    ///
    /// All tables of the plan must have been loaded. `on_index` hears the name of each index before it is built.
    ///
    /// # Errors
    /// `Damaged` where SQLite cannot parse the schema, `Mismatch` where it reads other tables out of it than were
    /// loaded; `Failed` where an index would take for ever; what SQLite says otherwise.
    pub fn finish(self, made: Finish<'_>, on_index: impl Fn(&str)) -> Result<()> {
        let Finish { plan, tables, extents } = made;
        let path = self.path.clone();
        let place = |error: Error| error.at(&path);
        self.use_cache(SMALL_CACHE_KIB).map_err(place)?;
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
        self.bound(made).map_err(place)?;
        // From here on SQLite knows texts of the snapshot.
        self.put_schema_in(plan).map_err(place)?;
        let time = Extent { rows: plan.objects.len() as u64, ..Extent::default() }.time(0);
        self.watch.within(time, "the schema", || self.read_schema_back(made)).map_err(place)?;
        for planned in &plan.objects {
            self.interrupt.check()?;
            if let Storage::DeferredIndex { table: ordinal, index } = planned.storage {
                let (name, table) = (planned.object.name.lossy(), &tables[ordinal]);
                on_index(&name);
                let time = extents.get(ordinal).copied().unwrap_or_default().time(1);
                let build = || {
                    let built = self.build_deferred_index(planned, table, &table.indexes[index]);
                    built.map_err(|error| cannot_be_built(&name, &table.name, error))
                };
                self.watch.within(time, &format!("index {name:?}"), build).map_err(place)?;
            }
        }
        self.finish_header().map_err(place)
    }

    /// Bounds what the snapshot's expressions can make.
    fn bound(&self, made: Finish<'_>) -> Result<()> {
        /// For tables of a few rows.
        const LEAST_GROWTH_BYTES: u64 = 64 << 20;
        /// A text takes twice its bytes in UTF-16, and changes once while its index is built.
        const TIMES_TEXT: u64 = 4;
        /// Source: SQLite, "Limits In SQLite" (`SQLITE_MAX_PAGE_COUNT`).
        const MOST_PAGES: u64 = 0xffff_fffe;
        let objects = made.plan.schema_objects();
        bound_expressions(&self.connection, &made.extent(), &objects)?;
        let text_bytes: u64 = objects.iter().map(SchemaObject::size_bytes).sum();
        let deferred = made.plan.objects.iter().filter_map(|planned| match planned.storage {
            Storage::DeferredIndex { table, .. } => made.extents.get(table),
            _ => None,
        });
        let least = LEAST_GROWTH_BYTES.saturating_add(text_bytes.saturating_mul(TIMES_TEXT));
        let growth = deferred.fold(least, |sum, extent| sum.saturating_add(extent.index_bytes()));
        let pages: u32 =
            self.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).map_err(failure)?;
        let most = (u64::from(pages) + growth / u64::from(self.header.page_size)).min(MOST_PAGES);
        self.execute(format!("PRAGMA max_page_count={most}").as_bytes())
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

    fn use_cache(&self, kib: u64) -> Result<()> {
        self.execute(format!("PRAGMA cache_size=-{}", kib.min(self.cache_kib)).as_bytes())
    }

    fn execute(&self, sql: &[u8]) -> Result<()> {
        Statement::prepare(&self.connection, sql)?.execute()
    }
}

fn stand_in_name(ordinal: usize) -> String {
    format!("parklite {ordinal}")
}

fn index_name(position: usize) -> String {
    format!("parklite index {position}")
}
