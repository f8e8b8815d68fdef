//! A row of `sqlite_schema` of any bytes: what is let through does no more than it says, and what SQLite itself made is let
//! through.
//!
//! An input is four lines, of which the last may go on: kind, name, name of the table, text.

use parklite::schema::{ObjectKind, SchemaObject, SqlText, TextEncoding};
use parklite::sqlite::schema_check::check_schema;
use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

const MOST_BYTES: usize = 16 * 1024;

/// One input.
pub fn run(input: &[u8]) {
    let mut lines = input.splitn(4, |byte| *byte == b'\n');
    let (Some(kind), Some(name), Some(table), Some(text)) =
        (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return;
    };
    if input.len() > MOST_BYTES {
        return;
    }
    if let Some(kind) = kind_of(kind) {
        what_is_let_through_does_no_more_than_it_says(kind, name, table, text);
    }
    if let Ok(text) = std::str::from_utf8(text) {
        what_sqlite_made_is_let_through(text);
    }
}

fn kind_of(word: &[u8]) -> Option<ObjectKind> {
    use ObjectKind::{Index, Table, Trigger, View};
    [Table, Index, View, Trigger].into_iter().find(|kind| kind.name().as_bytes() == word)
}

fn sql_text(bytes: &[u8]) -> SqlText {
    match std::str::from_utf8(bytes) {
        Ok(text) => SqlText::Valid(text.to_string()),
        Err(_) => SqlText::Raw(bytes.to_vec()),
    }
}

fn what_is_let_through_does_no_more_than_it_says(kind: ObjectKind, name: &[u8], table: &[u8], text: &[u8]) {
    let is_virtual = text.to_ascii_uppercase().starts_with(b"CREATE VIRTUAL");
    let has_storage = matches!(kind, ObjectKind::Table | ObjectKind::Index) && !is_virtual;
    let mut objects = Vec::new();
    if matches!(kind, ObjectKind::Index | ObjectKind::Trigger) {
        let quoted: Vec<u8> =
            table.iter().flat_map(|byte| if *byte == b'"' { vec![b'"'; 2] } else { vec![*byte] }).collect();
        let sql = [b"CREATE TABLE \"".as_slice(), &quoted, b"\"(a, b, c)"].concat();
        objects.push(object(1, ObjectKind::Table, table, table, true, &sql));
    }
    objects.push(object(2, kind, name, table, has_storage, text));
    if check_schema(&objects, &[], TextEncoding::Utf8).is_err() {
        return;
    }
    let connection = Connection::open_in_memory().expect("opens");
    let made = "CREATE TABLE one(a, b, c); CREATE TABLE two(a, b, c); PRAGMA writable_schema=ON; \
                DELETE FROM sqlite_schema";
    connection.execute_batch(made).expect("makes pages");
    for object in &objects {
        let root_page = if object.has_storage { object.rowid + 1 } else { 0 };
        let sql = object.sql.as_ref().map(SqlText::as_bytes);
        let row = (object.kind.name(), object.name.as_bytes(), object.table_name.as_bytes(), root_page, sql);
        let insert = "INSERT INTO sqlite_schema \
                      VALUES (?1, CAST(?2 AS TEXT), CAST(?3 AS TEXT), ?4, CAST(?5 AS TEXT))";
        connection.execute(insert, row).expect("is a row");
    }
    connection
        .execute_batch("PRAGMA writable_schema=OFF; PRAGMA writable_schema=RESET")
        .expect("is read later");
    let listed = "SELECT schema, CAST(name AS BLOB) FROM pragma_table_list";
    let Ok(mut statement) = connection.prepare(listed) else { return };
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?));
    let Ok(found) = statement.query_map([], read).and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
    else {
        // A text that SQLite cannot parse does nothing at all.
        return;
    };
    for (schema, found) in found {
        let known = [b"sqlite_schema".as_slice(), b"sqlite_temp_schema", name, table];
        let is_known = known.iter().any(|known| known.eq_ignore_ascii_case(&found));
        assert!(
            is_known && matches!(schema.as_str(), "main" | "temp"),
            "{:?}",
            String::from_utf8_lossy(&found)
        );
    }
    let databases: i64 = connection
        .query_row("SELECT count(*) FROM pragma_database_list WHERE name <> 'temp'", [], |row| row.get(0))
        .expect("is read");
    assert_eq!(databases, 1);
}

fn object(
    rowid: i64,
    kind: ObjectKind,
    name: &[u8],
    table: &[u8],
    has_storage: bool,
    sql: &[u8],
) -> SchemaObject {
    let (name, table_name, sql) = (sql_text(name), sql_text(table), Some(sql_text(sql)));
    SchemaObject { rowid, kind, name, table_name, has_storage, sql }
}

fn what_sqlite_made_is_let_through(script: &str) {
    const OPERATIONS: i32 = 100_000;
    let lower = script.to_ascii_lowercase();
    if lower.contains("load_extension") || lower.contains("fts3_tokenizer") || script.contains('\0') {
        // SQLite makes what it will not read.
        return;
    }
    let mut connection = Connection::open_in_memory().expect("opens");
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, 1 << 20).expect("is set");
    connection.progress_handler(OPERATIONS, Some(|| true)).expect("is set");
    let verdict = |context: AuthContext<'_>| match context.action {
        AuthAction::CreateTable { .. }
        | AuthAction::CreateIndex { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::AlterTable { .. }
        | AuthAction::Insert { .. }
        | AuthAction::Update { .. }
        | AuthAction::Delete { .. }
        | AuthAction::Read { .. }
        | AuthAction::Select
        | AuthAction::Function { .. }
        | AuthAction::Reindex { .. } => Authorization::Allow,
        _ => Authorization::Deny,
    };
    connection.authorizer(Some(verdict)).expect("is set");
    let _ = connection.execute_batch(script);
    connection.progress_handler(0, None::<fn() -> bool>).expect("is unset");
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).expect("is unset");
    let rows = "SELECT rowid, type, CAST(name AS BLOB), CAST(tbl_name AS BLOB), rootpage, CAST(sql AS BLOB) \
                FROM sqlite_schema ORDER BY rowid";
    let mut statement = connection.prepare(rows).expect("is asked");
    let read = |row: &rusqlite::Row<'_>| {
        Ok(SchemaObject {
            rowid: row.get(0)?,
            kind: kind_of(row.get::<_, String>(1)?.as_bytes()).expect("is one of the four"),
            name: sql_text(&row.get::<_, Vec<u8>>(2)?),
            table_name: sql_text(&row.get::<_, Vec<u8>>(3)?),
            has_storage: row.get::<_, i64>(4)? != 0,
            sql: row.get::<_, Option<Vec<u8>>>(5)?.map(|sql| sql_text(&sql)),
        })
    };
    let objects: Vec<SchemaObject> =
        statement.query_map([], read).expect("is read").collect::<Result<_, _>>().expect("is read");
    check_schema(&objects, &[], TextEncoding::Utf8).expect("SQLite made it");
}
