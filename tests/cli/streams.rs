//! Which stream says what, in which form, and what happens when nobody reads it.

use std::fs::OpenOptions;

use crate::place::Place;

#[test]
fn json_is_one_document_on_standard_output_and_nothing_else() {
    let place = Place::with_snapshot();
    for (words, code) in [
        ("export gymlog.db -o a", 0),
        ("export gymlog.db --dry-run", 0),
        ("verify snap", 0),
        ("verify snap --quick", 0),
        ("restore snap a.db", 0),
        ("inspect snap", 0),
        ("export none.db", 10),
        ("export gymlog.db -t none", 2),
        ("verify none", 10),
        ("restore snap a.db", 12),
        ("restore gymlog.db b.db", 13),
        ("verify gymlog.db", 0),
        ("inspect gymlog.db", 0),
        ("digest gymlog.db snap", 0),
        ("diff gymlog.db snap", 0),
        ("diff gymlog.db none", 10),
    ] {
        let ran = place.run(&format!("{words} --json"));
        let document = ran.exits(code).document();
        assert_eq!(document["exit_code"], code, "{words}");
        let error = document.get("error");
        assert_eq!(error.is_some(), code != 0, "{words}: {document}");
        let Some(error) = error else { continue };
        // The same facts for people, on the other stream.
        ran.tells(&format!("error: {}", error["message"].as_str().expect("a message")));
        for key in ["kind", "exit_code", "message", "path", "table", "column", "row", "causes", "hint"] {
            assert!(error.get(key).is_some(), "{words}: no {key} in {error}");
        }
        assert!(error["hint"].is_string(), "{words}: {error}");
    }
}

#[test]
fn quiet_prints_nothing_but_errors_and_documents() {
    let place = Place::with_gymlog();
    for words in ["export gymlog.db -o snap", "verify snap", "restore snap a.db", "inspect snap"] {
        place.run(&format!("{words} --quiet")).exits(0).prints_nothing().tells_nothing();
    }
    place.run("restore snap a.db -q").fails(12, "exists");
    place.run("verify none --quiet").fails(10, "none");
    place.run("inspect snap --quiet --json").exits(0).tells_nothing().document();
}

#[test]
fn progress_is_told_on_standard_error_in_the_chosen_style() {
    let place = Place::with_gymlog();
    let ran = place.run("export gymlog.db -o a --progress json");
    let events = ran.exits(0).events();
    assert_eq!((&events[0]["event"], &events[0]["total_bytes"]), (&"run".into(), &45056.into()));
    let rows: u64 = events
        .iter()
        .filter(|event| event["event"] == "end" && event["phase"] == "exporting")
        .map(|event| event["rows"].as_u64().expect("a count"))
        .sum();
    assert_eq!(rows, 306);
    let phases =
        |phase: &str| events.iter().any(|event| event["phase"] == phase && event["event"] == "begin");
    assert!(phases("exporting") && phases("matching"), "{events:?}");
    ran.prints("verified: ");
    // A quick run has nothing to tell in lines; a bar needs a terminal.
    for style in ["plain", "none", "bar", "auto"] {
        place.run(&format!("export gymlog.db -o {style} --progress {style}")).exits(0).tells_nothing();
    }
    let told = place.run("verify a --progress json").exits(0).events();
    assert!(told.iter().any(|event| event["event"] == "note"), "{told:?}");
    place.run("verify a --progress none").exits(0).tells("note: ");
    place.run("export gymlog.db --progress loud").exits(2).tells("loud");
}

#[test]
fn without_a_terminal_nothing_is_coloured() {
    let place = Place::with_snapshot();
    for words in
        ["inspect snap", "verify snap", "export none.db", "export gymlog.db -n", "--help", "export -x"]
    {
        let ran = place.run(words);
        assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains('\x1b'), "{words}: {}", ran.stdout);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::with_snapshot();
    for words in
        ["inspect snap", "inspect snap --json", "verify snap -q --json", "completions bash", "--help"]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = place.command();
        command.args(words.split_whitespace()).stdout(writer);
        let output = command.output().expect("the program runs");
        assert_eq!(output.status.code(), Some(0), "{words}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words}");
    }
    let ran = place.finish(place.shell(r#""$@" | head -n 1"#, "inspect snap"));
    ran.exits(0).tells_nothing();
    assert_eq!(ran.stdout, "snap\n");
}

#[test]
fn a_closed_output_stream_is_no_failure() {
    let place = Place::with_snapshot();
    for words in ["inspect snap", "export gymlog.db -o a", "verify a", "restore a a.db"] {
        place.finish(place.shell(r#"exec "$@" >&- 2>&-"#, words)).exits(0);
    }
    assert_eq!(place.content("a.db"), place.content("gymlog.db"));
    place.finish(place.shell(r#"exec "$@" 2>&-"#, "export none.db")).exits(10).prints_nothing();
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let place = Place::with_snapshot();
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else { return };
    let mut command = place.command();
    let output = command.args(["inspect", "snap", "--json"]).stdout(full).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.starts_with("error: writing to the standard output failed"), "{told}");
}
