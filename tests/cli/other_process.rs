//! Other processes that use a database: one that goes on, and one that is killed.
//!
//! It is this test binary once more, with the wish in its environment. (Within one process, closing any
//! descriptor of a database drops the locks on it; so whoever holds one must be a process of its own.)

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rusqlite::Connection;

const DATABASE: &str = "PARKLITE_TEST_DATABASE";
const SQL: &str = "PARKLITE_TEST_SQL";
const READY: &str = "the other process is ready";

/// A process that has run some SQL and keeps its connection, until it is killed or this value is dropped.
pub(crate) struct OtherProcess(Child);

impl OtherProcess {
    /// Starts a process that opens `database` and runs `sql`; returns once it has.
    pub(crate) fn start(database: &Path, sql: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("the test binary is known"))
            .args(["--exact", "other_process::what_the_other_process_does", "--nocapture"])
            .env(DATABASE, database)
            .env(SQL, sql)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the other process starts");
        let output = child.stdout.take().expect("its output is piped");
        let lines = BufReader::new(output).lines();
        let said = lines.map_while(Result::ok).find(|line| line.ends_with(READY));
        let process = Self(child);
        assert!(said.is_some(), "the other process ended early");
        process
    }

    /// Ends it as a power cut would: nothing is closed, nothing cleaned up.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for OtherProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The other process's part; without the wish in the environment there is none.
#[test]
#[expect(clippy::print_stdout, reason = "the one who started it waits for this line")]
fn what_the_other_process_does() {
    let (Some(database), Ok(sql)) = (std::env::var_os(DATABASE), std::env::var(SQL)) else { return };
    let connection = Connection::open(PathBuf::from(database)).expect("the database opens");
    connection.execute_batch(&sql).expect("the SQL runs");
    println!("\n{READY}");
    // Until the other end is gone, which it is when the tests end in any way.
    let _ = std::io::stdin().read(&mut [0]);
    drop(connection);
}
