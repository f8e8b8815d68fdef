//! Snapshots beside a writer: another process moves amounts between accounts and books each move in a ledger, as
//! fast as it can, and no export ever sees a state between two commits.
//!
//! 60 exports in a row per journal mode go through the library, 6 more through the program, and 12 through
//! `--copy-first`; with `PARKLITE_FULL=1` 500, 20 and 50.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parklite::progress::Silent;
use rusqlite::{Connection, TransactionBehavior};

use crate::support::{
    PATIENCE, ending, export_options, export_with, is_full_run, parklite, restore_fresh, run, say,
};

const ACCOUNTS: i64 = 120;
const OPENING_BALANCE: i64 = 1_000;
/// How many entries the ledger holds; older ones are folded into their accounts' opening balances.
const LEDGER_ENTRIES: i64 = 400;
const MOVES_PER_COMMIT: i64 = 4;

/// Exports per journal mode: by the library, by the program, and of a copy.
fn export_counts() -> [usize; 3] {
    if is_full_run() { [500, 20, 50] } else { [60, 6, 12] }
}

/// Set for the process that writes: journal mode, a colon, and the database.
const WRITER: &str = "PARKLITE_TEST_WRITER";

/// The two tables, as somebody has read them.
#[derive(Debug, Clone)]
struct Books {
    accounts: Vec<Account>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Account {
    id: i64,
    opening: i64,
    balance: i64,
    moves: i64,
}

#[derive(Debug, Clone)]
struct Entry {
    id: i64,
    from: i64,
    to: i64,
    amount: i64,
}

impl Books {
    fn of_snapshot(folder: &Path) -> Self {
        Self::of(
            &integers(&folder.join("accounts.parquet"), ["id", "opening", "balance", "moves"]),
            &integers(&folder.join("ledger.parquet"), ["id", "from_id", "to_id", "amount"]),
        )
    }

    fn of_database(database: &Path) -> Self {
        let connection = Connection::open(database).expect("a database");
        let read = |sql: &str| -> Vec<[i64; 4]> {
            let mut statement = connection.prepare(sql).expect("prepared");
            let rows =
                statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]));
            rows.expect("queried").map(|row| row.expect("a row")).collect()
        };
        Self::of(
            &read("SELECT id, opening, balance, moves FROM accounts"),
            &read("SELECT id, from_id, to_id, amount FROM ledger"),
        )
    }

    fn of(accounts: &[[i64; 4]], entries: &[[i64; 4]]) -> Self {
        Self {
            accounts: accounts
                .iter()
                .map(|&[id, opening, balance, moves]| Account { id, opening, balance, moves })
                .collect(),
            entries: entries.iter().map(|&[id, from, to, amount]| Entry { id, from, to, amount }).collect(),
        }
    }

    /// Checks everything that holds after every commit, and tells the number of the last move.
    fn check(&self) -> Result<i64, String> {
        let last = self.entries.iter().map(|entry| entry.id).max().unwrap_or(0);
        let expected: Vec<i64> = ((last - LEDGER_ENTRIES).max(0) + 1..=last).collect();
        let mut found: Vec<i64> = self.entries.iter().map(|entry| entry.id).collect();
        found.sort_unstable();
        if found != expected {
            return Err(format!("the ledger has gaps before move {last}"));
        }
        let moves: i64 = self.accounts.iter().map(|account| account.moves).sum();
        if moves != last {
            return Err(format!("the accounts count {moves} moves, the ledger {last}"));
        }
        let total: i64 = self.accounts.iter().map(|account| account.balance).sum();
        if total != ACCOUNTS * OPENING_BALANCE {
            return Err(format!("the accounts hold {total} in all"));
        }
        for account in &self.accounts {
            let received = self.entries.iter().filter(|entry| entry.to == account.id);
            let sent = self.entries.iter().filter(|entry| entry.from == account.id);
            let received: i64 = received.map(|entry| entry.amount).sum();
            let sent: i64 = sent.map(|entry| entry.amount).sum();
            if account.opening + received - sent != account.balance {
                return Err(format!("account {} does not agree with the ledger", account.id));
            }
        }
        Ok(last)
    }
}

/// Columns of a Parquet file, read by the Parquet library alone.
fn integers(path: &Path, columns: [&str; 4]) -> Vec<[i64; 4]> {
    use arrow::array::{AsArray as _, RecordBatch};
    use arrow::datatypes::Int64Type;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let file = std::fs::File::open(path).expect("a table's file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet").build().expect("readable");
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.expect("a batch")).collect();
    let rows = batches.iter().flat_map(|batch| {
        let columns = columns.map(|name| {
            let column = batch.column_by_name(name).expect("the column");
            column.as_primitive::<Int64Type>()
        });
        (0..batch.num_rows()).map(move |row| columns.map(|column| column.value(row)))
    });
    rows.collect()
}

fn create(database: &Path, journal_mode: &str) {
    let connection = Connection::open(database).expect("created");
    let mode: String = connection
        .query_row(&format!("PRAGMA journal_mode={journal_mode}"), [], |row| row.get(0))
        .expect("a journal mode");
    assert_eq!(mode, journal_mode);
    connection
        .execute_batch(&format!(
            "CREATE TABLE accounts(id INTEGER PRIMARY KEY, opening INTEGER, balance INTEGER, moves INTEGER,
                                   note TEXT);
             CREATE TABLE ledger(id INTEGER PRIMARY KEY, from_id INTEGER, to_id INTEGER, amount INTEGER);
             CREATE INDEX ledger_from ON ledger(from_id);
             WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {ACCOUNTS})
             INSERT INTO accounts SELECT n, {OPENING_BALANCE}, {OPENING_BALANCE}, 0, printf('%0200d', n)
             FROM numbers;"
        ))
        .expect("filled");
}

/// Writes as many correct commits as it can, with a rollback now and then.
struct Writer {
    connection: Connection,
    last: i64,
    seed: u64,
}

impl Writer {
    fn open(database: &Path) -> Self {
        let connection = Connection::open(database).expect("opened");
        connection.busy_timeout(PATIENCE).expect("set");
        // A tiny cache lets changes reach the file before their commit; no sync makes more commits.
        connection
            .execute_batch("PRAGMA synchronous=OFF; PRAGMA cache_size=10; PRAGMA wal_autocheckpoint=50;")
            .expect("set");
        let last = connection.query_row("SELECT coalesce(max(id), 0) FROM ledger", [], |row| row.get(0));
        Self { last: last.expect("counted"), connection, seed: 0x9E37_79B9_7F4A_7C15 }
    }

    fn random(&mut self, below: i64) -> i64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        i64::try_from(self.seed % u64::try_from(below).expect("positive")).expect("small")
    }

    fn commit(&mut self) -> rusqlite::Result<()> {
        let moves: Vec<[i64; 3]> = (0..MOVES_PER_COMMIT)
            .map(|_| [self.random(ACCOUNTS) + 1, self.random(ACCOUNTS) + 1, self.random(50) + 1])
            .collect();
        let take_back = self.random(7) == 0;
        let mut last = self.last;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for [from, to, amount] in moves {
            last += 1;
            let too_old = last - LEDGER_ENTRIES;
            let run = |sql: &str, values: &[i64]| {
                transaction.prepare(sql)?.execute(rusqlite::params_from_iter(values))
            };
            run(
                "UPDATE accounts SET balance = balance - ?2, moves = moves + 1 WHERE id = ?1",
                &[from, amount],
            )?;
            run("UPDATE accounts SET balance = balance + ?2 WHERE id = ?1", &[to, amount])?;
            run("INSERT INTO ledger VALUES (?1, ?2, ?3, ?4)", &[last, from, to, amount])?;
            run(
                "UPDATE accounts SET opening = opening
                   - coalesce((SELECT amount FROM ledger WHERE id = ?1 AND from_id = accounts.id), 0)
                   + coalesce((SELECT amount FROM ledger WHERE id = ?1 AND to_id = accounts.id), 0)
                 WHERE id IN (SELECT from_id FROM ledger WHERE id = ?1 UNION SELECT to_id FROM ledger WHERE id = ?1)",
                &[too_old],
            )?;
            run("DELETE FROM ledger WHERE id = ?1", &[too_old])?;
        }
        if take_back {
            return transaction.rollback();
        }
        transaction.commit()?;
        self.last = last;
        Ok(())
    }
}

/// Not a test by itself: what the writing process runs. It ends when its standard input does.
#[test]
fn writer_process() {
    let Some(database) = std::env::var_os(WRITER) else { return };
    let mut writer = Writer::open(Path::new(&database));
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        end.store(true, Ordering::Relaxed);
    });
    while !ended.load(Ordering::Relaxed) {
        writer.commit().expect("committed");
    }
}

/// A running writer; dropping it ends it.
struct WriterProcess {
    child: Child,
    database: PathBuf,
    counter: Connection,
}

impl WriterProcess {
    fn start(database: &Path) -> Self {
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["consistency::writer_process", "--exact"])
            .env(WRITER, database)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("started");
        let counter = Connection::open(database).expect("opened");
        counter.busy_timeout(PATIENCE).expect("set");
        let writer = Self { child, database: database.to_path_buf(), counter };
        let since = Instant::now();
        while writer.moves() == 0 {
            assert!(since.elapsed() < PATIENCE, "the writer does not write");
            std::thread::sleep(Duration::from_millis(5));
        }
        writer
    }

    fn moves(&self) -> i64 {
        self.counter
            .query_row("SELECT coalesce(max(id), 0) FROM ledger", [], |row| row.get(0))
            .expect("counted")
    }

    /// Ends the writer, which must have been alive and well up to now.
    fn end(mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait().expect("ended");
        assert!(status.success(), "the writer failed");
        Books::of_database(&self.database).check().expect("the writer keeps its own books");
    }
}

impl Drop for WriterProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a series of exports beside a writer saw.
#[derive(Debug, Default)]
struct Series {
    exports: i64,
    /// Commits between the beginning and the end of exports.
    commits: i64,
    /// Exports during which at least one commit happened.
    disturbed: i64,
    /// Different states among the exported ones.
    states: i64,
    last_state: i64,
}

impl Series {
    /// Exports once with `export`, and checks what it wrote.
    fn export(&mut self, writer: &WriterProcess, output: &Path, export: impl FnOnce()) {
        let before = writer.moves();
        export();
        let after = writer.moves();
        let state = Books::of_snapshot(output).check().unwrap_or_else(|broken| {
            panic!("export {} shows a state between two commits: {broken}", self.exports)
        });
        assert!((before..=after).contains(&state), "the snapshot is of its own time");
        self.exports += 1;
        self.commits += (after - before) / MOVES_PER_COMMIT;
        self.disturbed += i64::from(after > before);
        self.states += i64::from(state != self.last_state);
        self.last_state = state;
        if self.exports % 20 == 1 {
            let restored = output.with_extension("db");
            restore_fresh(output, &restored).expect("restored");
            assert_eq!(Books::of_database(&restored).check(), Ok(state));
        }
    }

    fn tell(&self, what: &str, since: Instant) {
        say(&format!(
            "{what}: {} exports of {} states in {:.1} s, {} commits during {} of them",
            self.exports,
            self.states,
            since.elapsed().as_secs_f64(),
            self.commits,
            self.disturbed
        ));
        assert!(self.commits > 0 && self.disturbed > 0, "nothing was committed during the exports: {self:?}");
        assert!(self.states * 10 > self.exports, "the exports hardly differ: {self:?}");
    }
}

fn exports_beside_a_writer(journal_mode: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = folder.path().join("books.db");
    create(&database, journal_mode);
    let writer = WriterProcess::start(&database);

    let [by_library, by_program, copied] = export_counts();
    let (mut series, since) = (Series::default(), Instant::now());
    for _ in 0..by_library {
        let output = tempfile::tempdir_in(folder.path()).expect("a folder");
        let output = output.path().join("snapshot");
        series.export(&writer, &output, || {
            export_with(&database, &export_options(&output), &Silent).expect("exported");
        });
    }
    series.tell(&format!("{journal_mode}, library"), since);

    let (mut series, since) = (Series::default(), Instant::now());
    for _ in 0..by_program {
        let output = tempfile::tempdir_in(folder.path()).expect("a folder");
        series.export(&writer, &output.path().join("snapshot"), || {
            let mut command = parklite(output.path(), ["export", "../books.db", "-o", "snapshot"]);
            let ended = run(command.args(["--busy-timeout", "2m"]));
            assert!(ended.status.success(), "{}", ending(&ended));
        });
    }
    series.tell(&format!("{journal_mode}, program"), since);

    let (mut series, since) = (Series::default(), Instant::now());
    for _ in 0..copied {
        let output = tempfile::tempdir_in(folder.path()).expect("a folder");
        let output = output.path().join("snapshot");
        series.export(&writer, &output, || {
            let options = parklite::export::ExportOptions { copy_first: true, ..export_options(&output) };
            export_with(&database, &options, &Silent).expect("exported");
        });
    }
    series.tell(&format!("{journal_mode}, copied first"), since);
    writer.end();
}

#[test]
fn no_export_beside_a_writer_in_wal_mode_sees_a_state_between_commits() {
    exports_beside_a_writer("wal");
}

#[test]
fn no_export_beside_a_writer_in_rollback_mode_sees_a_state_between_commits() {
    exports_beside_a_writer("delete");
}

/// The checks above could be blind: two tables of two different commits must be told apart.
#[test]
fn tables_of_two_different_commits_do_not_pass_the_check() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = folder.path().join("books.db");
    create(&database, "wal");
    let mut writer = Writer::open(&database);
    let mut snapshots = Vec::new();
    for number in 0..2 {
        while writer.last < (number + 1) * (LEDGER_ENTRIES + 100) {
            writer.commit().expect("committed");
        }
        let output = folder.path().join(format!("snapshot-{number}"));
        export_with(&database, &export_options(&output), &Silent).expect("exported");
        snapshots.push(Books::of_snapshot(&output));
        writer.commit().expect("committed");
    }
    for books in &snapshots {
        books.check().expect("one commit");
    }
    for (one, other) in [(0, 1), (1, 0)] {
        let torn =
            Books { accounts: snapshots[one].accounts.clone(), entries: snapshots[other].entries.clone() };
        torn.check().expect_err("two commits");
    }
    // Half a commit: a move that is booked, with only one of its two accounts changed.
    let mut half = snapshots[0].clone();
    let Entry { to, amount, .. } = *half.entries.last().expect("an entry");
    half.accounts.iter_mut().filter(|account| account.id == to).for_each(|account| account.balance -= amount);
    half.check().expect_err("half a commit");
}
