//! What `migrate` says where something was named that it cannot take: each error has its place, and what to do next.

use std::fs;

use serde_json::json;

use crate::migrate::place_with;
use crate::migrate_chromium::fixtures;
use crate::place::Place;

#[test]
fn what_holds_no_storage_is_named() {
    let place = Place::new();
    for folder in ["empty", "other"] {
        place.make_folder(folder);
    }
    let ran = place.run("migrate empty --into x.db");
    ran.fails(13, "there is no localStorage here, and no dump of it: empty")
        .hints("about:support")
        .changes_nothing();
    let document = place.run("migrate empty --into x.db --json").exits(13).document();
    assert_eq!(document["error"]["path"], json!("empty"));
    place
        .run("migrate empty other --into x.db")
        .fails(13, "there is no localStorage in empty, other, and no dump");
}

#[test]
fn files_that_are_no_dumps_are_called_what_they_are() {
    let place = Place::new();
    let store = fixtures().join("chromium-leveldb/Default/Local Storage/leveldb");
    let mut parts = 0;
    place.make_folder("out");
    for entry in fs::read_dir(store).expect("a fixture") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if name.starts_with("MANIFEST-") || matches!(ending, Some("ldb" | "log")) {
            place.write(&*name, fs::read(&path).expect("a fixture"));
            let ran = place.run(&format!("migrate {name} --into out/x.db"));
            ran.fails(13, "this is a part of a browser's storage")
                .hints("name the folder it is in")
                .changes_nothing();
            parts += 1;
        }
    }
    assert!(parts >= 2, "{parts}");
    place.write("photo.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01".repeat(40));
    place.write("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10");
    place.run("migrate picture.png --into out/x.db").fails(13, "this is no text");
    place.run("migrate photo.jpg --into out/x.db").fails(13, "this is no text").hints("JSON.stringify");
    for (name, text) in [("html.json", "<!doctype html>\n<p>"), ("notes.txt", "Monday: squats")] {
        place.write(name, text);
        place.run(&format!("migrate {name} --into out/x.db")).fails(13, "it does not begin like a dump");
    }
}

#[test]
fn a_value_without_its_key_is_told_with_the_option_also_beside_other_inputs() {
    let place = place_with(&["devices/phone.json"]);
    place.write("value.json", r#"{"state":{"a":1},"version":2}"#);
    let ran = place.run("migrate phone.json value.json --into x.db");
    ran.exits(3)
        .prints("unreadable: value.json: this is the value of a single store, without its key")
        .prints("--key");
}

#[test]
fn a_reject_of_a_whole_store_has_no_gap_before_the_colon() {
    let place = Place::new();
    place.write("cut.json", json!({"liftbook": r#"{"state":{"progressHistory":{"sessions":[{"#}).to_string());
    place.run("migrate cut.json --into x.db").exits(3).prints("rejected: cut.json: liftbook: ");
}

#[test]
fn a_field_without_a_type_says_which_one_takes_what_is_there() {
    let place = Place::new();
    place.write(
        "d.json",
        json!({"log": r#"{"runs":[{"week":1,"done":true,"km":1.5,"laps":[1]}]}"#}).to_string(),
    );
    for (at, said) in [
        ("/week", r#"/week is 1, a number, and the rule takes text: say type = "int""#),
        ("/done", r#"/done is true, true or false, and the rule takes text: say type = "bool""#),
        ("/km", r#"/km is 1.5, a number, and the rule takes text: say type = "number""#),
        ("/laps", r#"/laps is [1], an array, and the rule takes text: say type = "json""#),
    ] {
        let rule = format!(
            "[[store]]\nkey = \"log\"\nenvelope = \"none\"\neach = \"/runs\"\nevent = \"run\"\n[store.fields]\nx = {{ at = \"{at}\" }}\n"
        );
        place.write("map.toml", rule);
        place.run("migrate d.json --into x.db --map map.toml").exits(3).prints(said);
    }
    place.write("map.toml", "[[store]]\nkey = 1\n");
    place
        .run("migrate d.json --into y.db --map map.toml")
        .exits(2)
        .tells("docs/MIGRATE.md shows what is in a mapping file");
}

#[test]
fn arguments_that_mean_something_else_here_are_refused_with_what_to_type() {
    let place = place_with(&["devices/phone.json"]);
    place
        .run("migrate phone.json")
        .fails(2, "--into DATABASE is missing")
        .hints("--list to see what is in it");
    place
        .run("migrate - --into x.db")
        .fails(10, "no such file")
        .hints("standard input is not read: save it as a file");
    let emit = "migrate phone.json --origin https://app.example --emit console";
    place
        .run(&format!("{emit} -o -"))
        .fails(2, "one that is named -")
        .hints("leave -o out for the standard output");
    place.write("there.js", "");
    place.run(&format!("{emit} -o there.js")).fails(12, "the target exists").hints("or remove this one");
    let ran = place.run("migrate phone.json --into x.db --temp-dir phone.json");
    ran.fails(2, "what is named after --temp-dir is no folder");
    let mut command = place.command();
    command.args(["migrate", "phone.json", "--into", "x.db", "--device", ""]);
    place.finish(command).fails(2, "--device");
    let post = "migrate phone.json --into x.db --post https://app.example/{programId}/x";
    place.run(post).fails(2, "the address has {programId} in it: {program_id} is the only name in braces");
    assert!(!place.path("x.db").exists() && !place.path("-").exists());
}

#[cfg(unix)]
#[test]
fn nobody_is_advised_to_remove_a_device() {
    let place = place_with(&["devices/phone.json"]);
    let ran = place.run("migrate phone.json --origin https://app.example --emit console -o /dev/null");
    ran.hints("name a new file after -o");
    assert!(!ran.stderr.contains("remove"), "{}", ran.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_after_the_import_says_that_it_is_done() {
    let place = place_with(&["devices/phone.json"]);
    let words = "migrate phone.json --origin https://app.example --emit console --into new.db";
    let ran = place.run_in_shell(&format!("parklite {words} > /dev/full"));
    ran.fails(1, "writing to the standard output failed")
        .hints("the import is done; the same command prints it again");
    assert_eq!(place.ask("new.db", "SELECT count(*) FROM events WHERE event_type = 'workout_session'"), "4");
}

#[test]
fn a_file_for_what_is_emitted_without_anything_emitted_is_refused_with_whatever_else_is_given() {
    let place = Place::new();
    place.write("d.json", r#"{"token":"x"}"#);
    for words in [
        "migrate d.json --list -o out",
        "migrate d.json --into new.db -o out",
        "migrate d.json --into new.db --post https://app.example/x -o out",
        "migrate d.json --list --to progress-logs",
    ] {
        place.run(words).exits(2).changes_nothing();
    }
}
