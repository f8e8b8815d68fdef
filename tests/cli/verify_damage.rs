//! Damaged snapshots: `verify` names what is wrong, `restore` refuses, and nothing is published.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::place::Place;
use crate::ran::Ran;

/// Two tables that differ in nothing but their rows.
const TWINS: &str = "
CREATE TABLE left_hand (id INTEGER PRIMARY KEY, v TEXT);
CREATE TABLE right_hand (id INTEGER PRIMARY KEY, v TEXT);
INSERT INTO left_hand VALUES (1, 'a'), (2, 'b');
INSERT INTO right_hand VALUES (1, 'a'), (2, 'c');
";

fn place_with_twins() -> Place {
    let place = Place::new();
    place.execute("twins.db", TWINS);
    place.run("export twins.db -o snap").exits(0);
    place
}

/// What `verify` found, as file and table.
fn found(ran: &Ran) -> Vec<(String, Option<String>)> {
    let document = ran.exits(4).document();
    assert_eq!((&document["exit_code"], &document["intact"]), (&4.into(), &false.into()));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let files = document["files"].as_array().expect("a list of findings").iter();
    files.map(|finding| (text(&finding["file"]).expect("a name"), text(&finding["table"]))).collect()
}

/// Every level of `verify` finds exactly this about files, tells people, and changes nothing.
#[track_caller]
fn is_found(place: &Place, expected: &[(&str, Option<&str>)]) {
    let expected: Vec<_> =
        expected.iter().map(|(file, table)| ((*file).to_owned(), table.map(str::to_owned))).collect();
    for level in ["--quick", "--data", ""] {
        let ran = place.run(&format!("verify snap --json {level}"));
        assert_eq!(found(ran.changes_nothing()), expected, "{level}");
        let ran = place.run(&format!("verify snap {level}"));
        ran.exits(4).prints("snap: DAMAGED, ").changes_nothing();
        for (file, table) in &expected {
            let line = ran.stdout.lines().find(|line| line.starts_with(file));
            let table = table.as_ref().map(|table| format!("(table {table})")).unwrap_or_default();
            assert!(line.is_some_and(|line| line.contains(&table)), "{file} {table}: {}", ran.stdout);
        }
    }
}

/// A restore ends with this code, names the table, and publishes nothing, whether it shall prove the result or not.
#[track_caller]
fn is_not_restored(place: &Place, codes: &[i32], part: &str) {
    for arguments in ["", "--no-verify"] {
        let ran = place.run(&format!("restore snap back.db {arguments}"));
        let code = ran.code().expect("no signal");
        assert!(codes.contains(&code), "{code} is none of {codes:?}: {}", ran.stderr);
        ran.fails(code, part).hints("verify").changes_nothing();
    }
}

#[test]
fn a_missing_file_is_found_and_not_restored() {
    let place = Place::with_snapshot();
    fs::remove_file(place.path("snap/sets.parquet")).expect("removed");
    is_found(&place, &[("sets.parquet", Some("sets"))]);
    is_not_restored(&place, &[13], "table \"sets\"");
    place.run("inspect snap").fails(13, "table \"sets\"").hints("verify").changes_nothing();
}

#[test]
fn the_smaller_files_are_watched_too() {
    let place = Place::with_snapshot();
    fs::remove_file(place.path("snap/views.sql")).expect("removed");
    place.write("snap/SHA256SUMS", "");
    is_found(&place, &[("SHA256SUMS", None), ("views.sql", None)]);
}

#[test]
fn a_fifo_in_a_snapshot_is_not_waited_for() {
    for (name, table) in [("views.sql", None), ("SHA256SUMS", None), ("sets.parquet", Some("sets"))] {
        let place = Place::with_snapshot();
        fs::remove_file(place.path("snap").join(name)).expect("removed");
        place.make_fifo(&format!("snap/{name}"));
        is_found(&place, &[(name, table)]);
        if table.is_some() {
            is_not_restored(&place, &[13], "table \"sets\"");
        }
    }
    let place = Place::with_snapshot();
    fs::remove_file(place.path("snap/manifest.json")).expect("removed");
    place.make_fifo("snap/manifest.json");
    for words in ["verify snap", "restore snap back.db", "inspect snap"] {
        place.run(words).fails(13, "manifest.json").tells("hint: ").changes_nothing();
    }
}

#[test]
fn swapped_files_are_found_and_not_restored() {
    let place = place_with_twins();
    fs::rename(place.path("snap/left_hand.parquet"), place.path("x")).expect("renamed");
    fs::rename(place.path("snap/right_hand.parquet"), place.path("snap/left_hand.parquet")).expect("renamed");
    fs::rename(place.path("x"), place.path("snap/right_hand.parquet")).expect("renamed");
    is_found(&place, &[("left_hand.parquet", Some("left_hand")), ("right_hand.parquet", Some("right_hand"))]);
    is_not_restored(&place, &[4, 13], "table \"left_hand\"");
}

#[test]
fn surplus_files_are_found() {
    let place = Place::with_snapshot();
    place.write("snap/notes.txt", "mine");
    place.make_folder("snap/more");
    for level in ["--quick", "--data", ""] {
        let mut files = found(place.run(&format!("verify snap --json {level}")).changes_nothing());
        files.sort();
        assert_eq!(files, [("more".to_owned(), None), ("notes.txt".to_owned(), None)]);
    }
    // They take nothing away from what is restored.
    place.run("restore snap back.db").exits(0);
    assert_eq!(place.content("back.db"), place.content("gymlog.db"));
}

#[test]
fn a_surplus_file_whose_name_is_not_utf8_is_found() {
    use std::os::unix::ffi::OsStrExt as _;
    let place = Place::with_snapshot();
    place.write(std::path::Path::new("snap").join(std::ffi::OsStr::from_bytes(b"evil\xff")), "mine");
    for level in ["--quick", "--data", ""] {
        place.run(&format!("verify snap {level}")).exits(4).prints("evil").prints("no part of the snapshot");
    }
}

#[test]
fn a_manifest_that_grew_beyond_any_is_damage() {
    let place = Place::with_snapshot();
    let manifest =
        std::fs::File::options().append(true).open(place.path("snap/manifest.json")).expect("opens");
    manifest.set_len(1 << 40).expect("grows");
    place.run("verify snap --data").fails(13, "larger than any that is written");
}

#[test]
fn truncated_and_prolonged_files_are_found_and_not_restored() {
    for damage in [
        |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1),
        |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2),
        |bytes: &mut Vec<u8>| bytes.clear(),
        |bytes: &mut Vec<u8>| bytes.push(0),
    ] {
        let place = Place::with_snapshot();
        let mut bytes = place.read("snap/events.parquet");
        damage(&mut bytes);
        place.write("snap/events.parquet", bytes);
        is_found(&place, &[("events.parquet", Some("events"))]);
        is_not_restored(&place, &[13], "table \"events\"");
    }
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    for eighth in 0..8 {
        let place = Place::with_snapshot();
        place.flip_bit("snap/events.parquet", eighth, 8);
        is_found(&place, &[("events.parquet", Some("events"))]);
        // Either it damages nothing that a restore reads, or the restore refuses.
        let ran = place.run("restore snap back.db");
        if ran.code() == Some(0) {
            assert_eq!(place.content("back.db"), place.content("gymlog.db"));
        } else {
            is_not_restored(&place, &[4, 13], "table \"events\"");
        }
    }
}

#[test]
fn a_flipped_bit_in_a_single_file_snapshot_is_found_wherever_it_is() {
    for eighth in 0..8 {
        let place = Place::with_gymlog();
        place.run("export gymlog.db -t sets -o sets.parquet").exits(0);
        place.flip_bit("sets.parquet", eighth, 8);
        for level in ["--quick", "--data", ""] {
            let ran = place.run(&format!("verify sets.parquet {level}"));
            // Where the manifest in the footer is hit, it cannot even be opened.
            match ran.changes_nothing().code() {
                Some(4) => {
                    ran.prints("sets.parquet (table sets): the file ").prints("DAMAGED");
                }
                _ => {
                    ran.fails(13, "sets.parquet");
                }
            }
        }
    }
}

#[test]
fn what_is_no_snapshot_is_said_to_be_none() {
    let place = Place::with_snapshot();
    place.make_folder("photos");
    place.make_fifo("pipe");
    place.write("empty.parquet", "");
    place.write("text.parquet", "PAR1 is how it would begin".repeat(100));
    for verb in ["verify NAME", "verify --quick NAME", "restore NAME back.db", "inspect NAME"] {
        for (name, code, part) in [
            ("none", 10, "there is no such snapshot: none"),
            ("gymlog.db/none", 10, "there is no such snapshot: gymlog.db/none"),
            ("photos", 13, "no manifest.json: photos"),
            ("pipe", 13, "pipe"),
            ("empty.parquet", 13, "empty.parquet"),
            ("text.parquet", 13, "text.parquet"),
            ("snap/sets.parquet", 13, "no snapshot by itself"),
        ] {
            place.run(&verb.replace("NAME", name)).fails(code, part).tells("hint: ").changes_nothing();
        }
    }
    place.run("verify snap/sets.parquet").hints("name the folder");
}

#[test]
fn a_changed_manifest_is_refused_by_every_verb() {
    let place = Place::with_snapshot();
    let whole = place.read("snap/manifest.json");
    let text = String::from_utf8(whole.clone()).expect("a manifest is text");
    let changed: [Vec<u8>; 5] = [
        text.replace("\"verified\": true", "\"verified\": false").into_bytes(),
        whole[..whole.len() / 2].to_vec(),
        Vec::new(),
        b"{}".to_vec(),
        vec![0xff; 100],
    ];
    for bytes in changed {
        place.write("snap/manifest.json", bytes);
        for words in ["verify snap", "verify snap --quick", "restore snap back.db", "inspect snap"] {
            place.run(words).fails(13, "snap/manifest.json").tells("hint: ").changes_nothing();
        }
    }
}

/// The manifest's text after a change, with its own digest made right again.
fn forged(text: &str, change: impl FnOnce(&str) -> String) -> String {
    const FIELD: &str = "\"manifest_sha256\": \"";
    let text = change(text);
    let at = text.find(FIELD).expect("a digest") + FIELD.len();
    let blank = format!("{}{}{}", &text[..at], "0".repeat(64), &text[at + 64..]);
    let digest = hex(&Sha256::digest(blank.as_bytes()));
    format!("{}{digest}{}", &text[..at], &text[at + 64..])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[test]
fn a_newer_format_version_is_refused_by_name() {
    let place = Place::with_snapshot();
    let text = String::from_utf8(place.read("snap/manifest.json")).expect("a manifest is text");
    let newer = forged(&text, |text| text.replace("\"format_version\": 1", "\"format_version\": 2"));
    assert_ne!(newer, text);
    place.write("snap/manifest.json", newer);
    for words in ["verify snap", "verify snap --quick", "restore snap back.db", "inspect snap"] {
        place.run(words).fails(14, "format version 2").hints("install a newer one").changes_nothing();
    }
    let document = place.run("inspect snap --json").exits(14).document();
    assert_eq!(document["error"]["kind"], "newer-format");
}

#[test]
fn files_that_the_manifest_does_not_bind_are_only_found_by_decoding() {
    let place = place_with_twins();
    let (left, right) = ("snap/left_hand.parquet", "snap/right_hand.parquet");
    // Somebody put the other table's file in place and made every sum right again.
    place.write(left, place.read(right));
    let manifest = place.manifest("snap");
    let sum =
        |table: usize| manifest["tables"][table]["files"][0]["sha256"].as_str().expect("hex").to_owned();
    let size =
        |table: usize| format!("\"size_bytes\": {}", manifest["tables"][table]["files"][0]["size_bytes"]);
    let text = String::from_utf8(place.read("snap/manifest.json")).expect("a manifest is text");
    // What follows the chunks has other sizes and hashes too.
    let tail = |table: usize, field: &str| {
        format!("\"{field}\": {}", manifest["tables"][table]["files"][0]["tail"][field])
    };
    let text = forged(&text, |text| {
        let text = text.replace(&sum(0), &sum(1)).replace(&size(0), &size(1));
        let fields = ["page_index_bytes", "page_index", "footer_bytes", "footer"];
        fields.iter().fold(text, |text, field| text.replace(&tail(0, field), &tail(1, field)))
    });
    let sums = String::from_utf8(place.read("snap/SHA256SUMS")).expect("sums are text");
    let old_sum = hex(&Sha256::digest(place.read("snap/manifest.json")));
    let new_sum = hex(&Sha256::digest(text.as_bytes()));
    place.write("snap/SHA256SUMS", sums.replace(&sum(0), &sum(1)).replace(&old_sum, &new_sum));
    place.write("snap/manifest.json", text);
    place.run("verify snap --quick").exits(0).prints("snap: intact");
    for level in ["--data", ""] {
        let ran = place.run(&format!("verify snap --json {level}"));
        let document = ran.exits(4).changes_nothing().document();
        assert_eq!(document["files"], Value::Array(Vec::new()));
        let data = document["data"].as_array().expect("a list of findings");
        assert!(!data.is_empty() && data.iter().all(|finding| finding["table"] == "left_hand"), "{data:?}");
        place.run(&format!("verify snap {level}")).exits(4).prints("left_hand").prints("DAMAGED");
    }
    is_not_restored(&place, &[4, 13], "table \"left_hand\"");
}

#[test]
fn a_path_that_leaves_the_snapshot_is_refused() {
    let place = Place::with_snapshot();
    let text = String::from_utf8(place.read("snap/manifest.json")).expect("a manifest is text");
    place.write("sets.parquet", place.read("snap/sets.parquet"));
    let text = forged(&text, |text| text.replace("\"sets.parquet\"", "\"../sets.parquet\""));
    place.write(Path::new("snap/manifest.json"), text);
    for words in ["verify snap", "restore snap back.db", "inspect snap"] {
        place.run(words).fails(13, "outside the snapshot").changes_nothing();
    }
}
