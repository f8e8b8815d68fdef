use super::*;

const GOOD: &str = r#"
[[store]]
key      = "liftbook-*"
origin   = "https://app.example"
envelope = "zustand"
versions = [3, 4]
each     = "/state/progressHistory/sessions"
event    = "workout_session"
[store.fields]
program_id = { up = "/state/progressHistory/programId", else = "/state/currentProgram/id" }
week_number = { at = "/weekNumber", type = "int" }
day_number = { at = "/dayNumber", coerce = ["int-string"] }
completed = { at = "/completed", type = "bool" }
completed_at = { at = "/completedAt", type = "timestamp", optional = true }
"#;

fn wrong(text: &str) -> (String, String) {
    let error = read(text).expect_err(text);
    assert_eq!(error.kind(), ErrorKind::Usage);
    (error.message().to_owned(), error.hint_text().unwrap_or_default().to_owned())
}

#[test]
fn the_documented_example_is_read() {
    let (rules, target) = read(GOOD).expect("a mapping");
    assert_eq!((rules.len(), target), (1, None));
    let names: Vec<&str> = rules[0].fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names, SESSION_FIELDS);
    assert_eq!(rules[0].created_at, ["completed_at"]);
}

#[test]
fn the_rules_that_are_built_in_are_right() {
    let (rules, _) = read(include_str!("../builtin.toml")).expect("a mapping");
    let events: Vec<&str> = rules.iter().map(|rule| &*rule.event).collect();
    assert_eq!(events, [WORKOUT_SESSION, super::super::event::GYMLOG_BACKUP]);
}

#[test]
fn a_target_alone_names_the_table_and_its_columns() {
    let (_, target) = read("[target]\ntable = \"log\"\ncreated_at = \"at\"\n").expect("a mapping");
    let expected = Target { table: "log".to_owned(), created_at: "at".to_owned(), ..Target::default() };
    assert_eq!(target, Some(expected));
}

#[test]
fn every_mistake_is_told_with_its_line_and_what_to_do() {
    let replaced = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        wrong(&GOOD.replacen(from, to, 1))
    };
    for (from, to, line, message, hint) in [
        ("versions =", "version =", 6, "unknown field `version`", "did you mean `versions`?"),
        ("event    =", "evnet    =", 8, "unknown field `evnet`", "did you mean `event`?"),
        ("{ at = \"/weekNumber\"", "{ from = \"/weekNumber\"", 11, "unknown field `from`", "nothing else"),
        ("\"zustand\"", "\"zustnad\"", 5, "unknown variant `zustnad`", "did you mean `zustand`?"),
        ("type = \"bool\"", "type = \"boolean\"", 13, "unknown variant `boolean`", "did you mean `bool`?"),
        ("\"int-string\"", "\"int\"", 12, "unknown variant `int`", "did you mean `int-string`?"),
        ("each     =", "one = \"\"\neach     =", 2, "either `each` or `one`", "each ="),
        ("\"/state/progressHistory/sessions\"", "\"state\"", 7, "is no pointer", "/state/"),
        ("\"/state/progressHistory/sessions\"", "\"/a~\"", 7, "is no pointer", "~0"),
        ("\"/weekNumber\"", "\"/*\"", 11, "one place", "each"),
        (
            "\"/weekNumber\"",
            "\"/weekNumber\", up = \"/x\"",
            11,
            "one of `at`, `up` and `value`",
            "`at` points",
        ),
        ("{ at = \"/completed\", type = \"bool\" }", "{ value = 3 }", 13, "not of the field's type", "type"),
        (
            "type = \"bool\"",
            "type = \"int\"",
            13,
            "`completed` of a workout_session has another type",
            "leave",
        ),
        (
            "type = \"int\"",
            "type = \"text\"",
            11,
            "`week_number` of a workout_session has another type",
            "leave",
        ),
        ("\"workout_session\"", "\"localstorage_item\"", 8, "the event of a key with its value", "workout"),
        ("\"workout_session\"", "\"\"", 8, "an event has a name", "workout"),
        ("\"int-string\"", "\"epoch-ms\"", 12, "`coerce` does nothing", "timestamp"),
        ("type = \"bool\"", "coerce = [\"int-string\"]", 13, "`coerce` does nothing", "positive-int"),
        ("at = \"/dayNumber\"", "value = 3", 12, "`coerce` does nothing", "int-string"),
        (
            "{ at = \"/completed\", type = \"bool\" }",
            "{ value = true, else = \"/completed\" }",
            13,
            "`else` means nothing",
            "leave `else` out",
        ),
        ("\"https://app.example\"", "\"app.example\"", 4, "is no origin", "https://app.example"),
        ("week_number =", "week_nubmer =", 11, "has no field `week_nubmer`", "did you mean `week_number`?"),
        ("week_number =", "note =", 11, "has no field `note`", "its fields are"),
        ("completed = {", "# {", 2, "the field `completed` is missing", "a session needs"),
        (
            "event    =",
            "created_at = [\"completed\"]\nevent    =",
            8,
            "`completed` is no field that tells a time",
            "type",
        ),
        ("[[store]]", "[[store]", 2, "", "docs/MIGRATE.md"),
        ("envelope = \"zustand\"", "", 2, "missing field `envelope`", ""),
    ] {
        let (told, told_hint) = replaced(from, to);
        assert!(told.contains(&format!("line {line}: ")), "{to}: {told}");
        assert!(told.contains(message), "{to}: {told}");
        assert!(told_hint.contains(hint), "{to}: {told_hint}");
    }
    assert!(wrong("").0.contains("no [[store]]"));
}
