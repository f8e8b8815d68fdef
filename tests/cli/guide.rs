//! The commands that docs/MIGRATE.md shows, each run on real files in the places that it names.

use std::fs;
use std::path::Path;

use crate::migrate::fixture;
use crate::migrate_chromium::{copy, fixtures};
use crate::place::Place;

/// What lies where the guide says that browsers keep it: a profile or the folder above, and which fixture is one.
const KEPT: [(&str, &str); 22] = [
    ("old-laptop/Default", "chromium-leveldb/Default"),
    (".config/google-chrome/Default", "chromium-sqlite/Default"),
    (".config/google-chrome/Profile 1", "chromium-leveldb/Default"),
    ("Library/Application Support/Google/Chrome/Default", "chromium-leveldb-live/Default"),
    (".config/LiftBook", "chromium-leveldb/Default"),
    ("app_webview/Default", "chromium-leveldb/Default"),
    (".mozilla/firefox/ab12cd34.default-release/storage", "firefox-lsng/storage"),
    (".config/chromium/Default", "chromium-leveldb/Default"),
    (".config/microsoft-edge/Default", "chromium-leveldb/Default"),
    (".config/BraveSoftware/Brave-Browser/Default", "chromium-leveldb/Default"),
    (".config/vivaldi/Default", "chromium-leveldb/Default"),
    ("Library/Application Support/Microsoft Edge/Default", "chromium-leveldb/Default"),
    ("Library/Application Support/BraveSoftware/Brave-Browser/Default", "chromium-leveldb/Default"),
    ("Library/Application Support/LiftBook", "chromium-leveldb/Default"),
    ("Library/Application Support/Firefox/Profiles/ab12cd34.default-release/storage", "firefox-lsng/storage"),
    (".librewolf/ab12cd34.default-default/storage", "firefox-lsng/storage"),
    ("Library/Safari/LocalStorage", "webkit-files/localstorage"),
    ("Library/WebKit/com.example.liftbook/WebsiteData/Default", "webkit-origins/storage"),
    (".local/share/com.example.liftbook/localstorage", "webkit-files/localstorage"),
    (".local/share/liftbook/storage", "webkit-origins/storage"),
    ("Library/Containers/com.apple.Safari/Data/Library/WebKit/WebsiteData/Default", "webkit-origins/storage"),
    (".local/share/epiphany", "webkit-files/localstorage"),
];

/// The lines of the guide's shell examples that run the program.
fn commands() -> Vec<String> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/MIGRATE.md");
    let text = fs::read_to_string(guide).expect("the guide");
    let mut is_shell = false;
    let mut commands = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(language) => is_shell = language == "sh",
            None if is_shell && line.starts_with("parklite ") => commands.push(line.to_owned()),
            None => {}
        }
    }
    commands
}

/// The fixtures' pages were not at the guide's address.
fn at_the_origin_of_the_fixtures(command: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    let of_origin = |index: usize| index > 0 && words[index - 1] == "--origin";
    let replaced = words.iter().enumerate().map(|(index, word)| match word {
        _ if of_origin(index) => "http://127.0.0.1:8571",
        word => word,
    });
    replaced.collect::<Vec<_>>().join(" ")
}

/// The place as the guide takes it to be, with what this command names.
fn place_for(command: &str) -> Place {
    let place = Place::new();
    for (kept, name) in KEPT {
        // A folder above counts as well.
        let is_named = Path::new(kept).ancestors().any(|folder| {
            let folder = folder.to_string_lossy();
            !folder.is_empty()
                && [format!("{folder} "), format!("{folder}\" ")].iter().any(|it| command.contains(&**it))
        });
        if is_named {
            copy(&fixtures().join(name), &place.path(kept));
        }
    }
    for (dump, name) in [("dump-laptop.json", "tablet"), ("dump-phone.json", "phone")] {
        place.write(dump, fixture(&format!("devices/{name}.json")));
    }
    place
}

#[test]
fn every_command_of_the_guide_does_what_it_says() {
    let commands = commands();
    assert!(commands.len() > 15, "{commands:?}");
    // What is sent goes to a server; tests of that have one.
    for command in commands.iter().filter(|command| !command.contains("--post")) {
        let place = place_for(command);
        if command.contains("export") {
            place.run("migrate dump-laptop.json --into gymlog.db").exits(0);
        }
        let script = format!("HOME=$PWD; {}", at_the_origin_of_the_fixtures(command));
        let ran = place.run_in_shell(&script);
        // Some of the fixtures have sessions that do not fit, and that is told.
        assert!(matches!(ran.code(), Some(0 | 3)), "{command}\n{}\n{}", ran.stdout, ran.stderr);
        let target =
            |flag: &str| command.split(' ').skip_while(|word| *word != flag).nth(1).map(str::to_owned);
        for made in [target("--into"), target("-o")].into_iter().flatten() {
            assert!(place.path(&made).is_file(), "{command}: no {made}\n{}", ran.stdout);
        }
        if let Some(database) = target("--into") {
            let sessions = "SELECT count(*) FROM events WHERE event_type = 'workout_session'";
            assert_ne!(place.ask(&database, sessions), "0", "{command}\n{}", ran.stdout);
        }
        if command.contains("--list") {
            ran.prints("(zustand, version ").prints(" sessions");
        }
    }
}

/// The mapping files that the guide shows.
fn mapping_files() -> Vec<String> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/MIGRATE.md");
    let text = fs::read_to_string(guide).expect("the guide");
    let blocks = text.split("```toml\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_mapping_file_of_the_guide_makes_the_events_that_it_says() {
    let session =
        r#"{"weekNumber":1,"dayNumber":2,"completed":true,"completedAt":"2025-01-06T10:00:00.000Z"}"#;
    let zustand = format!(
        r#"{{"state":{{"progressHistory":{{"programId":"p","sessions":[{session}]}}}},"version":3}}"#
    );
    let redux = r#"{"runs":"{\"list\":[{\"day\":\"2025-01-06\",\"km\":5.2},{\"day\":\"2025-01-08\",\"km\":6}]}","profile":"{\"name\":\"Ada\"}","_persist":"{\"version\":-1,\"rehydrated\":true}"}"#;
    let expected = [
        ("liftbook-x", &*zustand, "workout_session", "1|'p'"),
        ("persist:root", redux, "run", "2|'Ada'"),
        ("weights", r#"[{"date":"2025-01-06","kg":71.5}]"#, "weight", "1|71.5"),
        ("settings", r#"{"name":"Ada","goals":[1,2]}"#, "settings", "1|'[1,2]'"),
    ];
    let files = mapping_files();
    assert_eq!(files.len(), expected.len());
    for (file, (key, value, event, told)) in files.iter().zip(expected) {
        let place = Place::new();
        place.write("map.toml", file);
        place.write("dump.json", serde_json::json!({ key: value }).to_string());
        place.run("migrate dump.json --origin https://app.example --map map.toml --into new.db").exits(0);
        let member = match event {
            "workout_session" => "program_id",
            "run" => "runner",
            "weight" => "kg",
            _ => "goals",
        };
        let query = |what: &str| {
            place.ask("new.db", &format!("SELECT {what} FROM events WHERE event_type = '{event}'"))
        };
        let found = format!("{}|{}", query("count(*)"), query(&format!("max(payload ->> '$.{member}')")));
        assert_eq!(found, told, "{file}");
    }
}

/// The examples in the help of `migrate`, each on one line and without what is said of it.
fn examples_of_help() -> Vec<String> {
    let ran = Place::new().run("migrate --help");
    let (_, after) = ran.exits(0).stdout.split_once("Examples:\n").expect("examples");
    let (examples, _) = after.split_once("\n\n").expect("what stands behind them");
    let mut commands: Vec<String> = Vec::new();
    for line in examples.lines().map(str::trim_start) {
        match commands.last_mut().filter(|last| last.ends_with('\\')) {
            Some(last) => *last = format!("{}{line}", last.trim_end_matches('\\')),
            None if line.starts_with("parklite ") => {
                commands.push(line.split("  ").next().unwrap_or_default().to_owned());
            }
            // The end of a line that is too long for one.
            None => {}
        }
    }
    commands
}

#[test]
fn every_example_of_the_help_does_what_it_says() {
    let examples = examples_of_help();
    assert!(examples.len() > 8, "{examples:?}");
    for example in examples.iter().filter(|example| !example.contains("--post")) {
        let place = place_for(example);
        for name in ["dump.json", "phone.json", "laptop.json", "liftbook.json"] {
            place.write(name, fixture("devices/phone.json"));
        }
        place.make_folder("dumps");
        place.write("dumps/phone.json", fixture("devices/phone.json"));
        place.write("state.json", fixture("dumps/chromium.storageState.json"));
        place.write("liftbook.toml", mapping_of_the_guide());
        let script = format!("HOME=$PWD; {}", at_the_origin_of_the_fixtures(example));
        let ran = place.run_in_shell(&script);
        assert!(matches!(ran.code(), Some(0 | 3)), "{example}\n{}\n{}", ran.stdout, ran.stderr);
        let words: Vec<&str> = example.split(' ').collect();
        for pair in words.windows(2).filter(|pair| matches!(pair[0], "--into" | "-o" | ">")) {
            let is_made = place.path(pair[1]).is_file();
            assert_eq!(is_made, !example.contains("--dry-run"), "{example}: {}\n{}", pair[1], ran.stdout);
        }
    }
}

/// The first mapping file that the guide shows.
fn mapping_of_the_guide() -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/MIGRATE.md");
    let text = fs::read_to_string(guide).expect("the guide");
    let (_, from) = text.split_once("```toml\n").expect("a mapping file");
    from.split("```").next().unwrap_or_default().to_owned()
}
