//! Whose imports are whose, where the rows of `progress_logs` are of several people.
//!
//! An event says nothing of whose it is. So the imports say it, from the first run on that names a user: what one person's
//! dumps have must never be told as another's. As long as only one was ever named, everything is that person's.

use rusqlite::Connection;

use super::EventStore;
use super::layout::{OwnTable, is_empty, prepare_own};
use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::failure::failure;

/// Made once a user is named.
pub(super) const USERS: OwnTable = OwnTable {
    name: "import_users",
    key: &["import_id", "user_id"],
    columns: &[],
    ddl: "CREATE TABLE import_users (
  import_id TEXT NOT NULL,        -- of event_sources
  user_id   TEXT NOT NULL,        -- as --set user_id gave it
  PRIMARY KEY (import_id, user_id)
) STRICT",
};

/// What a run notes of it for as long as it lasts: the user that it names, and what it imports.
pub(super) const OF_RUN: &str = "CREATE TEMP TABLE parklite_user (user_id TEXT NOT NULL);
    CREATE TEMP TABLE parklite_imports (import_id TEXT PRIMARY KEY) WITHOUT ROWID;";

/// Adds to what a run imports.
pub(super) const ADD_IMPORT: &str = "INSERT OR IGNORE INTO temp.parklite_imports VALUES (?1)";

/// A condition on `import_id`, for SQL of a run that names a user: whether it is that user's.
const IS_OF_USER: &str = "(NOT EXISTS (SELECT 1 FROM main.import_users
          WHERE user_id <> (SELECT user_id FROM temp.parklite_user))
     OR import_id IN (SELECT import_id FROM main.import_users WHERE user_id = (SELECT user_id FROM temp.parklite_user)))";

/// A condition on `_event_id`, for SQL of a run that names a user: whether the event is that user's.
pub const IS_EVENT_OF_USER: &str = "(NOT EXISTS (SELECT 1 FROM main.import_users
          WHERE user_id <> (SELECT user_id FROM temp.parklite_user))
     OR _event_id IN (SELECT event_sources._event_id FROM main.event_sources JOIN main.import_users USING (import_id)
          WHERE user_id = (SELECT user_id FROM temp.parklite_user)))";

/// Notes the user that a run names, before anything is added.
pub(super) fn name(connection: &Connection, user: &str) -> Result<()> {
    prepare_own(connection, &USERS)?;
    connection.execute("INSERT INTO temp.parklite_user VALUES (?1)", [user]).map_err(failure)?;
    Ok(())
}

/// How many users earlier runs, and this one, have named.
pub(super) fn count(connection: &Connection) -> Result<u64> {
    // Somebody's own table may have that name.
    let is_ours =
        "SELECT count(*) = 2 FROM pragma_table_info(?1, 'main') WHERE name IN ('import_id', 'user_id')";
    if !connection.query_row(is_ours, [USERS.name], |row| row.get::<_, bool>(0)).map_err(failure)? {
        return Ok(0);
    }
    let sql = "SELECT count(*) FROM (SELECT user_id FROM main.import_users UNION SELECT user_id FROM temp.parklite_user)";
    connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs).map_err(failure)
}

/// Whether this run names a user.
fn is_named(connection: &Connection) -> Result<bool> {
    is_empty(connection, "parklite_user").map(|is_empty| !is_empty)
}

/// What is to be told where several people's sessions would become one person's.
fn several() -> Error {
    Error::new(ErrorKind::Usage, "the database has imports of several users, and none is named").hint(
        "name one: --to progress-logs --set user_id=…; or import the dumps of each into a database of its own",
    )
}

impl EventStore {
    /// Notes that what this run imported is of the user that it names, if it does, and all that was there before where no
    /// other was ever named. What was imported without a name is nobody's once there are several: how many values that are.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_user(&self) -> Result<u64> {
        const OF_RUN: &str = "INSERT OR IGNORE INTO main.import_users
            SELECT import_id, user_id FROM temp.parklite_imports, temp.parklite_user";
        const ALL: &str = "INSERT OR IGNORE INTO main.import_users
            SELECT import_id, user_id FROM (SELECT DISTINCT import_id FROM main.event_sources), temp.parklite_user";
        const NOBODYS: &str = "SELECT count(DISTINCT import_id) FROM main.event_sources
            WHERE import_id NOT IN (SELECT import_id FROM main.import_users)";
        let note = || -> Result<u64> {
            if !is_named(&self.connection)? {
                return Ok(0);
            }
            let is_alone = count(&self.connection)? == 1;
            self.connection.execute(if is_alone { ALL } else { OF_RUN }, []).map_err(failure)?;
            if is_alone {
                return Ok(0);
            }
            let nobodys = self.connection.query_row(NOBODYS, [], |row| row.get::<_, i64>(0));
            nobodys.map(i64::unsigned_abs).map_err(failure)
        };
        note().map_err(|error| error.at(&self.path))
    }

    /// Refuses to queue what is to be sent where there are several users: what still waits for one server would go there with
    /// another person's token.
    ///
    /// # Errors
    /// `Usage` where there are; what SQLite says.
    pub fn refuse_several_senders(&self) -> Result<()> {
        if count(&self.connection).map_err(|error| error.at(&self.path))? <= 1 {
            return Ok(());
        }
        let message =
            "the database has imports of several users, and what is queued to be sent is of one person";
        Err(Error::new(ErrorKind::Usage, message)
            .at(&self.path)
            .hint("import the dumps of each into a database of its own, and send from there"))
    }

    /// A condition on `import_id`: whether it counts in this run.
    ///
    /// # Errors
    /// `Usage` where there are several users, and none is named.
    pub(super) fn import_counts(&self) -> Result<&'static str> {
        if is_named(&self.connection)? {
            return Ok(IS_OF_USER);
        }
        if count(&self.connection)? > 1 { Err(several().at(&self.path)) } else { Ok("1") }
    }
}
