//! Files that a program has open, or that one left behind when it was killed.

use std::fs;

use super::*;

const ITEM_TABLE: &str =
    "CREATE TABLE ItemTable(key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB NOT NULL ON CONFLICT FAIL);";

#[test]
fn a_file_that_a_program_has_locked_for_itself_is_read_with_its_wal() {
    let folder = folder();
    let path = folder.path().join("https_app.example_0.localstorage");
    let browser = Connection::open(&path).expect("opens");
    browser
        .execute_batch(&format!(
            "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; {ITEM_TABLE}
             INSERT INTO ItemTable VALUES ('a', x'6200')"
        ))
        .expect("writes");
    let before = content(folder.path());
    let reading = read(&path);
    assert_eq!((texts(&reading).len(), &*reading.problems), (1, &[][..]));
    // What is not committed is not there yet.
    browser.execute_batch("BEGIN; INSERT INTO ItemTable VALUES ('c', x'6400')").expect("writes");
    assert_eq!(texts(&read(&path)).len(), 1);
    browser.execute_batch("COMMIT").expect("commits");
    assert_eq!(texts(&read(&path)).len(), 2);
    drop(browser);
    assert_ne!(content(folder.path()), before, "the browser closed it as it always does");
    assert_eq!(texts(&read(&path)).len(), 2);
}

/// A browser that writes between a list and what is read of it, or between the parts that are read one after the other.
#[test]
fn what_is_read_is_what_was_listed_whatever_is_written_meanwhile() {
    let (_folder, path) = made("https_app.example_0.localstorage", ITEM_TABLE);
    let browser = Connection::open(&path).expect("opens");
    browser.execute_batch("INSERT INTO ItemTable VALUES ('a', x'6200'), ('c', x'6400')").expect("writes");
    with_options(|options, run| {
        let file = StoreFile::open(&path, options, run).expect("opens");
        assert_eq!(file.list(run.interrupt).expect("listed").storages[0].item_count, 2);
        browser.execute_batch("DELETE FROM ItemTable WHERE key = 'a'").expect("writes");
        assert_eq!(texts(&file.read(None, run.interrupt).expect("read")).len(), 2);
        browser.execute_batch("DROP TABLE ItemTable").expect("writes");
        assert_eq!(texts(&file.read(None, run.interrupt).expect("read")).len(), 2);
    });
    assert!(try_read(&path).is_err(), "it is another file by now");
}

#[test]
fn a_transaction_that_was_never_finished_is_rolled_back_in_the_copy_alone() {
    let (_folder, path) = made("https_app.example_0.localstorage", ITEM_TABLE);
    let browser = Connection::open(&path).expect("opens");
    browser.execute_batch("PRAGMA cache_size=1; PRAGMA journal_mode=DELETE").expect("configures");
    let fill = |value: u8| {
        let sql = "INSERT INTO ItemTable SELECT 'key ' || value, ?1 FROM generate";
        let sql = sql.replace(
            "generate",
            "(WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 60) SELECT value FROM n)",
        );
        browser.execute(&sql, [[value, 0].repeat(700)]).expect("writes");
    };
    fill(b'1');
    browser.execute_batch("BEGIN").expect("begins");
    fill(b'2');
    // As they lie there when the power fails.
    let dead = folder();
    for name in [path.clone(), path.with_file_name("https_app.example_0.localstorage-journal")] {
        fs::write(dead.path().join(name.file_name().expect("a name")), fs::read(&name).expect("reads"))
            .expect("writes");
    }
    let copy = dead.path().join(path.file_name().expect("a name"));
    let main = fs::read(&copy).expect("reads");
    assert!(
        main.windows(8).any(|part| part == b"2\x002\x002\x002\x00"),
        "pages of the transaction are in the file"
    );
    let before = content(dead.path());
    let reading = read(&copy);
    assert_eq!((texts(&reading).len(), &*reading.problems), (60, &[][..]));
    assert!(texts(&reading).values().all(|value| value.bytes().all(|byte| byte == b'1')));
    assert_eq!(content(dead.path()), before);
    browser.execute_batch("ROLLBACK").expect("rolls back");
}
