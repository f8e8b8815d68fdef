//! The rows of `sqlite_schema` of a restored database: put in by us, read by SQLite.

use std::collections::HashMap;

use rusqlite::config::DbConfig;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{SqlText, TextEncoding};
use crate::sqlite::catalog::read_catalog;
use crate::sqlite::failure::{failure, is_of_machine};
use crate::sqlite::statement::Statement;
use crate::sqlite::target_plan::{PlannedObject, Storage, TargetPlan};

use super::{Finish, Target, index_name, stand_in_name};

impl Target {
    pub(super) fn put_schema_in(&self, plan: &TargetPlan) -> Result<()> {
        let roots = self.root_pages()?;
        self.set_defensive(false)?;
        self.execute(b"PRAGMA writable_schema=ON")?;
        self.execute(b"DELETE FROM main.sqlite_schema")?;
        let text = if self.header.encoding == TextEncoding::Utf8 { "?" } else { "CAST(? AS TEXT)" };
        let sql = format!(
            "INSERT INTO main.sqlite_schema(rowid, type, name, tbl_name, rootpage, sql)
             VALUES (?, ?, {text}, {text}, ?, {text})"
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
            insert.bind_integer(1, object.rowid)?;
            insert.bind_text_bytes(2, object.kind.name().as_bytes())?;
            self.bind_sql_text(&mut insert, 3, &object.name)?;
            self.bind_sql_text(&mut insert, 4, &object.table_name)?;
            insert.bind_integer(5, i64::from(root))?;
            match &object.sql {
                Some(sql) => self.bind_sql_text(&mut insert, 6, sql)?,
                None => insert.bind_null(6)?,
            }
            insert.execute()?;
        }
        drop(insert);
        self.execute(b"COMMIT")?;
        self.forget_schema()
    }

    fn bind_sql_text(&self, statement: &mut Statement<'_>, parameter: usize, text: &SqlText) -> Result<()> {
        match (self.header.encoding, text) {
            (TextEncoding::Utf8, text) => statement.bind_text_bytes(parameter, text.as_bytes()),
            (encoding, SqlText::Valid(text)) => statement.bind_blob(parameter, &encoding.encode(text)),
            (_, SqlText::Raw(bytes)) => statement.bind_blob(parameter, bytes),
        }
    }

    /// Makes sure that SQLite reads the tables out of the schema that were loaded, in the layout they were given.
    pub(super) fn read_schema_back(&self, made: Finish<'_>) -> Result<()> {
        self.load_schema()?;
        let catalog = read_catalog(&self.connection)?;
        if catalog.objects != made.plan.schema_objects() {
            let message = "the restored schema is not the one the manifest names";
            return Err(Error::new(ErrorKind::Mismatch, message));
        }
        if catalog.header.legacy_format != self.header.legacy_format {
            let message = "the restored database has another schema format than the manifest names";
            return Err(Error::new(ErrorKind::Mismatch, message));
        }
        made.plan.expect_tables(made.tables, &catalog.tables)
    }

    pub(super) fn replace_definition(&self, rowid: i64, name: &SqlText, sql: Option<&SqlText>) -> Result<()> {
        self.set_defensive(false)?;
        self.execute(b"PRAGMA writable_schema=ON")?;
        let text = |parameter: u8| match self.header.encoding {
            TextEncoding::Utf8 => format!("?{parameter}"),
            _ => format!("CAST(?{parameter} AS TEXT)"),
        };
        let (name_text, sql_text) = (text(1), text(2));
        let statement =
            format!("UPDATE main.sqlite_schema SET name = {name_text}, sql = {sql_text} WHERE rowid = ?3");
        let mut update = Statement::prepare(&self.connection, statement.as_bytes())?;
        self.bind_sql_text(&mut update, 1, name)?;
        match sql {
            Some(sql) => self.bind_sql_text(&mut update, 2, sql)?,
            None => update.bind_null(2)?,
        }
        update.bind_integer(3, rowid)?;
        update.execute()?;
        drop(update);
        self.forget_schema()?;
        self.load_schema()
    }

    /// Makes SQLite parse the schema rows that were written when it needs them next.
    fn forget_schema(&self) -> Result<()> {
        self.execute(b"PRAGMA writable_schema=RESET")?;
        self.set_defensive(true)
    }

    fn load_schema(&self) -> Result<()> {
        self.execute(b"SELECT 1 FROM main.sqlite_schema").map_err(|error| match error.kind() {
            ErrorKind::Interrupted => error,
            // Of the machine, not of the schema.
            _ if is_of_machine(&error) => error,
            _ => Error::new(ErrorKind::Damaged, "SQLite cannot parse the snapshot's schema")
                .hint("the schema is not one that SQLite itself makes: it was damaged or made up")
                .because(error),
        })
    }

    fn set_defensive(&self, on: bool) -> Result<()> {
        self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, on).map(|_| ()).map_err(failure)
    }

    pub(super) fn root_pages(&self) -> Result<HashMap<String, u32>> {
        let mut statement =
            self.connection.prepare("SELECT name, rootpage FROM main.sqlite_schema").map_err(failure)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failure)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failure)
    }
}

fn stand_in_is_missing() -> Error {
    Error::new(ErrorKind::Failed, "a table was not loaded before the schema was put in")
}
