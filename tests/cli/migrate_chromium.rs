//! localStorage of the Chromium family, read where the browser keeps it: profiles of real browsers against their truth.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::place::{Place, skipped};

#[expect(unreachable_pub, reason = "others use it as a module of their own library")]
#[path = "../../fuzz/bodies/masked_crc.rs"]
mod masked_crc;

use masked_crc::masked_crc;

const MAIN: &str = "http://127.0.0.1:8571";
const ORIGINS: &str =
    "--origin http://127.0.0.1:8571 --origin http://127.0.0.1:8572 --origin http://localhost:8573";
/// Where a profile keeps it.
const STORE: &str = "Default/Local Storage/leveldb";

pub(crate) fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/localstorage")
}

fn fixture(name: &str) -> Value {
    serde_json::from_slice(&fs::read(fixtures().join(name)).expect("a fixture")).expect("JSON")
}

/// A place with a profile `Default`.
pub(crate) fn place_with(name: &str) -> Place {
    let place = Place::new();
    copy(&fixtures().join(name).join("Default"), &place.path("Default"));
    place
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            // Not `fs::copy`, which keeps the mode of a checkout that may be read-only.
            fs::write(to, fs::read(path).expect("read")).expect("written");
        }
    }
}

/// The items of a database that was filled with every key, beside those that a truth file has: each as origin, partition,
/// lengths and hashes of key and value.
const JUDGE: &str = r#"
import hashlib, json, sqlite3, sys
database, truth, member = sys.argv[1:]
db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
def side(raw): return (len(raw) // 2, hashlib.sha256(raw).hexdigest())
units = lambda text: text.encode("utf-16le", "surrogatepass")
found = set()
for origin, partition, key, sha, encoding, value in db.execute(
        "SELECT origin, partition, store_key, s.value_sha256, encoding, value FROM event_sources s "
        "JOIN events e USING (_event_id) JOIN original_values o ON o.value_sha256 = s.value_sha256 "
        "WHERE event_type = 'localstorage_item' AND pointer = ''"):
    raw = value if encoding == "utf-16le" else units(value)
    assert hashlib.sha256(raw).hexdigest() == sha
    found.add((origin, partition, side(units(key.decode("utf-8", "surrogatepass"))), side(raw)))
wanted = set()
for storage in json.load(open(truth, encoding="utf-8"))[member]:
    stated = lambda it: (it["len"], it["sha256_utf16le"])
    items = {(storage["origin"], storage["partition"], stated(it["key"]), stated(it["value"])) for it in storage["items"]}
    assert len(items) == storage["count"]
    wanted |= items
print(len(found), len(found & wanted), len(wanted))
"#;

/// How many items are in the database, in both, and in the truth; `None` without Python.
pub(crate) fn judged(place: &Place, database: &str, truth: &str, member: &str) -> Option<[usize; 3]> {
    let mut judge = place.in_here("python3");
    judge.args(["-c", JUDGE, database]).arg(fixtures().join(truth)).arg(member);
    let Ok(output) = judge.output() else {
        skipped("there is no python3");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let counts: Vec<usize> = text.split_whitespace().map(|count| count.parse().expect("a number")).collect();
    Some(counts.try_into().expect("three"))
}

#[test]
fn every_item_of_a_profile_is_kept_unit_by_unit_and_the_profile_stays_as_it_is() {
    for name in ["chromium-leveldb", "chromium-leveldb-live"] {
        let place = place_with(name);
        let ran =
            place.run(&format!("migrate Default --into new.db --all-keys --with-partitioned {ORIGINS}"));
        // Two elements of a store are no sessions.
        ran.exits(3).adds(&["new.db"]).prints("1 storage of a browser, 52 keys").prints("2 rejected");
        let truth = format!("{name}/truth.json");
        assert!(judged(&place, "new.db", &truth, "storages").is_none_or(|counts| counts == [52, 52, 52]));
        let document = place
            .run(&format!("migrate Default --into new.db --all-keys --with-partitioned {ORIGINS} --json"))
            .exits(3)
            .document();
        assert_eq!(document["totals"]["events_new"], 0, "again adds nothing");
        assert_eq!(document["sources"][0]["path"], STORE);
        assert_eq!(document["sources"][0]["formats"], json!(["chromium-leveldb"]));
        assert_eq!(document["sources"][0]["problems"], json!([]));
    }
}

#[test]
fn a_list_names_origins_partitions_stores_versions_sessions_and_the_last_change() {
    let place = place_with("chromium-leveldb");
    place
        .run("migrate Default --list")
        .exits(0)
        .changes_nothing()
        .prints("http://127.0.0.1:8571: 39 keys in 1 source, ")
        .prints("last changed 2026-11-20T")
        .prints("http://localhost:8573 inside http://127.0.0.1: ")
        .prints("liftbook-store (zustand, version 2): 40 sessions, 2 rejected")
        .prints("migrated-c25k: ");
    let document = place.run("migrate Default --list --json").exits(0).document();
    let origins = document["origins"].as_array().expect("origins");
    let counts: Vec<_> = origins
        .iter()
        .map(|it| {
            (it["origin"].as_str(), it["partition"].as_str(), it["items"].as_u64(), it["imported"] == true)
        })
        .collect();
    let truth = fixture("chromium-leveldb/truth.json");
    let expected: Vec<_> = truth["storages"]
        .as_array()
        .expect("storages")
        .iter()
        .map(|it| (it["origin"].as_str(), it["partition"].as_str(), it["count"].as_u64(), false))
        .collect();
    assert_eq!(counts.len(), 4);
    assert!(expected.iter().all(|storage| counts.contains(storage)), "{counts:?} {expected:?}");
    // Of an origin that is not asked for, the list has the storage and not what is in it.
    let document =
        place.run("migrate Default --list --origin http://127.0.0.1:8572 --json").exits(0).document();
    for origin in document["origins"].as_array().expect("origins") {
        let is_asked_for = origin["origin"] == "http://127.0.0.1:8572";
        assert_eq!(origin["stores"] != json!([]), is_asked_for, "{origin}");
        assert!(origin["last_changed_at"].is_string() && origin["items"].as_u64() > Some(0), "{origin}");
    }
}

#[test]
fn of_several_origins_none_is_imported_unnamed() {
    let place = place_with("chromium-leveldb");
    place
        .run("migrate Default --into new.db")
        .exits(2)
        .changes_nothing()
        .prints("name those you want with --origin")
        .prints("liftbook-store (zustand");
    place
        .run("migrate Default --into new.db --origin https://app.example")
        .fails(2, "https://app.example")
        .hints("http://127.0.0.1:8571")
        .changes_nothing();
    let document =
        place.run(&format!("migrate Default --into new.db --origin {MAIN}/ --json")).exits(3).document();
    assert_eq!(document["totals"]["storages_left_out"], 3);
    assert_eq!(
        place.ask("new.db", "SELECT group_concat(DISTINCT origin) FROM event_sources"),
        format!("'{MAIN}'")
    );
    let expected = fixture("expected/progress.main.json");
    assert_eq!(
        place.ask("new.db", "SELECT count(*) || ' ' || sum(completed) FROM progress_logs"),
        format!("'{} 33'", expected["rows"].as_array().expect("rows").len())
    );
}

#[test]
fn a_partition_stays_out_unless_it_is_asked_for() {
    let place = place_with("chromium-leveldb");
    let run = |more: &str, database: &str| {
        let words =
            format!("migrate Default --all-keys --origin http://localhost:8573 --into {database} {more}");
        place.run(&words).exits(0);
        place.ask(
            database,
            "SELECT group_concat(DISTINCT ifnull(partition, 'own')) FROM
             (SELECT * FROM event_sources ORDER BY partition)",
        )
    };
    assert_eq!(run("", "own.db"), "'own'");
    assert_eq!(run("--with-partitioned", "all.db"), "'own,http://127.0.0.1'");
    assert_eq!(run("--partition http://127.0.0.1", "one.db"), "'own,http://127.0.0.1'");
    let words = "migrate Default --origin http://localhost:8573 --into other.db";
    place.run(&format!("{words} --partition http://other.example")).fails(2, "inside http://other.example");
    place
        .run("migrate Default --origin http://localhost:8573 --all-keys --into told.db")
        .prints("left out: 1 storage kept apart inside other sites");
}

#[test]
fn the_settings_of_a_profile_without_storage_are_no_dumps() {
    let place = Place::new();
    place.make_folder("chrome");
    place.make_folder("chrome/Default");
    place.make_folder("chrome/Default/shared_proto_db");
    let store = fixtures().join("chromium-leveldb").join(STORE);
    for name in ["CURRENT", "MANIFEST-000001"] {
        let bytes = fs::read(store.join(name)).expect("a fixture");
        place.write(format!("chrome/Default/shared_proto_db/{name}"), bytes);
    }
    let settings = r#"{"os_crypt":"{\"state\":{},\"version\":0}"}"#;
    // As a browser leaves it that was started just now, and one that was used and stored nothing.
    for [folder, file] in [["chrome", "Local State"], ["chrome/Default", "Preferences"]] {
        place.write(format!("{folder}/{file}"), settings);
        place.write(format!("{folder}/Last Version"), "156");
        place.write(format!("{folder}/History"), "");
        for input in [folder, "."] {
            let words = format!("migrate {input} --all-keys --origin https://app.example --into new.db");
            place.run(&words).fails(13, "there is no localStorage here").changes_nothing();
        }
    }
}

#[test]
fn a_store_is_found_from_the_folder_itself_up_to_the_one_above_all_profiles() {
    let place = place_with("chromium-leveldb");
    place.make_folder("chrome");
    fs::rename(place.path("Default"), place.path("chrome/Default")).expect("moved");
    // What else a browser keeps looks like dumps, and links of one that runs lead nowhere.
    place.write("chrome/Local State", r#"{"profile":{"name":"{\"state\":{},\"version\":0}"}}"#);
    place.write("chrome/Default/Preferences", r#"{"browser":"{\"state\":{},\"version\":0}"}"#);
    place.execute("chrome/Default/data.sqlite", "CREATE TABLE of_an_app (a)");
    place.make_folder("chrome/Default/Session Storage");
    let store = "chrome/Default/Local Storage/leveldb";
    for name in ["CURRENT", "MANIFEST-000001"] {
        place.write(format!("chrome/Default/Session Storage/{name}"), place.read(format!("{store}/{name}")));
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink("host-1234", place.path("chrome/SingletonLock")).expect("a link");
    let mut documents = Vec::new();
    for input in [store, "chrome/Default/Local Storage", "chrome/Default", "chrome", "."] {
        let words = ["migrate", input, "--list", "--json"];
        let mut document = place.run_words(words).exits(0).changes_nothing().document();
        assert_eq!(document["totals"]["browser_stores"], 1, "{input}");
        assert_eq!((&document["totals"]["files"], &document["skipped"]), (&json!(0), &json!([])), "{input}");
        documents.push((document["origins"].take(), document["totals"].take()));
    }
    assert!(documents.windows(2).all(|pair| pair[0] == pair[1]));
    // One profile and a dump beside it.
    place.write("phone.json", fs::read(fixtures().join("devices/phone.json")).expect("a fixture"));
    place.run("migrate . --list").exits(0).prints("1 storage of a browser, 1 file, 1 dump, ");
}

#[test]
fn a_dump_and_the_store_it_was_made_of_give_nothing_twice() {
    let dump = fs::read(fixtures().join("dumps/chromium-main.stringify.json")).expect("a fixture");
    let place = place_with("chromium-leveldb");
    place.write("dump.json", dump);
    let run = |inputs: &str, database: &str| {
        place
            .run(&format!("migrate {inputs} --into {database} --all-keys --origin {MAIN} --json"))
            .exits(3)
            .document()
    };
    run("dump.json", "dump-first.db");
    let document = run("Default", "dump-first.db");
    assert_eq!(document["totals"]["elements_new"], 0);
    // `JSON.stringify` leaves out the key `length`.
    assert_eq!(document["totals"]["events_new"], 1);
    run("Default", "store-first.db");
    assert_eq!(run("dump.json", "store-first.db")["totals"]["events_new"], 0);
    let events = |database: &str| {
        let sql = "SELECT group_concat(concat_ws('|', _event_id, _created_at, payload), char(10))
            FROM (SELECT * FROM events ORDER BY _event_id)";
        place.ask(database, sql)
    };
    assert_eq!(events("dump-first.db"), events("store-first.db"));
    run("Default dump.json", "together.db");
    assert_eq!(events("together.db"), events("store-first.db"));
    assert_eq!(
        place.ask("together.db", "SELECT count(*) - count(DISTINCT value_sha256) FROM original_values"),
        "0"
    );
}

#[test]
fn a_profile_becomes_events_a_snapshot_and_the_same_events_again() {
    let place = place_with("chromium-leveldb-live");
    place.run(&format!("migrate Default --into new.db --origin {MAIN}")).exits(3);
    place.run("export new.db -o snap").exits(0);
    place.run("restore snap again.db").exits(0);
    assert_eq!(place.content("again.db"), place.content("new.db"));
}

#[test]
fn of_damaged_stores_what_is_sound_is_imported_and_what_may_be_missing_is_told() {
    for (name, told) in [
        ("leveldb-no-manifest", "without a usable manifest all tables and logs were read"),
        ("leveldb-torn-log", "000004.log, byte 13489: it ends inside its last record"),
    ] {
        let place = place_with(&format!("damaged/{name}"));
        let ran = place.run(&format!("migrate Default --into new.db --all-keys --origin {MAIN}"));
        ran.exits(3).adds(&["new.db"]).prints(told).prints("(incomplete)");
        let expected = format!("damaged/{name}/expected.json");
        let counts = judged(&place, "new.db", &expected, "recoverable");
        assert!(
            counts.is_none_or(|[found, both, wanted]| found == both && both == wanted),
            "{name} {counts:?}"
        );
        place.run("migrate Default --list").exits(3).changes_nothing().prints(told);
    }
}

#[test]
fn damage_brings_no_older_value_back_unless_that_is_asked_for() {
    let place = place_with("damaged/leveldb-flipped-block");
    let words = format!("migrate Default --all-keys --origin {MAIN}");
    place
        .run(&format!("{words} --into sure.db"))
        .exits(3)
        .prints("the checksum of the block is wrong")
        .prints("(incomplete)");
    let truth = "chromium-leveldb/truth.json";
    let Some([sure, sure_and_true, _]) = judged(&place, "sure.db", truth, "storages") else { return };
    assert!(sure == sure_and_true && sure > 10, "{sure} {sure_and_true}");
    let ran = place.run(&format!("{words} --into more.db --with-doubtful"));
    ran.exits(3).prints("(incomplete)");
    let Some([more, more_and_true, _]) = judged(&place, "more.db", truth, "storages") else { return };
    assert!(more >= sure && more_and_true >= sure_and_true);
}

/// A key that was set, then deleted, and the record of the deletion damaged.
#[test]
fn a_deleted_value_is_doubtful_where_the_deletion_may_have_been_lost() {
    let place = place_with("chromium-leveldb");
    let log = format!("{STORE}/000004.log");
    let mut bytes = place.read(&log);
    bytes[5000] ^= 1;
    place.write(&log, bytes);
    let words = format!("migrate Default --all-keys --origin {MAIN}");
    place.run(&format!("{words} --into sure.db")).exits(3).prints("left out as doubtful");
    place.run(&format!("{words} --into more.db --with-doubtful")).exits(3).prints("doubtful: ");
    let truth = "chromium-leveldb/truth.json";
    let Some([sure, sure_and_true, _]) = judged(&place, "sure.db", truth, "storages") else { return };
    let Some([more, more_and_true, _]) = judged(&place, "more.db", truth, "storages") else { return };
    assert_eq!(sure, sure_and_true, "nothing but what the browser has");
    assert!(
        more > sure && more > more_and_true,
        "{more} items, {more_and_true} of them as the browser has them"
    );
}

#[test]
fn an_origin_of_which_all_is_doubtful_is_listed_with_the_option_that_takes_it() {
    let place = place_with("chromium-leveldb");
    let log = format!("{STORE}/000004.log");
    let mut bytes = place.read(&log);
    bytes[5000] ^= 1;
    place.write(&log, bytes);
    let ran = place.run("migrate Default --list");
    ran.exits(3).prints("--with-doubtful takes").prints(&format!("{MAIN}: 0 keys in 1 source"));
    let ran = place.run(&format!("migrate Default --origin {MAIN} --into new.db"));
    ran.exits(3).prints("--with-doubtful takes").prints("no key of it was read");
    assert!(!ran.stdout.contains("--map"), "{}", ran.stdout);
    let ran = place.run("migrate Default --list --with-doubtful");
    assert!(!ran.exits(3).stdout.contains(": 0 keys in"), "{}", ran.stdout);
}

#[test]
fn a_store_of_which_nothing_can_be_read_is_damaged_and_costs_only_itself() {
    let place = place_with("chromium-leveldb");
    for name in ["000004.log", "000005.ldb", "MANIFEST-000001"] {
        let size = place.read(format!("{STORE}/{name}")).len();
        place.write(format!("{STORE}/{name}"), vec![0xA5; size]);
    }
    place
        .run(&format!("migrate Default --into new.db --origin {MAIN}"))
        .fails(13, "nothing of it can be read")
        .changes_nothing();
    place.write("phone.json", fs::read(fixtures().join("devices/phone.json")).expect("a fixture"));
    let ran = place.run(&format!("migrate Default phone.json --into new.db --origin {MAIN}"));
    ran.exits(3)
        .adds(&["new.db"])
        .prints("unreadable: Default/Local Storage/leveldb: nothing of it can be read");
    assert_eq!(place.ask("new.db", "SELECT count(*) FROM progress_logs"), "4");
}

/// A script would take exit code 2 for a typing error.
#[test]
fn an_origin_whose_storage_damage_may_have_taken_is_not_taken_for_a_typing_error() {
    let words = "migrate Default --origin https://lost.example --into new.db";
    let place = place_with("damaged/leveldb-torn-log");
    place
        .run(words)
        .fails(13, "it may be what is missing or left out of Default/Local Storage/leveldb: 000004.log")
        .hints("there is storage of ")
        .changes_nothing();
    let place = place_with("chromium-leveldb");
    place.run(words).fails(2, "no input holds storage of https://lost.example").changes_nothing();
}

#[test]
fn databases_of_the_same_kind_that_are_no_local_storage_are_refused_or_passed_over() {
    let place = Place::new();
    place.make_folder("copies");
    place.make_folder("copies/db");
    // A manifest of IndexedDB: its first record names another order of keys.
    let edit = b"\x01\x08idb_cmp1\x02\x00\x03\x02\x04\x00";
    let mut manifest = masked_crc(&[b"\x01", &edit[..]].concat()).to_le_bytes().to_vec();
    manifest.extend([u8::try_from(edit.len()).expect("short"), 0, 1]);
    manifest.extend(edit);
    place.write("copies/db/MANIFEST-000001", manifest);
    place.write("copies/db/CURRENT", "MANIFEST-000001\n");
    place
        .run("migrate copies/db --list")
        .fails(2, "IndexedDB")
        .hints("Local Storage/leveldb")
        .changes_nothing();
    place.write("copies/phone.json", fs::read(fixtures().join("devices/phone.json")).expect("a fixture"));
    place.run("migrate copies --list").exits(0).prints("skipped: copies/db: ").prints("IndexedDB");
}

/// The system gives a file that has another content whenever it is read.
#[cfg(target_os = "linux")]
#[test]
fn a_store_that_is_written_to_all_the_time_is_refused_with_advice() {
    let place = place_with("chromium-leveldb-live");
    let current = place.path(format!("{STORE}/CURRENT"));
    fs::remove_file(&current).expect("removed");
    std::os::unix::fs::symlink("/proc/sys/kernel/random/uuid", current).expect("a link");
    place
        .run(&format!("migrate Default --into new.db --origin {MAIN}"))
        .fails(11, "goes on writing")
        .hints("close the browser");
    assert!(!place.path("new.db").exists());
}

#[test]
fn a_dry_run_of_a_profile_says_the_same_and_changes_nothing() {
    let place = place_with("chromium-leveldb");
    let words = format!("migrate Default --into new.db --origin {MAIN}");
    let mut dry = place.run(&format!("{words} --dry-run --json")).exits(3).changes_nothing().document();
    dry["dry_run"] = json!(false);
    assert_eq!(place.run(&format!("{words} --json")).exits(3).document(), dry);
}
