//! localStorage that browsers keep in SQLite, read where they keep it: files of real browsers against their truth.

use std::fs;

use serde_json::{Value, json};

use crate::migrate_chromium::{self, copy, fixtures};
use crate::place::Place;

const MAIN: &str = "http://127.0.0.1:8571";
const ORIGINS: &str =
    "--origin http://127.0.0.1:8571 --origin http://127.0.0.1:8572 --origin http://localhost:8573";

/// Fixture, the word for it in reports, and how many stores, items and rejected sessions are in it.
const REAL: [(&str, &str, usize, usize); 7] = [
    ("chromium-sqlite", "chromium-sqlite", 1, 52),
    ("chromium-sqlite-live", "chromium-sqlite", 1, 52),
    ("firefox-lsng", "firefox", 4, 52),
    ("firefox-legacy", "firefox-legacy", 1, 52),
    ("webkit-files", "webkit", 3, 48),
    ("webkit-origins", "webkit", 3, 48),
    ("webkit-origins-live", "webkit", 3, 45),
];

/// A place with a fixture in the folder `profile`.
fn place_with(name: &str) -> Place {
    let place = Place::new();
    copy(&fixtures().join(name), &place.path("profile"));
    for told in ["truth.json", "expected.json"] {
        let _ = fs::remove_file(place.path("profile").join(told));
    }
    place
}

/// How many items are in the database, in both, and in the truth; `None` without Python.
fn judged(place: &Place, database: &str, fixture: &str) -> Option<[usize; 3]> {
    migrate_chromium::judged(place, database, &format!("{fixture}/truth.json"), "storages")
}

#[test]
fn every_item_of_every_browsers_files_is_kept_unit_by_unit_and_the_files_stay_as_they_are() {
    for (name, format, stores, items) in REAL {
        let place = place_with(name);
        let words = format!("migrate profile --into new.db --all-keys --with-partitioned {ORIGINS}");
        let ran = place.run(&words);
        // Two elements of a store are no sessions.
        ran.exits(3).adds(&["new.db"]).prints(&format!("{items} keys")).prints("2 rejected");
        assert!(judged(&place, "new.db", name).is_none_or(|counts| counts == [items; 3]), "{name}");
        let ran = place.run(&format!("{words} --json"));
        let document = ran.exits(3).document();
        assert_eq!(document["totals"]["events_new"], 0, "{name}: again adds nothing");
        assert_eq!(document["totals"]["browser_stores"], stores, "{name}");
        let sources = document["sources"].as_array().expect("sources");
        assert_eq!(sources.len(), stores);
        for source in sources {
            assert_eq!((&source["formats"], &source["problems"]), (&json!([format]), &json!([])), "{name}");
        }
    }
}

#[test]
fn a_list_names_origins_partitions_stores_and_sessions() {
    for (name, _, stores, items) in REAL {
        let place = place_with(name);
        let ran = place.run("migrate profile --list");
        ran.exits(0).changes_nothing();
        ran.prints("liftbook-store (zustand, version 2): 40 sessions, 2 rejected").prints("migrated-c25k: ");
        if items == 52 {
            ran.prints("http://localhost:8573 inside http://127.0.0.1: ");
        }
        let document = place.run("migrate profile --list --json").exits(0).document();
        let origins = document["origins"].as_array().expect("origins");
        let count: u64 = origins.iter().map(|origin| origin["items"].as_u64().expect("a count")).sum();
        assert_eq!((count, &document["totals"]["browser_stores"]), (items as u64, &json!(stores)), "{name}");
        let tells_time = name.starts_with("chromium");
        assert!(origins.iter().all(|origin| origin["last_changed_at"].is_string() == tells_time), "{name}");
    }
}

#[test]
fn of_several_origins_none_is_imported_unnamed() {
    for name in ["firefox-lsng", "firefox-legacy", "webkit-origins"] {
        let place = place_with(name);
        place
            .run("migrate profile --into new.db")
            .exits(2)
            .changes_nothing()
            .prints("name those you want with --origin");
        place.run(&format!("migrate profile --into new.db --origin {MAIN}")).exits(3).adds(&["new.db"]);
        let origins = place.ask("new.db", "SELECT group_concat(DISTINCT origin) FROM event_sources");
        assert_eq!(origins, format!("'{MAIN}'"), "{name}");
        assert_eq!(
            place.ask("new.db", "SELECT count(*) || ' ' || sum(completed) FROM progress_logs"),
            "'37 33'"
        );
    }
}

#[test]
fn a_store_that_does_not_say_whose_it_is_is_not_taken_for_the_named_one() {
    let place = place_with("webkit-origins");
    let main = "profile/storage/s7oQyZNSamVv9A0nKmVAhaELhi6yPAhOD2onzY_yLL4/s7oQyZNSamVv9A0nKmVAhaELhi6yPAhOD2onzY_yLL4";
    fs::remove_file(place.path(main).join("origin")).expect("removed");
    let ran = place.run("migrate profile --origin http://127.0.0.1:8572 --into new.db --all-keys");
    ran.exits(3).adds(&["new.db"]).prints("does not say of which site it is, and was left out");
    let of_main = "SELECT count(*) FROM event_sources WHERE CAST(store_key AS TEXT) = 'liftbook-store'";
    assert_eq!(place.ask("new.db", of_main), "0");
    place
        .run("migrate profile --origin https://other.example --into other.db")
        .fails(13, "does not say of which site it is")
        .changes_nothing();
    let named = format!("migrate {main}/LocalStorage/localstorage.sqlite3 --origin {MAIN} --into main.db");
    place.run(&named).exits(3).adds(&["main.db"]).prints("2 rejected");
}

#[cfg(unix)]
#[test]
fn folders_that_are_linked_to_inside_of_a_browsers_own_are_told() {
    let place = place_with("webkit-origins");
    std::os::unix::fs::symlink(place.path("elsewhere"), place.path("profile/storage/linked"))
        .expect("linked");
    copy(&fixtures().join("webkit-files"), &place.path("elsewhere"));
    place.run("migrate profile --list").exits(0).prints("linked: a link to a folder");
}

#[test]
fn a_file_is_read_where_it_is_named_itself() {
    for (name, file) in [
        ("chromium-sqlite-live", "profile/Default/LocalStorage"),
        ("firefox-lsng", "profile/storage/default/http+++127.0.0.1+8571/ls/data.sqlite"),
        ("firefox-legacy", "profile/webappsstore.sqlite"),
        ("webkit-files", "profile/localstorage/http_127.0.0.1_8571.localstorage"),
    ] {
        let place = place_with(name);
        place
            .run(&format!("migrate {file} --list"))
            .exits(0)
            .changes_nothing()
            .prints("1 storage of a browser, ");
        // Under another name, tables tell what it is.
        let bytes = place.read(file);
        if !name.ends_with("live") {
            place.write("backup.bin", bytes);
            place
                .run("migrate backup.bin --list")
                .exits(0)
                .changes_nothing()
                .prints("1 storage of a browser, ");
        }
    }
}

/// Chromium that was told to use SQLite goes on with an empty file and leaves the old folder where it is.
#[test]
fn both_ways_of_keeping_it_in_one_profile_are_read() {
    let leveldb = fixtures().join("chromium-leveldb");
    let place = place_with("chromium-sqlite");
    copy(&leveldb, &place.path("profile"));
    fs::remove_file(place.path("profile/truth.json")).expect("removed");
    let words = format!("migrate profile --into new.db --all-keys --with-partitioned {ORIGINS} --json");
    let document = place.run(&words).exits(3).document();
    assert_eq!(document["totals"]["browser_stores"], 2);
    let mut formats: Vec<&Value> =
        document["sources"].as_array().expect("sources").iter().map(|source| &source["formats"][0]).collect();
    formats.sort_by_key(ToString::to_string);
    assert_eq!(formats, [&json!("chromium-leveldb"), &json!("chromium-sqlite")]);
    let counts = judged(&place, "new.db", "chromium-sqlite");
    assert!(counts.is_none_or(|[_, both, wanted]| both == wanted), "{counts:?}");
}

#[test]
fn a_firefox_profile_is_read_for_its_storage_alone() {
    let place = place_with("firefox-lsng");
    copy(&fixtures().join("firefox-legacy"), &place.path("profile"));
    copy(&fixtures().join("firefox-legacy"), &place.path("archive"));
    fs::rename(place.path("archive/webappsstore.sqlite"), place.path("profile/storage/ls-archive.sqlite"))
        .expect("moved");
    // What else is there, and looks like dumps or databases.
    place.write("profile/prefs.js", "user_pref(\"a\", 1);");
    place.write("profile/logins.json", r#"{"nextId":2,"logins":[{"state":"{}","version":0}]}"#);
    place.execute("profile/places.sqlite", "CREATE TABLE moz_places(a)");
    place.make_folder("profile/storage/private");
    place.write("profile/storage/private/data.sqlite", "encrypted");
    let document = place.run("migrate profile --list --json").exits(0).changes_nothing().document();
    assert_eq!((&document["totals"]["browser_stores"], &document["totals"]["files"]), (&json!(6), &json!(0)));
    let skipped = document["skipped"].as_array().expect("skipped");
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert_eq!(skipped[0]["path"], "profile/storage/private");
    assert!(skipped[0]["reason"].as_str().expect("a reason").contains("private windows"));
}

#[test]
fn what_chromium_did_not_finish_moving_is_left_out_and_told() {
    let place = place_with("chromium-sqlite");
    place.make_folder("profile/Default/Local Storage");
    place.write("profile/Default/LocalStorageMigrating", place.read("profile/Default/LocalStorage"));
    let ran = place.run("migrate profile --list");
    ran.exits(0)
        .prints("1 storage of a browser, ")
        .prints("skipped: profile/Default/LocalStorageMigrating: ");
}

#[test]
fn a_file_without_its_wal_is_damaged_and_costs_only_itself() {
    let place = place_with("damaged/webkit-no-wal");
    place
        .run(&format!("migrate profile --into new.db --origin {MAIN}"))
        .fails(13, "ending in -wal")
        .hints("copy both files")
        .changes_nothing();
    place.write("phone.json", fs::read(fixtures().join("devices/phone.json")).expect("a fixture"));
    place
        .run(&format!("migrate profile phone.json --into new.db --origin {MAIN}"))
        .exits(3)
        .adds(&["new.db"])
        .prints("unreadable: profile/localstorage/http_127.0.0.1_8571.localstorage: ");
    assert_eq!(place.ask("new.db", "SELECT count(*) FROM progress_logs"), "4");
}

#[test]
fn of_a_file_that_was_cut_what_is_there_is_imported_and_the_rest_is_told() {
    let place = place_with("webkit-files");
    let file = "profile/localstorage/http_127.0.0.1_8571.localstorage";
    let bytes = place.read(file);
    place.write(file, &bytes[..bytes.len() / 2]);
    let ran = place.run(&format!("migrate profile --into new.db --all-keys {ORIGINS}"));
    ran.exits(3).adds(&["new.db"]).prints("the file was cut: it ends after page").prints("(incomplete)");
    let counts = judged(&place, "new.db", "webkit-files");
    assert!(
        counts.is_none_or(|[found, both, wanted]| found == both && both < wanted && both > 9),
        "{counts:?}"
    );
}

#[test]
fn other_databases_are_refused_or_passed_over() {
    let place = Place::new();
    place.make_folder("folder");
    place.execute("folder/notes.db", "CREATE TABLE notes(a)");
    place.execute("folder/data.sqlite", "CREATE TABLE webappsstore2(key, value)");
    place.run("migrate folder/notes.db --list").fails(2, "holds no localStorage").changes_nothing();
    place.run("migrate folder/data.sqlite --into new.db").fails(2, "holds no localStorage").changes_nothing();
    place.write("folder/phone.json", fs::read(fixtures().join("devices/phone.json")).expect("a fixture"));
    place
        .run("migrate folder --list")
        .exits(0)
        .changes_nothing()
        .prints("skipped: folder/notes.db: ")
        .prints("skipped: folder/data.sqlite: ");
}

#[test]
fn copies_go_where_they_are_told_to_and_nothing_is_left_of_them() {
    let place = place_with("webkit-origins-live");
    place.make_folder("temp");
    place.run("migrate profile --list --temp-dir temp").exits(0).changes_nothing();
    place
        .run("migrate profile --list --temp-dir nowhere")
        .fails(10, "the folder after --temp-dir does not exist")
        .hints("create it")
        .changes_nothing();
}

#[test]
fn a_profile_becomes_events_a_snapshot_and_the_same_events_again() {
    let place = place_with("firefox-lsng");
    place.run(&format!("migrate profile --into new.db --origin {MAIN}")).exits(3);
    place.run("export new.db -o snap").exits(0);
    place.run("restore snap again.db").exits(0);
    assert_eq!(place.content("again.db"), place.content("new.db"));
}

/// Whoever saves things puts them together: the storage of a browser, and what was pasted from the console of another.
#[test]
fn a_dump_beside_a_copied_store_is_read_and_not_passed_over() {
    let place = place_with("chromium-leveldb");
    place.make_folder("saved");
    fs::rename(place.path("profile/Default/Local Storage"), place.path("saved/Local Storage"))
        .expect("moved");
    let phone = fs::read(fixtures().join("devices/phone.json")).expect("a fixture");
    place.write("saved/phone.json", &phone);
    place.make_folder("saved/more");
    place.write("saved/more/phone.json", &phone);
    // Other programs keep things in such a folder.
    place.make_folder("other");
    place.make_folder("other/storage");
    place.make_folder("other/storage/default");
    place.write("other/phone.json", &phone);
    for (folder, files, stores) in [("saved", 2, 1), ("other", 1, 0)] {
        let document = place.run(&format!("migrate {folder} --list --json")).exits(0).document();
        let totals = &document["totals"];
        assert_eq!(
            (&totals["files"], &totals["browser_stores"]),
            (&json!(files), &json!(stores)),
            "{folder}"
        );
    }
}

#[test]
fn a_dump_in_a_profile_is_named_and_other_json_of_the_browser_is_not() {
    let place = place_with("firefox-lsng");
    place.write("profile/prefs.js", "");
    place.write("profile/phone.json", fs::read(fixtures().join("devices/phone.json")).expect("a fixture"));
    place.write("profile/handlers.json", r#"{"defaultHandlersVersion":{"de":3},"mimeTypes":{}}"#);
    // The second line is what tells of this one.
    place.write("profile/lines.ndjson", "{\"a\":\"b}\n{\"a\":\"b\"}\n");
    place.write("profile/more.ndjson", "{\"a\":\"b\"}\n{\"a\":\"c\"}\n");
    place.write("profile/log.ndjson", "{\"level\":3}\n{\"level\":4}\n");
    let document = place.run("migrate profile --list --json").exits(0).document();
    let skipped = document["skipped"].as_array().expect("skipped");
    let paths: Vec<_> = skipped.iter().filter_map(|file| file["path"].as_str()).collect();
    assert_eq!(paths, ["profile/lines.ndjson", "profile/more.ndjson", "profile/phone.json"]);
    for file in skipped {
        assert!(file["reason"].as_str().expect("a reason").contains("name it itself"));
    }
}

/// The archive's one time is for all origins, and a copy gives it a new one.
#[test]
fn what_firefox_archived_does_not_win_over_what_it_kept_later() {
    let place = Place::new();
    let store = |feedback: &str| {
        let session = format!(
            r#"{{"weekNumber":1,"dayNumber":1,"completed":false,"scheduledDate":"2024-01-01","intensityRating":"{feedback}"}}"#
        );
        format!(r#"{{"state":{{"progressHistory":{{"programId":"p","sessions":[{session}]}}}},"version":2}}"#)
    };
    for folder in ["profile", "profile/storage", "profile/storage/default"] {
        place.make_folder(folder);
    }
    for folder in ["https+++app.example", "https+++app.example/ls"] {
        place.make_folder(format!("profile/storage/default/{folder}"));
    }
    let newer = "profile/storage/default/https+++app.example/ls/data.sqlite";
    let value = store("nine");
    let sql = format!(
        "CREATE TABLE database(origin TEXT NOT NULL, usage INTEGER NOT NULL DEFAULT 0);
         CREATE TABLE data(key TEXT PRIMARY KEY, utf16_length INTEGER NOT NULL, conversion_type INTEGER NOT NULL,
             compression_type INTEGER NOT NULL, last_access_time INTEGER NOT NULL DEFAULT 0, value BLOB NOT NULL);
         INSERT INTO database VALUES ('https://app.example', {usage});
         INSERT INTO data VALUES ('st', {length}, 1, 0, 0, CAST('{value}' AS BLOB)); PRAGMA user_version=80;",
        usage = value.len() + 2,
        length = value.len(),
    );
    place.execute(newer, &sql);
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
    fs::File::options().write(true).open(place.path(newer)).expect("opens").set_modified(old).expect("aged");
    for archive in ["profile/storage/ls-archive.sqlite", "profile/webappsstore.sqlite"] {
        let sql = format!(
            "CREATE TABLE webappsstore2(originAttributes TEXT, originKey TEXT, scope TEXT, key TEXT, value TEXT);
             INSERT INTO webappsstore2 VALUES ('', 'elpmaxe.ppa.:https:443', '', 'st', '{}');",
            store("two")
        );
        place.execute(archive, &sql);
    }
    let ran = place.run("migrate profile --into new.db");
    ran.exits(0).prints("1 storage is in a newer file of the profile as well");
    assert_eq!(place.ask("new.db", "SELECT feedback LIKE '%\"nine\"%' FROM progress_logs"), "1");
}

/// A database of one of the browsers, in the fixture's folder.
const OWN: [(&str, &str); 4] = [
    ("chromium-sqlite", "Default/LocalStorage"),
    ("firefox-lsng", "storage/default/http+++127.0.0.1+8571/ls/data.sqlite"),
    ("firefox-legacy", "webappsstore.sqlite"),
    ("webkit-files", "localstorage/http_127.0.0.1_8571.localstorage"),
];

#[test]
fn a_browsers_own_storage_is_never_the_target() {
    for (name, file) in OWN {
        let place = place_with(name);
        place.write("d.json", json!({"token": "x"}).to_string());
        let own = format!("profile/{file}");
        // Whatever name it has.
        fs::copy(place.path(&own), place.path("copy.db")).expect("copied");
        for target in [&*own, "copy.db"] {
            for more in ["", " --dry-run"] {
                let ran = place.run(&format!("migrate d.json --all-keys --into {target}{more}"));
                ran.fails(2, "the target is a browser's own storage")
                    .hints("name another database after --into");
                ran.changes_nothing();
            }
        }
        let ran = place.run(&format!("migrate profile --origin {MAIN} --into {own}"));
        ran.fails(2, "the target is a browser's own storage").changes_nothing();
        // A browser would find it.
        fs::remove_file(place.path(&own)).expect("removed");
        let ran = place.run(&format!("migrate d.json --all-keys --into {own}"));
        ran.fails(2, "the target is a browser's own storage").changes_nothing();
    }
    // Its tables were in the WAL, which is gone.
    let place = place_with("damaged/webkit-no-wal");
    place.write("d.json", json!({"token": "x"}).to_string());
    for path in files_below(&place.path("profile")) {
        if path.extension().is_some_and(|ending| ending == "localstorage") {
            let target = path.to_string_lossy().into_owned();
            let ran = place.run_words(["migrate", "d.json", "--all-keys", "--into", &target]);
            ran.fails(2, "the target is a browser's own storage").changes_nothing();
        }
    }
    // A new file among those of a LevelDB, whatever is read.
    let place = migrate_chromium::place_with("chromium-leveldb");
    place.write("d.json", json!({"token": "x"}).to_string());
    let new = "Default/Local Storage/leveldb/new.db";
    let ran = place.run_words(["migrate", "d.json", "--all-keys", "--into", new]);
    ran.fails(2, "the target is a browser's own storage").changes_nothing();
    // Its tables are still in the WAL.
    let place = place_with("webkit-origins-live");
    place.write("d.json", json!({"token": "x"}).to_string());
    for path in files_below(&place.path("profile")) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name.starts_with("localstorage.sqlite3") {
            fs::copy(&path, place.path(name.replace("localstorage.sqlite3", "copy.db"))).expect("copied");
        }
    }
    let ran = place.run("migrate d.json --all-keys --into copy.db");
    ran.fails(2, "the target is a browser's own storage").changes_nothing();
}

#[test]
fn a_file_for_what_is_emitted_is_none_of_a_browsers_and_beside_none() {
    let place = migrate_chromium::place_with("chromium-leveldb");
    place.write("d.json", json!({"token": "x"}).to_string());
    for file in ["new.json", "000004.log"] {
        let output = format!("Default/Local Storage/leveldb/{file}");
        let words = ["migrate", "d.json", "--origin", MAIN, "--all-keys", "--emit", "console", "-o", &output];
        let ran = place.run_words(words);
        ran.fails(2, "the file after -o would lie among a browser's own files").changes_nothing();
        ran.hints("name a file in another folder after -o");
    }
    for (name, folder, others) in [
        ("firefox-lsng", "storage/default", &["http+++127.0.0.1+8572", "http+++127.0.0.1+8572/ls"][..]),
        ("webkit-files", "localstorage", &[]),
    ] {
        let place = place_with(name);
        place.write("d.json", json!({"token": "x"}).to_string());
        let inside = others.iter().map(|other| format!("profile/{folder}/{other}"));
        for folder in inside.chain([format!("profile/{folder}")]) {
            let new = format!("{folder}/new");
            let words =
                ["migrate", "d.json", "--origin", MAIN, "--all-keys", "--emit", "console", "-o", &new];
            let ran = place.run_words(words);
            ran.fails(2, "the file after -o would lie among a browser's own files").changes_nothing();
            let ran = place.run_words(["migrate", "d.json", "--all-keys", "--into", &new]);
            ran.fails(2, "the target is a browser's own storage").changes_nothing();
            let ran = place.run_words(["migrate", "d.json", "--list", "--temp-dir", &folder]);
            ran.fails(2, "the folder after --temp-dir is a browser's own storage").changes_nothing();
        }
    }
    // SQLite would take it for its own, and remove it.
    for (name, file) in OWN {
        for ending in ["-wal", "-shm", "-journal"] {
            let place = place_with(name);
            place.write("d.json", json!({"token": "x"}).to_string());
            let target = format!("profile/{file}{ending}");
            let ran = place.run_words(["migrate", "d.json", "--all-keys", "--into", &target]);
            ran.fails(2, "the target is a browser's own storage").changes_nothing();
        }
    }
    // Beside a database that is read, as in the folder where somebody has put a copy, it may lie. (3: of rejects.)
    let place = place_with("firefox-legacy");
    let words = "migrate profile/webappsstore.sqlite --origin";
    place.run(&format!("{words} {MAIN} --all-keys --emit console -o profile/paste.js")).exits(3);
    assert!(place.path("profile/paste.js").is_file());
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let paths = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn the_target_is_none_of_the_inputs_by_whatever_name_and_in_no_store_that_is_read() {
    let place = migrate_chromium::place_with("chromium-leveldb");
    place.write("d.json", json!({"token": "x"}).to_string());
    place.run("migrate d.json --all-keys --into own.db").exits(0);
    fs::hard_link(place.path("own.db"), place.path("other.db")).expect("linked");
    place
        .run("migrate own.db d.json --all-keys --into other.db")
        .fails(2, "it holds no localStorage")
        .changes_nothing();
    let store = "Default/Local Storage/leveldb";
    let inside = format!("{store}/000004.log");
    let new = format!("{store}/new.db");
    for (target, why) in
        [(inside, "the target is one of the inputs"), (new, "the target is a browser's own storage")]
    {
        let words = ["migrate", "Default", "--origin", MAIN, "--into", &target];
        place.run_words(words).fails(2, why).changes_nothing();
    }
    // What only looks like a browser's among the inputs is a database like any other.
    let own = migrate_chromium::place_with("chromium-leveldb");
    own.make_folder("dumps");
    own.write("dumps/d.json", json!({"notes": r#"{"state":{"x":"ItemTable"},"version":0}"#}).to_string());
    for _ in 0..2 {
        own.run("migrate dumps --all-keys --into dumps/own.db").exits(0);
    }
    // A folder of dumps may have the target beside them.
    place.make_folder("dumps");
    place.write("dumps/d.json", json!({"token": "x"}).to_string());
    for _ in 0..2 {
        place.run("migrate dumps --all-keys --into dumps/own.db").exits(0);
    }
}
